"""Two mounts of one directory, each of which believes for a while what it saw last, as NFS clients do.

A mount is simulated where the store asks the file system: sizes, listings and time stamps of journals are those of up to
`TIMEOUT` seconds ago, and a file that was not there stays absent for as long. link(2) and O_EXCL are decided by the server,
so they are always fresh.
"""

# ruff: noqa: T201 - each test prints its load

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pinyon.errors import RefConflictError
from pinyon.query.going import Going
from pinyon.query.index import FILE, Index
from pinyon.query.runs import list_runs
from pinyon.store.journal import LocalJournals
from pinyon.store.local import LocalStore
from pinyon.store.points import Point, PointsWriter

DEEP = os.environ.get("PINYON_FAULTS") == "deep"
TIMEOUT = 0.6  # seconds for which attributes are believed
ROUNDS = 100 if DEEP else 8
RACES = 1000 if DEEP else 50


class Stale(LocalJournals):
    """Journals through a mount whose attributes are old."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._believed: dict[tuple[str, str], tuple[float, Any]] = {}
        self.stale = 0

    def _ask(self, what: str, name: str, fresh: Any) -> Any:
        now = time.monotonic()
        then, answer = self._believed.get((what, name), (float("-inf"), None))
        if now - then >= TIMEOUT:
            answer = fresh()
            self._believed[what, name] = (now, answer)
        else:
            self.stale += answer != fresh()
        return answer

    def segments(self) -> list[str]:
        return self._ask("segments", "", super().segments)

    def stamp(self) -> tuple[int, ...]:
        return self._ask("stamp", "", super().stamp)

    def size(self, segment: str) -> int:
        return self._ask("size", segment, lambda: LocalJournals.size(self, segment))


def mount(root: Path, cache: Path) -> tuple[LocalStore, Index]:
    store = LocalStore(root)
    store.journals = Stale(root)
    return store, Index(cache / FILE, store.journals)


def test_what_one_mount_writes_is_seen_through_the_other(tmp_path: Path) -> None:
    seed = int(os.environ.get("PINYON_SEED", time.time_ns() % 10**6))
    dice, slowest, stale = random.Random(seed), 0.0, 0
    here = LocalStore(tmp_path / "store")
    here.prepare("p")
    there, index = mount(tmp_path / "store", tmp_path / "cache")
    index.catch_up()
    going = Going(there, index)
    going.look()
    writer = here.journals.open_writer(project="p")
    points = PointsWriter(str(here.root / "journals"), writer.writer)
    from pinyon.model.ids import this_process

    for number in range(ROUNDS):
        name = f"a-{number}"
        body = {
            "attempt": name,
            "execution": "x",
            "key": f"{number:064x}",
            "recipe": name,
            "stage": "s",
            "epoch": 1,
        }
        writer.append(
            "intent", {**body, "mode": "in place", "supervisor": list(this_process()), "inputs": {}}
        )
        points.write([Point(number, 0.1, number, {"loss": float(number)})], name)
        began = time.monotonic()
        while not any(
            row.attempt.id == name and "loss" in row.metrics
            for work in going.look().works
            for row in work.attempts
        ):
            assert time.monotonic() - began <= TIMEOUT + 1, (seed, number)
            time.sleep(dice.uniform(0.01, 0.1))
        slowest = max(slowest, time.monotonic() - began)
        writer.append("ended", {"attempt": name, "state": "SUCCEEDED", "seconds": 0.1})
        began = time.monotonic()
        while {run.attempt.id: run.status for run in list_runs(index)}[name] != "SUCCEEDED":
            assert time.monotonic() - began <= TIMEOUT + 1, (seed, number)
            index.catch_up()
            time.sleep(0.02)
        slowest = max(slowest, time.monotonic() - began)
    stale = there.journals.stale
    index.close()
    print(
        f"\nseed {seed}: {ROUNDS} attempts, {stale} stale answers, seen after {slowest:.2f} s at the latest"
    )
    assert stale >= ROUNDS
    assert slowest <= TIMEOUT + 1


def test_two_mounts_never_claim_one_attempt_twice(tmp_path: Path) -> None:
    """The newest version that each mount believes in is old; who is second is told so by link(2)."""
    LocalStore(tmp_path / "store").prepare("p")
    won: Counter[tuple[str, int]] = Counter()
    lost = 0
    lock = threading.Lock()

    def claim(who: str, barrier: threading.Barrier) -> None:
        nonlocal lost
        refs = LocalStore(tmp_path / "store").refs
        believed = 0
        for race in range(RACES):
            barrier.wait()
            name = f"claims/{race:064x}"
            try:
                refs.set(name, {"execution": who}, expect=believed, actor="process:test")
            except RefConflictError:
                with lock:
                    lost += 1
            else:
                with lock:
                    won[name, 1] += 1

    barrier = threading.Barrier(2)
    threads = [threading.Thread(target=claim, args=(who, barrier)) for who in ("x-1", "x-2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"\n{RACES} races: {len(won)} claims, {lost} refused")
    assert len(won) == RACES
    assert set(won.values()) == {1}
    assert lost == RACES


@pytest.mark.parametrize("size", [0, 10])
def test_a_size_that_is_too_old_loses_nothing(tmp_path: Path, size: int) -> None:
    """A smaller size than what was read already, as a mount gives after another server has answered."""
    store = LocalStore(tmp_path / "store")
    store.prepare("p")
    writer = store.journals.open_writer()
    writer.append("heartbeat", {"attempts": []})
    index = Index(tmp_path / FILE, store.journals)
    assert index.catch_up() == 2
    real = store.journals.size
    store.journals.size = lambda name: size  # type: ignore[method-assign]
    assert index.catch_up() == 0
    store.journals.size = real  # type: ignore[method-assign]
    writer.append("heartbeat", {"attempts": []})
    assert index.catch_up() == 1
    index.close()
