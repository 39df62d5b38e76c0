"""Leaving another tracker: many runs with many points out of its files, and out of Pinyon again."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from bench import leaving, tools
from bench.measure import Row, cost_of, wall_row
from bench.settings import Settings

_LIMIT = 30_000.0  # ms, for a thousand runs
_SCHEMA = """
create table experiments (experiment_id integer primary key, name text, lifecycle_stage text);
create table runs (run_uuid text primary key, name text, user_id text, status text, start_time integer, end_time integer,
    lifecycle_stage text, artifact_uri text, experiment_id integer);
create table params (key text, value text, run_uuid text, primary key (key, run_uuid));
create table tags (key text, value text, run_uuid text, primary key (key, run_uuid));
create table metrics (key text, value real, timestamp integer, run_uuid text, step integer, is_nan integer,
    primary key (key, timestamp, step, run_uuid, value, is_nan));
create index index_metrics_run_uuid on metrics (run_uuid);
create table latest_metrics (key text, value real, timestamp integer, step integer, is_nan integer, run_uuid text,
    primary key (key, run_uuid));
create index index_params_run_uuid on params (run_uuid);
create index index_tags_run_uuid on tags (run_uuid);
insert into experiments values (1, 'digits', 'active');
"""


def imports(settings: Settings) -> Iterator[Row]:
    """Importing from each tracker, and exporting: `size` runs of a thousand points"""
    runs, folder = settings.size, settings.folder("imports")
    label, limit = f"{runs} runs of {leaving.POINTS} points", _LIMIT * runs / 1000
    pinyon = tools.find("pinyon").command()[0]
    _fill(folder / "mlflow.db", runs)
    leaving.mlruns(folder / "mlruns", runs)
    leaving.tensorboard(folder / "logs", runs)
    leaving.wandb(folder / "offline", runs)

    def bring(what: str, kind: str, place: Path, name: str) -> Row:
        into = settings.folder(f"into-{name}")
        return wall_row(
            f"import {what}, {label}", [cost_of([pinyon, "import", kind, place], into)], limit=limit
        )

    yield wall_row(
        f"import mlflow's database, {label}",
        [cost_of([pinyon, "import", "mlflow", "mlflow.db"], folder)],
        limit=limit,
    )
    again = [cost_of([pinyon, "import", "mlflow", "mlflow.db"], folder)]
    yield wall_row("the same again, nothing new", again)
    yield bring("mlruns", "mlflow", folder / "mlruns", "mlruns")
    yield bring("tensorboard", "tensorboard", folder / "logs", "tensorboard")
    yield bring("wandb", "wandb", folder / "offline", "wandb")
    (folder / "pinyon.yaml").write_text("stages: {}\n")
    for kind in ("tensorboard", "parquet", "csv"):
        yield wall_row(
            f"export {kind}, {label}", [cost_of([pinyon, "export", kind, "-o", kind], folder)], limit=limit
        )
    for kind in ("parquet", "csv"):
        yield bring(kind, kind, folder / kind, kind)


def _fill(place: Path, runs: int) -> None:
    """The tables of MLflow's that matter, without MLflow, which would need hours."""
    drawn = random.Random(1)
    with closing(sqlite3.connect(place)) as database:
        database.executescript(_SCHEMA)
        for number in range(runs):
            run, start = f"{drawn.getrandbits(128):032x}", 1_700_000_000_000 + number * 60_000
            about = (run, f"run-{number}", "ann", "FINISHED", start, start + 50_000, "active", "", 1)
            database.execute("insert into runs values (?, ?, ?, ?, ?, ?, ?, ?, ?)", about)
            params = [
                ("lr", str(drawn.random()), run),
                ("seed", str(number), run),
                ("optimizer", "adam", run),
            ]
            database.executemany("insert into params values (?, ?, ?)", params)
            database.execute("insert into tags values ('mlflow.runName', ?, ?)", (f"run-{number}", run))
            rows = [
                (f"metric_{one}", drawn.random(), start + step * 100, run, step, 0)
                for one in range(leaving.METRICS)
                for step in range(leaving.STEPS)
            ]
            database.executemany("insert into metrics values (?, ?, ?, ?, ?, ?)", rows)
            last = [
                (key, value, ts, step, 0, run)
                for key, value, ts, _, step, _ in rows
                if step == leaving.STEPS - 1
            ]
            database.executemany("insert into latest_metrics values (?, ?, ?, ?, ?, ?)", last)
        database.commit()
