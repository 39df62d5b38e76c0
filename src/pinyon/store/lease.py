"""Leases: one holder at a time for a job that several processes could do (docs/FORMAT.md §6).

A ref makes a version at every take-over; the holder shows that it lives by overwriting a small file. Nobody compares two
clocks: an observer counts the term on its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from pathlib import Path
from typing import NamedTuple

from pinyon.errors import LeaseLostError, RefConflictError
from pinyon.model.actor import current_actor
from pinyon.model.ids import ProcessId, boot_id, new_id, read_process, this_process
from pinyon.store.local import LocalStore
from pinyon.store.protocol import RefVersion
from pinyon.store.refs import encode_name

TTL = 30.0  # seconds without a heartbeat after which a holder on another host counts as gone


class Holder(NamedTuple):
    """Who has a lease: the version it made, its process, and whose doing it is."""

    version: int
    process: ProcessId
    actor: str
    since: float  # by the holder's clock, for people


class Lease:
    """A lease that we hold, or did. As a context manager it renews itself in a thread, and leaving gives it back."""

    def __init__(self, store: LocalStore, name: str, version: int, ttl: float = TTL) -> None:
        self.name, self.version = name, version
        self._store, self._ttl = store, ttl
        self._beat = 0
        self._left = threading.Event()
        self._writing = threading.Lock()

    def renew(self) -> None:
        """Show that we live; call it several times within a term. Never tells whether the lease is still ours."""
        with self._writing:  # or a renewal that began before the lease was given back would take it once more
            self._beat += 1
            self._write(ended=self._left.is_set())

    def check(self) -> None:
        """Make sure of the lease before an effect.

        Raises:
            LeaseLostError: somebody has taken over.
        """
        newest = self._store.refs.get(_ref(self.name))
        if newest is None or newest.version != self.version:
            raise LeaseLostError(
                f"the lease '{self.name}' has been taken over",
                why="this process showed no sign of life for too long",
                next="nothing: its new holder goes on",
            )

    def release(self) -> None:
        """Give it back, so that the next one need not wait; of no effect if it was taken over."""
        self._left.set()
        with self._writing:
            self._write(ended=True)

    def _write(self, *, ended: bool) -> None:
        path = _beat_path(self._store, self.name, self.version)
        temporary = path.with_name(f".{new_id('beat')}")
        temporary.write_text(json.dumps({"v": 1, "beat": self._beat, "ended": ended}))
        os.replace(temporary, path)

    def __enter__(self) -> Lease:
        threading.Thread(target=self._keep, name="lease", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _keep(self) -> None:
        while not self._left.wait(self._ttl / 4):
            with contextlib.suppress(OSError):  # a full disk; perhaps the next one works
                self.renew()


class Observer:
    """One who would like to have a lease.

    Args:
        memory: a file on a local disk that keeps what was seen from one short life to the next; None: only this object.
    """

    def __init__(self, store: LocalStore, name: str, *, ttl: float = TTL, memory: Path | None = None) -> None:
        self._store, self._name, self._ttl = store, name, ttl
        self._memory = memory
        self._seen: tuple[int, int | None] | None = None
        self._since = 0.0

    def take(self) -> Lease | None:
        """Take the lease if it is free; None when it is not, or when somebody was quicker."""
        newest = self._store.refs.get(_ref(self._name))
        if newest is not None and not self._free(newest):
            return None
        expect = newest.version if newest else 0
        value = {"process": list(this_process()), "ttl": self._ttl}
        (self._store.root / "beats").mkdir(parents=True, exist_ok=True)
        try:
            made = self._store.refs.set(_ref(self._name), value, expect=expect, actor=str(current_actor()))
        except RefConflictError:
            return None
        lease = Lease(self._store, self._name, made.version, self._ttl)
        lease.renew()
        for version in range(max(1, expect - 1), expect + 1):
            with contextlib.suppress(OSError):
                _beat_path(self._store, self._name, version).unlink()
        return lease

    def wait(self, patience: float, pause: float = 0.05) -> Lease | None:
        """`take` again and again for up to ``patience`` seconds."""
        deadline = time.monotonic() + patience
        while True:
            lease = self.take()
            if lease is not None or time.monotonic() > deadline:
                return lease
            time.sleep(pause)

    def holder(self) -> Holder | None:
        """Who has it now, for people; None when it is free."""
        newest = self._store.refs.get(_ref(self._name))
        if newest is None or self._ended(newest) or _process(newest).alive() is False:
            return None
        return Holder(newest.version, _process(newest), newest.actor, newest.ts)

    def _free(self, newest: RefVersion) -> bool:
        if self._ended(newest) or _process(newest).alive() is False:
            return True
        theirs = newest.value.get("ttl") if isinstance(newest.value, dict) else None
        ttl = max(self._ttl, theirs) if isinstance(theirs, (int, float)) else self._ttl
        return self._unchanged((newest.version, _beat(self._store, self._name, newest.version)[0])) >= ttl

    def _ended(self, newest: RefVersion) -> bool:
        return _beat(self._store, self._name, newest.version)[1]

    def _unchanged(self, seen: tuple[int, int | None]) -> float:
        """For how many seconds of our own clock the lease has looked like this."""
        if self._seen is None:
            self._recall()
        now = time.monotonic()
        if seen != self._seen or now < self._since:
            self._seen, self._since = seen, now
            self._remember()
        return now - self._since

    def _recall(self) -> None:
        if self._memory is None:
            return
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            data = json.loads(self._memory.read_text())
            if data["boot"] == boot_id():
                self._seen, self._since = (data["version"], data["beat"]), float(data["since"])

    def _remember(self) -> None:
        if self._memory is None or self._seen is None:
            return
        version, beat = self._seen
        data = {"boot": boot_id(), "version": version, "beat": beat, "since": self._since}
        with contextlib.suppress(OSError):  # then it takes longer
            self._memory.parent.mkdir(parents=True, exist_ok=True)
            temporary = self._memory.with_name(f"{self._memory.name}.{os.getpid()}")
            temporary.write_text(json.dumps(data))
            os.replace(temporary, self._memory)


def _ref(name: str) -> str:
    return f"leases/{name}"


def _beat_path(store: LocalStore, name: str, version: int) -> Path:
    return store.root / "beats" / f"{encode_name(name)}.{version:06d}"


def _beat(store: LocalStore, name: str, version: int) -> tuple[int | None, bool]:
    """The beat of a version, None before its first, and whether its holder has given it back."""
    try:
        data = json.loads(_beat_path(store, name, version).read_text())
        return int(data["beat"]), bool(data["ended"])
    except (OSError, ValueError, TypeError, KeyError):
        return None, False


def _process(version: RefVersion) -> ProcessId:
    return read_process(version.value.get("process") if isinstance(version.value, dict) else None)
