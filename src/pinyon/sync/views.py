"""What two stores have, and what the one lacks of the other. `look` asks, the rest is pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple, TypeAlias

from pinyon.store import tree
from pinyon.store.local import LocalStore
from pinyon.store.remote.store import RemoteStore
from pinyon.store.streams import LOGS

Copied: TypeAlias = LocalStore | RemoteStore


class View(NamedTuple):
    """What a store has.

    Attributes:
        refs: numbers of versions by name, sorted.
        streams: bytes by place: segments of journals, and logs.
        blobs: bytes by name.
        condemned: those of the blobs that a later gc may delete.
    """

    refs: dict[str, list[int]]
    streams: dict[str, int]
    blobs: dict[str, int]
    condemned: frozenset[str]

    @property
    def kept(self) -> dict[str, int]:
        """Blobs that are not condemned."""
        return {name: size for name, size in self.blobs.items() if name not in self.condemned}


class Plan(NamedTuple):
    """What is to be copied.

    Attributes:
        blobs: bytes by name.
        streams: from where to where, in bytes, by place.
        refs: numbers of versions by name, sorted.
        shared: the newest version that both have, of each ref; of claims where there is a new one.
        lacking: names of blobs that the source has and the target will lack, since they were not asked for.
    """

    blobs: dict[str, int]
    streams: dict[str, tuple[int, int]]
    refs: dict[str, list[int]]
    shared: dict[str, int] = {}
    lacking: frozenset[str] = frozenset()

    @property
    def size(self) -> int:
        """Bytes of blobs and streams."""
        return sum(self.blobs.values()) + sum(end - start for start, end in self.streams.values())

    def as_dict(self) -> dict[str, int]:
        """Counts and bytes, for people and for ``--json``."""
        return {
            "blobs": len(self.blobs),
            "blob_bytes": sum(self.blobs.values()),
            "streams": len(self.streams),
            "stream_bytes": sum(end - start for start, end in self.streams.values()),
            "refs": sum(map(len, self.refs.values())),
        }

    def __bool__(self) -> bool:
        """Whether anything is to be copied."""
        return bool(self.blobs or self.streams or self.refs)


def look(store: Copied) -> View:
    """What is there now. What names comes before what is named, so that nothing is seen to name what came later."""
    refs = store.refs.versions()
    streams = {place: size for place, size in store.streams.sizes().items() if size}
    condemned = frozenset(store.blobs.marked())
    return View(refs, streams, store.blobs.sizes(), condemned)


def plan(source: View, target: View, wanted: Collection[str] | None = None) -> Plan:
    """What the target lacks.

    Args:
        wanted: names of blobs, without a slash at the end; all of them without.
    """
    kept, there = source.kept, target.kept
    absent = {name: size for name, size in kept.items() if there.get(name) != size}
    blobs = absent if wanted is None else {name: absent[name] for name in absent.keys() & wanted}
    had = target.streams
    streams = {
        place: (had.get(place, 0), size) for place, size in source.streams.items() if size > had.get(place, 0)
    }
    refs = {
        name: sorted(set(found).difference(target.refs.get(name, ()))) for name, found in source.refs.items()
    }
    fresh = {name: versions for name, versions in refs.items() if versions}
    both = {name: set(found).intersection(target.refs.get(name, ())) for name, found in source.refs.items()}
    # There is a claim for every isolated attempt: only those that grow are worth a question each.
    newest = {
        name: max(found)
        for name, found in both.items()
        if found and (name in fresh or not name.startswith("claims/"))
    }
    return Plan(blobs, streams, fresh, newest, frozenset(absent.keys() - blobs.keys()))


def only_ended(store: LocalStore, planned: Plan) -> Plan:
    """Without what logs hold behind the last attempt that has ended: until then a secret may stand in them that is taken
    out in place, and what was copied is never changed."""
    if not any(place.startswith(LOGS) for place in planned.streams):
        return planned
    ends: dict[str, int] = {}
    for segment in store.journals.segments():
        for event, _ in store.journals.read(segment):
            if event.kind == "ended" and event.body.get("log"):
                place, _, end = event.body["log"]
                ends[place] = max(end, ends.get(place, 0))
    spans = {
        place: (start, min(end, ends.get(place, 0)) if place.startswith(LOGS) else end)
        for place, (start, end) in planned.streams.items()
    }
    return planned._replace(streams={place: span for place, span in spans.items() if span[0] < span[1]})


def with_files(store: Copied, names: Iterable[str]) -> set[str]:
    """Names without their slash, and those of the files of folders.

    Raises:
        StoreError: a folder's manifest is missing or damaged, so that its files are not known.
    """
    found = set(names)
    for name in [name for name in found if name.endswith("/")]:
        found.update(row.name for row in tree.decode(store.blobs.read(name)))
    return {name.removesuffix("/") for name in found}
