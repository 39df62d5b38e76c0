"""Takes secrets out of what an attempt prints, every few seconds and at its end."""

from __future__ import annotations

import time
from collections.abc import Iterator

from pinyon.execute.node.companions import Around, Companion
from pinyon.store.scrub import Scrub

_EVERY = 3.0  # seconds


class Scrubber:
    """See `Companion`."""

    def __init__(self, around: Around) -> None:
        path, first = around.log
        self._scrub = Scrub(f"{around.store.root}/{path}", first)
        self._next = time.monotonic() + _EVERY

    def begin(self, pid: int) -> None:
        """See `Companion.begin`."""

    def look(self) -> float:
        """See `Companion.look`."""
        if time.monotonic() >= self._next:
            next(self._scrub.steps(last=False), None)  # one step, since other attempts wait
            self._next = time.monotonic() + (0.0 if self._scrub.behind() else _EVERY)
        return self._next

    def end(self) -> Iterator[float]:
        """See `Companion.end`."""
        for _ in self._scrub.steps():
            yield time.monotonic()


def scrub(around: Around) -> Companion:
    """The one of an attempt."""
    return Scrubber(around)
