"""Segments of points (docs/FORMAT.md §5): written by training processes and supervisors, checked by `verify`."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pinyon.store.protocol import Damage

_FLUSH = b'\n{"v":1,"flush":'  # how a flush line begins behind points
_TAIL = 256 << 10  # bytes of a segment that are looked at first
_END = {"flush": int, "crc": str, "lines": int, "writer": str}
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


class Point(NamedTuple):
    """What one call of `log` said. ``number`` counts the calls of this process; a gap is a point that was given up."""

    number: int
    t: float
    step: int
    values: dict[str, Any]


def encode(points: Sequence[Point], attempt: str) -> bytes:
    """Their lines, each with its line feed."""
    start = f'{{"v":1,"attempt":{json.dumps(attempt)},"t":'
    return "".join(
        f'{start}{round(point.t, 6)},"step":{point.step},"m":{_values(point.values)}}}\n' for point in points
    ).encode(errors="backslashreplace")


def _values(values: dict[str, Any]) -> str:
    try:
        return _encode(values)
    except ValueError:  # NaN or an infinity, which every reader of JSON survives as text
        return _encode({name: _finite(value) for name, value in values.items()})


def _finite(value: Any) -> Any:
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


class PointsWriter:
    """The one writer of one stream of points. Not thread-safe; a forked child makes its own.

    Args:
        directory: of the journals; it is there.
        writer: id of the process, as in its facts.
        number, flush: of its next segment and its next batch, for whoever goes on for another.
    """

    def __init__(self, directory: str, writer: str, number: int = 0, flush: int = 0) -> None:
        self._directory, self._writer = directory, writer
        self._fd, self._path, self._number, self._flushes, self._good = -1, "", number, flush, 0

    @property
    def next(self) -> int:
        """The number that the flush line of the next batch will have."""
        return self._flushes

    @property
    def size(self) -> int:
        """Bytes of the segment that it writes to."""
        return self._good

    def write(self, points: Sequence[Point], attempt: str) -> None:
        """Write points of an attempt with a flush line behind them; process-durable on return.

        Raises:
            OSError: the disk refuses. Nothing of it counts, and the next call begins a new segment.
        """
        self._write(encode(points, attempt), len(points))

    def write_object(self, t: float, step: int, objects: dict[str, Any], attempt: str) -> None:
        """Write what is no number, as `write` does; it is JSON without NaN already.

        Raises:
            OSError: as `write`.
        """
        line = {"v": 1, "attempt": attempt, "t": round(t, 6), "step": step, "o": objects}
        self._write(_encode(line).encode(errors="backslashreplace") + b"\n", 1)

    def _write(self, lines: bytes, count: int) -> None:
        end = {
            "v": 1,
            "flush": self._flushes,
            "crc": f"{zlib.crc32(lines):08x}",
            "lines": count,
            "writer": self._writer,
        }
        data = lines + _encode(end).encode() + b"\n"
        if self._fd < 0:
            self._open()
        try:
            if os.write(self._fd, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self._directory)
        except OSError:
            self._take_back()
            raise
        self._flushes += 1
        self._good += len(data)

    def _open(self) -> None:
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
        self._path = f"{self._directory}/{self._writer}.points.{self._number}.jsonl"
        self._fd = os.open(self._path, flags, 0o664)
        self._number, self._good = self._number + 1, 0

    def _take_back(self) -> None:
        """Leave nothing half-written; where that fails, too, points are read twice, which a reader does not mind."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, self._good)
            if not self._good:  # or a disk that is full for hours would hold a file for every try
                os.unlink(self._path)
                self._number -= 1
        self._leave()

    def _leave(self) -> None:
        fd, self._fd = self._fd, -1
        os.close(fd)

    def sync(self) -> None:
        """Make what was written power-durable.

        Raises:
            OSError: it is not; the next `write` begins a new segment.
        """
        if self._fd < 0:
            return
        try:
            os.fdatasync(self._fd)
        except OSError:
            self._leave()  # the kernel tells this once and forgets the pages
            raise

    def close(self) -> None:
        """Leave the segment."""
        if self._fd >= 0:
            self._leave()


def left_off(directory: str, writer: str) -> tuple[int, int]:
    """The numbers of the next segment and the next batch of a writer that is gone.

    Raises:
        OSError: its segments cannot be read.
    """
    names = [name for name in os.listdir(directory) if name.startswith(f"{writer}.points.")]
    numbers = sorted((int(name.split(".")[2]) for name in names), reverse=True)
    for number in numbers:
        flush = _last_flush(f"{directory}/{writer}.points.{number}.jsonl")
        if flush is not None:
            return numbers[0] + 1, flush + 1
    return (numbers[0] + 1, 0) if numbers else (0, 0)


def _last_flush(path: str) -> int | None:
    """The number of the last batch that is whole, read from the end; None where there is none."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        length = _TAIL
        while True:
            start = max(0, size - length)
            file.seek(start)
            found = _last_in(file.read(size - start), start == 0)
            if found is not None or start == 0:
                return found
            length *= 8


def _last_in(data: bytes, whole: bool) -> int | None:
    """The same in the end of a file; ``whole``: nothing comes before it. None, too, where more is needed to tell."""
    end = len(data)
    while (at := data.rfind(_FLUSH, 0, end)) >= 0:
        end, stop = at, data.find(b"\n", at + 1)
        record = _record(data[at + 1 : stop]) if stop >= 0 else None
        before = data.rfind(_FLUSH, 0, at)
        if before < 0 and not whole:
            return None
        first = data.find(b"\n", before + 1) + 1 if before >= 0 else 0
        crc = f"{zlib.crc32(data[first : at + 1]):08x}"
        if record is not None and record.get("crc") == crc and isinstance(record["flush"], int):
            return int(record["flush"])
    return None


def check_points(where: str, name: str, lines: Iterator[bytes]) -> Iterator[Damage]:
    """What is wrong in one segment: batches that are not what was written, and a harmless end without a flush line.

    Args:
        where: its place, for messages.
        lines: each with its line feed, the last as it is; what they raise as OSError is told, too.
    """
    writer, _, number = name.split(".")[:3]
    offset = start = 0  # of the line, and of its batch
    batch, count, flushes = 0, 0, -1  # crc and lines since the last flush line, and its number
    torn = 0
    try:
        for line in lines:
            if not line.endswith(b"\n"):
                torn = len(line)
                break
            end = _record(line)
            if end is None:
                yield Damage(where, offset, "this line is no point")
            elif "flush" in end and end.get("v") == 1:
                if what := _fault(end, batch, count, flushes, writer, first=not int(number)):
                    yield Damage(where, start, what)
                flushes = end["flush"] if isinstance(end["flush"], int) else flushes + 1
                offset += len(line)
                start, batch, count = offset, 0, 0
                continue
            batch, count, offset = zlib.crc32(line, batch), count + 1, offset + len(line)
    except OSError as error:
        yield Damage(where, offset, f"cannot be read: {error.strerror}")
        return
    if left := offset + torn - start:
        yield Damage(where, start, f"{left} bytes of points whose end was never written", torn=True)


def _record(line: bytes) -> dict[str, Any] | None:
    """A point or a flush line; None for what is neither. Of a newer format everything is as it should be."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not isinstance(record.get("v"), int):
        return None
    return record if record["v"] != 1 or "flush" in record or "attempt" in record else None


def _fault(end: dict[str, Any], crc: int, lines: int, before: int, writer: str, *, first: bool) -> str:
    """What is wrong with a batch and its flush line; "" when nothing is. A writer's first segment begins with batch 0."""
    if not all(isinstance(end.get(name), kind) for name, kind in _END.items()):
        return "the end of these points is not what was written"
    if end["writer"] != writer:
        return f"points of {end['writer']} stand in a file of {writer}"
    if end["crc"] != f"{crc:08x}" or end["lines"] != lines:
        return "these points are not what was written (crc)"
    if (before >= 0 or first) and end["flush"] != before + 1:
        return f"batch {end['flush']} stands where {before + 1} belongs"
    return ""
