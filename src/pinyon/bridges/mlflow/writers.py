"""Recorders of the runs that this process logs to."""

from __future__ import annotations

import atexit
import os
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from threading import Event, RLock, Thread
from typing import Any

from pinyon.bridges.recording import Recorder, join
from pinyon.store.local import LocalStore
from pinyon.store.protocol import JournalWriter

_HEARTBEAT = 30.0  # seconds
_MOST = 200  # recorders with open files at once, two each


class Writers:
    """Gives a recorder for an attempt, and keeps the files of the last ones open."""

    def __init__(self, store: LocalStore, project: str, root: str) -> None:
        self.store, self.project, self.root = store, project, root
        self._lock = RLock()
        self._pid = os.getpid()
        self._held: OrderedDict[str, Recorder] = OrderedDict()
        self._clerk: JournalWriter | None = None
        self._beating: Thread | None = None
        self._closed = Event()
        atexit.register(self.close)

    def keep(self, recorder: Recorder) -> Recorder:
        """Hold one that was begun elsewhere."""
        with self._lock:
            self._unforked()
            self._held[recorder.attempt] = recorder
            if self._beating is None:
                self._beating = Thread(target=self._beat, name="pinyon-mlflow", daemon=True)
                self._beating.start()
            while len(self._held) > _MOST:
                self._held.popitem(last=False)[1].close()
        return recorder

    def of(self, attempt: str, key: str, started: float) -> Recorder:
        """The recorder of an attempt, whoever has begun it."""
        with self._lock:
            self._unforked()
            found = self._held.get(attempt)
            if found is not None:
                self._held.move_to_end(attempt)
                return found
            return self.keep(
                join(self.store, attempt=attempt, key=key, started=started, project=self.project)
            )

    def drop(self, attempt: str) -> None:
        """Forget one that has let go of its files."""
        with self._lock:
            self._held.pop(attempt, None)

    def tell(self, kind: str, body: Mapping[str, Any]) -> None:
        """Write a record that is about no run."""
        with self._lock:
            self._unforked()
            if self._clerk is None:
                self._clerk = self.store.journals.open_writer(project=self.project)
            self._clerk.append(kind, dict(body))

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
            held = list(self._held.values())
            self._held.clear()
            clerk, self._clerk = self._clerk, None
            self._closed.set()
        for one in held:
            with suppress(OSError):
                one.close()
        if clerk is not None:
            with suppress(OSError):
                clerk.close()

    def _unforked(self) -> None:
        """In a forked child: what the parent holds stays his."""
        if self._pid != os.getpid():
            self._pid, self._clerk, self._beating = os.getpid(), None, None
            self._held.clear()
