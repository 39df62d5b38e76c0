"""What journals are wherever they lie: lines that are read, and proven (docs/FORMAT.md §3)."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from typing import Any, NamedTuple

from pinyon.model.event import Event
from pinyon.store.lines import decode
from pinyon.store.points import check_points
from pinyon.store.protocol import Damage

SEGMENT = re.compile(r"(?P<writer>[A-Za-z0-9-]+)\.facts\.(?P<number>\d+)\.jsonl$")
POINTS = re.compile(r"[A-Za-z0-9-]+\.points\.\d+\.jsonl$")
_FIELDS: dict[str, Any] = {
    "writer": str,
    "seq": int,
    "kind": str,
    "ts": (int, float),
    "prev": str,
    "body": dict,
}


def chain(line: bytes) -> str:
    """What the next record carries as ``prev``."""
    return blake2b(line, digest_size=16).hexdigest()


class Facts(ABC):
    """Segments of facts and points, given their names and bytes."""

    @abstractmethod
    def _all(self) -> Iterable[str]:
        """Names of everything that lies among the segments."""

    @abstractmethod
    def size(self, segment: str) -> int:
        """See `pinyon.store.protocol.Journals.size`."""

    @abstractmethod
    def _where(self, segment: str) -> str:
        """The place of a segment, for messages."""

    @abstractmethod
    def _raw(self, segment: str, offset: int) -> Iterator[bytes]:
        """Lines from an offset on, each with its line feed, the last as it is; none of what is not there.

        Raises:
            OSError: it is there, and cannot be read.
        """

    def segments(self) -> list[str]:
        """See `pinyon.store.protocol.Journals.segments`."""
        return sorted(name for name in self._all() if SEGMENT.match(name))

    def points(self) -> list[str]:
        """See `pinyon.store.protocol.Journals.points`."""
        return sorted(name for name in self._all() if POINTS.match(name))

    def read(
        self, segment: str, offset: int = 0, rotten: Callable[[int], object] | None = None
    ) -> Iterator[tuple[Event, int]]:
        """See `pinyon.store.protocol.Journals.read`."""
        for line, end in self._lines(segment, offset):
            record = _record(line)
            if record is not None and record["v"] == 1:
                yield Event(*(record[field] for field in Event._fields)), end
            elif record is None and rotten is not None:
                rotten(end)

    def _lines(self, segment: str, offset: int) -> Iterator[tuple[bytes, int]]:
        """Whole lines from an offset on, without their line feed, each with the offset behind it."""
        for line in self._raw(segment, offset):
            if not line.endswith(b"\n"):
                return
            offset += len(line)
            yield line[:-1], offset

    def verify(self, segment: str) -> Iterator[Damage]:
        """See `pinyon.store.protocol.Journals.verify`. The chain of later segments begins with the earlier one's end."""
        where = self._where(segment)
        if POINTS.match(segment):
            yield from check_points(where, segment, self._raw(segment, 0))
            return
        name = SEGMENT.match(segment)
        assert name is not None, segment
        offset, size = 0, self.size(segment)
        try:
            expected = self._handed_over(name["writer"], int(name["number"]))
            if expected is None:
                yield Damage(where, 0, "the segment before this one is missing")
            for line, end in self._lines(segment, 0):
                record = _record(line)
                fault = _fault(record, name["writer"], expected)
                if fault:
                    yield Damage(where, offset, fault)
                expected, offset = _Expected.after(line, record), end
        except OSError as error:
            yield Damage(where, offset, f"cannot be read: {error.strerror}")
            return
        if offset < size:
            what = f"{size - offset} bytes of a record that was never finished"
            yield Damage(where, offset, what, torn=True)

    def _handed_over(self, writer: str, number: int) -> _Expected | None:
        """With what segment ``number`` must begin; None when the segment before it is gone."""
        if number == 0:
            return _Expected(0, chain(b""))
        before = f"{writer}.facts.{number - 1}.jsonl"
        last = None
        for line, _ in self._lines(before, 0):
            last = line
        if last:
            return _Expected.after(last, _record(last))
        # A segment whose very first write failed holds no record; what it was to begin with is what we begin with.
        return self._handed_over(writer, number - 1) if before in self._all() else None


class _Expected(NamedTuple):
    """Seq and chain of the next record; None where damage hides them."""

    seq: int | None = None
    prev: str | None = None

    @classmethod
    def after(cls, line: bytes, record: dict[str, Any] | None) -> _Expected:
        """What follows a line."""
        return cls(record["seq"] + 1, chain(line)) if record and record["v"] == 1 else cls()


def _record(line: bytes) -> dict[str, Any] | None:
    """The record of one line; None when its crc, its JSON or (in a format we know) its shape is wrong."""
    record = decode(line)
    if record is None or not isinstance(record.get("v"), int):
        return None
    if record["v"] == 1 and not all(isinstance(record.get(name), kind) for name, kind in _FIELDS.items()):
        return None
    return record


def _fault(record: dict[str, Any] | None, writer: str, expected: _Expected | None) -> str:
    """What is wrong with a record in its place; empty when nothing is."""
    if record is None:
        return "this line is not what was written (crc)"
    if record["v"] != 1:
        return ""
    if record["writer"] != writer:
        return f"a record of {record['writer']} stands in a file of {writer}"
    if expected is None:
        return ""
    if expected.seq is not None and record["seq"] != expected.seq:
        return f"record {record['seq']} stands where {expected.seq} belongs"
    if expected.prev is not None and record["prev"] != expected.prev:
        return "the record before this one is not the one that was written (chain)"
    return ""
