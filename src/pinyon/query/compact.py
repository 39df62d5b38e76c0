"""Compaction: what segments hold is written into Parquet files, from which queries read it far sooner.

Nothing is deleted, and nothing is counted twice: a version of the ref ``tables`` says what each file covers. It is written
last, so whoever is killed before has changed nothing, and of two who compact at once the later one finds the version taken.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from pinyon.errors import PinyonError, RefConflictError
from pinyon.model.ids import new_id
from pinyon.query import duck, raw
from pinyon.query import parts as parts_of
from pinyon.query.cover import (
    OBJECTS,
    REF,
    ROWS,
    SUMMARY,
    Covered,
    Part,
    covered,
    joined,
    listed,
    open_blob,
    told,
    value_of,
)
from pinyon.store.local import LocalStore
from pinyon.store.place import make_cache

_FILES = 7  # of about one size; then they become one with the next
_STEPS = 3  # sizes are about one when they differ by less than 2 to the power of this
_AT_ONCE = 32 << 20  # bytes of journals that become one file
_BYTES = 4 << 20  # of journals beyond the files: a query reads them in about a second
_SEGMENTS = 256
_OFTEN = 64  # segments between two looks whether it is worthwhile
_AT_MOST = 16 << 20  # bytes that the end of a run takes the time for


class Compacted(NamedTuple):
    """What a compaction has written. ``files`` is empty where there was nothing to do, and where somebody else was quicker
    (then ``lost``). ``more`` is left for the next time."""

    files: tuple[Part, ...] = ()
    merged: int = 0
    lost: bool = False
    notes: tuple[str, ...] = ()
    more: bool = False


def compact(store: LocalStore, *, most: float = float("inf"), actor: str = "") -> Compacted:
    """Write what lies in journals beyond the Parquet files into new ones, so much at a time as fits into little memory.

    Args:
        most: bytes of journals; what is more stays for the next time.

    Raises:
        PlanError: DuckDB is not installed.
        FormatVersionError: a newer Pinyon wrote this store.
    """
    duck.module()
    if not store.describe():
        return Compacted()
    store.prepare("")
    done = Compacted()
    while most > 0:
        written, read = _step(store, min(most, _AT_ONCE), actor)
        files = (*done.files, *written.files)
        there = {part.blob for part in told(store).parts}
        files = tuple(part for part in files if part.blob in there)
        notes = tuple(dict.fromkeys((*done.notes, *written.notes)))
        done = Compacted(files, done.merged + written.merged, written.lost, notes)
        most -= read
        if written.lost or read < _AT_ONCE:
            break
    return done._replace(more=most <= 0)


def _step(store: LocalStore, most: float, actor: str) -> tuple[Compacted, int]:
    """One version of the ref, and how many bytes of journals were read for it."""
    # First, so that a version that somebody writes meanwhile is a conflict.
    before = told(store)
    kept = [part for part in before.parts if part.table not in raw.COLUMNS]
    written: list[Part] = []
    merged = read = 0
    notes: list[str] = list(before.notes)
    for table in raw.COLUMNS:
        known = covered(store, table, (ROWS, SUMMARY))
        notes += known.notes
        made = _write(store, table, known, most)
        if made is None:
            kept += before.of(table)  # one that cannot be reached just now may come back
            continue
        part, old, size = made
        kept += [*(one for one in known.parts if one not in old), part]
        written.append(part)
        merged += len(old)
        read = max(read, size)
    if not written:
        return Compacted(notes=tuple(dict.fromkeys(notes))), read
    blobs = [name for part in written for name in (part.blob, part.list, part.summary, part.objects) if name]
    store.blobs.flush(blobs)
    try:
        store.refs.set(REF, value_of(kept), expect=before.version, actor=actor)
    except RefConflictError:
        return Compacted(lost=True, notes=tuple(dict.fromkeys(notes))), read
    return Compacted(tuple(written), merged, notes=tuple(dict.fromkeys(notes))), read


def _write(store: LocalStore, table: str, known: Covered, most: float) -> tuple[Part, list[Part], int] | None:
    """A file of what no other covers, and of those ``old`` ones that it stands for from now on; with the bytes of journals
    that it took. None where there is nothing new."""
    covers: list[tuple[str, int, int]] = []
    with ExitStack() as stack:
        connection = duck.connect()
        stack.callback(connection.close)
        duck.create(connection, table, raw.COLUMNS[table])
        for stretch in raw.gather(_taken(store, table, known, most, covers)):
            raw.put(connection, table, table, stretch.columns)
        if not covers:
            return None
        made = _files(store, table, known.parts, connection, stack)
    whole = joined([*covers, *(one for part in made[1] for one in listed(part.covers))])
    names = store.blobs.put(json.dumps(listed(whole)).encode())
    return made[0]._replace(list=names, covers=whole), made[1], sum(end - start for _, start, end in covers)


def _files(
    store: LocalStore, table: str, parts: Sequence[Part], connection: duck.Connection, stack: ExitStack
) -> tuple[Part, list[Part]]:
    """The Parquet files of a table in the database and of older ones, and these."""

    def count(condition: str) -> int:
        return int(connection.execute(f"select count(*) from {table} where {condition}").fetchall()[0][0])

    def write(query: str, read: Sequence[str]) -> str:
        return _put(store, connection, " union all ".join([*read, f"({query})"]))

    if table != "points":
        rows = count("true")
        old = _mergeable(parts, rows)
        before = [raw.stored(connection, table, open_blob(store, part.blob, stack)) for part in old]
        return Part(table, write(f"from {table}", before), "", rows + sum(part.rows for part in old)), old
    rows, things = count("object is null"), count("object is not null")
    whole = {part.blob for part in covered(store, table, (OBJECTS,)).parts}
    old = _mergeable([part for part in parts if part.blob in whole], rows)
    opened = {
        name: open_blob(store, name, stack) for part in old for name in part.files((ROWS, SUMMARY, OBJECTS))
    }
    before = [raw.stored(connection, table, opened[part.blob]) for part in old]
    blob = write(
        raw.to_store(table, "points where object is null order by segment, metric, byte"),
        [raw.to_store(table, f"({one})") for one in before],
    )
    summed = [
        parts_of.read(duck.quoted(opened[part.summary])) if part.summary else parts_of.of_points(f"({one})")
        for part, one in zip(old, before, strict=True)
    ]
    united = " union all ".join([*summed, parts_of.of_points(table)])
    summary = write(f"{parts_of.joined(f'({united})')} order by segment, metric", [])
    thinged = [f"from read_parquet({duck.quoted(opened[part.objects])})" for part in old if part.objects]
    objects = write("from points where object is not null", thinged) if things or thinged else ""
    return Part(table, blob, "", rows + sum(part.rows for part in old), summary, objects), old


def _put(store: LocalStore, connection: duck.Connection, query: str) -> str:
    temporary = store.root / "tmp" / f"{new_id('tables')}.parquet"
    temporary.parent.mkdir(exist_ok=True)  # a backup has none
    try:
        duck.write_parquet(connection, temporary, query)
        return store.blobs.put(temporary)
    finally:
        temporary.unlink(missing_ok=True)


def _mergeable(parts: Sequence[Part], rows: int) -> list[Part]:
    """The files that become one with a new one of so many rows: those that are no larger, where there are enough of them.

    So every row is written again only a few times however long the history grows, and there are never many files.
    """
    found: list[Part] = []
    while True:
        total = rows + sum(part.rows for part in found)
        level = total.bit_length() // _STEPS
        alike = [part for part in parts if part.rows.bit_length() // _STEPS <= level]
        if len(alike) < _FILES or len(alike) == len(found):
            return found
        found = alike


def _taken(
    store: LocalStore, table: str, known: Covered, most: float, covers: list[tuple[str, int, int]]
) -> Iterator[raw.Stretch]:
    """The rows that are to be written; adds where they stand to ``covers``."""
    for segment, start, pieces in raw.uncovered(store, table, known):
        for piece in pieces:
            if most <= 0:
                return
            if piece.end > start:
                covers.append((segment, start, piece.end))
                most -= piece.end - start
                start = piece.end
                yield raw.settled(piece)


def compact_if_worthwhile(store: LocalStore, *, actor: str = "") -> Compacted | None:
    """Compact where queries have much to read beyond the Parquet files, but never more than takes about two seconds.

    None where they have not, and where it did not work: nobody's run fails for this, and `pinyon compact` says why.
    """
    try:
        if not _is_due(store) or not duck.installed() or not _worthwhile(store):
            return None
        done = compact(store, most=_AT_MOST, actor=actor)
        if done.more:  # so that large journals do not outrun it
            _looked(store).unlink(missing_ok=True)
        return done
    except (PinyonError, OSError):
        return None


def _is_due(store: LocalStore) -> bool:
    """Whether many segments have come since the last look: a look reads what is covered, which grows with history."""
    looked = _looked(store)
    count = len(os.listdir(store.root / "journals"))
    with contextlib.suppress(OSError, ValueError):
        if 0 <= count - int(looked.read_text()) < _OFTEN:
            return False
    make_cache(str(store.cache))
    looked.write_text(str(count))
    return True


def _looked(store: LocalStore) -> Path:
    return store.cache / "tables-looked"


def _worthwhile(store: LocalStore) -> bool:
    names = [(table, segment) for table in raw.COLUMNS for segment in raw.segments(store, table)]
    if len(names) < _SEGMENTS and sum(store.journals.size(segment) for _, segment in names) < _BYTES:
        return False
    gaps = {table: covered(store, table).gaps() for table in raw.COLUMNS}
    count = size = 0
    for table, segment in names:
        for start, stop in gaps[table](segment):
            more = (store.journals.size(segment) if stop is None else stop) - start
            count += start == 0 and more > 0
            size += more
    return count >= _SEGMENTS or size >= _BYTES
