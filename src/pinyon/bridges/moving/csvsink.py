"""Runs as two CSVs: ``runs.csv`` has one row a run, ``points.csv`` one row a value. `pinyon import csv` reads both back."""

from __future__ import annotations

import csv
import math
import os
from contextlib import suppress
from typing import IO, Any

from pinyon.bridges.moving.cells import spell
from pinyon.bridges.moving.nouns import MovedRun

_ABOUT = ("run", "name", "experiment", "status", "started", "seconds", "parent", "user", "note")
_FILES = ("points.csv", "runs.csv")
_POINTS = ("run", "metric", "step", "time", "value")


class CsvSink:
    """See `pinyon.bridges.moving.nouns.Sink`. Both files are there, whole, when it is closed, and replace earlier ones."""

    def __init__(self, folder: str) -> None:
        os.makedirs(folder, exist_ok=True)
        self._folder = folder
        self._rows: list[dict[str, Any]] = []
        self._columns: dict[str, None] = dict.fromkeys(_ABOUT)
        self._file: IO[str] = open(f"{folder}/.points.csv", "w", newline="", encoding="utf-8")  # noqa: SIM115 - until `close`
        self._points = csv.writer(self._file)
        self._points.writerow(_POINTS)

    def write(self, run: MovedRun) -> None:
        """See `pinyon.bridges.moving.nouns.Sink`."""
        seconds = run.ended - run.started if run.ended is not None and run.started is not None else None
        row: dict[str, Any] = {
            "run": run.id, "name": run.name, "experiment": run.experiment, "status": run.state, "started": run.started,
            "seconds": seconds, "parent": run.parent, "user": run.user, "note": run.note,
        }  # fmt: skip
        row = {name: value for name, value in row.items() if value not in (None, "")}
        row |= {f"params.{name}": value for name, value in run.params.items()}
        row |= {f"tag.{name}": value for name, value in run.tags.items()}
        row |= {f"metric.{name}": value for name, value in run.finals.items()}
        self._columns.update(dict.fromkeys(row))
        self._rows.append(row)
        for metric, step, time, value in run.curves:
            told = "" if math.isnan(time) else repr(time)
            self._points.writerow((run.id, metric, step, told, spell(value)))

    def close(self) -> None:
        """See `pinyon.bridges.moving.nouns.Sink`."""
        self._file.close()
        with open(f"{self._folder}/.runs.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(self._columns)
            for row in self._rows:
                cells = (
                    row["run"] if name == "run" else spell(row[name]) if name in row else ""
                    for name in self._columns
                )
                writer.writerow(cells)
        for name in _FILES:
            os.replace(f"{self._folder}/.{name}", f"{self._folder}/{name}")

    def drop(self) -> None:
        """See `pinyon.bridges.moving.nouns.Sink`."""
        self._file.close()
        for name in _FILES:
            with suppress(FileNotFoundError):
                os.unlink(f"{self._folder}/.{name}")
