"""Runs as TensorBoard's event files: a folder for each, below one for its experiment."""

from __future__ import annotations

import glob
import json
import math
import os
import re
from collections.abc import Iterable, Mapping
from io import BytesIO
from itertools import groupby
from typing import Any

from pinyon.bridges.moving.nouns import Curves, MovedRun
from pinyon.bridges.tensorboard.write import EventWriter

_UNFIT = re.compile(r"[^\w.+=,-]+")


class EventSink:
    """See `pinyon.bridges.moving.nouns.Live`. A run that is written at once has its file when it is whole; it replaces an
    earlier one."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._files: dict[str, _Events] = {}

    def write(self, run: MovedRun) -> None:
        """See `pinyon.bridges.moving.nouns.Sink`."""
        file = _Events(self._path(run), run)
        part = os.path.join(
            os.path.dirname(file.path), ".part"
        )  # which TensorBoard does not take for one of its files
        file.head(run)
        file.points(sorted(file.rows(run.curves)))
        file.rest(run)
        with open(part, "wb") as writing:
            writing.write(file.taken())
        self._alone(file.path, run.id)
        os.replace(part, file.path)

    def begin(self, run: MovedRun, held: str) -> bool:
        """See `pinyon.bridges.moving.nouns.Live`. What came behind what is noted is cut off."""
        path, size, names = json.loads(held) if held else ("", 0, [])
        path = os.path.join(self._folder, path)
        if size and os.path.exists(path) and os.path.getsize(path) >= size:
            os.truncate(path, size)
            self._files[run.id] = _Events(path, run, names)
            return True
        file = self._files[run.id] = _Events(self._path(run), run)
        self._alone(file.path, run.id)
        file.head(run)
        with open(file.path, "wb") as writing:
            writing.write(file.taken())
        return False

    def add(self, run: str, curves: Curves) -> None:
        """See `pinyon.bridges.moving.nouns.Live`."""
        file = self._files[run]
        file.points(file.rows(curves))
        file.append()

    def held(self, run: str) -> str:
        """The run's file, its size, and the names in it."""
        file = self._files[run]
        path = os.path.relpath(file.path, self._folder)
        return json.dumps([path, os.path.getsize(file.path), sorted(file.names)])

    def finish(self, run: MovedRun) -> None:
        """See `pinyon.bridges.moving.nouns.Live`."""
        file = self._files[run.id]
        file.rest(run)
        file.append()

    def _alone(self, path: str, run: str) -> None:
        """Take away files of the same run beside this one: its name has the moment at which its newest attempt began."""
        for other in glob.glob(f"{glob.escape(os.path.dirname(path))}/events.out.tfevents.*.{run}.0"):
            os.unlink(other)

    def _path(self, run: MovedRun) -> str:
        named = run.id if run.name in ("", run.id) else f"{_UNFIT.sub('_', run.name)[:60]}-{run.id}"
        folder = os.path.join(self._folder, _UNFIT.sub("_", run.experiment)[:60] or "runs", named)
        os.makedirs(folder, exist_ok=True)
        return os.path.join(folder, f"events.out.tfevents.{int(run.started or 0.0)}.{run.id}.0")

    def close(self) -> None:
        """Every file is whole already."""

    def drop(self) -> None:
        """Nothing is held."""


class _Events:
    """The events of one run.

    Attributes:
        names: that its points have had until now.
    """

    def __init__(self, path: str, run: MovedRun, names: Iterable[str] = ()) -> None:
        self.path, self._began, self.names = path, run.started or 0.0, set(names)
        self._params: Mapping[str, Any] = {}
        self._buffer = BytesIO()
        self._writer = EventWriter(self._buffer, names)

    def head(self, run: MovedRun) -> None:
        """What a file begins with."""
        self._writer.version(self._began)
        self._settings(run)

    def _settings(self, run: MovedRun) -> None:
        if run.params and run.params != self._params:
            self._params = run.params
            self._writer.params(self._began, run.params)

    def rows(self, curves: Curves) -> list[tuple[float, int, str, float]]:
        """Points, with a moment for each."""
        return [
            (self._began if math.isnan(time) else time, step, name, value)
            for name, step, time, value in curves
        ]

    def points(self, rows: list[tuple[float, int, str, float]]) -> None:
        """More points."""
        for (time, step), same in groupby(rows, key=lambda row: row[:2]):
            self._writer.scalars(time, step, [row[2:] for row in same])
        self.names.update(row[2] for row in rows)

    def rest(self, run: MovedRun) -> None:
        """What is known when it has ended."""
        self._settings(run)
        for name, value in run.finals.items():
            if isinstance(value, (int, float)) and name not in self.names:
                self._writer.scalars(run.ended or self._began, 0, [(name, float(value))])

    def taken(self) -> bytes:
        """What was not written yet."""
        told = self._buffer.getvalue()
        self._buffer.seek(0)
        self._buffer.truncate()
        return told

    def append(self) -> None:
        """Write it."""
        with open(self.path, "ab") as writing:
            writing.write(self.taken())
