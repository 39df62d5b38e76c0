"""Leaderboards and queries over a long history."""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench import tools
from bench.measure import Row, cost_here, cost_of, cpu_row, interleave, ratio_row
from bench.settings import Settings
from pinyon.model.ids import this_process
from pinyon.query.compact import compact
from pinyon.store.local import LocalStore

_LEADERBOARD = 300.0  # ms of CPU
_WHERE = "params.lr < 0.01 and accuracy > 0.7 and stage = train"
_SQL = "select run, min(value) from points where metric = 'loss' group by run order by 2 limit 20"


def tables(settings: Settings) -> Iterator[Row]:
    """Listing, querying and compacting: ten runs for each of `size`, a hundred points a run for the tenth part"""
    folder = settings.folder("tables")
    runs = settings.size * 10
    store = _history(folder, runs)
    pinyon = tools.find("pinyon").command()[0]
    calls: dict[str, list[str | Path]] = {
        "runs --sort -accuracy --limit 20": ["runs", "--sort", "-accuracy", "--limit", "20"],
        "runs --where … --sort … --limit 20": [
            "runs",
            "--where",
            _WHERE,
            "--sort",
            "-accuracy",
            "--limit",
            "20",
        ],
    }
    contenders = {name: partial(cost_of, [pinyon, *words], folder) for name, words in calls.items()}
    for name, costs in interleave(settings.rounds, contenders).items():
        yield cpu_row(f"pinyon {name}, {runs} runs", costs, limit=_LEADERBOARD)
    yield from _queries(settings, store, folder, [pinyon, "query", _SQL, "--json"], f"{runs * 10} points")


def _queries(
    settings: Settings, store: LocalStore, folder: Path, command: list[str | Path], label: str
) -> Iterator[Row]:
    turns = max(settings.rounds // 2, 2)
    before = interleave(turns, {"query": lambda: cost_of(command, folder)})["query"]
    yield cpu_row(f"pinyon query, {label} in journals", before)
    yield cpu_row(f"compact, {label} and the facts", [cost_here(lambda: compact(store))])
    after = interleave(turns, {"query": lambda: cost_of(command, folder)})["query"]
    yield cpu_row(f"pinyon query, {label} in Parquet", after)
    yield ratio_row("journals ÷ Parquet", before, after)


def _history(folder: Path, runs: int) -> LocalStore:
    """A store as trainings leave it; every tenth run has points, in a segment of its own."""
    (folder / "pinyon.yaml").write_text("stages:\n  train: {cmd: 'true'}\n")
    store = LocalStore(folder / ".pinyon")
    store.prepare("bench")
    drawn = random.Random(1)
    writer = store.journals.open_writer(project="bench")
    supervisor = list(this_process())
    for number in range(runs):
        key = f"{drawn.getrandbits(256):064x}"
        attempt = f"a-{key[:12]}-1-{number:08x}"
        params = [
            ["params.yaml", "lr", drawn.uniform(1e-4, 1e-1)],
            ["params.yaml", "model", {"hidden": 64, "layers": 2}],
        ]
        about = {"attempt": attempt, "execution": "x-1", "project": "bench", "root": str(folder), "key": key}
        how = {"recipe": key, "stage": "train", "epoch": 1, "mode": "isolated", "supervisor": supervisor}
        inputs = {"command": ["exec", "python", "train.py"], "params": params}
        writer.append("intent", {**about, **how, "reason": "never run", "inputs": inputs})
        metrics = {name: drawn.random() for name in ("accuracy", "loss", "f1")}
        writer.append("outputs", {"attempt": attempt, "outs": [], "metrics": metrics})
        writer.append("ended", {"attempt": attempt, "state": "SUCCEEDED", "seconds": 1.0, "reusable": True})
        if number % 10 == 0:
            _points(store, attempt, number)
    writer.close()
    return store


def _points(store: LocalStore, attempt: str, number: int) -> None:
    lines = [
        json.dumps(
            {"v": 1, "attempt": attempt, "t": step / 10, "step": step, "m": {"loss": 1 / (step + number + 1)}}
        )
        for step in range(100)
    ]
    data = "".join(f"{line}\n" for line in lines).encode()
    flush = {
        "v": 1,
        "flush": 0,
        "crc": f"{zlib.crc32(data):08x}",
        "lines": len(lines),
        "writer": f"w-{number}",
    }
    path = store.root / "journals" / f"w-{number}.points.0.jsonl"
    path.write_bytes(data + json.dumps(flush).encode() + b"\n")
