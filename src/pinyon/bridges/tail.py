"""``python -m pinyon.bridges.tail STORE ATTEMPT SINCE BASE PROJECT [WRITER …]``: files that a script writes become points.

On stdin, one JSON object a line: ``{"file": PATH, "held": whether the command was seen to write it}`` for each file to
follow, in the order in which they were begun, and at last ``{"end": true}``: then the process reads what is there, writes
the rest and ends. Where stdin ends without that, who started it was killed, and it goes on until nobody writes to the
files any more. On stdout it says its id as a writer, then a dot for each thing it got done. WRITERs followed the same
files before and were killed. Which attempt it is stands in the arguments and not in the environment, since all that
carries an attempt's id there is ended with it.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections.abc import Iterator
from typing import Any

from pinyon.bridges.names import Names, Prefixes
from pinyon.bridges.said import Fact, LeftOut, Numbers, Object, Said, Source
from pinyon.bridges.tensorboard.follow import EventSource
from pinyon.bridges.wandb.follow import RunSource
from pinyon.bridges.written import Logged, Written
from pinyon.errors import ForeignFileError
from pinyon.execute.node.eventfiles import open_anywhere

_PAUSE = 0.2  # seconds between two looks
_TURN = 5_000  # things said by one file before the next has its turn
_EARLIER = 0.05  # seconds that a file may have been begun before its attempt, as clocks are read
_STEPPED = 60.0  # the same of one that the command was seen to write: only a clock that was set can say so
_DAMAGES = 3  # of one file that are told
_LAST_TRIES = 10
_ASK = 1.0  # seconds between two questions who still holds the files open


class Followed:
    """One file: what it says goes to the attempt.

    Args:
        path: of the file; ``shown`` is how records call it; ``held``: the command was seen to write it.
    """

    def __init__(self, path: str, shown: str, source: Source, tail: Tail, *, held: bool) -> None:
        self._path, self._shown, self._source, self._tail = path, shown, source, tail
        self._earliest = tail.since - (_STEPPED if held else _EARLIER)
        self._reading: Iterator[Said] | None = None  # a turn may end between two things that one record says
        self._prefix: str | None = None
        self._points, self._objects, self._wall = 0, 0, tail.since
        self._left: dict[str, int] = {}
        self._damage: list[str] = []
        self._foreign = False  # begun before the attempt: somebody else's

    def turn(self) -> bool:
        """Take what is new, up to a limit; whether there was anything."""
        if self._foreign:
            return False
        count = 0
        self._reading = self._reading or self._source.read()
        try:
            for count, said in enumerate(self._reading, 1):
                self._take(said)
                if count == _TURN or self._foreign:
                    return True
        except ForeignFileError as error:
            self._damaged(error)
            count += 1
        self._reading = None
        return count > 0

    def finish(self) -> None:
        """Say what is told at the end only, and how it went."""
        if not self._foreign:
            for said in self._source.rest():
                self._take(said)
            if self._source.passed:
                self._left["large record"] = self._source.passed
            body: dict[str, Any] = {"tool": self._source.tool, "file": self._shown, "points": self._points}
            body |= {"objects": self._objects} if self._objects else {}
            body |= {"left_out": self._left} if self._left else {}
            body |= {"damage": self._damage} if self._damage else {}
            self._tail.written.fact("followed", body)
        self._source.close()

    def _take(self, said: Said) -> None:
        source = self._source
        if source.begun is not None and source.begun < self._earliest:
            self._foreign = True
            return
        if isinstance(said, LeftOut):
            self._left[said.kind] = self._left.get(said.kind, 0) + 1
        elif isinstance(said, (Numbers, Object)):
            self._wall = self._wall if said.wall is None else said.wall
            self._happened(said, round(self._wall - self._tail.since, 6))
        else:
            self._tail.written.fact(said.kind, self._fact(said))

    def _happened(self, said: Numbers | Object, t: float) -> None:
        """Take what was at some step."""
        if isinstance(said, Object):
            (name,) = self._named({said.name: None})
            self._objects += 1
            self._tail.written.object(t, said.step, name, said)
        else:
            values = self._named(said.values)
            self._points += len(values)
            self._tail.written.point(t, said.step, values)

    def _fact(self, said: Fact) -> dict[str, Any]:
        if said.kind == "summary":
            return {"values": self._named(said.body["values"])}
        if said.kind == "params":
            prefix = self._in_front()
            return {"params": {prefix + name: value for name, value in said.body["params"].items()}}
        return said.body

    def _named(self, values: dict[str, Any]) -> dict[str, Any]:
        prefix = self._in_front()
        names = self._tail.names.of(self._source.tool, [prefix + name for name in values])
        return dict(zip(names, values.values(), strict=True))

    def _in_front(self) -> str:
        if self._prefix is None:
            prefixes, folder = self._tail.prefixes, os.path.dirname(self._path)
            if self._source.tool == "wandb":
                self._prefix = prefixes.of_run(os.path.basename(self._path), self._source.label)
            else:
                self._prefix = prefixes.of_folder(folder)
        return self._prefix

    def _damaged(self, error: ForeignFileError) -> None:
        """Name the damage, the first time also for people."""
        if len(self._damage) < _DAMAGES:
            self._damage.append(error.what)
        if len(self._damage) == 1:
            text = f"{self._shown} is damaged: {error.what}; what could be read of it is here"
            self._tail.written.fact("noted", {"text": text})


class Tail:
    """All files of one attempt.

    Args:
        since: when it began, seconds since the epoch.
        base: directory that it works in; files below it are called by their path from there.
    """

    def __init__(
        self, store: str, attempt: str, since: float, base: str, project: str, before: list[str]
    ) -> None:
        self.since, self._base = since, base
        self.written = Written(store, attempt, project, before)
        self.prefixes = Prefixes()
        logged = Logged(store, attempt, since, [self.written.writer, *before])
        self.names = Names(logged.names, self.written.names)
        self._files: dict[str, Followed] = {}
        self._buffer = b""
        self._ended = self._orphan = self._was_last = False
        self._ask_at = 0.0

    def run(self) -> None:
        """Follow until stdin ends, and finish."""
        self._tell(self.written.writer.encode() + b"\n")
        for fd in (0, 1):
            os.set_blocking(fd, False)
        busy = True
        while busy or not self._ending():
            self._listen(0.0 if busy or self._ended else _PAUSE)
            turns = [one.turn() for one in self._files.values()]  # each has its turn
            busy = any(turns)
            if self.written.flush() or busy:
                self._tell(b".")
        for one in self._files.values():
            one.finish()
        self.written.close()

    def _listen(self, pause: float) -> None:
        """Hear what is said on stdin, if anything is within a time."""
        if self._orphan:
            time.sleep(pause)
        elif not self._ended and select.select([0], [], [], pause)[0]:
            chunk = os.read(0, 1 << 16)
            *lines, self._buffer = (self._buffer + chunk).split(b"\n")
            for message in map(json.loads, lines):
                if "file" in message:
                    self._follow(message["file"], held=bool(message.get("held")))
                self._ended = self._ended or "end" in message
            self._orphan = not chunk and not self._ended
            if not chunk:
                self.written.patience = _LAST_TRIES

    def _ending(self) -> bool:
        """Whether what the files hold now is all. Of a supervisor that is dead the command may live on."""
        if self._ended:
            return self._last()
        if self._orphan and time.monotonic() >= self._ask_at:
            self._ask_at = time.monotonic() + _ASK
            self._ended = not open_anywhere() & self._files.keys()
        return False

    def _last(self) -> bool:
        """False once: what was written before the end was told is read after it."""
        last, self._was_last = self._was_last, True
        return last

    def _follow(self, path: str, *, held: bool) -> None:
        if path in self._files:
            return
        shown = os.path.relpath(path, self._base) if path.startswith(self._base + os.sep) else path
        try:
            source: Source = RunSource(path) if path.endswith(".wandb") else EventSource(path)
        except ForeignFileError as error:
            self.written.fact("noted", {"text": f"{shown} could not be followed: {error.what}"})
            return
        self._files[path] = Followed(path, shown, source, self, held=held)

    def _tell(self, data: bytes) -> None:
        try:
            os.write(1, data)
        except (BlockingIOError, BrokenPipeError):
            return  # who started us is dead, or not listening: what is in the files is written all the same


def main(store: str, attempt: str, since: str, base: str, project: str, *before: str) -> None:
    """See the module."""
    Tail(store, attempt, float(since), base, project, list(before)).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
