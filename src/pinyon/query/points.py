"""Metric points in a directory: lines of JSON, each batch of them vouched for by a flush line (docs/FORMAT.md §5)."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

_LARGEST = 2**63  # steps are 64 bits wide
_NOT_FINITE = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


class Points(NamedTuple):
    """Columns of equal length: where its line begins, number of its batch (None for what was not flushed), attempt, metric,
    step, seconds since the attempt began, value."""

    at: list[int]
    batch: list[int | None]
    attempt: list[str]
    metric: list[str]
    step: list[int | None]
    t: list[float | None]
    value: list[float]


class Found(NamedTuple):
    """What a segment holds from one offset on.

    Attributes:
        end: before it everything was flushed, is sound and was understood: it will never be read in another way.
        damaged: offsets of batches whose bytes are not those that were flushed. Their points are left out, since nobody can
            tell which of them are wrong.
    """

    points: Points
    end: int
    damaged: list[int]


def read(path: Path, start: int = 0, stop: int | None = None) -> Found:
    """The points of a segment between two offsets, each 0 or an ``end``.

    A torn last line is left out; whole lines behind the last flush line are kept if they parse.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        file.seek(start)
        data = file.read() if stop is None else file.read(stop - start)
    return parse(data, start)


def parse(data: bytes, start: int = 0) -> Found:
    """The points of bytes of a segment that stand at this offset; see `read`."""
    found = Points([], [], [], [], [], [], [])
    damaged: list[int] = []
    end, begin, sure = 0, 0, True  # `begin` of the batch
    for at, line in _flushes(data):
        sound = _sound_from(data, begin, at, line)
        if sound != begin:
            damaged.append(start + begin)
        whole = sound is not None and _take(found, data[sound:at], start + sound, _batch(line))
        sure = sure and whole and sound == begin
        begin = at + len(line) + 1
        end = begin if sure else end
    _take(found, data[begin : data.rfind(b"\n") + 1], start + begin, None)
    return Found(found, start + end, damaged)


def _flushes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Offsets of whole flush lines, and the lines without their line feed."""
    at = data.find(b'"flush"')
    while at >= 0:
        begin, end = data.rfind(b"\n", 0, at) + 1, data.find(b"\n", at)
        if end < 0:
            return
        line = data[begin:end]
        if isinstance(record := _json(line), dict) and "flush" in record and "m" not in record:
            yield begin, line
        at = data.find(b'"flush"', end)


def _sound_from(data: bytes, begin: int, end: int, line: bytes) -> int | None:
    """Where the bytes begin that a flush line vouches for; None when it vouches for none of those that are there.

    Later than ``begin`` where the flush line before has rotted away: then the batch begins behind a line that is no point.
    """
    record = _json(line)
    try:
        crc = int(record["crc"], 16)
    except (KeyError, TypeError, ValueError):
        return None
    if zlib.crc32(data[begin:end]) == crc:
        return begin
    at = begin
    for one in data[begin:end].splitlines(keepends=True):
        at += len(one)
        told = _json(one)
        if not (isinstance(told, dict) and "m" in told) and zlib.crc32(data[at:end]) == crc:
            return at
    return None


def _json(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _batch(line: bytes) -> int | None:
    number = _json(line)["flush"]
    return number if isinstance(number, int) and 0 <= number < _LARGEST else None


def _take(points: Points, data: bytes, at: int, batch: int | None) -> bool:
    """Add the points of whole lines that begin at an offset; whether all of the lines are points as we know them."""
    lines = data.splitlines(keepends=True)
    try:
        records = json.loads(b"[" + b",".join(lines) + b"]") if lines else []
    except (ValueError, RecursionError):
        records = []
    if len(records) != len(lines):  # a line that is no JSON, or is several of them
        records = [_json(line) for line in lines]
    understood, before = True, len(points.at)
    for line, record in zip(lines, records, strict=True):
        known = isinstance(record, dict) and record.get("v") == 1 and _point(points, record, at)
        understood = understood and known
        at += len(line)
    points.batch.extend([batch] * (len(points.at) - before))
    return understood


def _point(points: Points, record: dict[str, Any], at: int) -> bool:
    attempt, step, metrics = record.get("attempt"), record.get("step"), record.get("m")
    whole = step is None or (isinstance(step, int) and -_LARGEST <= step < _LARGEST)
    if not (isinstance(attempt, str) and isinstance(metrics, dict) and whole):
        return False
    since = _number(record.get("t"))
    for metric, told in metrics.items():
        value = _number(told)
        if value is not None:
            points.at.append(at)
            points.attempt.append(attempt)
            points.metric.append(metric)
            points.step.append(step)
            points.t.append(since)
            points.value.append(value)
    return True


def _number(value: Any) -> float | None:
    if type(value) is float:
        return value
    if isinstance(value, int):
        try:
            return float(value)
        except OverflowError:  # as JSON's own 1e999
            return float("inf") if value > 0 else float("-inf")
    return _NOT_FINITE.get(value) if isinstance(value, str) else None
