"""How far a loop is: one line on a terminal, records for who looks from elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")
_DRAW = 0.1  # seconds between two pictures of the line
RECORD = 10.0  # seconds between two records; the first follow each other sooner, since whoever has begun something looks
_SOON = 1.0


class Progress:
    """Counts what goes through it.

    Args:
        iterable: what is gone through. A ``range`` that begins later, as after a resume, counts from there.
        total: how many there are in all; None where nobody knows.
        label: stands before the numbers.
        record: called with (done, total) at the beginning, after 1, 3, 7 and 15 seconds, every ten then, and at the end.
        step: called with the number of each item before it is handed out, of a ``range`` the item itself; at the end with
            None.
    """

    def __init__(
        self,
        iterable: Iterable[Any],
        total: int | None,
        label: str,
        record: Callable[[int, int | None], None],
        step: Callable[[int | None], None],
    ) -> None:
        self._iterable, self._label = iterable, label
        self._record, self._step = record, step
        own = isinstance(iterable, range) and iterable.step == 1 and iterable.start >= 0
        self._first = iterable.start if own and isinstance(iterable, range) else 0
        length = len(iterable) if hasattr(iterable, "__len__") else None  # type: ignore[arg-type]
        self._total = total if total is not None else None if length is None else self._first + length
        self._stream = sys.stderr if sys.stderr is not None and sys.stderr.isatty() else None
        self._began = time.monotonic()
        self._drawn = self._due = float("-inf")
        self._pause = _SOON
        self._width = 0

    def __iter__(self) -> Iterator[Any]:
        done = self._first
        ranged = isinstance(self._iterable, range)
        try:
            for item in self._iterable:
                self._step(item if ranged else done)
                self._look(done)
                yield item
                done += 1
        finally:
            self._step(None)
            self._look(done, last=True)

    def _look(self, done: int, *, last: bool = False) -> None:
        now = time.monotonic()
        if last or now >= self._due:
            self._due, self._pause = now + self._pause, min(2 * self._pause, RECORD)
            self._record(done, self._total)
        if self._stream is not None and (last or now >= self._drawn + _DRAW):
            self._drawn = now
            self._draw(line(self._label, done, self._total, done - self._first, now - self._began), last)

    def _draw(self, text: str, last: bool) -> None:
        assert self._stream is not None, "there is a terminal"
        try:
            self._stream.write("\r" + text.ljust(self._width) + ("\n" if last else ""))
            self._stream.flush()
        except (OSError, ValueError):
            self._stream = None
        self._width = len(text)


def line(label: str, done: int, total: int | None, here: int, seconds: float) -> str:
    """What a terminal shows: ``train 30/100  30 %  12.3/s  6 s left``; ``here`` of them were done in these seconds."""
    speed = here / seconds if seconds > 0 and here else 0.0
    parts = [f"{label} {done}".strip() if total is None else f"{label} {done}/{total}".strip()]
    if total:
        parts.append(f"{100 * done // total} %")
    if speed:
        parts.append(f"{speed:.3g}/s")
        if total is not None and done < total:
            parts.append(f"{(total - done) / speed:.0f} s left")
    return "  ".join(parts)
