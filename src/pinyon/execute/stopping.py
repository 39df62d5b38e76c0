"""Ending attempts of this host that another process looks after."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable
from typing import NamedTuple

from pinyon.errors import ExecuteError
from pinyon.execute.node import stop
from pinyon.model.actor import current_actor
from pinyon.model.ids import ProcessId, host_name
from pinyon.model.outcome import Attempt


class Asked(NamedTuple):
    """An attempt to end. ``alone``: a run of a process's own, which has no supervisor but itself."""

    attempt: Attempt
    alone: bool


def check(asked: Iterable[Asked]) -> None:
    """Make sure that all of them can be asked for.

    Raises:
        ExecuteError: one runs on another host, or its supervisor does not know how; nothing has been done.
    """
    for attempt, alone in asked:
        process, what = attempt.supervisor, f"{attempt.id} of {attempt.stage}"
        if process is None or process.alive() is False:
            raise ExecuteError(f"{what} is dead already", why="its supervisor is gone", next="pinyon run")
        if process.host != host_name():
            raise ExecuteError(
                f"{what} runs on {process.host}",
                why="a process can be ended only on its own host",
                next=f"there: pinyon stop {attempt.id}",
            )
        if not alone and not stop.heeds(process.pid):
            raise ExecuteError(
                f"the supervisor of {what} cannot be asked",
                why="it is of an older release",
                next=f"kill {process.pid} ends all its attempts",
            )


def ask(store: str, asked: Iterable[Asked], drivers: Iterable[ProcessId] = ()) -> None:
    """Have attempts ended: SIGTERM to the command, its grace, SIGKILL; and their drivers, as by Ctrl-C.

    Args:
        store: the home store.

    Raises:
        ExecuteError: a process is another user's.
    """
    actor, told = current_actor().as_dict(), set()
    for attempt, alone in asked:
        assert attempt.supervisor is not None, "it was checked"
        if not alone:
            stop.leave_word(store, attempt.id, actor)
        told.add((attempt.supervisor.pid, signal.SIGINT if alone else stop.SIGNAL))
    # Drivers after the words: what they cancel then is on record as the doing of who asked. They start nothing any more.
    for pid, number in [*told, *((one.pid, signal.SIGTERM) for one in drivers)]:
        with contextlib.suppress(ProcessLookupError):
            try:
                os.kill(pid, number)
            except PermissionError:
                raise ExecuteError(
                    f"process {pid} is another user's", next=f"ask its owner: pinyon watch, or kill {pid}"
                ) from None
