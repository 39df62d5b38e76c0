"""Notices files of TensorBoard and W&B that a command writes, and has them followed by a process of its own.

While the command runs its open files are looked at, seldom; directories are listed when the first such file is there and at
the end, and only a few. The process that follows (`pinyon.bridges.tail`) reads the files; here they are only named to it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from pinyon.execute.node.companions import NEVER, Around, Companion
from pinyon.execute.node.eventfiles import claim, left_behind, open_anywhere, open_files, order, spans
from pinyon.execute.node.tailing import Tailing

_FIRST, _LONGEST = 1.0, 10.0  # seconds until the first look, and between two at most
_SHORT = 0.1  # seconds; no program that writes such files ends before
_STARTS = 5  # of the process that follows, for one attempt
_TIME, _STALL = 10.0, 4.0  # seconds that it has to finish, and that it may be silent meanwhile
_MOST_FILES = 500


class Follow:
    """See the module."""

    def __init__(self, around: Around) -> None:
        self._around = around
        self._pid, self._began, self._pause, self._due = 0, 0.0, _FIRST, NEVER
        self._looks: list[float] = []  # when the open files were looked at
        self._files: list[str] = []  # in the order in which they were named
        self._held: set[str] = set()  # those that our own processes held open
        self._tail: Tailing | None = None
        self._starts, self._writers = 0, list[str]()

    def begin(self, pid: int) -> None:
        """See `Companion.begin`."""
        now = time.monotonic()
        self._began = self._began or now
        self._pid, self._pause, self._due = pid, _FIRST, now + _FIRST

    def look(self) -> float:
        """See `Companion.look`."""
        now = time.monotonic()
        if now >= self._due:
            self._pause = min(2 * self._pause, _LONGEST)
            self._due = now + self._pause
            self._looks.append(time.time())
            found = open_files(self._pid)
            self._claim(found)
            self._held.update(found)
            if found and self._tail is None:
                # What the script has closed by now was begun earlier, and who is first must not depend on our looks.
                found += self._own(next(left_behind(self._around), []))
            self._name(found)
        if self._tail is not None and self._tail.gone():
            self._start()
        if self._tail is not None:
            self._tail.talk()
        return self._due

    def end(self) -> Iterator[float]:
        """See `Companion.end`."""
        if time.monotonic() - self._began < _SHORT:
            return
        found: list[str] = []
        for portion in left_behind(self._around):
            found += portion
            yield time.monotonic()
        self._name(self._own(found))
        told = time.monotonic()
        deadline = told + _TIME
        while self._tail is not None:
            self._tail.finish()
            now = time.monotonic()
            # What it said before does not count: a command may have written nothing for hours.
            stalled = now > max(self._tail.heard, told) + _STALL
            if self._tail.gone():
                if self._tail.done or now > deadline or not self._start():
                    return
            elif now > deadline or stalled:
                # One that gets on with it is let go: it ends by itself, and its points are there later.
                self._tail.leave(kill=stalled)
                return
            yield now + 0.05  # its end wakes the loop earlier

    def _own(self, found: list[str]) -> list[str]:
        """Those that were left behind by this attempt and not by another that writes to the same place: nobody holds them
        open who is not ours, we never looked while they were open elsewhere, and no other attempt has them."""
        new = [path for path in found if path not in self._files]
        if not new or self._around.spec.mode != "in place":
            return new
        others = open_anywhere() - set(open_files(self._pid))
        place = str(self._around.store.place)
        return [
            path for path in new if path not in others and not spans(path, self._looks) and claim(place, path)
        ]

    def _claim(self, found: list[str]) -> None:
        """Say that these are ours, which their being open has proved."""
        if self._around.spec.mode == "in place":
            for path in found:
                if path not in self._files:
                    claim(str(self._around.store.place), path)

    def _name(self, files: list[str]) -> None:
        new = sorted(set(files) - set(self._files), key=order)[: _MOST_FILES - len(self._files)]
        self._files += new
        if new and self._tail is None:
            self._start()
        elif self._tail is not None:
            self._tail.name(new, self._held)

    def _start(self) -> bool:
        """Start the process, once more if it was killed; whether there is one."""
        if self._tail is not None and self._tail.writer:
            self._writers.append(self._tail.writer)
        if self._starts == _STARTS:
            self._tail, self._due = None, NEVER
            return False
        self._starts += 1
        self._tail = Tailing(self._around, self._writers, self._files, self._held)
        return True


def follow(around: Around) -> Companion:
    """The maker, for `pinyon.execute.node.supervisor.COMPANIONS`."""
    return Follow(around)
