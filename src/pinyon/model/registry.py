"""Models, their numbered versions, and the names that point at them (docs/registry.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from pinyon.model.condition import Comparison

STAGES = ("staging", "production", "archived")
"""Names with rules: a version is in one of them at most, and what leaves the first two is archived."""

Action = Literal["promoted", "rolled_back", "unset"]

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,58}[A-Za-z0-9])?")


def bad_name(text: str) -> str:
    """Why this cannot name a model or an alias; "" if it can. It is typed after a verb, stands in a ref, and is told from
    the number of a version."""
    if not _NAME.fullmatch(text):
        return (
            "a name has 1 to 60 letters, digits, '.', '_' and '-', and begins and ends with a letter or digit"
        )
    return "a number means a version" if text.isdigit() else ""


def spelled(alias: str) -> str:
    """The name as it is kept: stages are written small, as in ``Production``."""
    return alias.lower() if alias.lower() in STAGES else alias


class Measured(NamedTuple):
    """What a run said of a model: the one that made it, or one that read it. ``metrics`` as the attempt has them."""

    stage: str
    run: str
    attempt: str
    metrics: Mapping[str, Any]


class Checked(NamedTuple):
    """One clause of a gate with what was found. ``value`` is None where nothing was measured, which holds nothing;
    ``source`` is the run that the number comes from, "" for none."""

    clause: Comparison
    value: float | None
    holds: bool
    source: str = ""


class ModelVersion(NamedTuple):
    """Version ``number`` of ``model``: one file, or one folder (then ``digest`` ends in ``/``), for ever.

    Attributes:
        path: the out that it was, such as ``model.safetensors``.
        format: what its first bytes say, such as ``safetensors`` or ``pickle``.
        run, attempt, stage: what made it.
        about: what is known of its origin beside these, such as ``experiment``, ``cell`` and ``seed``.
        trusted: somebody took it in though opening it runs code.
        actor: as ``kind:name``; ``ts`` is shown, and orders nothing.
    """

    model: str
    number: int
    digest: str
    path: str
    size: int
    format: str
    run: str
    attempt: str
    stage: str
    project: str = ""
    about: Mapping[str, Any] = {}
    trusted: bool = False
    why: str = ""
    actor: str = ""
    ts: float = 0.0

    @property
    def name(self) -> str:
        """Such as ``lstm@3``."""
        return f"{self.model}@{self.number}"


class Change(NamedTuple):
    """One change of the names of a model. ``number`` counts the changes from 1.

    Attributes:
        action: ``unset`` takes the name away.
        version: what ``alias`` points at now; None after it was taken away.
        before: what it pointed at before; None if at nothing.
        gate: every clause that was asked for, with the numbers of that moment.
        forced: somebody went on though a clause did not hold.
        by: the ``experiment`` and ``execution`` that did it by themselves; empty when somebody asked for it.
    """

    number: int
    action: Action
    alias: str
    version: int | None
    before: int | None
    gate: tuple[Checked, ...] = ()
    forced: bool = False
    why: str = ""
    by: Mapping[str, Any] = {}
    actor: str = ""
    ts: float = 0.0


class Model(NamedTuple):
    """A model as it is now: ``versions`` from 1 on; ``aliases`` by name, the stages among them; ``archived`` versions;
    ``pinned`` aliases, which never move again; ``changes`` oldest first."""

    name: str
    versions: tuple[ModelVersion, ...]
    aliases: Mapping[str, int] = {}
    archived: tuple[int, ...] = ()
    pinned: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()

    def aliases_of(self, number: int) -> tuple[str, ...]:
        """The names that point at a version, stages first; ``archived`` among them."""
        found = [alias for alias, version in self.aliases.items() if version == number]
        found += ["archived"] * (number in self.archived)
        return tuple(sorted(found, key=lambda alias: (alias not in STAGES, alias)))
