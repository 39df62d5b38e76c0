"""Which stretches of which segments lie in Parquet files, as the newest version of the ref ``tables`` says.

A stretch is between two offsets of a segment before which nothing ever changes. Whoever reads takes the files, and of the
segments what no file covers; a file that is missing or damaged covers nothing, since no segment is ever deleted.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

from pinyon.errors import PinyonError
from pinyon.store.local import LocalStore

REF = "tables"
Stretches = Mapping[str, Sequence[tuple[int, int]]]


class Part(NamedTuple):
    """A Parquet file of ``table`` (points or events), by the names of its blob and of the list of what it covers."""

    table: str
    blob: str
    list: str
    rows: int
    covers: Stretches = {}


class Covered(NamedTuple):
    """What is covered. ``version`` is that of the ref, 0 where there is none, -1 where it cannot be used; ``notes`` tell of
    what cannot be used."""

    version: int
    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()

    def of(self, table: str) -> list[Part]:
        """The files of one table."""
        return [part for part in self.parts if part.table == table]

    def gaps(self, table: str, segment: str) -> Iterator[tuple[int, int | None]]:
        """Stretches of a segment that no file covers; the last one has no end."""
        at = 0
        for start, end in sorted(one for part in self.of(table) for one in part.covers.get(segment, ())):
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
        return Covered(-1, (), (f"the ref '{REF}' cannot be used: {error}",))
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


def open_blob(store: LocalStore, blob: str, stack: ExitStack) -> str:
    """A path of an open file, which ``stack`` closes: a gc may delete the other one meanwhile, and its folder may look
    like a pattern to DuckDB."""
    fd = os.open(store.blobs.path(blob), os.O_RDONLY | os.O_CLOEXEC)
    stack.callback(os.close, fd)
    return f"/dev/fd/{fd}"


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
    return joined((str(name), int(start), int(end)) for name, start, end in rows)


def _overlap(one: Part, other: Part) -> bool:
    return one.table == other.table and any(
        max(start, begin) < min(end, stop)
        for name in one.covers.keys() & other.covers.keys()
        for start, end in one.covers[name]
        for begin, stop in other.covers[name]
    )


def joined(stretches: Iterable[tuple[str, int, int]]) -> Stretches:
    """Stretches by segment, in order; those that touch are one."""
    found: dict[str, list[tuple[int, int]]] = {}
    for name, start, end in sorted(stretches):
        known = found.setdefault(name, [])
        if known and known[-1][1] == start:
            known[-1] = (known[-1][0], end)
        else:
            known.append((start, end))
    return found


def listed(covers: Stretches) -> list[tuple[str, int, int]]:
    """The inverse of `joined`, which the list of a file has as JSON."""
    return [(name, start, end) for name, known in sorted(covers.items()) for start, end in known]


def value_of(parts: list[Part]) -> dict[str, Any]:
    """What the ref says of files."""
    return {"files": [{"table": p.table, "blob": p.blob, "list": p.list, "rows": p.rows} for p in parts]}
