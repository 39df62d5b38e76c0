"""What a change does to the names of a model (docs/FORMAT.md §6, Models). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pinyon.model.registry import STAGES, Change, Model

ARCHIVED = "archived"
_HELD = STAGES[:2]  # stages that hold one version


class Names(NamedTuple):
    """All names of a model: see `pinyon.model.registry.Model`."""

    aliases: Mapping[str, int] = {}
    archived: tuple[int, ...] = ()
    pinned: tuple[str, ...] = ()

    def stage_of(self, number: int) -> str:
        """The stage that a version is in, "" for none."""
        held = next((stage for stage in _HELD if self.aliases.get(stage) == number), "")
        return held or (ARCHIVED if number in self.archived else "")


def names_of(model: Model) -> Names:
    """The names of a model as it is now."""
    return Names(model.aliases, model.archived, model.pinned)


def pointed(names: Names, alias: str, version: int, *, pin: bool = False) -> Names:
    """``alias`` points at ``version``. A stage is left for another one, and whoever had that is archived."""
    aliases = dict(names.aliases)
    archived = set(names.archived)
    if alias in STAGES:
        for stage in _HELD:
            if aliases.get(stage) == version:
                del aliases[stage]
        archived.discard(version)
        if alias in aliases:
            archived.add(aliases[alias])
    if alias == ARCHIVED:
        archived.add(version)
    else:
        aliases[alias] = version
    pinned = {*names.pinned, alias} if pin else names.pinned
    return Names(aliases, tuple(sorted(archived)), tuple(sorted(pinned)))


def without(names: Names, alias: str) -> Names:
    """``alias`` points at nothing; what a stage held is archived."""
    aliases = dict(names.aliases)
    version = aliases.pop(alias)
    archived = {*names.archived, version} if alias in _HELD else names.archived
    return names._replace(aliases=aliases, archived=tuple(sorted(archived)))


def after(names: Names, change: Change) -> Names:
    """The names after a change; the pins are as they were."""
    if change.version is None:
        return without(names, change.alias) if change.alias in names.aliases else names
    return pointed(names, change.alias, change.version)


def earlier(changes: Sequence[Change], alias: str) -> int | None:
    """What a rollback of ``alias`` goes back to; None where there was nothing before, or it points at nothing.

    Promotions push and rollbacks pop; a name that has lost its version begins anew.
    """
    names, stack = Names(), list[int]()
    for change in changes:
        names = after(names, change)
        if alias not in names.aliases:
            stack.clear()
        elif change.alias == alias and change.action == "rolled_back":
            del stack[-1:]
        elif change.alias == alias and stack[-1:] != [change.version]:
            stack.append(names.aliases[alias])
    return stack[-2] if len(stack) > 1 else None


def touched(names: Names, alias: str, version: int | None) -> tuple[object, ...]:
    """What a change of ``alias`` to ``version`` was decided on: if it is as it was, the change still holds."""
    left = names.stage_of(version) if alias in STAGES and version is not None else ""
    return names.aliases.get(alias), alias in names.pinned, left, left in names.pinned
