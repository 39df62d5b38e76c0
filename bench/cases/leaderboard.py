"""Leaderboards, curves and listings of many runs, beside MLflow's search of the same ones."""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from bench import tools
from bench.measure import Cost, Row, cost_here, cost_of, cpu_row, interleave, ratio_row, wall_row
from bench.settings import Settings
from pinyon.model.ids import this_process
from pinyon.query.board import Asked, list_board
from pinyon.query.compact import compact
from pinyon.query.cover import told
from pinyon.query.history import history
from pinyon.query.index import FILE, Index
from pinyon.store.local import LocalStore
from pinyon.store.points import Point, PointsWriter

_METRICS, _STEPS, _CURVE = 10, 100, 100_000
_WHERE, _SORT = "params.lr < 0.03", "-metric_0"
_GROWTH = (1000, 3000, 10_000, 30_000, 100_000)
_MLFLOW = """
import json, sqlite3, sys, time, logging
logging.disable(logging.WARNING)
folder, runs = sys.argv[1], sys.argv[2]
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
store = SqlAlchemyStore(f"sqlite:///{folder}/mlflow.db", folder)
db = sqlite3.connect(f"{folder}/mlflow.db")
db.execute("pragma synchronous = off"), db.execute("pragma journal_mode = off")
def lines():
    with open(runs) as file:
        yield from map(json.loads, file)
def put(table, names, rows):
    db.executemany(f"insert into {table} ({names}) values ({', '.join('?' * (names.count(',') + 1))})", rows)
def curves():
    return ((r["run"], r["start"], k, vs) for r in lines() for k, vs in r["points"].items())
put("runs", "run_uuid, name, start_time, end_time, artifact_uri, source_type, user_id, status, lifecycle_stage,"
  " experiment_id",
  ((r["run"], r["run"], r["start"], r["start"] + 1, folder, "LOCAL", "u", "FINISHED", "active", 0) for r in lines()))
put("params", "run_uuid, key, value", ((r["run"], k, str(v)) for r in lines() for k, v in r["params"].items()))
put("metrics", "run_uuid, timestamp, key, value, step, is_nan",
  ((run, start + s, k, v, s, 0) for run, start, k, vs in curves() for s, v in enumerate(vs)))
put("latest_metrics", "run_uuid, timestamp, key, value, step, is_nan",
  ((run, start + len(vs) - 1, k, vs[-1], len(vs) - 1, 0) for run, start, k, vs in curves()))
put("tags", "run_uuid, key, value", ((r["run"], "stage", "train") for r in lines()))
db.commit(), db.close()
from mlflow.tracking import MlflowClient
client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
for line in sys.stdin:
    began, cpu = time.perf_counter(), time.process_time()
    found = client.search_runs(["0"], "tags.stage = 'train' and metrics.metric_1 > 0", order_by=["metrics.metric_0 DESC"],
        max_results=10)
    print(json.dumps([time.process_time() - cpu, time.perf_counter() - began, [r.info.run_id for r in found]]), flush=True)
"""


def leaderboard(settings: Settings) -> Iterator[Row]:
    """Top ten of ten runs for each of `size`, 10 metrics of 100 steps, in journals of their own; beside MLflow's search"""
    folder, runs = settings.folder("board"), settings.size * 10
    store = _history(folder, runs)
    pinyon = tools.find("pinyon").command()[0]
    yield cpu_row(f"the first listing, {runs} runs: the index is made", [cost_of([pinyon, "runs"], folder)])
    yield cpu_row(f"compact, {runs * _METRICS * _STEPS} points", [cost_here(lambda: compact(store))])
    yield from _sizes(store)
    yield from _commands(settings, folder, [pinyon], runs)
    yield from _beside_mlflow(settings, folder, store, runs)
    yield from _curve(settings, settings.folder("curve"))


def _sizes(store: LocalStore) -> Iterator[Row]:
    parts = [part for part in told(store).parts if part.table == "points"]
    rows = sum(part.rows for part in parts)
    size = sum(store.blobs.size(blob) for part in parts for blob in (part.blob, part.list, part.summary))
    yield Row("a point in Parquet, summary included", "bytes", (size / rows,), 10)


def _commands(settings: Settings, folder: Path, command: list[str | Path], runs: int) -> Iterator[Row]:
    words = {
        "runs": (["runs"], 1000.0),
        "runs --where --sort --limit 10": (
            ["runs", "--where", _WHERE, "--sort", _SORT, "--limit", "10"],
            300.0,
        ),
        "runs --sort metric_0.best --limit 10": (
            ["runs", "--sort", "-metric_0.max", "--limit", "10"],
            1000.0,
        ),
        "query, top ten of summary": (
            ["query", "select run, max from summary where metric = 'metric_0' order by 2 desc limit 10"],
            None,
        ),
    }
    calls = {name: partial(cost_of, [*command, *asked], folder) for name, (asked, _) in words.items()}
    for name, costs in interleave(settings.rounds, calls).items():
        yield cpu_row(f"pinyon {name}, {runs} runs", costs, limit=words[name][1])


def _beside_mlflow(settings: Settings, folder: Path, store: LocalStore, runs: int) -> Iterator[Row]:
    index = Index(store.cache / FILE, store.journals)
    asked = Asked("stage = train and metric_1 > 0", ["-metric_0"], 10)

    def ours() -> list[str]:
        index.catch_up()
        return [row.attempt.id for row in list_board(index, asked).rows]

    peer = tools.find("mlflow").path
    if peer is None:
        yield cpu_row(
            f"list_board, top ten of {runs}", [cost_here(ours) for _ in range(settings.rounds)], limit=300
        )
        yield Row("MLflow search_runs", note="not installed")
        return
    place = settings.folder("mlflow")
    began = time.perf_counter()
    child = subprocess.Popen(
        [peer.parent / "python", "-c", _MLFLOW, place, folder / "runs.jsonl"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None

    def theirs() -> tuple[Cost, list[str]]:
        print(file=child.stdin, flush=True)
        cpu, wall, found = json.loads(child.stdout.readline())  # type: ignore[union-attr]
        return Cost(cpu, wall), found

    first = theirs()[1]
    filled = time.perf_counter() - began
    assert first == ours(), "both find the same runs"
    costs: dict[str, list[Cost]] = {"ours": [], "theirs": []}
    for _ in range(max(settings.rounds // 3, 2)):
        costs["ours"].append(cost_here(ours))
        costs["theirs"].append(theirs()[0])
    child.stdin.close()
    child.wait()
    yield cpu_row(f"list_board, top ten of {runs}", costs["ours"], limit=300)
    yield cpu_row("MLflow search_runs, the same", costs["theirs"], note=f"filled in {filled:.0f} s")
    yield ratio_row("MLflow ÷ Pinyon", costs["theirs"], costs["ours"], limit=None)


def _curve(settings: Settings, folder: Path) -> Iterator[Row]:
    """A history of 100,000 points."""
    store = LocalStore(folder / ".pinyon")
    store.prepare("bench")
    drawn = random.Random(2)
    _attempt(store.journals.open_writer(project="bench"), "a-curve", "c" * 64, 0.1, {})
    writer, value, points = PointsWriter(str(store.root / "journals"), "w-curve"), 0.0, []
    for step in range(_CURVE):
        value += drawn.gauss(0, 1)
        points.append(Point(step, step * 0.05 + drawn.random() * 0.01, step, {"loss": value}))
    for at in range(0, _CURVE, 50):
        writer.write(points[at : at + 50], "a-curve")
    index = Index(store.cache / FILE, store.journals)
    index.catch_up()
    attempts = index.attempts("id = 'a-curve'")

    def look() -> None:
        assert sum(len(line.step) for line in history(store, index, attempts, "loss").lines) == _CURVE

    yield cpu_row(f"history, {_CURVE} points in journals", [cost_here(look) for _ in range(2)])
    compact(store)
    look()
    yield cpu_row(
        f"history, {_CURVE} points in Parquet", [cost_here(look) for _ in range(settings.rounds)], limit=100
    )
    yield from _sizes(store)


def growth(settings: Settings) -> Iterator[Row]:
    """How listings grow: up to thirty runs for each of `size`, each with journals of its own; --size 3334 for 100,000"""
    command: list[str | Path] = [tools.find("pinyon").command()[0]]
    for runs in (number for number in _GROWTH if number <= settings.size * 30):
        folder = settings.folder(f"growth-{runs}")
        store = _history(folder, runs, metrics=1, steps=10)
        cost_of([*command, "runs"], folder)
        compact(store)
        words = {
            "runs": ["runs"],
            "top ten": ["runs", "--where", _WHERE, "--sort", _SORT, "--limit", "10"],
            "metric_0.max": ["runs", "--sort", "-metric_0.max", "--limit", "10"],
        }
        calls = {name: partial(cost_of, [*command, *asked], folder) for name, asked in words.items()}
        for name, costs in interleave(2, calls).items():
            yield wall_row(f"growth, {name}, {runs} runs", costs, limit=None)


def _history(folder: Path, runs: int, metrics: int = _METRICS, steps: int = _STEPS) -> LocalStore:
    """A store as trainings leave it: each run has journals of its own. The same, run by run, in runs.jsonl."""
    (folder / "pinyon.yaml").write_text("stages:\n  train: {cmd: 'true'}\n")
    store = LocalStore(folder / ".pinyon")
    store.prepare("bench")
    drawn = random.Random(1)
    driver = store.journals.open_writer(project="bench")
    driver.append("execution", {"execution": "x-1", "argv": [], "goal": {}, "project": "bench", "host": "h"})
    names = [f"metric_{number}" for number in range(metrics)]
    with open(folder / "runs.jsonl", "w") as listed:
        for number in range(runs):
            key = f"{drawn.getrandbits(256):064x}"
            attempt, lr = f"a-{key[:12]}-1-{number:08x}", drawn.uniform(1e-4, 1e-1)
            curves = {name: _walk(drawn, steps) for name in names}
            _attempt(driver, attempt, key, lr, {name: curve[-1] for name, curve in curves.items()})
            _train(store, attempt, curves)
            told = {
                "run": attempt,
                "start": 1_700_000_000_000 + number,
                "params": {"lr": lr, "layers": 2},
                "points": curves,
            }
            listed.write(json.dumps(told) + "\n")
    driver.close()
    return store


def _walk(drawn: random.Random, steps: int) -> list[float]:
    value, found = drawn.random(), []
    for _ in range(steps):
        value += drawn.gauss(0, 0.01)
        found.append(value)
    return found


def _attempt(driver: Any, attempt: str, key: str, lr: float, metrics: dict[str, float]) -> None:
    params = [["params.yaml", "lr", lr], ["params.yaml", "layers", 2]]
    about = {
        "attempt": attempt,
        "execution": "x-1",
        "project": "bench",
        "root": "/",
        "key": key,
        "recipe": key,
    }
    how = {
        "stage": "train",
        "epoch": 1,
        "mode": "isolated",
        "supervisor": list(this_process()),
        "reason": "never run",
    }
    driver.append(
        "intent", {**about, **how, "inputs": {"command": ["exec", "python", "train.py"], "params": params}}
    )
    driver.append("outputs", {"attempt": attempt, "outs": [], "metrics": metrics})
    driver.append("ended", {"attempt": attempt, "state": "SUCCEEDED", "seconds": 1.0, "reusable": True})


def _train(store: LocalStore, attempt: str, curves: dict[str, list[float]]) -> None:
    """What a training process writes: facts of its own, and points."""
    facts = store.journals.open_writer(project="bench")
    facts.append("tagged", {"attempt": attempt, "tags": {"by": "bench"}})
    facts.append("closed", {})
    facts._leave(facts._fd)  # without the flush of `close`, which would wait for the disk ten thousand times
    facts._fd = -1
    writer = PointsWriter(str(store.root / "journals"), facts.writer)
    steps = len(next(iter(curves.values())))
    points = [
        Point(
            step,
            step / 10 + 1e-5 * (hash((attempt, step)) % 1000),
            step,
            {name: curve[step] for name, curve in curves.items()},
        )
        for step in range(steps)
    ]
    writer.write(points, attempt)
    writer.close()
