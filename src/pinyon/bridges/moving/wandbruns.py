"""Runs of W&B's: its own files, as `WANDB_MODE=offline` leaves them, and what its public API gives, saved in a folder.

A folder of the API has one folder a run, with ``config.json`` (`run.config`), ``history.json``, ``history.jsonl`` or
``history.csv`` (`run.history()` or `run.scan_history()`), ``summary.json`` (`run.summary`) and ``run.json`` (`id`, `name`,
`state`, `created_at`, `project`, `group`, `job_type`, `tags`, `notes`). Each may be absent, but not all.
"""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from pinyon.bridges.moving.gathered import Gathered
from pinyon.bridges.moving.keep import files_below
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
from pinyon.bridges.said import flat
from pinyon.bridges.wandb.follow import RunSource
from pinyon.errors import ForeignFileError

_STATES = {
    "finished": SUCCEEDED,
    "crashed": FAILED,
    "failed": FAILED,
    "killed": CANCELLED,
    "preempted": CANCELLED,
}
_FILES = ("config.json", "history.json", "history.jsonl", "history.csv", "summary.json", "run.json")
_OWN = (
    "wandb-metadata.json",
    "requirements.txt",
    "config.yaml",
    "wandb-summary.json",
    "output.log",
    "conda-environment.yaml",
)
_DONE_BY = {"group": "group", "job_type": "job"}


class WandbRuns:
    """See `pinyon.bridges.moving.nouns.Source`. Ids of W&B's runs are unique within their project, which is part of ours.

    Raises:
        ForeignFileError: there is no run of W&B's.
    """

    kind, identity = "wandb", ""

    def __init__(self, path: str) -> None:
        self.left = Left()
        self._files = [path] if path.endswith(".wandb") and os.path.isfile(path) else []
        self._folders: list[str] = []
        for folder, folders, names in os.walk(path):
            folders.sort()
            self._files += [os.path.join(folder, name) for name in sorted(names) if name.endswith(".wandb")]
            if not any(name.endswith(".wandb") for name in names) and os.path.basename(folder) != "files":
                self._folders += [folder] if set(_FILES[:4]) & set(names) else []
        if not self._files and not self._folders:
            raise ForeignFileError(
                "there are no runs of W&B's in it",
                where=path,
                why="neither NAME.wandb, nor a folder with history or config.json",
            )

    def headings(self) -> Iterator[Heading]:
        """See `pinyon.bridges.moving.nouns.Source`."""
        return (Heading(place) for place in (*self._files, *self._folders))

    def read(self, run: str) -> MovedRun:
        """See `pinyon.bridges.moving.nouns.Source`."""
        return self._file(run) if run.endswith(".wandb") else self._folder(run)

    def models(self) -> Iterator[MovedVersion]:
        """None: W&B's registry is not in these files."""
        return iter(())

    def close(self) -> None:
        """Nothing is held."""

    def _file(self, path: str) -> MovedRun:
        source, found = RunSource(path), Gathered()
        try:
            found.read(source)
        finally:
            source.close()
        run = source.run
        if run is None:
            raise ForeignFileError("it ends before it says which run it is", where=path)
        for kind, count in found.left.items():
            self.left[f"{kind} of W&B's"] += count
        state = RUNNING if source.exit is None else SUCCEEDED if source.exit == 0 else FAILED
        if state == RUNNING:
            self.left["ends of runs: their files stop before they say how it ended"] += 1
        began = [moment for moment in (run.start, found.first) if moment]
        started = min(began, default=None)
        return MovedRun(
            id=f"{run.project}/{run.id}",
            name=run.name or run.id,
            experiment=run.project,
            state=state,
            started=started,
            ended=found.last if found.last is not None else started,
            params=found.params,
            tags={**found.tags, "name": run.name or run.id},
            finals=found.finals,
            note="\n".join(found.notes[-1:]),
            curves=found.curves,
            objects=tuple(found.objects),
            files=tuple(
                one
                for one in files_below(os.path.join(os.path.dirname(path), "files"))
                if one.name not in _OWN
            ),
            message="its file ends before the run did" if state == RUNNING else "",
        )

    def _folder(self, path: str) -> MovedRun:
        about = _map(_json(path, "run.json") or {}, path)
        config = _map(_json(path, "config.json") or {}, path)
        summary = _map(_json(path, "summary.json") or {}, path)
        curves = Curves()
        for row in _history(path):
            self._row(curves, row)
        params = dict(flat({name: _bare(value) for name, value in config.items() if name != "_wandb"}))
        times = [time for time in curves.time if not math.isnan(time)]
        name, project = str(about.get("name") or ""), str(about.get("project") or "")
        run = str(about.get("id") or os.path.basename(path))
        tags = {text: "" for text in about.get("tags") or () if isinstance(text, str)}
        tags |= {ours: str(about[theirs]) for theirs, ours in _DONE_BY.items() if about.get(theirs)}
        started = _moment(about.get("created_at"))
        return MovedRun(
            id=f"{project}/{run}",
            name=name or run,
            experiment=project,
            state=_STATES.get(str(about.get("state") or "finished"), RUNNING),
            started=min(times, default=0.0) if started is None else started,
            ended=max(times, default=None),
            params=params,
            tags={**tags, "name": name or run},
            finals=dict(_plain(summary)),
            note=str(about.get("notes") or ""),
            curves=curves,
        )

    def _row(self, curves: Curves, row: Mapping[str, Any]) -> None:
        step, time = row.get("_step"), _number(row.get("_timestamp"))
        number = _number(step)
        at = int(number) if number is not None and math.isfinite(number) else len(curves)
        for name, value in flat({name: value for name, value in row.items() if not name.startswith("_")}):
            told = _number(value)
            if told is not None:
                curves.add(name, at, math.nan if time is None else time, told)
            elif value not in (None, ""):
                self.left["values of W&B's that are no numbers"] += 1


def _history(folder: str) -> Iterable[Mapping[str, Any]]:
    """Rows by column. An empty cell of a CSV, and null, are no value; NaN is one where it is written as NaN."""
    path = os.path.join(folder, "history.csv")
    if os.path.exists(path):
        with open(path, newline="", encoding="utf-8", errors="replace") as file:
            return [
                {name: text for name, text in row.items() if name and text} for row in csv.DictReader(file)
            ]
    path = os.path.join(folder, "history.jsonl")
    if os.path.exists(path):
        with open(path, encoding="utf-8", errors="replace") as file:
            return [_map(_parsed(line, path), path) for line in file if line.strip()]
    found = _json(folder, "history.json")
    if isinstance(found, dict):  # as a data frame writes itself: {column: {row: value}}
        rows: dict[str, dict[str, Any]] = {}
        for name, column in found.items():
            for at, value in _map(column, folder).items():
                rows.setdefault(at, {})[name] = value
        return list(rows.values())
    return [_map(row, folder) for row in found or ()]


def _json(folder: str, name: str) -> Any:
    path = os.path.join(folder, name)
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return _parsed(file.read(), path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ForeignFileError(f"it cannot be read: {error.strerror}", where=path) from None


def _parsed(text: str, path: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ForeignFileError(f"it is no JSON: {error}", where=path) from None


def _map(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ForeignFileError("a map is expected in it", where=where)
    return value


def _bare(value: Any) -> Any:
    """A setting; some of W&B's own files have it as ``{value: …, desc: …}``."""
    return (
        value["value"]
        if isinstance(value, dict) and set(value) <= {"value", "desc"} and "value" in value
        else value
    )


def _plain(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in flat({name: value for name, value in values.items() if not name.startswith("_")}):
        if isinstance(value, (bool, int, float, str)):
            yield name, value


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or value is None:
        return None if value is None else float(value)
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _moment(value: Any) -> float | None:
    if isinstance(value, (int, float)):
        return float(value)
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo else moment.timestamp() - _offset(moment)


def _offset(moment: datetime) -> float:
    """W&B's moments are of Greenwich, though they do not all say so."""
    from datetime import UTC

    return moment.timestamp() - moment.replace(tzinfo=UTC).timestamp()
