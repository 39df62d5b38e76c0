"""What the tail process writes: points and records of one attempt, nothing twice though it was killed and started again."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pinyon.bridges.said import Object, apart, inline
from pinyon.store.local import LocalStore
from pinyon.store.points import Point, PointsWriter, encode

_BATCH = 1_000
_RETRY = 0.5  # seconds
_FRESH = 1.0  # seconds that it is believed what others had logged


class Written:
    """The journal of the process, and what those before it wrote of the same attempt.

    Args:
        before: writers whose processes followed the same files and were killed.

    Attributes:
        names: of metrics that they wrote.
        patience: how often a disk that refuses is tried again; None for ever.
    """

    def __init__(self, store: str, attempt: str, project: str, before: list[str]) -> None:
        self._journals, self._attempt = Path(store) / "journals", attempt
        self._store = LocalStore(Path(store))
        self._writer = self._store.journals.open_writer(project=project)
        self._points: PointsWriter | None = None
        self._waiting: list[Point] = []
        self._number = 0
        self.names: set[str] = set()
        self.patience: int | None = None
        self._lines: Counter[int] = Counter()
        self._facts: Counter[str] = Counter()
        for writer in before:
            self._recall(writer)

    @property
    def writer(self) -> str:
        """Id of the process in the journals."""
        return self._writer.writer

    def _recall(self, writer: str) -> None:
        """Learn what a writer wrote. Reading the same files again gives the same lines, so they can be told apart."""
        for segment in self._journals.glob(f"{writer}.points.*.jsonl"):
            for line in _lines(segment):
                if b'"m":' in line:
                    self._lines[hash(line)] += 1
                    self.names.update(names_in(line, self._attempt))
                elif (told := _object_in(line)) is not None:
                    self._lines[told] += 1
        for segment in self._journals.glob(f"{writer}.facts.*.jsonl"):
            for event, _ in self._store.journals.read(segment.name):
                self._facts[_spelled(event.kind, event.body)] += 1

    def point(self, t: float, step: int, values: dict[str, Any]) -> None:
        """Take a point."""
        point = Point(self._number, t, step, values)
        if self._lines and self._again(hash(encode([point], self._attempt))):
            return
        self._number += 1
        self._waiting.append(point)
        if len(self._waiting) >= _BATCH:
            self.flush()

    def object(self, t: float, step: int, name: str, said: Object) -> None:
        """Write what is no number: into the line where it is small, else as a blob with a record that names it."""
        value = inline(said)
        if value is not None:
            if not self._again(_object(t, step, {name: value})):
                self.flush()
                self._insist(lambda: self._stream().write_object(t, step, {name: value}, self._attempt))
            return
        data, format = apart(said)
        digests: list[str] = []
        self._insist(lambda: digests.append(self._store.blobs.put(data)))
        body = {
            "name": name,
            "path": f"{name}.{format}",
            "digest": digests[-1],
            "size": len(data),
            "role": said.type,
        }
        self.fact("artifact", {**body, "about": {"step": step, "t": t, "format": format}})

    def _again(self, line: int) -> bool:
        """Whether this line is one of those that are there; each counts once."""
        left = self._lines.pop(line, 0)
        if left > 1:
            self._lines[line] = left - 1
        return left > 0

    def fact(self, kind: str, body: dict[str, Any]) -> None:
        """Write a record of the attempt, after all points before it."""
        body = {"attempt": self._attempt, **body}
        if self._facts and self._facts[_spelled(kind, body)] > 0:
            self._facts[_spelled(kind, body)] -= 1
            return
        self.flush()
        self._insist(lambda: self._writer.append(kind, body))

    def flush(self) -> bool:
        """Have every point on disk; whether there were any."""
        if not self._waiting:
            return False
        points, self._waiting = self._waiting, []
        self._insist(lambda: self._stream().write(points, self._attempt))
        return True

    def close(self) -> None:
        """Write the rest, power-durable, and end the journal."""
        self.flush()
        if self._points is not None:
            self._points.sync()
            self._points.close()
        self._writer.close()

    def _stream(self) -> PointsWriter:
        if self._points is None:
            self._writer.begin()
            self._points = PointsWriter(str(self._journals), self.writer)
        return self._points

    def _insist(self, write: Any) -> None:
        """Write; a disk that refuses is tried again, and meanwhile nothing more is read."""
        while True:
            try:
                write()
                return
            except OSError as error:
                if self.patience is not None:
                    self.patience -= 1
                    if self.patience < 0:
                        raise
                print(f"pinyon: {self._attempt}: {error}; tried again", file=sys.stderr)  # noqa: T201 - goes to a log
                time.sleep(_RETRY)


class Logged:
    """Names that other processes of the attempt have logged to Pinyon. Each byte is read once.

    Args:
        since: of the attempt: older segments have nothing of it.
        ours: ids of writers that are left out.
    """

    def __init__(self, store: str, attempt: str, since: float, ours: list[str]) -> None:
        self._journals, self._attempt, self._since, self._ours = f"{store}/journals", attempt, since, ours
        self._read: dict[str, int] = {}
        self._names: set[str] = set()
        self._due = 0.0

    def names(self) -> set[str]:
        """As far as they are on disk now, or were a second ago."""
        if time.monotonic() < self._due:
            return self._names
        self._due = time.monotonic() + _FRESH
        with os.scandir(self._journals) as entries:
            for entry in entries:
                writer, _, rest = entry.name.partition(".")
                if (
                    rest.startswith("points.")
                    and writer not in self._ours
                    and entry.stat().st_mtime >= self._since - 1
                ):
                    start = self._read.get(entry.name, 0)
                    for line in _lines(entry.path, start):
                        start += len(line)
                        self._names.update(names_in(line, self._attempt))
                    self._read[entry.name] = start
        return self._names


def names_in(line: bytes, attempt: str) -> list[str]:
    """The metrics of a line of points, if it is one of this attempt."""
    try:
        record = json.loads(line)
        return list(record["m"]) if record["attempt"] == attempt else []
    except (ValueError, TypeError, KeyError, RecursionError):
        return []


def _lines(path: str | Path, start: int = 0) -> Iterator[bytes]:
    try:
        with open(path, "rb") as file:
            file.seek(start)
            yield from (line for line in file if line.endswith(b"\n"))
    except OSError:
        return


def _object(t: float, step: int, objects: dict[str, Any]) -> int:
    return hash(json.dumps([t, step, objects], sort_keys=True))


def _object_in(line: bytes) -> int | None:
    """The hash of the objects of a line, as `_object` gives it."""
    try:
        record = json.loads(line)
        return _object(record["t"], record["step"], record["o"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _spelled(kind: str, body: dict[str, Any]) -> str:
    return kind + json.dumps(body, sort_keys=True)
