"""Compaction: what segments hold is written into Parquet files, from which queries read it far sooner.

Nothing is deleted, and nothing is counted twice: a version of the ref ``tables`` says what each file covers. It is written
last, so whoever is killed before has changed nothing, and of two who compact at once the later one finds the version taken.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple

from pinyon.errors import PinyonError, RefConflictError
from pinyon.model.ids import new_id
from pinyon.query import duck, raw
from pinyon.query.cover import REF, Covered, Part, covered, joined, listed, open_blob, value_of
from pinyon.store.local import LocalStore
from pinyon.store.place import make_cache

_FILES = 8  # of one table; then they become one
_BYTES = 4 << 20  # of journals beyond the files: a query reads them in about a second
_SEGMENTS = 256
_OFTEN = 64  # segments between two looks whether it is worthwhile
_AT_MOST = 8 << 20  # bytes that the end of a run takes the time for


class Compacted(NamedTuple):
    """What a compaction has written. ``files`` is empty where there was nothing to do, and where somebody else was quicker
    (then ``lost``)."""

    files: tuple[Part, ...] = ()
    merged: int = 0
    lost: bool = False
    notes: tuple[str, ...] = ()


def compact(store: LocalStore, *, most: float = float("inf"), actor: str = "") -> Compacted:
    """Write what lies in journals beyond the Parquet files into new ones.

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
    known = covered(store)
    kept = list(known.parts)
    written: list[Part] = []
    merged = 0
    for table in raw.COLUMNS:
        old = known.of(table)
        old = old if len(old) >= _FILES else []
        part = _write(store, table, known, old, most)
        if part is None:
            continue
        kept = [one for one in kept if one not in old] + [part]
        written.append(part)
        merged += len(old)
    if not written:
        return Compacted(notes=known.notes)
    store.blobs.flush([name for part in written for name in (part.blob, part.list)])
    try:
        store.refs.set(REF, value_of(kept), expect=known.version, actor=actor)
    except RefConflictError:
        return Compacted(lost=True, notes=known.notes)
    return Compacted(tuple(written), merged, notes=known.notes)


def _write(store: LocalStore, table: str, known: Covered, old: list[Part], most: float) -> Part | None:
    """A file of what no other covers, and of ``old`` ones; None where there is nothing new."""
    covers: list[tuple[str, int, int]] = []
    rows = 0
    temporary = store.root / "tmp" / f"{new_id('tables')}.parquet"
    with ExitStack() as stack:
        connection = duck.connect()
        stack.callback(connection.close)
        duck.create(connection, table, raw.COLUMNS[table])
        for stretch in raw.gather(_taken(store, table, known, most, covers)):
            duck.add_columns(connection, table, raw.COLUMNS[table], stretch.columns)
            rows += len(stretch.columns[0])
        if not covers:
            return None
        files = [open_blob(store, part.blob, stack) for part in old]
        try:
            duck.write_parquet(connection, temporary, table, raw.COLUMNS[table], files)
            blob = store.blobs.put(temporary)
        finally:
            temporary.unlink(missing_ok=True)
    whole = joined([*covers, *(one for part in old for one in listed(part.covers))])
    names = store.blobs.put(json.dumps(listed(whole)).encode())
    return Part(table, blob, names, rows + sum(part.rows for part in old), whole)


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
    """Compact where queries have much to read beyond the Parquet files, but never more than takes about a second.

    None where they have not, and where it did not work: nobody's run fails for this, and `pinyon compact` says why.
    """
    try:
        if not _is_due(store) or not duck.installed() or not _worthwhile(store):
            return None
        return compact(store, most=_AT_MOST, actor=actor)
    except (PinyonError, OSError):
        return None


def _is_due(store: LocalStore) -> bool:
    """Whether many segments have come since the last look: a look reads what is covered, which grows with history."""
    looked = store.cache / "tables-looked"
    count = len(os.listdir(store.root / "journals"))
    with contextlib.suppress(OSError, ValueError):
        if 0 <= count - int(looked.read_text()) < _OFTEN:
            return False
    make_cache(str(store.cache))
    looked.write_text(str(count))
    return True


def _worthwhile(store: LocalStore) -> bool:
    names = [(table, segment) for table in raw.COLUMNS for segment in raw.segments(store, table)]
    if len(names) < _SEGMENTS and sum(store.journals.size(segment) for _, segment in names) < _BYTES:
        return False
    known = covered(store)
    count = size = 0
    for table, segment in names:
        for start, stop in known.gaps(table, segment):
            more = (store.journals.size(segment) if stop is None else stop) - start
            count += start == 0 and more > 0
            size += more
    return count >= _SEGMENTS or size >= _BYTES
