"""What journals hold, line by line, for tables and for Parquet files: points and facts with where they stand."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

from pinyon.query import duck, points
from pinyon.query.cover import Covered
from pinyon.store.authors import author_of
from pinyon.store.local import LocalStore

# A row with an object has its name as metric, and no value.
POINTS = (
    ("segment", "VARCHAR"), ("number", "INTEGER"), ("byte", "BIGINT"), ("batch", "BIGINT"), ("attempt", "VARCHAR"),
    ("metric", "VARCHAR"), ("step", "BIGINT"), ("t", "DOUBLE"), ("value", "DOUBLE"), ("object", "JSON"),
)  # fmt: skip
EVENTS = (
    ("segment", "VARCHAR"), ("number", "INTEGER"), ("byte", "BIGINT"), ("writer", "VARCHAR"), ("seq", "BIGINT"),
    ("kind", "VARCHAR"), ("ts", "DOUBLE"), ("body", "JSON"), ("project", "VARCHAR"),
)  # fmt: skip
COLUMNS = {"points": POINTS, "events": EVENTS}
_LINES = ("segment", "number", *points.Points._fields)
_MOST = 2**63
_PORTION = 20_000  # lines
_CHUNK = 4 << 20  # bytes


class Stretch(NamedTuple):
    """Part of a segment by column: records, or lines of points. What comes before ``end`` will never be read in another
    way; the first ``covered`` rows come from there."""

    columns: list[list[Any]]
    end: int
    covered: int
    notes: list[str]


def segments(store: LocalStore, table: str) -> list[str]:
    """The segments that make up a table, sorted."""
    return store.journals.points() if table == "points" else store.journals.segments()


def empty(table: str) -> list[list[Any]]:
    """Columns without a row."""
    return [[] for _ in (_LINES if table == "points" else EVENTS)]


def stored(connection: duck.Connection, table: str, file: str) -> str:
    """The rows of a Parquet file as SQL; older releases wrote fewer columns."""
    source = f"read_parquet({duck.quoted(file)})"
    there = {row[0] for row in connection.execute(f"describe select * from {source}").fetchall()}
    spelled = []
    for column, type in COLUMNS[table]:
        value = "coalesce(exact, t::DOUBLE)" if column == "t" and "exact" in there else f'"{column}"'
        spelled.append(f'{value if column in there else "null"}::{type} as "{column}"')
    return f"select {', '.join(spelled)} from {source}"


def to_store(table: str, source: str) -> str:
    """The rows of a table as a Parquet file has them, as SQL.

    Points of one metric lie together, and their seconds are whole microseconds, which take a third of the room. ``exact``
    has those that are none.
    """
    if table != "points":
        return f"select * from {source}"
    whole = "try_cast(t as DECIMAL(18, 6))"
    return (
        f"select segment, number, byte, batch, attempt, metric, step, {whole} as t,"
        f" case when {whole}::DOUBLE is distinct from t then t end as exact, value from {source}"
    )


def put(connection: duck.Connection, table: str, into: str, columns: list[list[Any]]) -> None:
    """Add the rows of a stretch to a table with the columns of ``COLUMNS``."""
    if table != "points":
        duck.add_columns(connection, into, EVENTS, columns)
        return
    for at in range(0, len(columns[0]), _PORTION):
        _put_lines(connection, into, [column[at : at + _PORTION] for column in columns])


def _put_lines(connection: duck.Connection, into: str, columns: list[list[Any]]) -> None:
    """Lines become rows in the database: what stands in many lines is handed over once, the rest once a line."""
    segment, number, byte, batch, attempt, step, t, names, values, objects = columns
    segments, attempts, shapes = (list(dict.fromkeys(one)) for one in (segment, attempt, names))
    ranks = [{one: at for at, one in enumerate(known, 1)} for known in (segments, attempts, shapes)]
    numbers = dict(zip(segment, number, strict=True))
    connection.execute(
        f"insert into {duck.name(into)} select segments[segment], numbers[segment], byte, batch, attempts[attempt],"
        " unnest(shapes[shape]), step, t, unnest(told), unnest(things) from (select unnest($1::INTEGER[]) as segment,"
        " unnest($2::BIGINT[]) as byte, unnest($3::BIGINT[]) as batch, unnest($4::INTEGER[]) as attempt,"
        " unnest($5::BIGINT[]) as step, unnest($6::DOUBLE[]) as t, unnest($7::INTEGER[]) as shape,"
        " unnest($8::DOUBLE[][]) as told, unnest($9::VARCHAR[][]) as things) lines,"
        " (select $10::VARCHAR[] as segments, $11::INTEGER[] as numbers, $12::VARCHAR[] as attempts,"
        " $13::VARCHAR[][] as shapes) told",
        [
            [ranks[0][one] for one in segment], byte, batch, [ranks[1][one] for one in attempt], step, t,
            [ranks[2][one] for one in names], values,
            [None if one is None else list(map(duck.clean, one)) for one in objects],
            segments, [numbers[one] for one in segments], list(map(duck.clean, attempts)),
            [list(map(duck.clean, shape)) for shape in shapes],
        ],
    )  # fmt: skip


def uncovered(
    store: LocalStore, table: str, known: Covered, attempts: Collection[str] | None = None
) -> Iterator[tuple[str, int, Iterator[Stretch]]]:
    """What no Parquet file covers: segment, offset, and the rows from there on.

    Args:
        attempts: only of writers who wrote points of these.
    """
    gaps = known.gaps()
    found = [
        (segment, start, stop)
        for segment in segments(store, table)
        for start, stop in gaps(segment)
        if stop is not None or store.journals.size(segment) > start
    ]
    if attempts is not None:
        writers = {segment.partition(".")[0] for segment, _, _ in found if _whose(store, segment, attempts)}
        found = [one for one in found if one[0].partition(".")[0] in writers]
    for segment, start, stop in found:
        yield segment, start, pieces(store, table, segment, start, stop)


def _whose(store: LocalStore, segment: str, attempts: Collection[str]) -> bool:
    try:
        return points.mentions(store.root / "journals" / segment, attempts)
    except OSError:
        return True  # the reader says what is wrong


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
    covered = bisect_left(found.points.at, found.end)
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
