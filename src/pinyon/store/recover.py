"""What a dead process left in its ring becomes points of its journal (docs/FORMAT.md §5). Any number may try at once, and
be killed at it: the ring itself says how far it is."""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import re
from pathlib import Path
from typing import NamedTuple

from pinyon.model.ids import read_process
from pinyon.store import rings
from pinyon.store.disk import fsync
from pinyon.store.points import PointsWriter, left_off
from pinyon.store.ring import About, Ring, RingError, reopen

_WRITER = re.compile(r"[A-Za-z0-9-]+$")
DAMAGED = ".damaged"


class Recovered(NamedTuple):
    """What became of one ring: points that were written, and where it was set aside, if it was damaged."""

    writer: str
    attempt: str
    points: int
    damaged: str = ""
    why: str = ""


def recover(store: str, attempt: str = "", *, sync: bool = False) -> list[Recovered]:
    """Write what the dead have left in rings of this store on this host; it is nothing in almost every call.

    Args:
        attempt: whose rings, if not all.
        sync: make the points power-durable.

    Never raises: a ring that cannot be written stays where it is.
    """
    found = []
    for path in rings.found(store):
        with contextlib.suppress(OSError, BufferError):
            one = _recover(store, path, attempt, sync)
            if one is not None:
                found.append(one)
    return found


def sweep() -> int:
    """Take away what nobody will ever take in: rings a day old of dead processes whose store is gone; how many."""
    count = 0
    for path in rings.forgotten():
        with contextlib.suppress(OSError, ValueError, RingError):
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                with contextlib.closing(mmap.mmap(fd, 0)) as memory:
                    ring, about = reopen(memory)
                    ring.close()
                if not os.path.exists(about.store) and not read_process(about.process).alive():
                    rings.remove(path)
                    count += 1
            finally:
                os.close(fd)
    return count


def _recover(store: str, path: str, attempt: str, sync: bool) -> Recovered | None:
    """None where the ring is somebody's who lives, or another attempt's."""
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # its process lives, or somebody else is recovering it
            return None
        if os.fstat(fd).st_nlink == 0:
            return None
        if path.endswith(rings.NEW):
            rings.remove(path)
            return None
        return _held(store, path, attempt, sync, fd)
    finally:
        os.close(fd)


def _held(store: str, path: str, attempt: str, sync: bool, fd: int) -> Recovered | None:
    writer = os.path.basename(path)[: -len(rings.RING)]
    try:
        memory = mmap.mmap(fd, 0)
    except ValueError:  # it is empty
        return _aside(path, Recovered(writer, "", 0, why="it is empty"))
    with contextlib.closing(memory):
        try:
            ring, about = reopen(memory)
        except RingError as error:
            return _aside(path, Recovered(writer, "", 0, why=str(error)))
        try:
            if attempt not in ("", about.attempt) or read_process(about.process).alive():
                return None
            if about.store != os.path.realpath(store) or not _WRITER.match(writer):
                return _aside(path, Recovered(writer, about.attempt, 0, why="it is not of this store"))
            return _emptied(ring, about, writer, path, sync)
        finally:
            ring.close()


def _emptied(ring: Ring, about: About, writer: str, path: str, sync: bool) -> Recovered:
    journals = f"{about.store}/journals"
    number, flush = left_off(journals, writer)
    stream = PointsWriter(journals, writer, number, flush)
    count, why = 0, ""
    held = ring.in_hand
    if held is not None and held[0] < flush:  # it was written, and only that was not noted
        ring.done(held[1])
    try:
        while ring.filled:
            points, after = ring.take()
            if points:
                ring.hold(stream.next, after)
                stream.write(points, about.attempt)
                count += len(points)
            ring.done(after)
        if sync:
            stream.sync()
    except RingError as error:
        why = str(error)
    finally:
        stream.close()
    if sync and number:
        fsync(f"{journals}/{writer}.points.{number - 1}.jsonl")
        fsync(journals)
    _tell_dropped(ring, about, writer)
    done = Recovered(writer, about.attempt, count, why=why)
    if why:
        return _aside(path, done)
    rings.remove(path)
    return done


def _tell_dropped(ring: Ring, about: About, writer: str) -> None:
    if ring.dropped > ring.told:
        from pinyon.store.journal import LocalJournalWriter  # almost never needed

        journal = LocalJournalWriter(Path(about.store) / "journals", project=about.project)
        journal.append("dropped", {"attempt": about.attempt, "writer": writer, "points": ring.dropped})
        ring.told = ring.dropped
        journal.close()


def _aside(path: str, one: Recovered) -> Recovered:
    """Where nobody takes it for a ring any more."""
    other = f"{path[: -len(rings.RING)]}{DAMAGED}"
    os.rename(path, other)
    return one._replace(damaged=other)
