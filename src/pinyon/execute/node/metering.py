"""What the processes of an attempt take of the machine, as points called ``system.…``."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pinyon.execute.node.companions import Around, Companion
from pinyon.store.points import Point

if TYPE_CHECKING:
    from pinyon.capture.sampling import Pace, Sampler

_FIRST = 1.0  # seconds; shorter commands cost nothing
_KEPT = 1000  # samples that wait while the disk refuses them


class Meter:
    """Samples an attempt that lasts. See `Companion`."""

    def __init__(self, around: Around) -> None:
        self._around = around
        self._pids: list[int] = []
        self._began, self._zero = time.monotonic(), time.time() - around.since
        self._count = 0
        self._sampler: Sampler | None = None
        self._pace: Pace | None = None
        self._waiting: deque[Point] = deque(maxlen=_KEPT)

    def begin(self, pid: int) -> None:
        """See `Companion.begin`."""
        self._pids.append(pid)
        if self._sampler is not None:
            self._sampler.add(pid)

    def look(self) -> float:
        """See `Companion.look`."""
        now = time.monotonic()
        if now < (self._pace.next if self._pace else self._began + _FIRST):
            return self._pace.next if self._pace else self._began + _FIRST
        if self._sampler is None or self._pace is None:
            from pinyon.capture.sampling import Pace, Sampler  # nothing that short commands need

            self._sampler, self._pace = Sampler(_devices(self._around)), Pace()
            for pid in self._pids:
                self._sampler.add(pid)
        values: dict[str, Any] = dict(self._sampler.sample())
        if values:
            point = Point(self._count, now - self._began + self._zero, self._count, values)
            self._waiting.append(point)
            self._count += 1
            self._write()
        self._pace.taken()
        return self._pace.next

    def end(self) -> Iterator[float]:
        """See `Companion.end`."""
        self._write()
        return iter(())

    def _write(self) -> None:
        """What waits; it waits on where the store is away or its disk is full."""
        with contextlib.suppress(OSError):
            if self._waiting:
                self._around.points.write(list(self._waiting), self._around.spec.attempt)
                self._waiting.clear()


def meter(around: Around) -> Companion:
    """The one of an attempt."""
    return Meter(around)


def _devices(around: Around) -> list[int] | None:
    """The GPUs that are the attempt's own, by number; None means all, also where they have other names."""
    named = [
        part.strip() for part in around.spec.env.get("CUDA_VISIBLE_DEVICES", "").split(",") if part.strip()
    ]
    return [int(part) for part in named] if named and all(part.isdigit() for part in named) else None
