"""Which stretches of which segments lie in Parquet files, as the newest version of the ref ``tables`` says.

A stretch is between two offsets of a segment before which nothing ever changes. Whoever reads takes the files, and of the
segments what no file covers; a file that is missing or damaged covers nothing, since no segment is ever deleted.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pinyon.errors import PinyonError
from pinyon.store.local import LocalStore

REF = "tables"
Stretches = Mapping[str, tuple[int, int]]


class Part(NamedTuple):
    """A Parquet file of ``table`` (points or events), by the names of its blob and of the list of what it covers."""

    table: str
    blob: str
    list: str
    rows: int
    covers: Stretches = {}


class Covered(NamedTuple):
    """What is covered. ``version`` is that of the ref, 0 where there is none; ``notes`` tell of what cannot be used."""

    version: int
    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()

    def of(self, table: str) -> list[Part]:
        """The files of one table."""
        return [part for part in self.parts if part.table == table]

    def gaps(self, table: str, segment: str) -> Iterator[tuple[int, int | None]]:
        """Stretches of a segment that no file covers; the last one has no end."""
        at = 0
        for start, end in sorted(part.covers[segment] for part in self.of(table) if segment in part.covers):
            if start > at:
                yield at, start
            at = end
        yield at, None


def covered(store: LocalStore) -> Covered:
    """What the newest version of the ref says, as far as its files are here and sound."""
    try:
        ref = store.refs.get(REF)
        told = (
            [Part(row["table"], row["blob"], row["list"], row["rows"]) for row in ref.value["files"]]
            if ref
            else []
        )
    except (PinyonError, OSError, KeyError, TypeError) as error:
        return Covered(_newest(store), (), (f"the ref '{REF}' cannot be used: {error}",))
    parts: list[Part] = []
    notes: list[str] = []
    for part in told:
        try:
            whole = part._replace(covers=_read(store, part))
        except (PinyonError, OSError, ValueError, TypeError) as error:
            notes.append(f"a Parquet file is read from the journals instead: {error}")
            continue
        if not any(
            _overlap(whole, other) for other in parts
        ):  # counting twice would be worse than reading twice
            parts.append(whole)
    return Covered(ref.version if ref else 0, tuple(parts), tuple(notes))


def _newest(store: LocalStore) -> int:
    try:
        return store.refs.history(REF)[-1].version
    except (PinyonError, OSError, IndexError):
        return 0


def _read(store: LocalStore, part: Part) -> Stretches:
    """What a file covers.

    Raises:
        StoreError: it, or the list of what it covers, is missing or damaged.
    """
    damage = store.blobs.verify(part.blob)
    if damage is not None:
        raise ValueError(f"{damage.file}: {damage.what}")
    os.stat(store.blobs.path(part.blob))
    rows = json.loads(store.blobs.read(part.list))
    return {str(name): (int(start), int(end)) for name, start, end in rows}


def _overlap(one: Part, other: Part) -> bool:
    if one.table != other.table:
        return False
    both = one.covers.keys() & other.covers.keys()
    return any(
        max(one.covers[name][0], other.covers[name][0]) < min(one.covers[name][1], other.covers[name][1])
        for name in both
    )


def spelled(covers: Stretches) -> bytes:
    """The list of what a file covers, as its blob has it."""
    return json.dumps([[name, *stretch] for name, stretch in sorted(covers.items())]).encode()


def value_of(parts: list[Part]) -> dict[str, Any]:
    """What the ref says of files."""
    return {"files": [{"table": p.table, "blob": p.blob, "list": p.list, "rows": p.rows} for p in parts]}
