"""Runs as two Parquet files, ``runs.parquet`` and ``points.parquet``, out and back in, by DuckDB."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from pinyon.bridges.moving.nouns import Curves, Heading, Left, MovedRun, MovedVersion
from pinyon.errors import ForeignFileError
from pinyon.query import duck

_RUNS = (
    ("run", "VARCHAR"), ("name", "VARCHAR"), ("experiment", "VARCHAR"), ("status", "VARCHAR"), ("started", "DOUBLE"),
    ("ended", "DOUBLE"), ("params", "VARCHAR"), ("tags", "VARCHAR"), ("metrics", "VARCHAR"), ("note", "VARCHAR"),
    ("parent", "VARCHAR"), ("user", "VARCHAR"),
)  # fmt: skip
_POINTS = (
    ("run", "VARCHAR"),
    ("metric", "VARCHAR"),
    ("step", "BIGINT"),
    ("time", "DOUBLE"),
    ("value", "DOUBLE"),
)
_FILES = ("points", "runs")


class ParquetSink:
    """See `pinyon.bridges.moving.nouns.Sink`. Both files are there, whole, when it is closed, and replace earlier ones.

    Raises:
        PlanError: DuckDB is not installed.
    """

    def __init__(self, folder: str) -> None:
        os.makedirs(folder, exist_ok=True)
        self._folder, self._db = folder, duck.connect()
        duck.create(self._db, "runs", _RUNS)
        duck.create(self._db, "points", _POINTS)

    def write(self, run: MovedRun) -> None:
        """See `pinyon.bridges.moving.nouns.Sink`."""
        told = [
            json.dumps(dict(one), ensure_ascii=False, default=str)
            for one in (run.params, run.tags, run.finals)
        ]
        row = (
            run.id, run.name, run.experiment, run.state, run.started, run.ended, *told, run.note, run.parent, run.user,
        )  # fmt: skip
        duck.fill(self._db, "runs", _RUNS, [row])
        rows = (
            (run.id, metric, step, None if math.isnan(time) else time, value)
            for metric, step, time, value in run.curves
        )
        duck.fill(self._db, "points", _POINTS, rows)

    def close(self) -> None:
        """See `pinyon.bridges.moving.nouns.Sink`."""
        for name in _FILES:
            target = duck.quoted(f"{self._folder}/.{name}.parquet")
            self._db.execute(f"copy {name} to {target} (format parquet, compression zstd)")
        for name in _FILES:
            os.replace(f"{self._folder}/.{name}.parquet", f"{self._folder}/{name}.parquet")

    def drop(self) -> None:
        """See `pinyon.bridges.moving.nouns.Sink`."""
        self._db.close()
        for name in _FILES:
            with suppress(FileNotFoundError):
                os.unlink(f"{self._folder}/.{name}.parquet")


class ParquetFolder:
    """See `pinyon.bridges.moving.nouns.Source`: what `ParquetSink` wrote. The folder is known by its path.

    Raises:
        ForeignFileError: it is not there, or of another layout.
        PlanError: DuckDB is not installed.
    """

    kind = "parquet"

    def __init__(self, path: str) -> None:
        self.identity, self.left = os.path.realpath(path), Left()
        self._db = duck.connect()
        try:
            names = ", ".join(f'"{name}"' for name, _ in _RUNS)
            told = self._ask(f"select {names} from {self._table('runs')}")
            columns = ", ".join(name for name, _ in _POINTS)
            self._db.execute(
                f"create table points as select {columns} from {self._table('points')} order by run"
            )
        except BaseException as error:
            self._db.close()
            if isinstance(error, duck.module().Error):
                raise ForeignFileError(str(error).splitlines()[0], where=path) from None
            raise
        self._runs = {str(row[0]): dict(zip((name for name, _ in _RUNS), row, strict=True)) for row in told}

    def _table(self, name: str) -> str:
        return f"read_parquet({duck.quoted(f'{self.identity}/{name}.parquet')})"

    def _ask(self, sql: str, *values: Any) -> list[Any]:
        return self._db.execute(sql, list(values)).fetchall()

    def headings(self) -> Iterator[Heading]:
        """See `pinyon.bridges.moving.nouns.Source`."""
        return (Heading(run, told["started"]) for run, told in self._runs.items())

    def read(self, run: str) -> MovedRun:
        """See `pinyon.bridges.moving.nouns.Source`."""
        told, curves = self._runs[run], Curves()
        for metric, step, time, value in self._ask(
            "select metric, step, time, value from points where run = $1 order by metric, step, time", run
        ):
            curves.add(metric, step, math.nan if time is None else time, value)
        params, tags, finals = (json.loads(told[name]) for name in ("params", "tags", "metrics"))
        return MovedRun(
            id=run, state=told["status"], started=told["started"], ended=told["ended"], params=params, tags=tags,
            finals=finals, curves=curves, name=told["name"] or run, experiment=told["experiment"] or "",
            note=told["note"] or "", parent=told["parent"] or "", user=told["user"] or "",
        )  # fmt: skip

    def models(self) -> Iterator[MovedVersion]:
        """None."""
        return iter(())

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()
