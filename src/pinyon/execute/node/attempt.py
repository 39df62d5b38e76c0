"""The life of one attempt, from its spec to its ``ended``: read `Attempt._live` from top to bottom.

A life is a generator. Where it would wait it yields the moment (of the monotonic clock) at which it wants to look again
at the latest; the loop resumes it then and after every event. So several lives share one thread, and none needs a
callback.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Generator, Iterable
from typing import Any, Protocol

from pinyon.errors import ExecuteError, PinyonError
from pinyon.execute.locks import holder, sign, try_lock, workspace_lock
from pinyon.execute.node import outs
from pinyon.execute.node.companions import NEVER, Around, Companions, Maker
from pinyon.execute.node.inplace import InPlace
from pinyon.execute.node.process import Exit, Process, kill_leftovers, words
from pinyon.execute.node.slot import Workspace
from pinyon.execute.node.verdict import OomCounter, Verdict, judge, read_tail, stopped
from pinyon.execute.node.wandbmode import wandb_mode
from pinyon.execute.protocol import INPLACE, AttemptSpec, StatNote
from pinyon.model.ids import read_process
from pinyon.model.outcome import CANCELLED, FAILED, SUCCEEDED
from pinyon.model.scheduler import job_of
from pinyon.store.local import LocalStore
from pinyon.store.points import PointsWriter

_LOCK_PATIENCE = 10.0  # seconds for the processes of a dead supervisor to disappear
_KILL_PATIENCE = 10.0  # seconds for killed processes to disappear

Life = Generator[float, None, Any]


class Place(Protocol):
    """Where an attempt works: the project itself or a workspace."""

    base: str
    slot: str
    lock: int
    saved: list[str]  # blobs that preparing has put into the store
    light: bool  # leaving is quick

    def small(self) -> bool:
        """Whether what follows is quick enough for the loop itself."""
        ...

    def prepare(self) -> None:
        """Make it ready for the command."""
        ...

    def changed(self) -> str:
        """Why the outcome must not be reused; "" if it may."""
        ...

    def undo(self, started: bool) -> None:
        """Take back what was done to the user's files; ``started``: the command ran."""
        ...

    def leave(self) -> None:
        """The outcome is recorded: forget everything."""
        ...


class Host(Protocol):
    """What an attempt needs from its supervisor."""

    store: LocalStore
    null: int
    oom: OomCounter
    environment: dict[str, str]
    companions: tuple[Maker, ...]
    points: PointsWriter
    inplace_lock: int | None  # held from the first attempt in place on

    @property
    def behind(self) -> bool:
        """Whether records wait for the disk to take them."""
        ...

    def record(self, kind: str, body: dict[str, Any], blobs: Iterable[str] = ()) -> None:
        """Append a record; these blobs go with it."""
        ...

    def note(self, note: StatNote) -> None:
        """Tell the driver of a file that it need not hash."""
        ...

    def work(self, function: Callable[[], Any]) -> Callable[[], bool]:
        """Call a function in a thread; the answer tells whether it has returned."""
        ...


class Attempt:
    """One attempt of this supervisor.

    Args:
        log: path of the log file relative to the store, and an open descriptor that appends to it.
    """

    def __init__(self, spec: AttemptSpec, host: Host, log: tuple[str, int]) -> None:
        self.spec = spec
        self._host = host
        self._log, self._output = log
        self._began, self._since = time.monotonic(), time.time()
        self._place: Place | None = None
        self._process: Process | None = None
        self._beside: Companions | None = None
        self._started = False
        self._stamps: dict[str, outs.Stamp] = {}  # of `spec.metrics`, before the command
        self._stop = ""  # why the command is being ended: timeout, or the detail of a cancellation
        self._by: dict[str, Any] | None = None  # who cancelled it
        self._kill_at = NEVER
        self._timeout_at = NEVER
        self._used = (0.0, 0)
        self._offset = os.fstat(self._output).st_size
        self._life = self._live()
        self.wake = 0.0  # when it wants to be resumed at the latest

    def resume(self) -> bool:
        """Go on as far as possible without waiting; False when the attempt has ended."""
        self.wake = next(self._life, -1.0)
        return self.wake >= 0

    def cancel(self, detail: str, by: dict[str, Any] | None = None) -> None:
        """End it: SIGTERM, the grace, SIGKILL. ``by``: whose doing it is, where that is not the execution's actor."""
        if not self._stop:
            self._stop, self._by = detail, by
            self._kill_at = time.monotonic() + self.spec.grace
            self._signal(self.spec.interrupt if detail == "user" else signal.SIGTERM)

    def _live(self) -> Life:
        reusable, message = True, ""
        try:
            yield from self._settle()
            verdict = yield from self._run()
            yield from self._part()
            if verdict.state == SUCCEEDED:
                message = yield from self._harvest()
                reusable = not message
        except outs.MissingOutError as error:
            verdict = Verdict(FAILED, "missing_out", 0, None, str(error))
        except Exception as error:  # noqa: BLE001 - whatever went wrong here must not end the other attempts
            verdict = Verdict(FAILED, "setup", None, None, explain(error))
        yield from self._part()
        if verdict.state != SUCCEEDED:
            message = yield from self._undo(verdict.message)
        self._ended(verdict, reusable and verdict.state == SUCCEEDED, message)
        while self._host.behind:
            yield time.monotonic() + 1.0  # nothing old is forgotten before the record is on disk
        if self._place is not None:
            yield from self._do(self._place.leave, small=self._place.light)

    # Before the command

    def _settle(self) -> Life:
        """Find a place and make it ready."""
        if self.spec.mode == "in place":
            if self.spec.lock == INPLACE:
                lock = yield from self._lock_in_place()
            else:
                lock = self._free_slot(f"{self.spec.lock}-")[1]
            place: Place = InPlace(self.spec, str(self._host.store.place), self._host.store.blobs, lock)
        else:
            slot, lock = self._free_slot()
            place = Workspace(self.spec, self._host.store, slot, lock)
        self._place = place
        if self._stop:
            return
        yield from self._do(place.prepare, small=place.small())
        self._stamps = outs.stamps(place.base, self.spec.metrics)
        if self.spec.mode != "in place":
            body = {"attempt": self.spec.attempt, "slot": place.slot, "workspace": place.base}
            self._host.record("setup", body)

    def _lock_in_place(self) -> Generator[float, None, int]:
        path = workspace_lock(str(self._host.store.place), INPLACE)
        patience = time.monotonic() + _LOCK_PATIENCE
        while self._host.inplace_lock is None and not self._stop:
            self._host.inplace_lock = try_lock(path)
            if self._host.inplace_lock is not None:
                sign(self._host.inplace_lock)
                break
            if _lives(holder(path).get("process")):
                patience = time.monotonic() + _LOCK_PATIENCE
            elif time.monotonic() > patience:
                raise ExecuteError(
                    "processes of an earlier run still work in this project",
                    where=path,
                    why="their supervisor is dead and they did not end",
                    next=f"fuser -k {path}",
                )
            yield time.monotonic() + 0.05
        return -1 if self._host.inplace_lock is None else self._host.inplace_lock

    def _free_slot(self, prefix: str = "") -> tuple[str, int]:
        number = 0
        while True:
            lock = try_lock(workspace_lock(str(self._host.store.place), f"{prefix}{number}"))
            if lock is not None:
                return f"{prefix}{number}", lock
            number += 1

    # The command

    def _run(self) -> Generator[float, None, Verdict]:
        """Run the parts one after another until one fails."""
        shell = self.spec.command.kind == "shell"
        verdict = Verdict(SUCCEEDED, exit_code=0)
        if self.spec.timeout is not None:
            self._timeout_at = time.monotonic() + self.spec.timeout
        for argv in self._argvs():
            if self._stop:
                return Verdict(CANCELLED, self._stop, message="it was cancelled")
            end = yield from self._one(argv)
            if self._stop:
                return stopped(self._stop, end, self.spec.timeout)
            # Whatever its exit code says: what a launcher or the script made of it, an attempt cut short is no success.
            if why := self._pruned():
                return Verdict(CANCELLED, "pruned", end.code, end.signal, why)
            tail = b"" if end.code == 0 else read_tail(f"{self._host.store.root}/{self._log}", self._offset)
            kills = self._host.oom.new() if end.code != 0 else 0
            verdict = judge(end, shell=shell, tail=tail, oom_kills=kills)
            if verdict.state != SUCCEEDED:
                break
        return verdict

    def _pruned(self) -> str:
        """Why the attempt ended itself early; "" if it did not."""
        if "PINYON_STOP_WHEN" not in self.spec.env:
            return ""
        from pinyon.track.prune import take_word

        return take_word(str(self._host.store.root), self.spec.attempt)

    def _argvs(self) -> list[list[str]]:
        command = self.spec.command
        if command.kind == "exec":
            return [list(command.parts)]
        shell = os.environ.get("PINYON_SHELL")
        return [words(part) if shell is None else [shell, "-c", part] for part in command.parts]

    def _one(self, argv: list[str]) -> Generator[float, None, Exit]:
        assert self._place is not None, "a command runs in a place"
        cwd = os.path.join(self._place.base, self.spec.wdir)
        process = Process(argv, cwd, self._environment(), self._output, self._place.lock, self._host.null)
        try:
            self._process = process
            if not self._started:
                self._started = True
                body: dict[str, Any] = {"pid": process.pid, "log": [self._log, self._offset]}
                job = job_of(self._host.environment)
                body |= {"scheduler": job} if job else {}
                self._host.record("running", {"attempt": self.spec.attempt, **body}, self._place.saved)
            self._beside = self._beside or self._gather(self._place.base)
            self._beside.begin(process.pid)
            while True:
                end = process.poll()
                if end is not None:
                    break
                yield min(self._press(), self._beside.look())
            yield from self._await_descendants(process)
        finally:
            process.signal(signal.SIGKILL)  # only after an error here is there anybody left
            self._process = None
            process.close()
        self._used = (self._used[0] + end.used[0], max(self._used[1], end.used[1]))
        return end

    def _gather(self, base: str) -> Companions:
        host = self._host
        project, log = host.environment["PINYON_PROJECT"], (self._log, self._offset)
        around = Around(self.spec, host.store, base, self._since, project, host.points, log)
        return Companions(around, host.companions)

    def _part(self) -> Life:
        """Let go of the companions, if the command ever started."""
        beside, self._beside = self._beside, None
        if beside is not None:
            yield from beside.end()

    def _press(self) -> float:
        """Do what time demands of a running command; when to look again."""
        now = time.monotonic()
        if now >= self._timeout_at and not self._stop:
            self.cancel("timeout")
        if now >= self._kill_at:
            self._signal(signal.SIGKILL)
            self._kill_at = NEVER
        return min(self._kill_at, NEVER if self._stop else self._timeout_at)

    def _await_descendants(self, process: Process) -> Life:
        """The group has been killed; find those that left it, for nobody may write on after the end."""
        patience = time.monotonic() + _KILL_PATIENCE
        look = time.monotonic() + 0.02  # a moment to die, since looking at all processes costs milliseconds
        while not process.gone():
            now = time.monotonic()
            if now > patience:
                raise ExecuteError(
                    "a process of this attempt cannot be ended", where=self.spec.attempt, next="ps ax"
                )
            if now > look:
                kill_leftovers(self.spec.attempt)
                look = now + 0.5
            yield now + 0.002

    def _environment(self) -> dict[str, str]:
        assert self._place is not None, "a command runs in a place"
        base, isolated = self._place.base, self.spec.mode != "in place"
        # DVC, too, leaves the user's own alone.
        theirs = "" if isolated else self._host.environment.get("DVC_ROOT")
        return {
            **self._host.environment,
            **wandb_mode(self._host.environment, self.spec.env, base),
            **self.spec.env,
            "DVC_ROOT": theirs or base,
            "PINYON_ATTEMPT": self.spec.attempt,
            "PINYON_EXECUTION": self.spec.execution,
            "PINYON_STAGE": self.spec.stage,
            "PINYON_STORE": str(self._host.store.root),
            "PINYON_ROOT": base,
            "PINYON_STARTED": repr(self._since),
        }

    # After the command

    def _harvest(self) -> Generator[float, None, str]:
        """Store and record the outs; why the outcome must not be reused, or ""."""
        assert self._place is not None, "a command ran in a place"
        place, spec = self._place, self.spec
        small = place.small()

        def look() -> tuple[outs.Collected, str]:
            return outs.collect(place.base, spec.outs, spec.mode, self._host.store.blobs), place.changed()

        collected, changed = yield from self._do(look, small=small)
        noticed, unread = outs.noticed(place.base, self._stamps)
        body = {
            "attempt": spec.attempt,
            "outs": [list(out) for out in collected.outs],
            "metrics": {**noticed, **collected.metrics},
            "skipped_metrics": [list(pair) for pair in (*collected.skipped, *unread)],
        }
        self._host.record("outputs", body, collected.blobs)
        for note in collected.notes:
            self._host.note(note)
        return str(changed)

    def _undo(self, message: str) -> Generator[float, None, str]:
        """Put the old outs back; the message, longer by what went wrong."""
        place = self._place
        if place is None:
            return message
        try:
            yield from self._do(lambda: place.undo(self._started), small=place.small())
        except Exception as error:  # noqa: BLE001 - the outcome has to be recorded all the same
            self._place = None  # so that nothing is forgotten: `aside` still has them
            return (
                f"{message}; the old outs could not be put back: {explain(error)}; they lie in .pinyon/aside"
            )
        return message

    def _ended(self, verdict: Verdict, reusable: bool, message: str) -> None:
        body = {
            "attempt": self.spec.attempt,
            "state": verdict.state,
            "detail": verdict.detail,
            "exit_code": verdict.exit_code,
            "signal": verdict.signal,
            "reusable": reusable,
            "seconds": round(time.monotonic() - self._began, 6),
            "cpu_seconds": round(self._used[0], 6),
            "max_rss": self._used[1],
            "log": [self._log, self._offset, os.fstat(self._output).st_size],
            "message": message,
            **({"by": self._by} if self._by else {}),
        }
        self._host.record("ended", body)

    def _do(self, function: Callable[[], Any], *, small: bool) -> Life:
        """Call a function that blocks: here if it is quick, else in a thread, so that other lives go on."""
        if small:
            return function()
        box: list[Any] = []
        done = self._host.work(lambda: box.append(_outcome(function)))
        while not done():
            yield NEVER
        value, error = box[0]
        if error is not None:
            raise error
        return value

    def _signal(self, number: int) -> None:
        if self._process is not None:
            self._process.signal(number)


def _outcome(function: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return function(), None
    except Exception as error:  # noqa: BLE001 - raised again in the loop's thread
        return None, error


def explain(error: Exception) -> str:
    """One line about an error; its type where the text alone says little."""
    return str(error) if isinstance(error, (PinyonError, OSError)) else f"{type(error).__name__}: {error}"


def _lives(process: Any) -> bool:
    """Whether the signed holder of a lock may still be there; no signature is nobody."""
    return process is not None and read_process(process).alive() is not False
