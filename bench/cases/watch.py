"""What it costs to watch: looks at open attempts that all log, over a history that has ended."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

from bench.measure import Row, cost_here, cpu_row
from bench.settings import Settings
from pinyon.model.ids import host_name, this_process
from pinyon.query.going import Going
from pinyon.query.index import FILE, Index
from pinyon.store.local import LocalStore
from pinyon.store.points import Point, PointsWriter
from pinyon.store.protocol import JournalWriter

_OPEN = 100
_LOOK = 10.0  # ms of CPU: 1 % of a core at a look a second


def watch(settings: Settings) -> Iterator[Row]:
    """Looks of `pinyon watch` at 100 open attempts that all log, beside ten finished runs for each of `size`"""
    store = LocalStore(settings.folder("watch") / ".pinyon")
    store.prepare("bench")
    _finished(store, settings.history)
    trained = _opened(store)
    index = Index(store.cache / FILE, store.journals)
    index.catch_up()
    going = Going(store, index)
    label = f"{_OPEN} open attempts, {settings.history} finished runs"
    yield cpu_row(f"first look, {label}", [cost_here(going.look)])
    idle, busy = [], []
    for turn in range(max(settings.rounds * 2, 6)):
        idle.append(cost_here(going.look))
        for attempt, facts, points in trained:
            points.write(
                [Point(turn, float(turn), turn, {f"m{n}": random.random() for n in range(3)})], attempt
            )
            if turn % 10 == 0:
                facts.append("progress", {"attempt": attempt, "step": turn, "total": 1000})
        busy.append(cost_here(going.look))
        time.sleep(0.05)
    yield cpu_row(f"a look when nothing is new, {label}", idle, limit=_LOOK)
    yield cpu_row(f"a look when every attempt has logged, {label}", busy, limit=_LOOK)
    index.close()


def _intent(writer: JournalWriter, attempt: str, key: str, execution: str) -> None:
    about = {
        "attempt": attempt,
        "execution": execution,
        "project": "bench",
        "root": "/",
        "key": key,
        "recipe": key,
    }
    how = {"stage": "train", "epoch": 1, "mode": "isolated", "supervisor": list(this_process()), "reason": ""}
    writer.append("intent", {**about, **how, "inputs": {"params": [["params.yaml", "lr", 0.1]]}})


def _finished(store: LocalStore, runs: int) -> None:
    drawn = random.Random(1)
    writer = store.journals.open_writer(project="bench")
    for number in range(runs):
        key = f"{drawn.getrandbits(256):064x}"
        attempt = f"a-{key[:12]}-1-{number:08x}"
        _intent(writer, attempt, key, "x-old")
        writer.append("ended", {"attempt": attempt, "state": "SUCCEEDED", "seconds": 1.0, "reusable": True})
        if number % 10 == 9:
            writer.close()
            writer = store.journals.open_writer(project="bench")
    writer.close()


def _opened(store: LocalStore) -> list[tuple[str, JournalWriter, PointsWriter]]:
    driver = store.journals.open_writer(project="bench")
    goal = {"stages": ["train"]}
    about = {"execution": "x-new", "project": "bench", "host": host_name()}
    driver.append("execution", {**about, "goal": goal, "stages": _OPEN})
    found = []
    for number in range(_OPEN):
        attempt = f"a-{number:012x}-1-0"
        _intent(driver, attempt, f"{number:064x}", "x-new")
        log = Path(store.root, f"logs/x-new/{number}.log")
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("begins\n")
        driver.append("running", {"attempt": attempt, "pid": 1, "log": [f"logs/x-new/{number}.log", 0]})
        facts = store.journals.open_writer(project="bench")
        facts.append("progress", {"attempt": attempt, "step": 0, "total": 1000})
        found.append((attempt, facts, PointsWriter(str(store.root / "journals"), facts.writer)))
    return found
