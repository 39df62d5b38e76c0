"""``pinyon.runs(…)``: the runs of a project as a table, for a notebook or a script."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from html import escape
from pathlib import Path
from typing import Any, overload

from pinyon.errors import PlanError
from pinyon.query.board import FIELDS, Asked, list_board
from pinyon.query.runs import RunRow
from pinyon.query.where import plain
from pinyon.session.records import open_records

_SHOWN, _WIDE, _LONG = 60, 30, 100  # rows, columns and characters of a value, in a notebook
_ALWAYS = ("run", "stage", "status", "started", "seconds")

Row = dict[str, Any]


class Runs(Sequence[Row]):
    """Rows, each a map of what a run has by the names that conditions use: ``run``, ``params.lr``, ``tag.model``, ``loss``.
    ``started`` is in seconds since the epoch. A notebook shows it as a table.

    Attributes:
        columns: all names, in order; a row has those that its run has.
        notes: what the condition could not compare, and what had to be left out.
    """

    def __init__(self, rows: Sequence[Row], columns: Sequence[str], notes: Sequence[str] = ()) -> None:
        self._rows, self.columns, self.notes = list(rows), list(columns), list(notes)

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> Runs: ...
    def __getitem__(self, at: int | slice) -> Row | Runs:
        """A row, or some of them."""
        return Runs(self._rows[at], self.columns, self.notes) if isinstance(at, slice) else self._rows[at]

    def __len__(self) -> int:
        return len(self._rows)

    def to_pandas(self) -> Any:
        """As a data frame; ``started`` is a moment (UTC) there.

        Raises:
            PlanError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise PlanError(
                "this needs pandas, which is not installed here", next="pip install pandas"
            ) from None
        frame = pandas.DataFrame(self._by_column(), columns=self.columns)
        if "started" in self.columns:
            frame["started"] = pandas.to_datetime(frame["started"], unit="s", utc=True)
        return frame

    def to_arrow(self) -> Any:
        """As a table of Arrow's; a column with values of several kinds is text.

        Raises:
            PlanError: pyarrow is not installed.
        """
        try:
            import pyarrow
        except ImportError:
            raise PlanError(
                "this needs pyarrow, which is not installed here", next="pip install pyarrow"
            ) from None
        return pyarrow.table({name: _of_one_kind(values) for name, values in self._by_column().items()})

    def _by_column(self) -> dict[str, list[Any]]:
        return {name: [row.get(name) for row in self._rows] for name in self.columns}

    def _repr_html_(self) -> str:
        """As a notebook shows it; whatever stands in it is text."""
        names = self.columns[:_WIDE]
        head = "".join(f"<th>{escape(_short(name))}</th>" for name in names)
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(_cell(name, row.get(name)))}</td>" for name in names) + "</tr>"
            for row in self._rows[:_SHOWN]
        )
        more = [
            f"{count} more {what}"
            for count, what in ((len(self) - _SHOWN, "runs"), (len(self.columns) - _WIDE, "columns"))
            if count > 0
        ]
        said = "".join(f"<div>{escape(text)}</div>" for text in [", ".join(more), *self.notes] if text)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{said}"

    def __repr__(self) -> str:
        count = f"{len(self)} run{'s' * (len(self) != 1)}"
        return f"<{count}: {', '.join(self.columns[:_WIDE])}>"


def runs(
    where: str = "", *, sort: str | Sequence[str] = (), limit: int = 0, stage: str | None = None,
    columns: str | Sequence[str] = (), project: str | None = None, directory: str = ".",
) -> Runs:  # fmt: skip
    """The runs of the project around ``directory``, as `pinyon runs` lists them: ``pinyon.runs("loss < 1", sort="-acc")``.

    Args:
        where: a condition, such as ``loss < 0.3 and tag.model = 'lstm'``.
        sort: names, the first counts most; ``-NAME`` has the largest first. Without, the newest are last.
        limit: at most so many; 0 is no limit.
        columns: only these names, as ``params.lr``, ``tag.model``, ``loss``, ``loss.best``.
        project: another one in the same store, or "all".

    Raises:
        PlanError: the condition is none, or names what no run here has.
        SpecError: there is no project.
    """
    wanted = _names(columns)
    with ExitStack() as stack:
        records = open_records(Path(directory), stack)
        asked = Asked(where, _names(sort), limit, stage, project, wanted)
        listed = list_board(records.fold, asked, records.store)
    if wanted:
        cells = [
            {name: _value(told) for name, told in zip(wanted, one, strict=True) if told}
            for one in listed.cells
        ]
        return Runs(cells, wanted, listed.notes)
    rows = [_row(row) for row in listed.rows]
    seen = dict.fromkeys(name for row in rows for name in row if name not in _ALWAYS)
    kinds = [[name for name in seen if _kind(name) == kind] for kind in range(3)]
    return Runs(rows, [*_ALWAYS, *(name for names in kinds for name in names)], listed.notes)


def _names(told: str | Sequence[str]) -> list[str]:
    return [name.strip() for name in told.split(",") if name.strip()] if isinstance(told, str) else list(told)


def _row(row: RunRow) -> Row:
    return dict(_cells(row))


def _cells(row: RunRow) -> Iterator[tuple[str, Any]]:
    about = (row.run, row.stage, row.status, row.attempt.started, row.attempt.seconds)
    yield from zip(_ALWAYS, about, strict=True)
    yield from ((f"params.{name}", value) for name, value in row.params.items())
    yield from ((f"tag.{name}", text) for name, text in row.tags.items())
    for name, value in row.metrics.items():
        taken = name in FIELDS or name.startswith(("params.", "tag."))
        yield (f"metric.{name}" if taken else name), plain(value)


def _kind(name: str) -> int:
    """Parameters, then tags, then metrics."""
    return 0 if name.startswith("params.") else 1 if name.startswith("tag.") else 2


def _value(told: Sequence[Any]) -> Any:
    """Of one run in a column: one value, or those of all cells that it belongs to."""
    return told[0] if len(told) == 1 else list(told)


def _of_one_kind(values: list[Any]) -> list[Any]:
    kinds = {float if type(value) is int else type(value) for value in values if value is not None}
    if len(kinds) > 1 or kinds & {dict, list}:
        return [None if value is None else str(value) for value in values]
    if float in {type(value) for value in values}:  # whole numbers beside others
        return [None if value is None else float(value) for value in values]
    return values


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name == "started" and isinstance(value, float):
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(value))
    return _short(f"{value:.4g}" if isinstance(value, float) else str(value))


def _short(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"
