"""A CSV: one row a value (run, metric, step, value), one row a step, or one row a run. Several in a folder add up by run.

Which it is, and what a column means, is guessed by its name unless somebody says so, and told.
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from pinyon.bridges.moving.cells import number, unspell
from pinyon.bridges.moving.nouns import (
    CANCELLED,
    FAILED,
    RUNNING,
    SUCCEEDED,
    Curves,
    Heading,
    Left,
    MovedRun,
    MovedVersion,
)
from pinyon.errors import ForeignFileError

_RUN = ("run", "run_id", "run id", "runid", "id", "name", "run_name")
_STEP = ("step", "_step", "global_step", "iteration", "iter", "epoch")
_METRIC = ("metric", "key", "metric_name", "tag", "variable")
_VALUE = ("value", "metric_value")
_TIME = ("time", "timestamp", "_timestamp", "wall_time", "wall time")
_ABOUT = ("name", "experiment", "stage", "status", "started", "seconds", "ended", "note", "parent", "user")
_STATES = {
    SUCCEEDED: SUCCEEDED,
    FAILED: FAILED,
    CANCELLED: CANCELLED,
    "FINISHED": SUCCEEDED,
    "KILLED": CANCELLED,
}
_LARGEST = 2**63
csv.field_size_limit(1 << 24)


class Asked(NamedTuple):
    """What somebody says of the columns; "" and nothing are guessed."""

    run: str = ""
    step: str = ""
    params: Collection[str] = ()


GUESS = Asked()


class _Shape(NamedTuple):
    """What the columns of one file mean; numbers of columns, -1 for none. ``form`` is long, steps or runs."""

    form: str
    run: int
    step: int = -1
    metric: int = -1
    value: int = -1
    time: int = -1


class _Found:
    """A run as its rows say it."""

    def __init__(self) -> None:
        self.curves = Curves()
        self.params: dict[str, Any] = {}
        self.tags: dict[str, str] = {}
        self.finals: dict[str, Any] = {}
        self.about: dict[str, Any] = {}


class TableFiles:
    """See `pinyon.bridges.moving.nouns.Source`. A file, or a folder of them, is known by its path.

    Raises:
        ForeignFileError: there is no CSV, or a column that was named is not there.
    """

    kind = "csv"

    def __init__(self, path: str, asked: Asked = GUESS) -> None:
        self.identity = os.path.realpath(path)
        self.left = Left()
        self._asked = asked
        self._runs: dict[str, _Found] = {}
        self._modified = 0.0
        inside = sorted(os.listdir(path)) if os.path.isdir(path) else []
        files = (
            [os.path.join(path, name) for name in inside if name.endswith((".csv", ".tsv"))]
            if inside
            else [path]
        )
        for file in files:
            try:
                self._read(file)
            except (OSError, csv.Error, UnicodeDecodeError) as error:
                raise ForeignFileError(f"this is no CSV: {error}", where=file) from None
        if not files:
            raise ForeignFileError("there is no CSV in it", where=path)

    def _read(self, file: str) -> None:
        self._modified = max(self._modified, os.stat(file).st_mtime)
        with open(file, newline="", encoding="utf-8-sig") as lines:
            first = lines.readline()
            lines.seek(0)
            rows = csv.reader(lines, delimiter=max(",;\t", key=first.count))
            header = next(rows, [])
            shape = self._shape(header, file)
            self.left.told.append(f"{os.path.basename(file)}: {_told(header, shape)}")
            stem = os.path.splitext(os.path.basename(file))[0]
            for count, row in enumerate(rows):
                if len(row) != len(header):
                    if row:
                        self.left["rows with more or fewer cells than columns"] += 1
                    continue
                named = (
                    row[shape.run]
                    if shape.run >= 0
                    else f"{stem}-{count + 1}"
                    if shape.form == "runs"
                    else stem
                )
                found = self._runs.setdefault(named, _Found())
                if shape.form == "long":
                    self._point(found, row[shape.metric], row, shape, row[shape.value])
                elif shape.form == "steps":
                    self._step(found, header, row, shape)
                else:
                    self._run(found, header, row, shape)

    def _shape(self, header: list[str], file: str) -> _Shape:
        asked = self._asked
        for name in filter(None, (asked.run, asked.step, *asked.params)):
            if name not in header:
                raise ForeignFileError(
                    f"there is no column {name!r}", where=file, why=f"there are {', '.join(header)}"
                )
        run = _column(header, [asked.run] if asked.run else _RUN)
        step = _column(header, [asked.step] if asked.step else _STEP)
        metric, value, time = (_column(header, names) for names in (_METRIC, _VALUE, _TIME))
        if metric >= 0 and value >= 0:
            return _Shape("long", run, step, metric, value, time)
        return _Shape("steps" if step >= 0 else "runs", run, step, time=time)

    def _point(self, found: _Found, name: str, row: list[str], shape: _Shape, cell: str) -> None:
        value = number(unspell(cell))
        step = _whole(unspell(row[shape.step])) if shape.step >= 0 else len(found.curves)
        if value is None:
            self.left["values that are no numbers"] += 1
        elif step is None:
            self.left["steps that are no whole numbers"] += 1
        else:
            time = _moment(row[shape.time]) if shape.time >= 0 else None
            found.curves.add(name, step, math.nan if time is None else time, value)

    def _step(self, found: _Found, header: list[str], row: list[str], shape: _Shape) -> None:
        for at, (name, cell) in enumerate(zip(header, row, strict=True)):
            if at in (shape.run, shape.step, shape.time) or not cell:
                continue
            if name in self._asked.params or name.startswith("params."):
                found.params[name.removeprefix("params.")] = unspell(cell)
            elif isinstance(unspell(cell), str):
                found.tags[name] = cell
            else:
                self._point(found, name, row, shape, cell)

    def _run(self, found: _Found, header: list[str], row: list[str], shape: _Shape) -> None:
        for at, (name, cell) in enumerate(zip(header, row, strict=True)):
            if at == shape.run or not cell:
                continue
            value = unspell(cell)
            if name in self._asked.params or name.startswith("params."):
                found.params[name.removeprefix("params.")] = value
            elif name.startswith("tag."):
                found.tags[name.removeprefix("tag.")] = str(value)
            elif name in _ABOUT:
                found.about[name] = value
            elif isinstance(value, str) and not self._asked.params and not name.startswith("metric."):
                found.params[name] = value  # what is no number can be no metric
            else:
                found.finals[name.removeprefix("metric.")] = value

    def headings(self) -> Iterator[Heading]:
        """See `pinyon.bridges.moving.nouns.Source`."""
        return (Heading(run) for run in self._runs)

    def read(self, run: str) -> MovedRun:
        """See `pinyon.bridges.moving.nouns.Source`. A run that says no moment began when its file was last written."""
        found = self._runs[run]
        about = found.about
        started, seconds = _moment(about.get("started")), number(about.get("seconds"))
        times = [time for time in found.curves.time if not math.isnan(time)]
        started = min(times, default=None) if started is None else started
        ended = _moment(about.get("ended")) if seconds is None or started is None else started + seconds
        named = str(about.get("name") or run)
        known = str(about.get("status") or SUCCEEDED).upper()
        return MovedRun(
            id=run,
            name=named,
            experiment=str(
                about.get("experiment") or about.get("stage") or os.path.basename(self.identity).split(".")[0]
            ),
            state=_STATES.get(known, RUNNING),
            started=started,
            ended=ended,
            params=found.params,
            tags={"name": named, **found.tags},
            finals=found.finals,
            note=str(about.get("note") or ""),
            curves=found.curves,
            parent=str(about.get("parent") or ""),
            user=str(about.get("user") or ""),
            guess=round(self._modified, 3),
        )

    def models(self) -> Iterator[MovedVersion]:
        """None."""
        return iter(())

    def close(self) -> None:
        """Nothing is held."""


def _column(header: list[str], names: Collection[str]) -> int:
    small = [name.strip().lower() for name in header]
    return next((small.index(name.lower()) for name in names if name.lower() in small), -1)


def _whole(value: Any) -> int | None:
    """A step, if it is one: whole, of 64 bits."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and -_LARGEST <= value < _LARGEST else None


def _told(header: list[str], shape: _Shape) -> str:
    what = {"long": "one row a value", "steps": "one row a step", "runs": "one row a run"}[shape.form]
    meant: Mapping[str, int] = {
        name: at for name, at in shape._asdict().items() if isinstance(at, int) and at >= 0
    }
    return "; ".join([what, *(f"{name} is column {header[at]!r}" for name, at in meant.items())])


def _moment(value: Any) -> float | None:
    """Seconds since the epoch, of a number (milliseconds where it is that large) or of a date."""
    told = number(unspell(value) if isinstance(value, str) else value)
    if told is not None:
        return told / 1000 if abs(told) > 1e11 else told if math.isfinite(told) else None
    try:
        return datetime.fromisoformat(str(value)).timestamp() if value else None
    except ValueError:
        return None
