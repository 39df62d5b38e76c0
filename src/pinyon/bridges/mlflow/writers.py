"""Recorders of the runs that this process logs to."""

from __future__ import annotations

import atexit
import os
from collections.abc import Mapping
from contextlib import suppress
from threading import Event, RLock, Thread
from typing import Any

from pinyon.bridges.recording import Pen, Recorder, join
from pinyon.store.local import LocalStore

_HEARTBEAT = 30.0  # seconds


class Writers:
    """Gives a recorder for an attempt. All of this process write with one pen: a thousand runs are no thousand files, which
    every reader would have to list and to open.
    """

    def __init__(self, store: LocalStore, project: str, root: str) -> None:
        self.store, self.project, self.root = store, project, root
        self._lock = RLock()
        self._pid = os.getpid()
        self._held: dict[str, Recorder] = {}
        self._pen: Pen | None = None
        self._beating: Thread | None = None
        self._closed = Event()
        atexit.register(self.close)

    @property
    def pen(self) -> Pen:
        """What every record of this process is written with."""
        with self._lock:
            self._unforked()
            if self._pen is None:
                self._pen = Pen(self.store, self.project, rolls=True)
            return self._pen

    def keep(self, recorder: Recorder) -> Recorder:
        """Hold one that was begun elsewhere, with this process's pen."""
        with self._lock:
            self._unforked()
            self._held[recorder.attempt] = recorder
            if self._beating is None:
                self._beating = Thread(target=self._beat, name="pinyon-mlflow", daemon=True)
                self._beating.start()
        return recorder

    def of(self, attempt: str, key: str, started: float) -> Recorder:
        """The recorder of an attempt, whoever has begun it."""
        with self._lock:
            self._unforked()
            found = self._held.get(attempt)
            if found is not None:
                return found
            pen = self.pen
            return join(self.store, attempt=attempt, key=key, started=started, project=self.project, pen=pen)

    def ended(self, recorder: Recorder) -> None:
        """Forget one whose attempt has ended, and make all of it power-durable.

        Raises:
            OSError: it may not survive a loss of power.
        """
        with self._lock:
            self._held.pop(recorder.attempt, None)
        recorder.flush()

    def tell(self, kind: str, body: Mapping[str, Any]) -> None:
        """Write a record that is about no run."""
        self.pen.record(kind, body)

    def _beat(self) -> None:
        """Tell those on other hosts that this process lives, which they cannot see."""
        while not self._closed.wait(_HEARTBEAT):
            with self._lock:
                attempts = list(self._held)
            if attempts:
                with suppress(OSError):
                    self.tell("heartbeat", {"attempts": attempts})

    def close(self) -> None:
        """Let go of all files, as at the end of the process."""
        with self._lock:
            self._unforked()
            self._held.clear()
            pen, self._pen = self._pen, None
            self._closed.set()
        if pen is not None:
            with suppress(OSError):
                pen.close()

    def _unforked(self) -> None:
        """In a forked child: what the parent holds stays his."""
        if self._pid != os.getpid():
            self._pid, self._pen, self._beating = os.getpid(), None, None
            self._held.clear()
