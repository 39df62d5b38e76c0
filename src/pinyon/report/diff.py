"""Nested data as dotted leaves, and what differs between two of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pinyon.errors import PlanError
from pinyon.model.canonical import canonical
from pinyon.model.leaves import flatten


class Change(NamedTuple):
    """One leaf that differs: ``file``, dotted ``name``, ``old`` and ``new`` (None where there is none), and for numbers
    ``change``, new minus old."""

    file: str
    name: str
    old: Any
    new: Any
    change: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """``old``, ``new`` and, for two numbers, ``diff``: the names that DVC's users know."""
        row = {"old": self.old, "new": self.new}
        return row if self.change is None else {**row, "diff": self.change}


def diff(old: Mapping[str, Any], new: Mapping[str, Any], *, unchanged: bool = False) -> list[Change]:
    """What differs between files of data by path, in the order of the new ones; ``unchanged``: the rest too.

    As for DVC's users, null and absence are one.
    """
    changes = []
    for file in dict.fromkeys((*new, *old)):
        before = flatten(old[file]) if file in old else {}
        now = flatten(new[file]) if file in new else {}
        for name in dict.fromkeys((*now, *before)):
            left, right = before.get(name), now.get(name)
            if unchanged or not _same(left, right):
                changes.append(Change(file, name, left, right, _change(left, right)))
    return changes


def as_dict(changes: list[Change]) -> dict[str, dict[str, Any]]:
    """By file and name, as ``dvc metrics diff --json`` has them."""
    found: dict[str, dict[str, Any]] = {}
    for change in changes:
        found.setdefault(change.file, {})[change.name] = change.as_dict()
    return found


def _change(old: Any, new: Any) -> float | None:
    return new - old if isinstance(old, int | float) and isinstance(new, int | float) else None


def _same(one: Any, other: Any) -> bool:
    try:
        return canonical(one) == canonical(other)  # as keys compare: True is not 1, and 1 is 1.0
    except PlanError:  # NaN and infinities have no canonical form
        return repr(one) == repr(other)
