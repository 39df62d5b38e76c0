"""What driver, target and supervisor say to each other.

The driver picks an attempt id, writes the intent, and submits a frozen `AttemptSpec`; the supervisor runs it without ever
looking at the graph, writes its records to its own journal, and sends each record to the driver as a wake-up. Everything
can be submitted twice: the attempt id makes it one attempt.
"""

from __future__ import annotations

import signal
from typing import Any, NamedTuple, Protocol

from pinyon.model.event import Event
from pinyon.model.graph import Command
from pinyon.model.ids import ProcessId
from pinyon.model.outcome import Attempt

INPLACE, ADHOC = "inplace", "adhoc"


class SpecOut(NamedTuple):
    """One out of an attempt. ``seen`` is the name of what lies there now as the driver saw it, None if nothing or not
    looked at: its bytes must be in the store before the attempt may replace it."""

    path: str
    role: str
    cache: bool
    persist: bool
    seen: str | None = None


class AttemptSpec(NamedTuple):
    """Everything a supervisor needs; JSON-able (`to_json`).

    Attributes:
        root: absolute path of the project.
        mode: ``in place`` or ``isolated``.
        env: variables added to the environment of the command.
        deps: (path, name) as keyed; stat'ed around the run in place.
        timeout: seconds of wall time, None for no limit.
        grace: seconds between SIGTERM and SIGKILL.
        bundle: name of the frozen code tree (isolated only).
        inputs: (path, name, executable) laid over the bundle: upstream outs, parameter files with overrides.
        lock: the workspace lock in place: ``inplace`` is the project's, kept by one supervisor at a time; ``adhoc`` is any
            free one, for a command without deps and outs, of which several may run at once.
        metrics: files whose numbers are recorded if the command has written them; no outs.
        interrupt: the signal that tells the command of a person's Ctrl-C.
    """

    attempt: str
    execution: str
    stage: str
    root: str
    mode: str
    command: Command
    wdir: str
    env: dict[str, str]
    deps: tuple[tuple[str, str], ...]
    outs: tuple[SpecOut, ...]
    timeout: float | None = None
    grace: float = 10.0
    bundle: str | None = None
    inputs: tuple[tuple[str, str, bool], ...] = ()
    lock: str = INPLACE
    metrics: tuple[str, ...] = ()
    interrupt: int = int(signal.SIGTERM)

    def to_json(self) -> dict[str, Any]:
        """Plain lists and maps."""
        return self._asdict()

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> AttemptSpec:
        """The inverse of `to_json` after a trip through JSON; unknown fields of a newer driver are ignored."""
        known = {k: v for k, v in data.items() if k in cls._fields}
        kind, parts = known["command"]
        known["command"] = Command(kind, tuple(parts))
        known["deps"] = tuple((path, name) for path, name in known["deps"])
        known["outs"] = tuple(SpecOut(*out) for out in known["outs"])
        known["inputs"] = tuple((path, name, bool(x)) for path, name, x in known.get("inputs", ()))
        known["metrics"] = tuple(known.get("metrics", ()))
        return cls(**known)


class StatNote(NamedTuple):
    """Not a record, only a message: a file that the supervisor hashed while nobody changed it."""

    path: str
    name: str
    stat: tuple[int, int, int, int]  # mtime_ns, size, inode, ctime_ns
    hashed_ns: int  # wall clock when hashing began


class Target(Protocol):
    """A place that runs attempts. One object serves one execution; the driver owns it."""

    def start(self) -> ProcessId:
        """Start the supervisor, before the first intent. Idempotent; a dead one is replaced."""
        ...

    def submit(self, spec: AttemptSpec) -> None:
        """Hand over an attempt whose intent is written. Twice with one id is once.

        Raises:
            TargetError: the supervisor is gone.
        """
        ...

    def poll(self, timeout: float) -> list[Event | StatNote]:
        """What the supervisor did since the last poll; waits up to ``timeout`` seconds for something.

        Raises:
            TargetError: the supervisor is gone, told once, after its last message.
        """
        ...

    def cancel(self, attempt: str | None = None, detail: str = "user") -> None:
        """End one attempt, or all: SIGTERM, the grace, SIGKILL. Their ``ended`` records follow through `poll`."""
        ...

    def repair(self, attempt: Attempt) -> None:
        """After a crash, with no supervisor alive: kill what is left of the attempt, put its old outs back, free its slot.
        Idempotent; touches nothing of other attempts."""
        ...

    def close(self) -> None:
        """Let running attempts end, and the supervisor with them; returns when it has gone."""
        ...
