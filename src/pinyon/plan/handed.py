"""Overrides (``-S``, cells) between those who know them: parameter files, and commands that say their parameters."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pinyon.errors import PlanError
from pinyon.model.flags import Heard
from pinyon.model.graph import Stage
from pinyon.model.project import Project
from pinyon.plan import overlay
from pinyon.plan.interpolate import nearest

if TYPE_CHECKING:
    from pinyon.plan.arguments import Given


def in_files(project: Project, read: Mapping[str, Any], overrides: overlay.Overrides) -> overlay.Overrides:
    """The overrides that parameter files must know: all, unless a stage of the project can know one that none does."""
    bodies = [template.body.get("do", template.body) for template in project.stages]
    if all(body.get("args", "file") == "file" for body in bodies):
        return overrides
    return overlay.parted(read, overrides)[0]


def unheard(
    stages: Iterable[Stage], overrides: overlay.Overrides, heard: Mapping[str, Heard]
) -> tuple[Stage, ...]:
    """Stages of which it must first be found out what their command can be given."""
    speaking = [stage for stage in stages if stage.args != "file" and stage.name not in heard]
    if not speaking:
        return ()
    from pinyon.plan.arguments import must_hear  # of no use to most projects, whose parameters stand in files

    return tuple(stage for stage in speaking if must_hear(stage, overrides))


def hand(
    stages: Sequence[Stage],
    heard: Mapping[str, Heard],
    overrides: overlay.Overrides,
    filed: overlay.Overrides,
    read: Mapping[str, Any],
) -> list[Stage]:
    """The stages with their parameters in their commands, where they say so.

    Args:
        heard: what commands can be given, by stage.
        filed: overrides that stand in files.
        read: parameter files, whose names an error may suggest.

    Raises:
        PlanError: an override that nobody knows, or that a command cannot take.
    """
    if all(stage.args == "file" for stage in stages):
        return list(stages)
    named = [(key, value) for key, value in overrides if ":" not in key]
    there = {key for key, _ in filed}
    found = [_given(stage, heard.get(stage.name), named, there) for stage in stages]
    used = there.union(*(one.used for one in found))
    for key, _ in named:
        if key not in used:
            names = dict.fromkeys(name for one in found for name in one.names)
            why = nearest(key, [*overlay.names_in(read), *names])
            raise PlanError(f"-S {key}: neither params.yaml nor a command has a parameter '{key}'", why=why)
    return [one.stage for one in found]


def _given(stage: Stage, heard: Heard | None, overrides: overlay.Overrides, filed: Collection[str]) -> Given:
    from pinyon.plan.arguments import given

    try:
        return given(stage, heard, overrides, filed)
    except PlanError as error:
        where = error.where or str(stage.origin)
        raise PlanError(error.what, where=where, why=error.why, next=error.next) from None
