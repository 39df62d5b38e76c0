"""Locks: flock on files under ``locks/``, free as soon as the last process that holds one is gone."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from typing import Any

from pinyon.errors import WorkspaceLockedError
from pinyon.model.actor import user_name
from pinyon.model.ids import ProcessId, host_name, read_process, this_process

_HIGH = 64  # a shell script may use any one-digit descriptor; an inherited lock stays out of its way


def workspace_lock(place: str, slot: str) -> str:
    """Path of the lock that the processes of a workspace hold; slot ``inplace`` is the project itself."""
    return f"{place}/locks/workspace-{slot}"


def driver_lock(place: str) -> str:
    """Path of the lock that a driver in place holds."""
    return f"{place}/locks/driver"


def try_lock(path: str) -> int | None:
    """Take a lock without waiting: an open descriptor (closing it gives the lock back), None when it is taken."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    try:
        low = os.open(path, flags, 0o664)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        low = os.open(path, flags, 0o664)
    try:
        fcntl.flock(low, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, _HIGH)
    except BlockingIOError:
        return None
    finally:
        os.close(low)  # the duplicate keeps the lock


def held(path: str) -> bool:
    """Whether a process holds a lock; asks without taking it for longer than the question."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


def sign(fd: int, **more: Any) -> None:
    """Write into a lock who holds it, for the messages of those who have to wait."""
    text = json.dumps({"process": list(this_process()), "user": user_name(), "started": time.time(), **more})
    os.ftruncate(fd, 0)
    os.pwrite(fd, text.encode(), 0)


def holder(path: str) -> dict[str, Any]:
    """What the last holder signed with; empty when nothing readable stands there."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            data = json.load(file)
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


class DriverLock:
    """``locks/driver``: one driver in place. A context manager.

    Args:
        place: the project's ``.pinyon``.
        command: what the user typed, for the other user's error message.

    Raises:
        WorkspaceLockedError: on entering, another driver works here; it is named.
    """

    def __init__(self, place: str, command: str = "") -> None:
        self._path = driver_lock(place)
        self._command = command or " ".join(sys.argv)
        self._fd: int | None = None

    def __enter__(self) -> DriverLock:
        self._fd = try_lock(self._path)
        if self._fd is None:
            raise _refusal(self._path)
        sign(self._fd, command=self._command)
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _signed(path: str) -> tuple[dict[str, Any], ProcessId]:
    """Who holds a lock that is taken: it is signed a moment after it is taken."""
    patience = time.monotonic() + 0.5
    while True:
        who = holder(path)
        process = read_process(who.get("process"))
        if (process.pid and process.alive() is not False) or time.monotonic() > patience:
            return who, process
        time.sleep(0.01)


def _refusal(path: str) -> WorkspaceLockedError:
    who, (host, _, pid, _) = _signed(path)
    started = who.get("started")
    moment = time.localtime(started if isinstance(started, (int, float)) else 0)
    since = time.strftime("%Y-%m-%d %H:%M:%S", moment)
    there = "" if host == host_name() else f" on {host}"
    return WorkspaceLockedError(
        "another run is working in this project",
        where=f"process {pid}{there}",
        why=f"started by {who.get('user', '?')} at {since} as '{who.get('command', '?')}'",
        next=f"wait for it, or end it: kill {pid}" if pid else "wait for it",
    )
