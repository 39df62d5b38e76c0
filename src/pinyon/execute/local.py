"""This machine as a target: starts the supervisor, talks to it, and cleans up after one that died."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

from pinyon.errors import ExecuteError, TargetError
from pinyon.execute.aside import Aside
from pinyon.execute.locks import holder, try_lock, workspace_lock
from pinyon.execute.node.process import kill_leftovers, leftovers
from pinyon.execute.protocol import AttemptSpec, StatNote
from pinyon.model.event import Event
from pinyon.model.ids import ProcessId, process_id, read_process
from pinyon.model.outcome import RUNNING, Attempt
from pinyon.store.local import LocalStore
from pinyon.store.scrub import Scrub

_PATIENCE = 10.0  # seconds for killed processes to disappear


class LocalTarget:
    """See `pinyon.execute.protocol.Target`.

    Args:
        root: absolute path of the project.
        store: its home store, on a disk of this machine.
        project: its name, for the records.
        detached: nobody waits for the supervisor; it holds nothing open that its caller might wait for.
        after: a command that the supervisor runs as its last act, if it ran anything.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        store: LocalStore,
        project: str = "",
        *,
        detached: bool = False,
        after: Sequence[str] = (),
    ) -> None:
        self._detached, self._after = detached, list(after)
        self._project = project
        self._root, self._store = os.path.abspath(root), os.path.abspath(store.url)
        self._place = os.path.abspath(store.place)
        self._supervisor: ProcessId | None = None
        self._to = self._from = -1
        self._buffer = b""

    def start(self) -> ProcessId:
        """See `pinyon.execute.protocol.Target.start`."""
        if self._supervisor is not None and self._supervisor.alive() is False:
            self._reap()  # nobody has polled since it died; its journal has its last words
        if self._supervisor is None:
            self._supervisor = self._spawn()
            if self._after:
                self._say({"op": "after", "argv": self._after})
        return self._supervisor

    def _spawn(self) -> ProcessId:
        theirs_in, self._to = os.pipe()
        self._from, theirs_out = os.pipe()
        # -P: the supervisor must not import a json.py that happens to lie in somebody's project.
        argv = [
            sys.executable,
            "-P",
            "-m",
            "pinyon.execute.node",
            self._root,
            self._store,
            self._place,
            self._project,
        ]
        ends = [(os.POSIX_SPAWN_DUP2, theirs_in, 0), (os.POSIX_SPAWN_DUP2, theirs_out, 1)]
        quiet = [(os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)] if self._detached else []
        try:
            pid = os.posix_spawn(
                sys.executable,
                argv,
                os.environ,
                file_actions=[*ends, *quiet],
                setsid=True,
                # Held back until it can deal with them: the first milliseconds of Python would die of them.
                setsigmask=(signal.SIGINT, signal.SIGHUP, signal.SIGTERM),
            )
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        self._buffer = b""
        return process_id(pid)

    def submit(self, spec: AttemptSpec) -> None:
        """See `pinyon.execute.protocol.Target.submit`."""
        self._say({"op": "run", "spec": spec.to_json()})

    def cancel(self, attempt: str | None = None, detail: str = "user") -> None:
        """See `pinyon.execute.protocol.Target.cancel`."""
        self._say({"op": "cancel", "attempt": attempt, "detail": detail})

    def _say(self, message: dict[str, Any]) -> None:
        data = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        try:
            if self._supervisor is None:
                raise BrokenPipeError
            while data:
                data = data[os.write(self._to, data) :]
        except BrokenPipeError:
            raise self._gone() from None

    def poll(self, timeout: float) -> list[Event | StatNote]:
        """See `pinyon.execute.protocol.Target.poll`."""
        if self._supervisor is None:
            return []
        waiting = select.poll()  # select(2) takes no descriptor beyond 1023
        waiting.register(self._from, select.POLLIN)
        if not waiting.poll(max(0.0, timeout) * 1000):
            return []
        chunk = os.read(self._from, 1 << 16)
        *lines, self._buffer = (self._buffer + chunk).split(b"\n")
        if not chunk:
            self._reap()
            raise self._gone()
        return [_message(json.loads(line)) for line in lines]

    def _reap(self) -> None:
        assert self._supervisor is not None, "there is one to reap"
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._supervisor.pid, 0)
        os.close(self._to)
        os.close(self._from)
        self._supervisor = None

    def _gone(self) -> TargetError:
        return TargetError(
            "the supervisor is gone",
            where=f"{self._store}/logs",
            why="its attempts are cleaned up by the next run",
            next="pinyon run",
        )

    def repair(self, attempt: Attempt) -> None:
        """See `pinyon.execute.protocol.Target.repair`.

        Raises:
            ExecuteError: a process of it cannot be ended, or somebody else still works in the project.
        """
        self._end_leftovers(attempt)
        if attempt.log is not None:
            with contextlib.suppress(OSError):  # a log that somebody has removed holds nothing
                for _ in Scrub(f"{self._store}/{attempt.log[0]}", attempt.log[1]).steps():
                    pass
        if attempt.mode != "in place" or not attempt.inputs.get("outs"):
            return  # the slot is free as soon as they are gone, and whoever takes it resets it
        lock = self._lock_workspace(attempt)
        try:
            aside = Aside(self._place, attempt.id, self._root)
            aside.put_back(_paths(attempt.inputs.get("outs", ())), started=attempt.state == RUNNING)
        finally:
            if lock is not None:
                os.close(lock)

    def _end_leftovers(self, attempt: Attempt) -> None:
        """What else the dead supervisor has started, too: it holds the lock of the workspace that we will wait for."""
        dead = attempt.supervisor if attempt.supervisor and attempt.supervisor.alive() is False else None
        deadline = time.monotonic() + _PATIENCE
        while kill_leftovers(attempt.id, dead):
            if time.monotonic() > deadline:
                pids = ", ".join(map(str, leftovers(attempt.id, dead)))
                raise ExecuteError(f"processes {pids} of a dead run cannot be ended", next=f"kill -9 {pids}")
            time.sleep(0.01)

    def _lock_workspace(self, attempt: Attempt) -> int | None:
        """Wait for processes that carry no mark of theirs. A live supervisor that holds the lock by now is another one,
        took it after the last of them had gone, and runs other stages: that is good enough."""
        path = workspace_lock(self._place, "inplace")
        deadline = time.monotonic() + _PATIENCE
        while True:
            lock = try_lock(path)
            if lock is not None or _is_another(holder(path).get("process"), attempt.supervisor):
                return lock
            if time.monotonic() > deadline:
                raise ExecuteError(
                    "processes of an earlier run still work in this project",
                    where=path,
                    why="the old outs cannot be put back while they do",
                    next=f"fuser -k {path}",
                )
            time.sleep(0.02)

    def leave(self) -> None:
        """Let go of the supervisor: it finishes what it was given, records it, and ends by itself."""
        if self._supervisor is not None:
            os.close(self._to)
            os.close(self._from)
            self._supervisor = None

    def close(self) -> None:
        """See `pinyon.execute.protocol.Target.close`."""
        if self._supervisor is None:
            return
        with contextlib.suppress(TargetError):
            self._say({"op": "exit"})
        with contextlib.suppress(TargetError):
            while True:
                self.poll(1.0)


def _is_another(signed: Any, dead: ProcessId | None) -> bool:
    holds = read_process(signed) if signed else None
    return holds is not None and holds != dead and bool(holds.alive())


def _message(data: dict[str, Any]) -> Event | StatNote:
    if data["kind"] == "stat":
        return StatNote(data["path"], data["name"], tuple(data["stat"]), data["hashed_ns"])
    return Event(data["writer"], data["seq"], data["kind"], data["ts"], data["body"])


def _paths(outs: Iterable[Any]) -> list[str]:
    # An intent may list outs as paths or as rows that begin with one.
    return [out if isinstance(out, str) else out[0] for out in outs]
