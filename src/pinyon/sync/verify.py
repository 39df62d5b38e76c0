"""`verify`: read everything again and say what differs from its name or its checksum."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple

from pinyon.store import tree
from pinyon.store.names import is_name
from pinyon.store.protocol import Damage, Store
from pinyon.sync.gc import digests


class Report(NamedTuple):
    """What was read, what is damaged, what a killed writer left half (harmless), and the names of blobs that are damaged
    or missing, which a replica may have."""

    records: int
    segments: int
    blobs: int
    refs: int
    damage: tuple[Damage, ...]
    torn: tuple[Damage, ...]
    broken: tuple[str, ...] = ()


def verify(store: Store, tell: Callable[[str, int], None] = lambda _what, _count: None) -> Report:
    """Check every journal, blob and ref of a store, and that recorded outputs are there.

    Args:
        tell: called with what is being read and how many of it so far.
    """
    found: list[Damage] = []
    records, needed, gone = 0, set[str](), set[str]()
    segments = store.journals.segments()
    for count, segment in enumerate(segments):
        tell("journals", count)
        found += store.journals.verify(segment)
        with suppress(OSError):  # it cannot be read, which has just been said
            for event, _ in store.journals.read(segment):
                records += 1
                if event.kind == "outputs":
                    needed.update(row[1] for row in event.body.get("outs", ()) if row[4])
                elif event.kind == "deleted":
                    gone.update(digests(event.body))
    for segment in store.journals.points():
        found += store.journals.verify(segment)
    blobs, bad = 0, list[str]()
    for blobs, name in enumerate(store.blobs.names(), 1):
        tell("blobs", blobs)
        if (damage := store.blobs.verify(name)) is not None:
            found.append(damage)
            bad.append(name)
    found += store.refs.verify()
    found += (missing := list(_missing(store, needed, gone)))
    ask = tuple(name for name in (*bad, *(one.file for one in missing)) if is_name(name))
    broken = tuple(one for one in found if not one.torn)
    torn = tuple(one for one in found if one.torn)
    return Report(records, len(segments), blobs, len(store.refs.names()), broken, torn, ask)


def _missing(store: Store, names: set[str], gone: set[str]) -> Iterator[Damage]:
    """Recorded outputs whose bytes are not here, except those that a gc has deleted."""
    for name in sorted(names):
        if not store.blobs.has(name):
            if name.removesuffix("/") not in gone:
                yield Damage(name, 0, "recorded as an output, but its bytes are not here")
        elif name.endswith("/") and store.blobs.verify(name) is None:
            rows = tree.decode(store.blobs.read(name))
            absent = store.blobs.missing(row.name for row in rows) - gone
            for row in rows:
                if row.name in absent:
                    what = f"{row.path} of the directory {name}, but its bytes are not here"
                    yield Damage(row.name, 0, what)
