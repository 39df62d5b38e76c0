"""Which stretches of which segments lie in Parquet files, as the newest version of the ref ``tables`` says.

A stretch is between two offsets of a segment before which nothing ever changes. Whoever reads takes the files, and of the
segments what no file covers; a file that is missing or damaged covers nothing, since no segment is ever deleted.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

from pinyon.errors import PinyonError
from pinyon.store.local import LocalStore

REF = "tables"
Stretches = Mapping[str, Sequence[tuple[int, int]]]


# What is wanted of points: the rows, what they sum up to, the objects among them.
ROWS, SUMMARY, OBJECTS = "rows", "summary", "objects"


class Part(NamedTuple):
    """A Parquet file of ``table`` (points or events), by the names of its blob and of the list of what it covers.

    Attributes:
        summary: of points: the file of what they sum up to; "" where nobody made one.
        objects: of points: the file of the objects among them; "" where there are none, None where nobody has looked.
    """

    table: str
    blob: str
    list: str
    rows: int
    summary: str = ""
    objects: str | None = None
    covers: Stretches = {}

    def files(self, wanted: Collection[str]) -> tuple[str, ...]:
        """The blobs that answer for what is wanted."""
        found: tuple[str, ...] = (self.summary or self.blob,) if SUMMARY in wanted else ()
        found += (self.blob,) if ROWS in wanted or self.table != "points" else ()
        return found + ((self.objects,) if OBJECTS in wanted and self.objects else ())


class Covered(NamedTuple):
    """What is covered. ``version`` is that of the ref, 0 where there is none, -1 where it cannot be used; ``notes`` tell of
    what cannot be used."""

    version: int
    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()

    def of(self, table: str) -> list[Part]:
        """The files of one table."""
        return [part for part in self.parts if part.table == table]

    def gaps(self) -> Callable[[str], list[tuple[int, int | None]]]:
        """For each segment the stretches that no file covers; the last one has no end. All files are of one table."""
        known: dict[str, list[tuple[int, int]]] = {}
        for part in self.parts:
            for segment, stretches in part.covers.items():
                known.setdefault(segment, []).extend(stretches)
        return lambda segment: _between(known.get(segment, ()))


def _between(stretches: Iterable[tuple[int, int]]) -> list[tuple[int, int | None]]:
    found: list[tuple[int, int | None]] = []
    at = 0
    for start, end in sorted(stretches):
        if start > at:
            found.append((at, start))
        at = end
    return [*found, (at, None)]


def covered(store: LocalStore, table: str, wanted: Collection[str] = (ROWS,)) -> Covered:
    """What the newest version of the ref says of one table, as far as the files that are wanted are here and sound."""
    known = told(store)
    parts: list[Part] = []
    notes: list[str] = []
    for part in known.of(table):
        if OBJECTS in wanted and part.objects is None:
            continue  # an older release's: the journals know
        try:
            whole = part._replace(covers=_read(store, part, wanted))
        except (PinyonError, OSError, ValueError, TypeError) as error:
            notes.append(f"a Parquet file is read from the journals instead: {error}")
            continue
        # Counting twice would be worse than reading twice.
        if not any(_overlap(whole, other) for other in parts):
            parts.append(whole)
    return Covered(known.version, tuple(parts), (*known.notes, *notes))


def told(store: LocalStore) -> Covered:
    """What the newest version of the ref says; nobody has looked at the files."""
    try:
        ref = store.refs.get(REF)
        parts = tuple(_part(row) for row in ref.value["files"]) if ref else ()
    except (PinyonError, OSError, KeyError, TypeError) as error:
        return Covered(-1, (), (f"the ref '{REF}' cannot be used: {error}",))
    return Covered(ref.version if ref else 0, parts)


def _part(row: dict[str, Any]) -> Part:
    summary, objects = row.get("summary") or "", row.get("objects")
    return Part(row["table"], row["blob"], row["list"], row["rows"], summary, objects)


def open_blob(store: LocalStore, blob: str, stack: ExitStack) -> str:
    """A path of an open file, which ``stack`` closes: a gc may delete the other one meanwhile, and its folder may look
    like a pattern to DuckDB."""
    fd = os.open(store.blobs.path(blob), os.O_RDONLY | os.O_CLOEXEC)
    stack.callback(os.close, fd)
    return f"/dev/fd/{fd}"


def _read(store: LocalStore, part: Part, wanted: Collection[str]) -> Stretches:
    """What a file covers.

    Raises:
        StoreError: it, or the list of what it covers, is missing or damaged.
    """
    for blob in part.files(wanted):
        damage = store.blobs.verify(blob)
        if damage is not None:
            raise ValueError(f"{damage.file}: {damage.what}")
        os.stat(store.blobs.path(blob))
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
    return {"files": [_row(part) for part in parts]}


def _row(part: Part) -> dict[str, Any]:
    row = {"table": part.table, "blob": part.blob, "list": part.list, "rows": part.rows}
    if part.summary:
        row["summary"] = part.summary
    return row if part.objects is None else {**row, "objects": part.objects}
