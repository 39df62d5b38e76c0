"""SIGTERM: what has been recorded is made safe, then the process dies by it as it would have anyway."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pinyon.track.running import Run

_runs: list[Run] = []  # that have not ended


def heed(run: Run) -> None:
    """End this run first when the process is told to end. A handler of the user's stays as it is."""
    _runs.append(run)
    if threading.current_thread() is not threading.main_thread():
        return  # only there can one be set
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _told)


def forget(run: Run) -> None:
    """It has ended. With the last one SIGTERM is as it was."""
    with contextlib.suppress(ValueError):
        _runs.remove(run)
    with contextlib.suppress(ValueError):  # not in the main thread; then the handler has nothing to do
        if not _runs and signal.getsignal(signal.SIGTERM) is _told:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _told(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - how handlers are called
    """End all runs, the innermost first; each as soon as the thread that was interrupted does not write to it."""
    if _runs:
        _runs[-1].when_free(_end_one)
        return
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)


def _end_one() -> None:
    _runs.pop().shut_down()
    _told(signal.SIGTERM, None)
