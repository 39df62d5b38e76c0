"""Why a command ended as it did."""

from __future__ import annotations

import os
import re
import signal
from typing import NamedTuple

from pinyon.execute.node.process import Exit
from pinyon.model.outcome import CANCELLED, FAILED, SUCCEEDED

_TAIL = 4096  # bytes of the log's end that may say what happened
_MEMORY = re.compile(rb"CUDA out of memory|OutOfMemoryError|MemoryError\b|std::bad_alloc")
_KILLED = re.compile(rb"\bKilled\b")


class Verdict(NamedTuple):
    """The outcome that `ended` records."""

    state: str
    detail: str = ""
    exit_code: int | None = None
    signal: int | None = None
    message: str = ""


def judge(end: Exit, *, shell: bool, tail: bytes, oom_kills: int) -> Verdict:
    """The verdict on a command that nobody stopped.

    Args:
        end: how it ended.
        shell: a shell ran it, and shells report a signal of their child as 128 + its number.
        tail: the end of what it printed.
        oom_kills: processes that the kernel killed in our control group since the last look.
    """
    if end.code == 0:
        return Verdict(SUCCEEDED, exit_code=0)
    number = end.signal
    if shell and end.code is not None and 128 < end.code <= 128 + signal.SIGRTMAX:
        number = end.code - 128
    killed = number == signal.SIGKILL
    if _MEMORY.search(tail) or (killed and (oom_kills or _KILLED.search(tail))):
        return Verdict(FAILED, "oom", end.code, number, "it ran out of memory")
    if number is not None:
        return Verdict(FAILED, "signal", end.code, number, f"signal {_signal_name(number)} ended it")
    return Verdict(FAILED, "exit", end.code, None, f"the command ended with exit code {end.code}")


def stopped(cause: str, end: Exit, timeout: float | None) -> Verdict:
    """The verdict on a command that we stopped: after its ``timeout``, or because somebody cancelled it."""
    if cause == "timeout":
        return Verdict(FAILED, cause, end.code, end.signal, f"it ran longer than {timeout:g} s")
    return Verdict(CANCELLED, cause, end.code, end.signal, "it was cancelled")


def read_tail(path: str, begin: int) -> bytes:
    """The last bytes of a log, none from before ``begin``."""
    with open(path, "rb", buffering=0) as file:
        file.seek(max(begin, os.fstat(file.fileno()).st_size - _TAIL))
        return file.read()


class OomCounter:
    """Counts the kernel's out-of-memory kills in this process's control group (version 2; elsewhere always 0)."""

    def __init__(self) -> None:
        self._path = _events_file()
        self._seen = self._read()

    def new(self) -> int:
        """Kills since the last call."""
        now = self._read()
        count, self._seen = now - self._seen, now
        return count

    def _read(self) -> int:
        try:
            with open(self._path, encoding="ascii") as file:
                counts = dict(line.split() for line in file)
        except (OSError, ValueError):
            return 0
        return int(counts.get("oom_kill", 0))


def _events_file() -> str:
    try:
        with open("/proc/self/cgroup", encoding="utf-8") as file:
            groups = [line.rstrip("\n").split(":", 2)[2] for line in file if line.startswith("0::")]
    except (OSError, IndexError):
        groups = []
    return f"/sys/fs/cgroup{groups[0]}/memory.events" if groups else ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
