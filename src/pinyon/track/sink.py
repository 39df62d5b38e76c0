"""From a training loop to the disk: `put` costs a microsecond, a thread of our own does the rest.

What was put stays in memory until the disk has taken it. Nothing here raises into training but what is asked for
synchronously (`commit`).
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pinyon.errors import PinyonError
from pinyon.store.points import Point, PointsWriter

if TYPE_CHECKING:
    from pinyon.model.event import Event
    from pinyon.store.journal import LocalJournalWriter

INTERVAL = 0.1  # seconds between a point and its being on disk
_RETRY = 0.5  # seconds until something that the disk refused is tried again; twice that after each try
_RETRY_MOST = 4.0
_BATCH = 1_000  # points in one write
_MOST = 200_000  # points kept in memory while the disk refuses them


def note(text: str) -> None:
    """Say something to the person in front of the terminal; where there is none, to nobody."""
    stream = sys.stderr
    if stream is not None:
        try:
            stream.write(f"pinyon: {text}\n")
            stream.flush()
        except (OSError, ValueError):
            return


class Sink:
    """The journal of one process: its facts and its points. Any thread may call it.

    Args:
        store: directory of the store.
        attempt: whose records they are.
        project: its name, for the records.
    """

    def __init__(self, store: str, attempt: str, project: str = "") -> None:
        self.store, self.attempt, self.pid = store, attempt, os.getpid()
        self._project = project
        self._queue: deque[tuple[int, float, int, dict[str, Any]]] = deque(maxlen=_MOST)
        self._append = self._queue.append
        self._newest: dict[str, Any] = {}
        self._facts: deque[tuple[str, dict[str, Any]]] = deque()
        self._soft: deque[Callable[[], None]] = deque()
        self._numbers = itertools.count()
        self._next = 0  # number of the point that is to be written next
        self._lock, self._busy = threading.RLock(), False
        self._wake = threading.Event()
        self._awake = False
        self._thread: threading.Thread | None = None
        self._writer: LocalJournalWriter | None = None
        self._points: PointsWriter | None = None
        self._retry_at, self._patience = 0.0, _RETRY
        self._told: set[str] = set()
        self.lost = 0  # points that were given up
        self.closed = False

    def put(self, t: float, step: int, values: dict[str, Any]) -> None:
        """Take a point; it is on disk soon."""
        # A plain tuple, which becomes a `Point` in the thread: after a step of training nothing is in the cache.
        self._append((next(self._numbers), t, step, values))
        if not self._awake:
            self._rouse()

    def tell(self, kind: str, body: dict[str, Any], *, whose: bool = True) -> None:
        """Take a fact, about the attempt if nothing else is said; it is on disk soon."""
        self._facts.append((kind, {"attempt": self.attempt, **body} if whose else body))
        if not self._awake:
            self._rouse()

    def commit(self, kind: str, body: dict[str, Any]) -> Event:
        """Write a fact now, after everything that was put before.

        Raises:
            OSError: the disk refuses.
        """
        with self._hold():
            if self.closed:
                raise OSError(errno.EPIPE, "the run has ended")
            self._write_all()
            return self._journal().append(kind, {"attempt": self.attempt, **body})

    def write_object(self, t: float, step: int, objects: dict[str, Any]) -> None:
        """Write what is no number now, after everything that was put before (docs/FORMAT.md §5, "Objects").

        Raises:
            OSError: the disk refuses.
        """
        with self._hold():
            if self.closed:
                raise OSError(errno.EPIPE, "the run has ended")
            self._write_all()
            self._stream().write_object(t, step, objects, self.attempt)

    @contextlib.contextmanager
    def _hold(self) -> Iterator[None]:
        """Be the only one who writes.

        Raises:
            BlockingIOError: this thread is writing already: the handler of a signal has come in between.
        """
        with self._lock:
            if self._busy:
                raise BlockingIOError(errno.EDEADLK, "a signal came while a record was being written")
            self._busy = True
            try:
                yield
            finally:
                self._busy = False

    def harden(self, work: Callable[[], None]) -> None:
        """Have the thread call this, which makes bytes power-durable, and the records that name them after it."""
        self._soft.append(work)
        self._rouse()

    def newest(self) -> dict[str, Any]:
        """The newest value of each metric."""
        self.flush()
        return dict(self._newest)

    def flush(self, *, sync: bool = False) -> None:
        """Have everything on disk now, with ``sync`` so that it survives a loss of power."""
        try:
            with self._hold():
                self._write_all()
                if sync and self._points is not None:
                    self._points.sync()
                if sync and self._writer is not None:
                    self._writer.flush()
        except BlockingIOError:
            return  # who was interrupted goes on with it
        except OSError as error:
            self._refused(error)

    def close(self) -> None:
        """Write the rest and end the journal. What comes later is said to be late, once."""
        if self.closed:
            return
        self._harden()
        self.flush(sync=True)
        try:
            with self._hold():
                self._close()
        except BlockingIOError:
            return
        except OSError as error:
            self._refused(error)
        self._wake.set()
        self._awake = False  # so that who comes late is told

    def once(self, what: str, text: str) -> None:
        """Say something the first time only."""
        if what not in self._told:
            self._told.add(what)
            note(text)

    # The thread

    def _rouse(self) -> None:
        if self.closed:
            self.once("late", "something was logged after the run had ended; it is not recorded")
            return
        if self.store == os.devnull:  # that nothing is recorded has been said
            self._queue.clear()
            self._facts.clear()
            return
        self._awake = True
        self._wake.set()
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    # Imported here: in the thread, beside a loop that never waits, it would take a tenth of a second.
                    import pinyon.store.journal  # noqa: F401

                    self._thread = threading.Thread(target=self._run, name="pinyon", daemon=True)
                    self._thread.start()
                    _end_with_worker(self)

    def _run(self) -> None:
        while not self.closed:
            self._wake.wait()
            time.sleep(INTERVAL)
            self._wake.clear()
            self._awake = False  # before looking: who puts something from now on will rouse us again
            if time.monotonic() < self._retry_at:
                self._awake = True
                self._wake.set()
                continue
            self.flush()
            self._harden()

    def _harden(self) -> None:
        """Not under the lock: a disk may take seconds for it."""
        while self._soft:
            work = self._soft.popleft()
            try:
                work()
                if self._writer is not None:
                    self._writer.flush()
            except (OSError, PinyonError) as error:
                self.once("harden", f"a checkpoint may not survive a loss of power: {error}")

    # Under the lock

    def _close(self) -> None:
        self.closed = True
        if lost := self.lost + len(self._queue):
            self.once("lost", f"{lost} points could not be written and are lost")
        if self._points is not None:
            self._points.close()
        if self._writer is not None:
            self._writer.close()

    def _write_all(self) -> None:
        if self.closed:
            return
        while self._facts:
            self._write_fact()
        while self._queue:
            self._write_points()

    def _write_fact(self) -> None:
        """Write the oldest fact; it stays in the queue if the disk refuses it. Summaries in a row become one."""
        kind, body = self._facts[0]
        count = 1
        if kind == "summary":
            body = {**body, "values": dict(body["values"])}
            for other, more in itertools.islice(list(self._facts), 1, None):
                if other != kind:
                    break
                body["values"].update(more["values"])
                count += 1
        try:
            self._journal().append(kind, body)
        except (TypeError, ValueError) as error:
            self.once("fact", f"{kind} cannot be written as JSON ({error}); it is left out")
        for _ in range(count):
            self._facts.popleft()

    def _write_points(self) -> None:
        """Write the oldest points; they stay in the queue's front if the disk refuses them."""
        batch = [Point(*self._queue.popleft()) for _ in range(min(len(self._queue), _BATCH))]
        try:
            self._stream().write(batch, self.attempt)
        except OSError:
            room = _MOST - len(self._queue)
            self._queue.extendleft(reversed(batch[-room:] if room else []))
            raise
        except (TypeError, ValueError):  # one that has no JSON must not hold up the others
            for point in batch:
                self._write_one(point)
        self.lost += batch[-1].number + 1 - self._next - len(batch)
        self._next = batch[-1].number + 1
        for point in batch:
            self._newest.update(point.values)
        self._retry_at, self._patience = 0.0, _RETRY

    def _write_one(self, point: Point) -> None:
        try:
            self._stream().write([point], self.attempt)
        except (TypeError, ValueError) as error:
            self.once("point", f"a point cannot be written as JSON ({error}); it is left out")

    def _journal(self) -> LocalJournalWriter:
        if self._writer is None:
            from pinyon.store.journal import LocalJournalWriter

            self._writer = LocalJournalWriter(Path(self.store) / "journals", project=self._project)
        return self._writer

    def _stream(self) -> PointsWriter:
        if self._points is None:
            journal = self._journal()
            journal.begin()  # so that whoever reads the points can tell whose they are, and whether he lives
            self._points = PointsWriter(f"{self.store}/journals", journal.writer)
        return self._points

    def _refused(self, error: OSError) -> None:
        self._retry_at = time.monotonic() + self._patience
        self._patience = min(2 * self._patience, _RETRY_MOST)
        self._awake = True
        self._wake.set()
        reason = error.strerror or str(error)
        self.once(
            "refused",
            f"{self.store} cannot be written ({reason}); training goes on, the newest {_MOST:,} points are kept"
            " and tried again",
        )


def _end_with_worker(sink: Sink) -> None:
    """A worker of `multiprocessing` ends without calling what `atexit` knows; it has a list of its own."""
    processes, util = map(sys.modules.get, ("multiprocessing.process", "multiprocessing.util"))
    if processes is not None and util is not None and processes.parent_process() is not None:
        util.Finalize(None, sink.close, exitpriority=1)
