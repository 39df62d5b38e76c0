"""Checking segments of points (docs/FORMAT.md §5); training processes write them."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pinyon.store.protocol import Damage

_END = {"flush": int, "crc": str, "lines": int, "writer": str}


def verify_points(path: Path) -> Iterator[Damage]:
    """What is wrong in one segment: batches that are not what was written, and a harmless end without a flush line."""
    writer = path.name.split(".", 1)[0]
    offset = start = 0  # of the line, and of its batch
    batch, count, flushes = 0, 0, -1  # crc and lines since the last flush line, and its number
    try:
        with open(path, "rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                end = _record(line)
                if end is None:
                    yield Damage(str(path), offset, "this line is no point")
                elif "flush" in end and end.get("v") == 1:
                    if what := _fault(end, batch, count, flushes, writer):
                        yield Damage(str(path), start, what)
                    flushes = end["flush"] if isinstance(end["flush"], int) else flushes + 1
                    offset += len(line)
                    start, batch, count = offset, 0, 0
                    continue
                batch, count, offset = zlib.crc32(line, batch), count + 1, offset + len(line)
            left = os.fstat(file.fileno()).st_size - start
    except OSError as error:
        yield Damage(str(path), offset, f"cannot be read: {error.strerror}")
        return
    if left:
        yield Damage(str(path), start, f"{left} bytes of points whose end was never written", torn=True)


def _record(line: bytes) -> dict[str, Any] | None:
    """A point or a flush line; None for what is neither. Of a newer format everything is as it should be."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not isinstance(record.get("v"), int):
        return None
    return record if record["v"] != 1 or "flush" in record or "attempt" in record else None


def _fault(end: dict[str, Any], crc: int, lines: int, before: int, writer: str) -> str:
    """What is wrong with a batch and its flush line; "" when nothing is."""
    if not all(isinstance(end.get(name), kind) for name, kind in _END.items()):
        return "the end of these points is not what was written"
    if end["writer"] != writer:
        return f"points of {end['writer']} stand in a file of {writer}"
    if end["crc"] != f"{crc:08x}" or end["lines"] != lines:
        return "these points are not what was written (crc)"
    if before >= 0 and end["flush"] != before + 1:
        return f"batch {end['flush']} stands where {before + 1} belongs"
    return ""
