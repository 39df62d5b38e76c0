"""Points as MLflow's metrics: the newest value of each, and histories."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

from pinyon.model.outcome import Attempt
from pinyon.query import points
from pinyon.store.local import LocalStore
from pinyon.store.place import make_cache

_FILE = "mlflow-2.sqlite"  # in the cache; what segments of points said, as far as they were read
_MANY, _MUCH = 50, 1 << 20  # segments, and bytes of them, that are worth writing to it


class Value(NamedTuple):
    """The newest value of a metric: that of the highest step, of several the latest, of several the largest."""

    step: int
    t: float
    value: float

    def rank(self) -> tuple[Any, ...]:
        """As MLflow orders them, which keeps NaN as 0."""
        return self.step, round(self.t, 6), 0.0 if math.isnan(self.value) else self.value


Values = dict[str, dict[str, Value]]  # by attempt and metric; t in seconds since the attempt began


class Read(NamedTuple):
    """What a segment said as far as it was read, and between which offsets the batches of each attempt lie."""

    end: int
    values: Values
    where: dict[str, tuple[int, int]]


class Latest:
    """Newest values of every attempt.

    Attributes:
        values: by attempt and metric.
        segments: of points, by attempt, and between which offsets its points lie there.
        growing: segments that may still gain points: size when last read, and where all before is settled.
    """

    def __init__(self, store: LocalStore) -> None:
        self._store = store
        self.values: Values = {}
        self.segments: dict[str, dict[str, tuple[int, int]]] = {}
        self.growing: dict[str, tuple[int, int]] = {}
        self._loaded = False

    def refresh(self, writing: Container[str]) -> set[str]:
        """Read what segments have gained; the attempts that have other values now.

        Args:
            writing: writers that may still write; segments of others are read for the last time.
        """
        known = {} if self._loaded else self._load()
        self._loaded = True
        changed: set[str] = set()
        fresh: dict[str, Read] = {}
        much = 0
        for name, (size, end) in list(self.growing.items()):
            now = self._store.journals.size(name)
            if now > size:
                first = known.get(name) if not size else None
                if first is not None and first.end <= now:
                    end = first.end
                    self._take(name, first, changed)
                else:
                    first = None
                if now > end:
                    with suppress(OSError):
                        found = self._read(name, end, now)
                        self._take(name, found, changed)
                        if not size:
                            much += found.end - end
                            fresh[name] = _joined(first, found) if first else found
                        end = found.end
                self.growing[name] = (now, end)
            if name.partition(".")[0] not in writing:
                del self.growing[name]
        if len(fresh) >= _MANY or much >= _MUCH:
            self._save(fresh)
        return changed

    def _read(self, name: str, start: int, size: int) -> Read:
        found = points.read(self._path(name), start)
        values: Values = {}
        for attempt, metric, step, t, value in _numbers(found.points):
            newest_of(values.setdefault(attempt, {}), metric, Value(step, t, value))
        return Read(found.end, values, _where(found, start, max(size, found.end)))

    def _take(self, name: str, read: Read, changed: set[str]) -> None:
        for attempt, metrics in read.values.items():
            mine = self.values.setdefault(attempt, {})
            for metric, value in metrics.items():
                newest_of(mine, metric, value)
            changed.add(attempt)
        for attempt, part in read.where.items():
            parts = self.segments.setdefault(attempt, {})
            parts[name] = _around(parts.get(name), part)

    def _path(self, name: str) -> Path:
        return self._store.root / "journals" / name

    def history(
        self, attempts: Sequence[Attempt], metric: str | None, resumed: Mapping[str, int]
    ) -> list[tuple[str, int, float, float]]:
        """(metric, step, seconds since the epoch, value) of the points that count, each once.

        A later attempt overrules earlier ones from the step on at which it resumed, but not before the first step that it
        logged itself (docs/FORMAT.md §11).

        Args:
            metric: None for all.
        """
        kept: dict[tuple[Any, ...], tuple[str, int, float, float]] = {}
        cut = math.inf
        for attempt in reversed(attempts):
            rows = list(self._rows(attempt.id))
            for name, step, t, value in rows:
                if step < cut and metric in (None, name):
                    at = round(attempt.started + t, 6)
                    # NaN is no NaN's equal, so it stands by its name here.
                    kept[name, step, at, str(value)] = (name, step, at, value)
            first = min((step for _, step, _, _ in rows), default=None)
            if first is not None:
                cut = min(cut, max(first, resumed.get(attempt.id, first)))
        return list(kept.values())

    def _rows(self, attempt: str) -> Iterator[tuple[str, int, float, float]]:
        for name, (begin, end) in sorted(self.segments.get(attempt, {}).items()):
            found = points.read(self._path(name), begin, end)
            if found.damaged and begin:  # what was taken for the begin of a batch was none
                found = points.read(self._path(name), 0, end)
            for one, metric, step, t, value in _numbers(found.points):
                if one == attempt:
                    yield metric, step, t, value

    # What was read is kept in the cache, for the next process

    def _load(self) -> dict[str, Read]:
        found: dict[str, Read] = {}
        with suppress(sqlite3.Error, OSError, ValueError, TypeError), closing(self._connect()) as db:
            for name, end, doc in db.execute("select name, behind, doc from segments"):
                values: Values = {}
                where: dict[str, tuple[int, int]] = {}
                for attempt, (first, last, metrics) in json.loads(doc).items():
                    where[attempt] = (first, last)
                    values[attempt] = {metric: Value(*row) for metric, row in metrics.items()}
                found[name] = Read(end, values, where)
        return found

    def _save(self, fresh: Mapping[str, Read]) -> None:
        rows = [
            (name, read.end, json.dumps({
                attempt: [*part, read.values.get(attempt, {})] for attempt, part in read.where.items()
            })) for name, read in fresh.items()
        ]  # fmt: skip
        with suppress(sqlite3.Error, OSError), closing(self._connect()) as db, db:
            db.executemany("insert or replace into segments values (?,?,?)", rows)

    def _connect(self) -> sqlite3.Connection:
        make_cache(str(self._store.cache))
        db = sqlite3.connect(self._store.cache / _FILE, timeout=1.0)
        db.execute(
            "create table if not exists segments (name text primary key, behind integer, doc text) without rowid"
        )
        return db


def _where(found: points.Found, start: int, end: int) -> dict[str, tuple[int, int]]:
    """Between which offsets the batches of each attempt lie: from its first line to that of another, or to ``end``."""
    where: dict[str, tuple[int, int]] = {}
    held: set[str] = set()  # attempts of the batch
    begin, batch = start, found.points.batch[0] if found.points.batch else None
    for at, number, attempt in zip(found.points.at, found.points.batch, found.points.attempt, strict=True):
        if number != batch:
            for one in held:
                where[one] = _around(where.get(one), (begin, at))
            begin, batch, held = at, number, set()
        held.add(attempt)
    for one in held:
        where[one] = _around(where.get(one), (begin, end))
    return where


def _around(one: tuple[int, int] | None, other: tuple[int, int]) -> tuple[int, int]:
    """The least part of a segment in which both lie."""
    return other if one is None else (min(one[0], other[0]), max(one[1], other[1]))


def _joined(one: Read, other: Read) -> Read:
    """What two parts of a segment say, one behind the other."""
    values = {attempt: dict(metrics) for attempt, metrics in one.values.items()}
    for attempt, metrics in other.values.items():
        mine = values.setdefault(attempt, {})
        for metric, value in metrics.items():
            newest_of(mine, metric, value)
    where = dict(one.where)
    for attempt, part in other.where.items():
        where[attempt] = _around(where.get(attempt), part)
    return Read(other.end, values, where)


def newest_of(values: dict[str, Value], metric: str, value: Value) -> None:
    """Put a value in, if it is newer."""
    old = values.get(metric)
    if old is None or value.rank() > old.rank():
        values[metric] = value


def _numbers(told: points.Points) -> Iterator[tuple[str, str, int, float, float]]:
    """Attempt, metric, step, seconds since the attempt began, and value of every point."""
    lines = zip(told.attempt, told.step, told.t, told.names, told.values, told.objects, strict=True)
    for attempt, step, t, names, values, objects in lines:
        if objects is None:
            for metric, value in zip(names, values, strict=True):
                if value is not None:
                    yield attempt, metric, step or 0, t or 0.0, value
