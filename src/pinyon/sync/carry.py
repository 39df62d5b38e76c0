"""Copying what is planned: blobs, then journals, then logs, then refs, so that nothing that is there names what is not
(docs/FORMAT.md §15)."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from pinyon.errors import CorruptError, MissingBlobError, StoreError
from pinyon.store import tree
from pinyon.store.facts import SEGMENT
from pinyon.store.lines import is_sound
from pinyon.store.streams import JOURNALS
from pinyon.sync.blobs import Spoiled
from pinyon.sync.flow import Flow
from pinyon.sync.views import Copied, Plan

_CHUNK = 4 << 20  # bytes of a stream that are copied at once
_TAIL = 512  # bytes before the end of a stream that both stores must agree on
_NAMED = 80  # bytes that the name of a blob has at most
_NAME = re.compile(rb"blake3:[0-9a-f]{64}/?")

Carry = Callable[[dict[str, int], Spoiled], None]


class Moved(NamedTuple):
    """What was copied, and what was not.

    Attributes:
        blobs: how many.
        size: bytes of blobs and streams.
        streams: how many have grown.
        refs: versions.
        held: streams and refs that must wait, since they name blobs that were not copied.
        damaged: what is not what it should be, and where; everything else was copied all the same.
    """

    blobs: int
    size: int
    streams: int
    refs: int
    held: tuple[str, ...]
    damaged: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """For ``--json``."""
        return {"dry_run": False, **self._asdict()}

    def and_then(self, more: Moved) -> Moved:
        """The same with what was copied after it."""
        return Moved(
            self.blobs + more.blobs,
            self.size + more.size,
            self.streams + more.streams,
            self.refs + more.refs,
            self.held + more.held,
            self.damaged + more.damaged,
        )


class _Journey:
    """One push or pull."""

    def __init__(self, source: Copied, target: Copied, flow: Flow) -> None:
        self.source, self.target, self.flow = source, target, flow
        self.lacking: set[str] = set()
        self.held: list[str] = []
        self.damaged: list[str] = []
        self.size = self.streams = self.refs = 0
        self._lock = threading.Lock()
        self._trees: dict[str, bool] = {}

    def waits(self, name: str) -> bool:
        """Whether the target must not hear of a blob yet: the source has it, or a file of it, and the target has not."""
        if name.removesuffix("/") in self.lacking:
            return True
        if not (self.lacking and name.endswith("/")):
            return False
        if name not in self._trees:
            try:
                rows = tree.decode(self.source.blobs.read(name))
                self._trees[name] = any(row.name in self.lacking for row in rows)
            except MissingBlobError:
                self._trees[name] = False  # neither has it
            except CorruptError:
                self._trees[name] = True
        return self._trees[name]

    def first_wait(self, data: bytes, head: int = 0) -> int:
        """Where the line begins that must wait; the length if none must. The target has the first ``head`` bytes."""
        for match in _NAME.finditer(data):
            if match.end() > head and self.waits(match[0].decode()):
                return data.rfind(b"\n", 0, match.start()) + 1
        return len(data)

    def stream(self, place: str, start: int, end: int) -> None:
        """Copy what a stream has grown by."""
        tell = self.flow.tell(place.partition("/")[0])
        at, grown = start, 0
        while at < end and (not at or self._agree(place, at)):
            head = min(at, _NAMED)  # a name may have been cut where the target's bytes end
            found = self.source.streams.read(place, at - head, min(at + _CHUNK, end))
            stop = self.first_wait(found, head)
            data = found[head:stop]
            if data and self.target.streams.extend(place, at, data):
                self._look_through(place, at, found[:stop], head)
                tell(len(data))
                at, grown = at + len(data), grown + len(data)
            elif data and (now := self.target.streams.size(place)) > at:
                at = now  # somebody else copies it, too
                continue
            elif data:
                self._note(self.damaged, f"{place} in {self.target.url} cannot go on at byte {at}")
                break
            if stop < len(found):
                self._note(self.held, place)
                break
            if not data:
                break  # the source has less than it said
        with self._lock:
            self.size += grown
            self.streams += bool(grown)

    def _agree(self, place: str, at: int) -> bool:
        """Whether both stores have the same bytes before the place where the target's end."""
        tail = max(0, at - _TAIL)
        if self.source.streams.read(place, tail, at) == self.target.streams.read(place, tail, at):
            return True
        self._note(self.damaged, f"{place} differs in {self.source.url} and {self.target.url}")
        return False

    def _look_through(self, place: str, at: int, found: bytes, head: int) -> None:
        """Tell of lines of facts that are not what was written; they are copied as they are, and hide no other."""
        if not SEGMENT.match(place.removeprefix(JOURNALS)):
            return
        begin = head if found[head - 1 : head] in (b"", b"\n") else found.find(b"\n", head) + 1
        for line in found[begin:].split(b"\n")[:-1] if begin or not head else ():
            if not is_sound(line):
                self._note(
                    self.damaged, f"{place} has a line at {at + begin - head} that is not what was written"
                )
            begin += len(line) + 1

    def ref(self, name: str, versions: list[int]) -> None:
        """Copy versions of a ref, in order."""
        tell = self.flow.tell("refs")
        for version in versions:
            data = self.source.refs.raw(name, version)
            if self.first_wait(data) < len(data):
                self._note(self.held, f"refs/{name}")
                return
            try:
                taken = not self.target.refs.adopt(name, version, data)
            except CorruptError as error:
                self._note(self.damaged, f"version {version} of ref '{name}': {error.what}")
                return
            if taken and self.target.refs.raw(name, version) != data:
                raise other_home(self.source, self.target, name, version)
            tell(1)
            with self._lock:
                self.refs += 1

    def _note(self, where: list[str], what: str) -> None:
        with self._lock:
            where.append(what)


def carry(source: Copied, target: Copied, planned: Plan, flow: Flow, blobs: Carry, *, strict: bool) -> Moved:
    """Copy what is planned.

    Args:
        blobs: copies blobs, given their sizes by name and whom to tell of damaged ones.
        strict: whether records and refs wait for all blobs that they name, also for those that nobody asked for.

    Raises:
        StoreError: a place cannot be reached, or mirrors another home. What was copied so far is whole; the next call
            copies the rest.
    """
    journey = _Journey(source, target, flow)
    spoiled: set[str] = set()
    if planned.blobs:
        blobs(planned.blobs, spoiled.add)
    journey.lacking = spoiled | (set(planned.lacking) if strict else set())
    journey.damaged += [f"{name} in {source.url}: its bytes differ from its name" for name in sorted(spoiled)]
    ordered = sorted(planned.streams.items())
    for journals in (True, False):
        flow.each(
            partial(journey.stream, place, *span)
            for place, span in ordered
            if place.startswith(JOURNALS) is journals
        )
    if any(place.startswith(JOURNALS) for place in journey.held):
        journey.held += [
            f"refs/{name}" for name in sorted(planned.refs)
        ]  # they may name what those records say
    else:
        flow.each(partial(journey.ref, name, versions) for name, versions in sorted(planned.refs.items()))
    size = journey.size + sum(bytes_ for name, bytes_ in planned.blobs.items() if name not in spoiled)
    return Moved(
        len(planned.blobs.keys() - spoiled),
        size,
        journey.streams,
        journey.refs,
        tuple(sorted(journey.held)),
        tuple(sorted(journey.damaged)),
    )


def same_home(source: Copied, target: Copied, planned: Plan, flow: Flow) -> None:
    """Refuse to mix the refs of two homes: the newest version that both have must be the same.

    Raises:
        StoreError: it is not.
    """

    def compare(name: str, version: int) -> None:
        if source.refs.raw(name, version) != target.refs.raw(name, version):
            raise other_home(source, target, name, version)

    flow.each(partial(compare, name, version) for name, version in planned.shared.items())


def other_home(source: Copied, target: Copied, name: str, version: int) -> StoreError:
    """Whoever would mix the refs of two homes is told this."""
    return StoreError(
        f"version {version} of ref '{name}' differs in {source.url} and {target.url}",
        where=target.url,
        why="one of them has the refs of another home store",
        next="sync with a store of this project",
    )


def same_project(source: Copied, target: Copied) -> None:
    """Refuse to mix two projects.

    Raises:
        StoreError: both have one, and they differ.
    """
    ours, theirs = source.describe(), target.describe()
    if (
        ours
        and theirs
        and ours.get("project") != theirs.get("project")
        and not (source.shared or target.shared)
    ):
        raise StoreError(
            f"this store belongs to project '{theirs.get('name')}' ({theirs.get('project')})",
            where=target.url,
            why=f"the store in {source.url} belongs to '{ours.get('name')}' ({ours.get('project')})",
            next="sync with a store of this project; a clone without a store takes the other's at its first pull",
        )
