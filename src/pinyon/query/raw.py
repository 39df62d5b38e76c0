"""What journals hold, line by line, for tables and for Parquet files: points and facts with where they stand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from pinyon.query import points
from pinyon.store.authors import author_of
from pinyon.store.local import LocalStore

POINTS = (
    ("segment", "VARCHAR"), ("number", "INTEGER"), ("byte", "BIGINT"), ("attempt", "VARCHAR"), ("metric", "VARCHAR"),
    ("step", "BIGINT"), ("t", "DOUBLE"), ("value", "DOUBLE"),
)  # fmt: skip
EVENTS = (
    ("segment", "VARCHAR"), ("number", "INTEGER"), ("byte", "BIGINT"), ("writer", "VARCHAR"), ("seq", "BIGINT"),
    ("kind", "VARCHAR"), ("ts", "DOUBLE"), ("body", "JSON"), ("project", "VARCHAR"),
)  # fmt: skip
COLUMNS = {"points": POINTS, "events": EVENTS}
_MOST = 2**63
_PORTION = 20_000  # rows


class Stretch(NamedTuple):
    """Part of a segment: its rows by column. Before ``end`` nothing changes any more, and ``covered`` rows come from there;
    those behind may be told again in another way."""

    columns: list[list[Any]]
    end: int
    covered: int
    notes: list[str]


def segments(store: LocalStore, table: str) -> list[str]:
    """The segments that make up a table, sorted."""
    return points.segments(store.root / "journals") if table == "points" else store.journals.segments()


def size(store: LocalStore, segment: str) -> int:
    """Bytes of a segment now; 0 when it is gone."""
    return store.journals.size(segment)


def read(store: LocalStore, table: str, segment: str, start: int, stop: int | None) -> Stretch:
    """The rows of a segment between two offsets; what is unreadable is noted."""
    try:
        return (_points if table == "points" else _events)(store, segment, start, stop)
    except OSError as error:
        note = f"{segment} is left out, it cannot be read: {error.strerror}"
        return Stretch([[] for _ in COLUMNS[table]], start, 0, [note])


def gather(stretches: Iterable[Stretch]) -> Iterator[Stretch]:
    """The same rows in larger portions: a call of the database for each of many small segments would cost more than all
    the reading. ``end`` and ``covered`` mean nothing here."""
    columns: list[list[Any]] = []
    notes: list[str] = []
    for stretch in stretches:
        notes += stretch.notes
        columns = columns or [[] for _ in stretch.columns]
        for column, more in zip(columns, stretch.columns, strict=True):
            column += more
        if len(columns[0]) >= _PORTION:
            yield Stretch(columns, 0, 0, notes)
            columns, notes = [], []
    if columns:
        yield Stretch(columns, 0, 0, notes)


def _points(store: LocalStore, segment: str, start: int, stop: int | None) -> Stretch:
    found = points.read(store.root / "journals" / segment, start, stop)
    count = len(found.points.at)
    covered = sum(at < found.end for at in found.points.at)
    notes = [
        f"{segment} at byte {at}: points that are not those that were written are left out"
        for at in found.damaged
    ]
    columns: list[list[Any]] = [[segment] * count, [_number(segment)] * count, *found.points]
    return Stretch(columns, found.end, covered, notes)


def _events(store: LocalStore, segment: str, start: int, stop: int | None) -> Stretch:
    project = author_of(store.journals, segment).project
    rows, end = [], start
    for row, after in _records(store, segment, start, stop, project):
        rows.append(row)
        end = after
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in EVENTS]
    return Stretch(columns, end, len(rows), [])


def _records(
    store: LocalStore, segment: str, start: int, stop: int | None, project: str
) -> Iterator[tuple[tuple[Any, ...], int]]:
    import json

    number, before = _number(segment), start
    for event, after in store.journals.read(segment, start):
        if stop is not None and after > stop:
            return
        if event.seq < _MOST:
            body = json.dumps(event.body, ensure_ascii=False)
            yield (
                (
                    segment,
                    number,
                    before,
                    event.writer,
                    event.seq,
                    event.kind,
                    float(event.ts),
                    body,
                    project,
                ),
                after,
            )
        before = after


def _number(segment: str) -> int:
    return int(segment.split(".")[-2]) % 2**31
