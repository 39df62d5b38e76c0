"""Metric points in a directory: lines of JSON, each batch of them vouched for by a flush line (docs/FORMAT.md §5)."""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

_HEAD = 4096  # bytes: the first point of most segments tells whose it is
_KINDS = {"m", "o"}  # a line holds numbers, objects, or both
_LARGEST = 2**63  # steps are 64 bits wide
_NOT_FINITE = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


class Points(NamedTuple):
    """A line each: where it begins, number of its batch (None for what was not flushed), attempt, step, seconds since the
    attempt began, names, and for each name its value. ``objects`` is None for numbers; of a line of objects it is the JSON
    of each, and the values are None."""

    at: list[int]
    batch: list[int | None]
    attempt: list[str]
    step: list[int | None]
    t: list[float | None]
    names: list[tuple[str, ...]]
    values: list[list[float | None]]
    objects: list[list[str] | None]

    def numbers(self) -> Iterator[tuple[str, str, int | None, float]]:
        """Attempt, metric, step and value of every point, in order."""
        lines = zip(self.attempt, self.step, self.names, self.values, self.objects, strict=True)
        for attempt, step, names, values, objects in lines:
            if objects is None:
                for metric, value in zip(names, values, strict=True):
                    yield attempt, metric, step, value  # type: ignore[misc]


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
    found = Points([], [], [], [], [], [], [], [])
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


def mentions(path: Path, attempts: Collection[str]) -> bool:
    """Whether a segment may hold points of these. Most have one writer, whose points are all of one attempt; a supervisor's
    have those of each that it looked after."""
    with open(path, "rb") as file:
        head = file.read(_HEAD)
        first = head.partition(b"\n")[0]
        try:
            if json.loads(first).get("attempt") in attempts:
                return True
        except (ValueError, AttributeError, RecursionError):
            return True  # torn, damaged or longer: the reader knows what to make of it
        data = head + file.read()
    return any(name.encode() in data for name in attempts)


def _flushes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Offsets of whole flush lines, and the lines without their line feed."""
    at = data.find(b'"flush"')
    while at >= 0:
        begin, end = data.rfind(b"\n", 0, at) + 1, data.find(b"\n", at)
        if end < 0:
            return
        line = data[begin:end]
        if isinstance(record := _json(line), dict) and "flush" in record and not _KINDS & record.keys():
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
        if not (isinstance(told, dict) and _KINDS & told.keys()) and zlib.crc32(data[at:end]) == crc:
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
    attempt, step = record.get("attempt"), record.get("step")
    numbers, objects = record.get("m"), record.get("o")
    whole = step is None or (isinstance(step, int) and -_LARGEST <= step < _LARGEST)
    known = isinstance(numbers, dict) or (numbers is None and isinstance(objects, dict))
    if not (isinstance(attempt, str) and known and whole):
        return False
    since = _number(record.get("t"))
    if numbers:
        names, values = tuple(numbers), [_number(told) for told in numbers.values()]
        if None in values:
            told = [(name, value) for name, value in zip(names, values, strict=True) if value is not None]
            names, values = tuple(name for name, _ in told), [value for _, value in told]
        _add(points, (at, attempt, step, since, names, values, None))
    if isinstance(objects, dict):
        things = {name: json.dumps(told, ensure_ascii=False) for name, told in objects.items()}
        _add(points, (at, attempt, step, since, tuple(things), [None] * len(things), list(things.values())))
    return True


def _add(points: Points, line: tuple[Any, ...]) -> None:
    at, attempt, step, since, names, values, objects = line
    points.at.append(at)
    points.attempt.append(attempt)
    points.step.append(step)
    points.t.append(since)
    points.names.append(names)
    points.values.append(values)
    points.objects.append(objects)


def _number(value: Any) -> float | None:
    if type(value) is float:
        return value
    if isinstance(value, int):
        try:
            return float(value)
        except OverflowError:  # as JSON's own 1e999
            return float("inf") if value > 0 else float("-inf")
    return _NOT_FINITE.get(value) if isinstance(value, str) else None
