"""Metric points on disk (docs/FORMAT.md §5)."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

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
        attempt: whose points they are.
    """

    def __init__(self, directory: str, writer: str, attempt: str) -> None:
        self._directory, self._writer, self._attempt = directory, writer, attempt
        self._fd, self._path, self._number, self._flushes, self._good = -1, "", 0, 0, 0

    def write(self, points: Sequence[Point]) -> None:
        """Write points with a flush line behind them; process-durable on return.

        Raises:
            OSError: the disk refuses. Nothing of it counts, and the next call begins a new segment.
        """
        lines = encode(points, self._attempt)
        end = {
            "v": 1,
            "flush": self._flushes,
            "crc": f"{zlib.crc32(lines):08x}",
            "lines": len(points),
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
