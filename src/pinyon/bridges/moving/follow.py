"""A mirror that is kept: look after look, over failures of the target, until somebody ends it."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from pinyon.bridges.moving.cursors import Cursors
from pinyon.bridges.moving.kinds import open_live
from pinyon.bridges.moving.mirror import Looked, Mirror, going
from pinyon.bridges.moving.take import Taken, chosen
from pinyon.errors import PlanError, WorkspaceLockedError
from pinyon.execute.locks import try_lock
from pinyon.query.index import Index
from pinyon.store.local import LocalStore

_LEAST, _SHARE = (
    1.0,
    10,
)  # seconds between looks, and how often that long as the look itself took: a tenth of a core
_LONGEST = 60.0  # seconds until a target that fails is tried again
_TRIES = 3  # after which one that fails is given up, if nothing goes on any more and somebody waits for that


class Asked(NamedTuple):
    """What to mirror, and where to. ``until_done``: end when nothing of it goes on."""

    kind: str
    place: str
    names: Sequence[str] = ()
    files: bool = True
    until_done: bool = False


class Sum:
    """What was written in all."""

    def __init__(self) -> None:
        self.runs = self.points = self.files = 0
        self.left = Counter[str]()

    def taken(self) -> Taken:
        """In one piece."""
        return Taken(self.runs, self.points, self.files, dict(self.left))


def follow(
    store: LocalStore, index: Index, asked: Asked, done: Sum, *,
    warn: Callable[[str], None], wait: Callable[[float], None] = time.sleep,
) -> None:  # fmt: skip
    """Mirror runs until nothing goes on, or KeyboardInterrupt. Whoever calls it again goes on behind what was written.

    Args:
        done: counts what is written.
        warn: called with what is wrong with the target, once as long as it is the same.

    Raises:
        PlanError: no such kind, nothing is called so, or what it needs is not installed.
        WorkspaceLockedError: another mirror writes to the same place.
        Exception: the target still fails when nothing goes on any more, with ``until_done``.
    """
    said, failures = "", 0
    state = _state(store, index, asked)
    with _alone(state, asked.place):
        while True:
            try:
                for looked, took in _looks(store, index, asked, state, done):
                    said, failures = "", 0
                    if asked.until_done and not looked.going:
                        return
                    wait(max(_LEAST, _SHARE * took))
            except PlanError:
                raise
            except Exception as error:  # whatever another tool's client raises; what it missed it gets later
                failures += 1
                if asked.until_done and failures >= _TRIES and not _going(index, asked):
                    raise
                text = f"{type(error).__name__}: {error}".splitlines()[0]
                if text != said:
                    warn(f"{asked.place} is not written: {text}; it is tried again, and nothing is lost")
                said = text
                wait(min(_LONGEST, 2.0**failures))


def _looks(
    store: LocalStore, index: Index, asked: Asked, state: Path, done: Sum
) -> Iterator[tuple[Looked, float]]:
    """Look after look, and how much time of a processor each took."""
    sink = open_live(asked.kind, asked.place)
    cursors = Cursors(state)
    try:
        mirror = Mirror(store, index, sink, cursors, asked.names, files=asked.files)
        while True:
            began = time.process_time()
            looked = mirror.look()
            done.runs, done.points = done.runs + looked.runs, done.points + looked.points
            done.files, mirror.kept = done.files + mirror.kept, 0
            done.left += mirror.left
            mirror.left.clear()
            yield looked, time.process_time() - began
    finally:
        cursors.close()
        sink.drop()


def _going(index: Index, asked: Asked) -> int:
    index.catch_up()
    return going(index, chosen(index, asked.names))


def _state(store: LocalStore, index: Index, asked: Asked) -> Path:
    """Where it is noted how far this mirror has come."""
    place = asked.place if "://" in asked.place else os.path.realpath(asked.place)
    told = "\0".join((asked.kind, place, index.project, *sorted(asked.names)))
    return (
        store.cache
        / "mirrors"
        / f"{blake2b(told.encode(errors='surrogatepass'), digest_size=8).hexdigest()}.db"
    )


@contextmanager
def _alone(state: Path, place: str) -> Iterator[None]:
    held = try_lock(f"{state}.lock")
    if held is None:
        raise WorkspaceLockedError("another mirror writes there", where=place, next="end that one first")
    try:
        yield
    finally:
        os.close(held)
