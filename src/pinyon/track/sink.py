"""From a training loop to the disk: `put` costs a microsecond, a thread of our own does the rest.

Points go through a ring, which outlives the process (`pinyon.store.ring`); facts are in the journal when the call returns.
Nothing here raises into training but what is asked for synchronously (`commit`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from pinyon.errors import PinyonError
from pinyon.track.records import Records

if TYPE_CHECKING:
    from pinyon.model.event import Event
    from pinyon.store.ring import Kind, Ring

INTERVAL = 0.2  # seconds between a point and its being in its segment, between a fact and its fsync
HEARTBEAT = 30.0  # seconds
PATIENCE = 1.0  # seconds that the end of a process waits for the disk
_RETRY = 0.5  # seconds until something that the disk refused is tried again; twice that after each try
_RETRY_MOST = 4.0
_FULL = 0.1  # seconds that a point waits for room in a ring that is being emptied
_NOW = True  # rings the bell so that nobody waits for more


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
    """The journal of one process: its facts and its points. Any thread may call it, and any handler of a signal.

    Args:
        store: directory of the store.
        attempt: whose records they are.
        project: its name, for the records.

    Attributes:
        kinds: kinds of values (`pinyon.store.ring.Kind`) that are known to be plain numbers.
        beats: whether the thread writes heartbeats.
    """

    def __init__(self, store: str, attempt: str, project: str = "") -> None:
        self.store, self.attempt, self.pid = store, attempt, os.getpid()
        self.kinds: dict[Kind, Any] = {}
        self.beats, self.closed = False, False
        self._put: Callable[[float, int, dict[str, Any], Kind], bool] = self._first
        self._records = Records(store, attempt, project, self.once)
        self._ring: Ring | None = None
        self._soft: deque[Callable[[], None]] = deque()
        self._lock, self._busy, self._owner = threading.RLock(), False, 0
        self._then: Callable[[], None] | None = None
        # A lock of Python's own would block a handler that comes while the same thread holds it; this has none.
        self._bell: SimpleQueue[bool] = SimpleQueue()
        self._awake = False
        self._thread: threading.Thread | None = None
        self._ending, self._last = False, _nothing
        self._retry_at, self._patience = 0.0, _RETRY
        self._stuck = self._unsynced = False
        self._told: set[str] = set()

    def put(self, t: float, step: int, values: dict[str, Any], kind: Kind) -> None:
        """Take a point; it survives the death of the process, and is in its segment soon.

        Args:
            kind: names and types of ``values``.
        """
        if not self._put(t, step, values, kind):
            self._full(t, step, values, kind)
        if not self._awake:
            self._rouse()

    def tell(self, kind: str, body: dict[str, Any], *, whose: bool = True, lazy: bool = False) -> None:
        """Write a fact, about the attempt if nothing else is said; what the disk refuses is kept and tried again.

        Args:
            lazy: it may be written a little later.
        """
        if self._silent():
            return
        self._records.facts.append((kind, {"attempt": self.attempt, **body} if whose else body))
        self._start()
        if not lazy and time.monotonic() >= self._retry_at:
            with contextlib.suppress(BlockingIOError):  # a handler; who was interrupted is writing already
                try:
                    with self._hold():
                        self._records.write_facts()
                except BlockingIOError:
                    raise
                except OSError as error:
                    self._refused(error)
        self._unsynced = True
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
            event = self._records.append(kind, body)
        self._unsynced = True
        self._start()
        self._rouse()
        return event

    def write_object(self, t: float, step: int, objects: dict[str, Any]) -> None:
        """Write what is no number now, after everything that was put before (docs/FORMAT.md §5, "Objects").

        Raises:
            OSError: the disk refuses.
        """
        with self._hold():
            if self.closed:
                raise OSError(errno.EPIPE, "the run has ended")
            self._records.write_object(t, step, objects)

    @contextlib.contextmanager
    def _hold(self) -> Iterator[None]:
        """Be the only one who writes.

        Raises:
            BlockingIOError: this thread is writing already: the handler of a signal has come in between.
        """
        with self._lock:
            if self._busy:
                raise BlockingIOError(errno.EDEADLK, "a signal came while a record was being written")
            self._owner = threading.get_ident()
            self._busy = True
            try:
                yield
            finally:
                self._busy = False
        then, self._then = self._then, None
        if then is not None:
            then()

    def when_free(self, call: Callable[[], None]) -> None:
        """Call this now or, in a handler that interrupts a write, as soon as that is done."""
        if self._busy and self._owner == threading.get_ident():
            self._then = call
        else:
            call()

    def harden(self, work: Callable[[], None]) -> None:
        """Have the thread call this, which makes bytes power-durable, and the records that name them after it."""
        self._soft.append(work)
        self._start()
        self._rouse()

    def newest(self) -> dict[str, Any]:
        """The newest value of each metric."""
        self.flush()
        return dict(self._records.newest)

    def flush(self, *, sync: bool = False) -> None:
        """Have everything on disk now, with ``sync`` so that it survives a loss of power."""
        try:
            with self._hold():
                self._write_all()
                if sync:
                    self._records.sync()
        except BlockingIOError:
            return  # who was interrupted goes on with it
        except OSError as error:
            self._refused(error)

    def close(self, last: Callable[[], None] | None = None, patience: float = PATIENCE) -> None:
        """Write the rest and end the journal. What comes later is said to be late, once.

        Args:
            last: called before that, by the thread that writes; it may tell more.
            patience: seconds to wait for a disk that does nothing.
        """
        if self.closed or self._ending:
            return
        if self._busy and self._owner == threading.get_ident():
            self._then = partial(self.close, last, patience)
            return
        self._ending, self._last = True, last or _nothing
        thread = self._thread
        if thread is None or not thread.is_alive():
            self._end()
            return
        self._bell.put(_NOW)
        before: object = None
        while thread.is_alive() and before != (before := self._progress()):
            thread.join(patience)
        if thread.is_alive():
            self.once("end", f"{self.store} takes no writes: {self._records.left()}")

    def _progress(self) -> tuple[int, int]:
        """Differs from what it was when the thread has written something."""
        return self._ring.start if self._ring is not None else 0, len(self._records.facts)

    def leave(self) -> None:
        """In a forked child: what is the parent's stays his."""
        if self._ring is not None:
            self._ring.close()

    def once(self, what: str, text: str) -> None:
        """Say something the first time only."""
        if what not in self._told:
            self._told.add(what)
            note(text)

    # Beginning

    def _silent(self) -> bool:
        """Whether nothing is recorded any more, or ever."""
        if self.store == os.devnull:  # which has been said
            return True
        if self.closed:
            self.once("late", "something was logged after the run had ended; it is not recorded")
        return self.closed

    def _first(self, t: float, step: int, values: dict[str, Any], kind: Kind) -> bool:
        """What `put` does until there is a ring."""
        if self._silent():
            return True
        with self._hold():
            if self._ring is None:
                self._make_ring()
        self._start()
        return self._put(t, step, values, kind)

    def _make_ring(self) -> None:
        ring = self._records.make_ring()
        ring.alarm = partial(self._bell.put, _NOW)
        self.kinds, self._put, self._ring = ring.kinds, ring.put, ring
        try:
            self._records.write_facts()
        except OSError as error:
            self._refused(error)

    def _start(self) -> None:
        if self._thread is None and not self._silent():
            with self._lock:
                if self._thread is None:
                    # Imported here: in the thread, beside a loop that never waits, it would take a tenth of a second.
                    import pinyon.store.journal  # noqa: F401

                    self._thread = threading.Thread(target=self._run, name="pinyon", daemon=True)
                    self._thread.start()
                    _end_with_worker(self)

    def _rouse(self) -> None:
        if self._silent():
            return
        self._awake = True
        self._bell.put(not _NOW)

    def _full(self, t: float, step: int, values: dict[str, Any], kind: Kind) -> None:
        """There is no room: wait for the thread, unless that is stuck; else the point is dropped, and counted."""
        assert self._ring is not None, "a ring is full"
        if not (self._stuck or self._retry_at):
            self._bell.put(_NOW)
            until = time.monotonic() + _FULL
            while time.monotonic() < until:
                time.sleep(0.001)
                if self._put(t, step, values, kind):
                    return
            self._stuck = True
        self._ring.drop()
        self.once(
            "full", f"{self.store} takes no points and the ring is full: new points are dropped, and counted"
        )

    # The thread

    def _run(self) -> None:
        beat = time.monotonic() + HEARTBEAT
        while not self.closed:
            self._wait(beat if self.beats else None)
            self._awake = False  # before looking: who puts something from now on will rouse us again
            try:
                if self._ending:
                    self._end()
                    return
                if self.beats and time.monotonic() >= beat:
                    beat = time.monotonic() + HEARTBEAT
                    self._records.facts.append(("heartbeat", {"attempts": [self.attempt]}))
                if time.monotonic() < self._retry_at:
                    self._awake = True
                    continue
                before = self._ring.start if self._ring is not None else 0
                if self._ring is not None:
                    self._ring.unjam()
                self.flush()
                self._harden()
                # Where points keep coming the next look comes by itself: ringing costs the caller more than all else.
                self._awake = self._ring is not None and self._ring.start != before
            except Exception as error:  # noqa: BLE001 - without this thread nothing would be written any more
                self.once("thread", f"something could not be recorded: {type(error).__name__}: {error}")

    def _wait(self, beat: float | None) -> None:
        """Until there is something to write, and a little longer for what comes with it."""
        now = not _NOW
        try:
            if not self._awake:
                now = self._bell.get(timeout=None if beat is None else max(0.0, beat - time.monotonic()))
            until = time.monotonic() + INTERVAL
            while not now and (left := until - time.monotonic()) > 0:
                now = self._bell.get(timeout=left)
        except Empty:
            return

    def _harden(self) -> None:
        """Not under the lock: a disk may take seconds for it."""
        while self._soft:
            work = self._soft.popleft()
            self._unsynced = True
            try:
                work()
            except (OSError, PinyonError) as error:
                self.once("harden", f"a checkpoint may not survive a loss of power: {error}")
        if self._unsynced:
            self._unsynced = False
            try:
                self._records.sync_facts()
            except OSError as error:
                self.once("sync", f"records may not survive a loss of power: {error.strerror or error}")

    def _end(self) -> None:
        """The last thing; in the thread, if there is one, so that nobody waits longer for it than he wants."""
        try:
            self._last()
        except OSError as error:
            self.once("last", f"the end of the run could not be recorded: {error}")
        self._harden()
        self._retry_at = 0.0
        self.flush(sync=True)
        try:
            with self._hold():
                with contextlib.suppress(OSError):  # it has been said
                    self._write_all()  # what a handler logged since
                self.closed, self._put = True, self._first
                self._records.close()
        except OSError as error:
            self._refused(error)

    def _write_all(self) -> None:
        """Under the lock."""
        if not self.closed:
            self._records.write(ending=self._ending)
            self._retry_at, self._patience, self._stuck = 0.0, _RETRY, False

    def _refused(self, error: OSError) -> None:
        self._retry_at = time.monotonic() + self._patience
        self._patience = min(2 * self._patience, _RETRY_MOST)
        if not self.closed:
            self._rouse()
        reason = error.strerror or str(error)
        self.once(
            "refused",
            f"{self.store} cannot be written ({reason}); training goes on, what fits into the ring is kept and"
            " tried again",
        )


def _nothing() -> None:
    return


def _end_with_worker(sink: Sink) -> None:
    """A worker of `multiprocessing` ends without calling what `atexit` knows; it has a list of its own."""
    processes, util = map(sys.modules.get, ("multiprocessing.process", "multiprocessing.util"))
    if processes is not None and util is not None and processes.parent_process() is not None:
        util.Finalize(None, sink.close, exitpriority=1)
