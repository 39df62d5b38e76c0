"""Leaderboards, curves and listings of many runs, beside MLflow's search of the same ones."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from bench import tools
from bench.measure import Cost, Row, cost_here, cost_of, cpu_row, interleave, ratio_row
from bench.settings import Settings
from pinyon.model.ids import this_process
from pinyon.query.compact import compact
from pinyon.query.cover import told
from pinyon.query.history import history
from pinyon.query.index import FILE, Index
from pinyon.store.local import LocalStore
from pinyon.store.points import Point, PointsWriter

_METRICS, _STEPS, _CURVE = 10, 100, 100_000
_WHERE, _SORT = "params.lr < 0.03", "-metric_0"
_GROWTH = (1000, 3000, 10_000, 30_000, 100_000)
_FILL = """
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
"""
# One question in a process that has imported its library and has asked nothing yet: a connection and caches that are new.
_SEARCH = """
import json, sys, time
from mlflow.tracking import MlflowClient
client = MlflowClient(f"sqlite:///{sys.argv[1]}/mlflow.db")
began, cpu = time.perf_counter(), time.process_time()
found = client.search_runs(["0"], "tags.stage = 'train' and metrics.metric_1 > 0", order_by=["metrics.metric_0 DESC"],
    max_results=10)
print(json.dumps([time.process_time() - cpu, time.perf_counter() - began, [r.info.run_id for r in found]]))
"""
_LIST = """
import json, sys, time
from pathlib import Path
from pinyon.query.board import Asked, list_board
from pinyon.query.index import FILE, Index
from pinyon.store.local import LocalStore
began, cpu = time.perf_counter(), time.process_time()
store = LocalStore(Path(sys.argv[1]) / ".pinyon")
index = Index(store.cache / FILE, store.journals)
index.catch_up()
found = list_board(index, Asked("stage = train and metric_1 > 0", ["-metric_0"], 10)).rows
print(json.dumps([time.process_time() - cpu, time.perf_counter() - began, [row.attempt.id for row in found]]))
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
    yield from _beside_mlflow(settings, folder, runs)
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


def _beside_mlflow(settings: Settings, folder: Path, runs: int) -> Iterator[Row]:
    """The library call alone, and the whole process with its imports."""
    peer = tools.find("mlflow").path
    rounds = max(settings.rounds // 3, 2)
    if peer is None:
        asked = [_ask([sys.executable, "-c", _LIST, folder], folder) for _ in range(rounds)]
        yield cpu_row(f"list_board, top ten of {runs}, first question", [one.call for one in asked], limit=85)
        yield Row("MLflow search_runs", note="not installed")
        return
    python, place = peer.parent / "python", settings.folder("mlflow")
    filled = cost_of([python, "-c", _FILL, place, folder / "runs.jsonl"], place).wall
    costs: dict[str, list[_Answer]] = {"ours": [], "theirs": []}
    for _ in range(rounds):
        costs["ours"].append(_ask([sys.executable, "-c", _LIST, folder], folder))
        costs["theirs"].append(_ask([python, "-c", _SEARCH, place], place))
        assert costs["ours"][-1].found == costs["theirs"][-1].found, "both find the same runs"
    calls, wholes = ({who: [one[at] for one in told] for who, told in costs.items()} for at in (0, 1))
    yield cpu_row(f"list_board, top ten of {runs}, first question", calls["ours"], limit=85)
    yield cpu_row("MLflow search_runs, the same", calls["theirs"], note=f"filled in {filled:.0f} s")
    yield ratio_row("MLflow ÷ Pinyon, the calls", calls["theirs"], calls["ours"], limit=None)
    yield cpu_row(f"list_board, top ten of {runs}, with imports", wholes["ours"], limit=300)
    yield cpu_row("MLflow search_runs, with imports", wholes["theirs"])
    yield ratio_row("MLflow ÷ Pinyon, with imports", wholes["theirs"], wholes["ours"], limit=None)


class _Answer(NamedTuple):
    call: Cost
    whole: Cost
    found: list[str]


def _ask(command: list[str | Path], place: Path) -> _Answer:
    log = place / ".answer"
    whole = cost_of(command, place, log=log)
    cpu, wall, found = json.loads(log.read_text().splitlines()[-1])
    return _Answer(Cost(cpu, wall), whole, found)


def _curve(settings: Settings, folder: Path) -> Iterator[Row]:
    """A history of 100,000 points."""
    (folder / "pinyon.yaml").write_text("stages:\n  train: {cmd: 'true'}\n")
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
    whole = [tools.find("pinyon").command()[0], "history", "a-curve", "loss", "--csv"]
    yield cpu_row("pinyon history --csv, the same", [cost_of(whole, folder) for _ in range(settings.rounds)])
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
            yield cpu_row(f"growth, {name}, {runs} runs", costs)


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
