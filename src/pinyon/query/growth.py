"""What journals gain from one look to the next: of writers that may still write, each byte once (docs/FORMAT.md §3, §5)."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import NamedTuple

from pinyon.model.event import Event
from pinyon.query import points
from pinyon.query.index import Index
from pinyon.store.protocol import Journals

_BACK = 8 << 20  # bytes of points that a first look reads of all writers together
_LEAST = 1 << 16  # of each of them
_FLUSH = b'\n{"v":1,"flush":'  # no metric can look like this: a name has no line feed


class Gained(NamedTuple):
    """What is new since the look before; each lot of points is of one segment."""

    events: list[Event]
    points: list[points.Points]


class Growth:
    """Reads on where it stopped. Only segments that the index calls unfinished are looked at: what is over is free.

    Args:
        folder: of the journals.
    """

    def __init__(self, index: Index, journals: Journals, folder: Path) -> None:
        self._index, self._journals, self._folder = index, journals, folder
        self._facts: dict[str, int] = {}  # how far each segment was read
        self._points: dict[
            str, tuple[int, int]
        ] = {}  # number of a writer's newest segment, and how far it was read
        self._partly: dict[str, int] = {}  # size at which no whole batch was behind what was read

    def look(self) -> Gained:
        """Everything new in segments that the index knows."""
        names = self._index.growing()
        events = [event for name in names for event in self._new_facts(name)]
        writers = list(dict.fromkeys(name.split(".", 1)[0] for name in names))
        back = max(_LEAST, _BACK // max(len(writers), 1))
        found = [lot for writer in writers for lot in self._new_points(writer, back)]
        self._facts = {name: self._facts.get(name, 0) for name in names}
        self._points = {writer: self._points[writer] for writer in writers if writer in self._points}
        return Gained(events, found)

    def _new_facts(self, name: str) -> list[Event]:
        offset, found = self._facts.get(name, 0), []
        if self._journals.size(name) > offset:
            with contextlib.suppress(OSError):  # it hides no other
                for event, end in self._journals.read(name, offset):
                    found.append(event)
                    offset = end
            self._facts[name] = offset
        return found

    def _new_points(self, writer: str, back: int) -> list[points.Points]:
        first = writer not in self._points
        number, offset = self._points.get(writer, (0, 0))
        found = []
        while size := self._journals.size(name := f"{writer}.points.{number}.jsonl"):
            if first and size > back:
                offset = size - back  # what is older shows nobody how it goes
            grown = size > offset and self._partly.get(name) != size
            if grown:
                lot, offset = self._read(name, offset, torn=first and offset > 0, size=size)
                if lot is not None:
                    found.append(lot)
            self._points[writer] = (number, offset)
            if grown and not first:
                break  # a segment that a later one has followed does not grow
            number, offset = number + 1, 0
        return found

    def _read(self, name: str, offset: int, *, torn: bool, size: int) -> tuple[points.Points | None, int]:
        """The whole batches from an offset on, and where they end."""
        try:
            with open(self._folder / name, "rb") as file:
                file.seek(offset)
                data = file.read(size - offset)
        except OSError:
            return None, offset
        begin = _behind(data, data.find(_FLUSH)) if torn else 0
        lot, end = whole_batches(data[begin:], offset + begin)
        if lot is None:
            self._partly[name] = size
            return None, offset
        self._partly.pop(name, None)
        return lot, end


def whole_batches(data: bytes, offset: int) -> tuple[points.Points | None, int]:
    """The whole batches in bytes of a segment, which begin at this offset with one; and where the last of them ends. None
    where there is none."""
    end = _behind(data, data.rfind(_FLUSH))
    return (points.parse(data[:end], offset).points, offset + end) if end else (None, offset)


def _behind(data: bytes, at: int) -> int:
    """Where the line ends that begins behind this line feed; 0 when there is none, or no end of it."""
    return data.find(b"\n", at + 1) + 1 if at >= 0 else 0
