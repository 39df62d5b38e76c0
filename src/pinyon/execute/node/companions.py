"""What goes along with a running command: samples it, follows files that it writes, collects what it left."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import NamedTuple, Protocol

from pinyon.execute.node.crash import leave_traceback
from pinyon.execute.protocol import AttemptSpec
from pinyon.store.local import LocalStore
from pinyon.store.points import PointsWriter

NEVER = float("inf")


class Around(NamedTuple):
    """What a companion knows of its attempt.

    Attributes:
        base: directory that the attempt works in.
        since: when the attempt began, seconds since the epoch; the zero of the points' ``t``.
        project: its name, for records.
        points: the supervisor's own stream of points.
        log: the file that the command prints to, relative to the store, and where its part of it begins.
    """

    spec: AttemptSpec
    store: LocalStore
    base: str
    since: float
    project: str
    points: PointsWriter
    log: tuple[str, int]


class Companion(Protocol):
    """One of them. It runs in the supervisor's loop, beside other attempts: every call returns at once."""

    def begin(self, pid: int) -> None:
        """A part of the command has started; its process leads a session of its own."""
        ...

    def look(self) -> float:
        """Do what is due. The moment of the monotonic clock at which to look again at the latest."""
        ...

    def end(self) -> Iterator[float]:
        """The last process of the attempt is gone, its outs are not collected yet: finish. Yields the moment at which it
        wants to go on; bounded in time by itself."""
        ...


Maker = Callable[[Around], "Companion | None"]


class Companions:
    """Those of one attempt. One that fails is left behind: neither the attempt nor the others suffer.

    Args:
        makers: of companions; each makes its own, or None where it has nothing to do here.
    """

    def __init__(self, around: Around, makers: tuple[Maker, ...]) -> None:
        self._store = str(around.store.root)
        self._all: list[Companion] = []
        for make in makers:
            try:
                one = make(around)
            except Exception:  # noqa: BLE001 - as in `_one`
                leave_traceback(self._store)
                continue
            if one is not None:
                self._all.append(one)

    def begin(self, pid: int) -> None:
        """See `Companion.begin`."""
        for one in list(self._all):
            self._one(one, lambda one=one: one.begin(pid))  # type: ignore[misc]

    def look(self) -> float:
        """The earliest moment that any of them wants to look again at."""
        return min((self._one(one, one.look) or NEVER for one in list(self._all)), default=NEVER)

    def end(self) -> Generator[float, None, None]:
        """Let each finish in turn."""
        for one in list(self._all):
            try:
                yield from one.end()
            except Exception:  # noqa: BLE001 - as in `_one`
                leave_traceback(self._store)
        self._all.clear()

    def _one(self, one: Companion, call: Callable[[], float | None]) -> float | None:
        try:
            return call()
        except Exception:  # noqa: BLE001 - what it does is extra; the command goes on without it
            self._all.remove(one)
            leave_traceback(self._store)
            return None
