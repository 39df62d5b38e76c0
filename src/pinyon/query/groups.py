"""What a person means by the sides of a comparison: runs, attempts, experiments, stages by pattern, groups by a value."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from pinyon.errors import PlanError
from pinyon.query.board import Asked, Fields, candidates, list_board, value_of
from pinyon.query.cells import members
from pinyon.query.fold import params_of
from pinyon.query.index import Index
from pinyon.query.runs import RunRow, find, rows_of


class Group(NamedTuple):
    """A side: its name, and its runs with the parameters and metrics that count."""

    name: str
    rows: tuple[RunRow, ...]


def groups(index: Index, names: Sequence[str], by: str = "", where: str = "") -> list[Group]:
    """The sides that ``names`` mean: each one, or with ``by`` all of their runs, grouped by the value of that.

    Args:
        by: a name as conditions have them (`pinyon.query.board`). Then no names mean all runs.
        where: a condition that runs have to meet.

    Raises:
        PlanError: a name means nothing here, or nobody has ``by``.
    """
    found = [Group(name, tuple(_runs(index, name))) for name in names]
    wanted = (
        {row.run for row in list_board(index, Asked(where)).rows} if where or (by and not names) else None
    )
    if by and not names:
        found = [Group("", tuple(list_board(index, Asked(where)).rows))]
    elif wanted is not None:
        found = [Group(one.name, tuple(row for row in one.rows if row.run in wanted)) for one in found]
    return _by(index, [row for one in found for row in one.rows], by) if by else found


def params(row: RunRow) -> dict[str, Any]:
    """The parameters of a run, leaves by dotted name."""
    declared = params_of(row.attempt)
    return {
        **declared,
        **{k: v for k, v in row.params.items() if k not in declared and not isinstance(v, dict)},
    }


def _by(index: Index, rows: Sequence[RunRow], by: str) -> list[Group]:
    if problem := Fields(index, candidates(index)).unknown(by):
        raise PlanError(problem[0], where=f"--group {by}", why=problem[1])
    found: dict[str, dict[str, RunRow]] = {}
    for row in rows:
        for value in value_of(row, by) or ("-",):
            text = value if isinstance(value, str) else json.dumps(value)
            found.setdefault(f"{by}={text}", {})[row.run] = row
    return [Group(name, tuple(known.values())) for name, known in found.items()]


def _runs(index: Index, name: str) -> list[RunRow]:
    if any(sign in name for sign in "*?["):
        rows = list_board(index, Asked()).rows
        if found := [row for row in rows if fnmatchcase(row.stage, name)]:
            return found
        there = ", ".join(sorted({row.stage for row in rows})[:20]) or "none"
        raise PlanError(
            f"no stage that has run is called as '{name}'", why=f"there are {there}", next="pinyon runs"
        )
    recipes = {(one.project, one.recipe) for one in members(index, name)}
    if recipes:
        rows = list_board(index, Asked()).rows
        return [row for row in rows if (row.attempt.project, row.attempt.recipe) in recipes]
    attempts = find(index, name, succeeded=True)
    if name.startswith("a-"):
        if len(attempts) > 1:
            some = ", ".join(attempt.id for attempt in attempts[:5])
            raise PlanError(f"'{name}' could be several attempts: {some}", next="write more of the name")
        return [rows_of(index, attempts)[0]]
    return rows_of(index, attempts)
