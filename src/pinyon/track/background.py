"""Beside a run of a process's own: a thread that records code, environment and machine, then samples what the run takes."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

# All of it here: in the thread, beside a loop that never waits, importing would take a tenth of a second; and a class
# that is made there while Python ends by Ctrl-C makes it forget how it ends.
from pinyon.capture.captured import captured
from pinyon.capture.code import Project
from pinyon.capture.facts import Status
from pinyon.capture.sampling import Pace, Sampler
from pinyon.model.graph import Command
from pinyon.store.local import home_store

if TYPE_CHECKING:
    from pinyon.track.sink import Sink

_PATIENCE = 0.75  # seconds that the end of a run waits for what is being found out


class Background:
    """The thread of one run.

    Args:
        sink: takes its records and points.
        root: the project's directory.
        execution: whose code and environment it is.
        zero: moment of the monotonic clock at which the run began.
    """

    def __init__(self, sink: Sink, root: str, execution: str, status: Status, zero: float) -> None:
        self._sink, self._root, self._execution, self._status = sink, root, execution, status
        self._zero = zero
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pinyon-background", daemon=True)

    def start(self) -> None:
        """Begin; nothing is waited for."""
        self._thread.start()

    def stop(self) -> None:
        """End it; what it is about to record is waited for, but not for long."""
        self._over.set()
        self._thread.join(_PATIENCE)

    def _run(self) -> None:
        try:
            body = self._captured()
            self._sink.tell("captured", {"execution": self._execution, **body}, whose=False)
            self._sample()
        except Exception as error:  # noqa: BLE001 - whatever it is, training goes on
            self._sink.once("background", f"not all about this run is recorded: {error}")

    def _captured(self) -> dict[str, Any]:
        store = home_store(Path(self._root))
        project = Project(Path(self._root), store.blobs, store.cache)
        return captured(project, self._status, [Command("exec", (sys.executable,))])

    def _sample(self) -> None:
        sampler, pace, count = Sampler(), Pace(), 0
        sampler.add(os.getpid())
        sampler.sample()  # from which on rates are counted
        while not self._over.wait(max(0.0, pace.next - time.monotonic())):
            values: dict[str, Any] = dict(sampler.sample())
            if values:
                kind = (*values, *map(type, values.values()))
                self._sink.put(time.monotonic() - self._zero, count, values, kind)
                count += 1
            pace.taken()
