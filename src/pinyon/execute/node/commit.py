"""Group commit: makes blobs and records power-durable behind the loop's back (docs/FORMAT.md §7)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from pinyon.store.protocol import Blobs, JournalWriter

DELAY = 0.15  # seconds from the first new record to its fsync, so that records and blobs share one


class Commit:
    """A thread that fsyncs new blobs, then the journal, and says up to which record everything is safe.

    Args:
        blobs: where new blobs lie.
        writer: the supervisor's journal; only its ``flush`` is called here, which another thread than ``append``'s may.
        announce: called in this thread with the last safe seq.
    """

    def __init__(self, blobs: Blobs, writer: JournalWriter, announce: Callable[[int], None]) -> None:
        self._blobs = blobs
        self._writer = writer
        self._announce = announce
        self._names: set[str] = set()
        self._through = -1
        self._wanted = threading.Condition()
        self._dirty = False
        self._hurry = False
        self._broken = False
        self._thread: threading.Thread | None = None

    def add(self, through: int, names: Iterable[str] = ()) -> None:
        """Records up to ``through`` were written, and these blobs before them."""
        with self._wanted:
            self._through = through
            self._names.update(names)
            self._dirty = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="commit", daemon=True)
                self._thread.start()
            self._wanted.notify()

    def give_up(self) -> None:
        """A write or fsync has failed: what ``durable`` would cover is no longer known, so none is announced again.
        Trying again as if it had not happened could call lost pages safe."""
        self._broken = True

    def close(self) -> None:
        """Commit what is left, and end the thread."""
        with self._wanted:
            self._hurry = True
            self._wanted.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._wanted:
                self._wanted.wait_for(lambda: self._dirty or self._hurry)
                self._wanted.wait_for(lambda: self._hurry, DELAY)
                if not self._dirty:
                    return
                names, self._names, self._dirty = self._names, set(), False
                through = self._through
            self._sync(names, through)

    def _sync(self, names: set[str], through: int) -> None:
        if self._broken:
            return
        try:
            if names:
                self._blobs.flush(names)
            self._writer.flush()
        except OSError:
            self.give_up()
        else:
            self._announce(through)
