"""Names of things: random ids, ids that derive from a key, and the proof that a process lives."""

from __future__ import annotations

import os
from typing import NamedTuple


def new_id(prefix: str) -> str:
    """A random id such as ``x-3f9a0c52d1e84b67``: 64 random bits, so a project's ids never collide in practice."""
    return f"{prefix}-{os.urandom(8).hex()}"


def run_id(key: str) -> str:
    """The id of the run at ``key`` (64 hex digits): its first 16, so equal keys are one run everywhere."""
    return f"r-{key[:16]}"


def attempt_id(key: str, epoch: int) -> str:
    """A new id for an attempt at ``key``; the epoch is readable in it, the random end keeps racing drivers apart."""
    return f"a-{key[:12]}-{epoch}-{os.urandom(4).hex()}"


class ProcessId(NamedTuple):
    """One process, for ever: a pid alone is reused, so the boot and the start time belong to its name."""

    host: str
    boot: str
    pid: int
    start: int  # clock ticks after boot, /proc/PID/stat field 22

    def alive(self) -> bool | None:
        """True or False when this host can tell; None when the process is (or was) on another host, when it belongs to
        somebody whose processes are hidden from us, and where there is no /proc."""
        boot = boot_id()
        if self.host != host_name() or not boot:
            return None
        if self.boot != boot:
            return False
        stat = _stat(self.pid)
        if stat is _NO_STAT:
            return _hidden(self.pid) if _stat(os.getpid()).start else None
        return stat.start == self.start and stat.state not in (b"Z", b"X")


def read_process(data: object) -> ProcessId:
    """A process as a record names it. One that is told in a way we do not know is one of whom nothing is known."""
    if isinstance(data, (list, tuple)) and len(data) >= 4:
        host, boot, pid, start = data[:4]
        if (
            isinstance(host, str)
            and isinstance(boot, str)
            and isinstance(pid, int)
            and isinstance(start, int)
        ):
            return ProcessId(host, boot, pid, start)
    return ProcessId("?", "", 0, 0)


def this_process() -> ProcessId:
    """The name of the calling process."""
    pid = os.getpid()
    return ProcessId(host_name(), boot_id(), pid, _stat(pid).start)


def process_id(pid: int) -> ProcessId:
    """The name of a child that is known to be alive (or a zombie not yet waited for)."""
    return ProcessId(host_name(), boot_id(), pid, _stat(pid).start)


def host_name() -> str:
    """This machine's name."""
    return os.uname().nodename


_boot = ""


def boot_id() -> str:
    """The id the kernel drew at boot; empty where there is none (then processes cannot be told apart over a reboot)."""
    global _boot
    if not _boot:
        try:
            with open("/proc/sys/kernel/random/boot_id") as file:
                _boot = file.read().strip()
        except OSError:
            _boot = ""
    return _boot


class _Stat(NamedTuple):
    state: bytes
    start: int


_NO_STAT = _Stat(b"", 0)


def _stat(pid: int) -> _Stat:
    """State and start time of a process; `_NO_STAT` when /proc does not show it."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return _NO_STAT
    return _Stat(fields[0], int(fields[19]))


def _hidden(pid: int) -> bool | None:
    """False when there is no such process, None when there is one that /proc does not show to us (hidepid)."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return None
    except (OSError, OverflowError):
        pass
    return False
