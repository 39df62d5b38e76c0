"""Stores of other trackers as tests find them, and everything that a project knows of its runs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from pinyon.bridges.moving.bring import Report
from pinyon.bridges.moving.into import import_into
from pinyon.bridges.moving.kinds import open_source
from pinyon.bridges.moving.table import GUESS, Asked
from pinyon.query.index import FILE, Index
from pinyon.query.runs import RunRow, list_runs
from pinyon.query.tables import Tables
from pinyon.store.local import LocalStore
from pinyon.sync.verify import verify

RECORDED = Path(__file__).parent / "recorded"
_PLACE = "/PLACE"


def bring(
    root: Path, kind: str, place: Path, asked: Asked = GUESS, *,
    tell: Callable[[int, int], None] = lambda _done, _total: None, **more: Any,
) -> Report:  # fmt: skip
    """Import a place into the project in ``root``."""
    root.mkdir(exist_ok=True)
    with closing(open_source(kind, str(place), asked)) as source:
        return import_into(str(root), source, str(place), tell=tell, **more)


def mlflow_database(folder: Path, recorded: str = "mlflow.sql") -> Path:
    """A database as MLflow left it, with the artifacts of its first run."""
    folder.mkdir(exist_ok=True)
    path = folder / "mlflow.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript((RECORDED / recorded).read_text().replace(_PLACE, str(folder)))
        for (uri,) in database.execute("select artifact_uri from runs where name = 'first: try'").fetchall():
            lay(
                Path(uri),
                {"sub/x.txt": "hello", "model/MLmodel": "flavors: {}\n", "model/weights.json": '{"w": [1]}'},
            )
    return path


def mlruns(folder: Path) -> Path:
    """A folder of runs as MLflow left it."""
    folder.mkdir(exist_ok=True)
    files = json.loads((RECORDED / "mlruns.json").read_text())
    lay(folder, {name: text.replace(_PLACE, str(folder)) for name, text in files.items()})
    return folder / "mlruns"


def lay(folder: Path, files: dict[str, str]) -> None:
    """Write files below a folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def runs(root: Path) -> dict[str, RunRow]:
    """The runs of a project by their names in the tracker that they came from."""
    store = LocalStore(root / ".pinyon")
    with closing(Index(store.cache / FILE, store.journals)) as index:
        index.catch_up()
        return {row.tags.get("name", row.run): row for row in list_runs(index)}


def table(root: Path, sql: str) -> list[tuple[Any, ...]]:
    """What a query over all tables answers."""
    store = LocalStore(root / ".pinyon")
    with ExitStack() as stack:
        index = stack.enter_context(closing(Index(store.cache / FILE, store.journals)))
        index.catch_up()
        names = ["runs", "params", "points", "summary", "artifacts"]
        found: list[tuple[Any, ...]] = Tables(store, index, names, stack).connection.execute(sql).fetchall()
        return found


def whole_runs(root: Path) -> list[str]:
    """What listings say of the runs, but for what tells attempts apart."""
    return sorted(
        repr((row.run, row.stage, row.status, row.attempts, row.attempt.started, row.attempt.seconds, row.params,
              row.tags, row.metrics)) for row in runs(root).values()
    )  # fmt: skip


def known(root: Path) -> list[str]:
    """All that is known of the runs of a sound store. What was told of an attempt whose import was killed belongs to no
    run."""
    assert verify(LocalStore(root / ".pinyon")).damage == ()
    points = table(root, "select run, metric, step, t, value from points where run is not null")
    files = table(root, "select run, name, digest, size, role from artifacts where run is not null")
    return [*whole_runs(root), *sorted(map(repr, [*points, *files]))]


def objects(root: Path) -> list[tuple[str, str, int]]:
    """Name, type and step of what is no number and stands in lines of points."""
    lines = [
        line
        for path in (root / ".pinyon/journals").glob("*.points.*")
        for line in path.read_text().splitlines()
    ]
    records = [record for line in lines if "o" in (record := json.loads(line))]
    return sorted((name, told["type"], one["step"]) for one in records for name, told in one["o"].items())


def curve(root: Path, name: str, metric: str) -> list[tuple[int, float]]:
    """(step, value) of a metric of the run with this name."""
    run = runs(root)[name].run
    sql = f"select step, value from points where run = '{run}' and metric = '{metric}' order by step"
    return [(step, value) for step, value in table(root, sql)]
