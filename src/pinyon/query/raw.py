"""What journals hold, line by line, for tables and for Parquet files: points and facts with where they stand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from pinyon.query import points
from pinyon.query.cover import Covered
from pinyon.store.authors import author_of
from pinyon.store.local import LocalStore

POINTS = (
    ("segment", "VARCHAR"), ("number", "INTEGER"), ("byte", "BIGINT"), ("batch", "BIGINT"), ("attempt", "VARCHAR"),
    ("metric", "VARCHAR"), ("step", "BIGINT"), ("t", "DOUBLE"), ("value", "DOUBLE"),
)  # fmt: skip
EVENTS = (
    ("segment", "VARCHAR"), ("number", "INTEGER"), ("byte", "BIGINT"), ("writer", "VARCHAR"), ("seq", "BIGINT"),
    ("kind", "VARCHAR"), ("ts", "DOUBLE"), ("body", "JSON"), ("project", "VARCHAR"),
)  # fmt: skip
COLUMNS = {"points": POINTS, "events": EVENTS}
_MOST = 2**63
_PORTION = 20_000  # rows
_CHUNK = 4 << 20  # bytes


class Stretch(NamedTuple):
    """Part of a segment: its rows by column. What comes before ``end`` will never be read in another way; the first
    ``covered`` rows come from there."""

    columns: list[list[Any]]
    end: int
    covered: int
    notes: list[str]


def segments(store: LocalStore, table: str) -> list[str]:
    """The segments that make up a table, sorted."""
    return store.journals.points() if table == "points" else store.journals.segments()


def empty(table: str) -> list[list[Any]]:
    """Columns without a row."""
    return [[] for _ in COLUMNS[table]]


def uncovered(store: LocalStore, table: str, known: Covered) -> Iterator[tuple[str, int, Iterator[Stretch]]]:
    """What no Parquet file covers: segment, offset, and the rows from there on."""
    for segment in segments(store, table):
        for start, stop in known.gaps(table, segment):
            if stop is not None or store.journals.size(segment) > start:
                yield segment, start, pieces(store, table, segment, start, stop)


def pieces(store: LocalStore, table: str, segment: str, start: int, stop: int | None) -> Iterator[Stretch]:
    """The rows of a segment between two offsets, as many at once as fit into little memory."""
    size = store.journals.size(segment)
    last = size if stop is None else min(stop, size)
    while last - start > _CHUNK:
        found = read(store, table, segment, start, start + _CHUNK)
        if found.end == start:
            break  # nothing is settled here: what follows damage is read as a whole
        yield settled(found)
        start = found.end
    yield read(store, table, segment, start, stop)


def settled(stretch: Stretch) -> Stretch:
    """Only what will never be read in another way."""
    columns = [column[: stretch.covered] for column in stretch.columns]
    return Stretch(columns, stretch.end, stretch.covered, [])


def read(store: LocalStore, table: str, segment: str, start: int, stop: int | None) -> Stretch:
    """The rows of a segment between two offsets; what is unreadable is noted."""
    try:
        return (_points if table == "points" else _events)(store, segment, start, stop)
    except OSError as error:
        note = f"{segment} is left out, it cannot be read: {error.strerror}"
        return Stretch(empty(table), start, 0, [note])


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
    project, number = author_of(store.journals, segment).project, _number(segment)
    rows: list[tuple[Any, ...]] = []
    end, covered, before = start, 0, start
    with open(store.root / "journals" / segment, "rb") as file:
        file.seek(start)
        for event, after in store.journals.read(segment, start):
            if stop is not None and after > stop:
                break
            # A line that was passed over may be readable one day, by a newer release or after a repair.
            sure = end == before and before + len(file.readline()) == after
            before = after
            if event.seq < _MOST:
                body = json.dumps(event.body, ensure_ascii=False)
                row = (
                    segment,
                    number,
                    after,
                    event.writer,
                    event.seq,
                    event.kind,
                    float(event.ts),
                    body,
                    project,
                )
                rows.append(row)
            if sure:
                end, covered = after, len(rows)
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in EVENTS]
    return Stretch(columns, end, covered, [])


def _number(segment: str) -> int:
    return int(segment.split(".")[-2]) % 2**31
