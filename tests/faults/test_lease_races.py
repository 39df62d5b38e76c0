"""Sixteen processes that want one lease, and a holder that is stopped for two terms and wakes up again.

Effects go to a file outside the store, one line each with the epoch they were done under.
"""

# ruff: noqa: T201 - each test prints its load

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pinyon.errors import LeaseLostError
from pinyon.store.lease import Lease, Observer
from pinyon.store.local import LocalStore
from pinyon.testing.processes import Child

DEEP = os.environ.get("PINYON_FAULTS") == "deep"
RACES = 1000 if DEEP else 50
STOPS = 100 if DEEP else 12
TTL = 0.3

Tell = Callable[[object], None]


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    found = LocalStore(tmp_path / "store")
    found.prepare("p")
    return found


def test_of_sixteen_one_wins_each_version(store):
    def want(tell: Tell) -> object:
        lease = Observer(store, "job").take()
        tell(lease.version if lease else 0)
        signal.pause()  # a winner that ended would leave the lease to those who come late
        return None

    for race in range(1, RACES + 1):
        children = [Child(want) for _ in range(16)]
        won = [child.first() for child in children]
        assert sorted(won) == [0] * 15 + [race], won
        for child in children:
            child.kill()
            child.lines()
    assert [found.version for found in store.refs.history("leases/job")] == list(range(1, RACES + 1))
    print(f"\n{RACES} races of 16 processes; every holder was killed, and the next version was one more")


def test_a_stopped_holder_does_nothing_after_it_wakes(store, tmp_path):
    said = tmp_path / "effects"
    said.touch()

    def effect(lease: Lease) -> None:
        lease.check()
        with open(said, "a") as file:
            file.write(f"{lease.version} {os.getpid()}\n")

    def work(lease: Lease, tell: Tell, most: int) -> object:
        with lease:
            try:
                for _ in range(most):
                    tell("idle")  # to be stopped here, and not between the look and the effect
                    time.sleep(0.03)
                    effect(lease)
            except LeaseLostError:
                return "lost"
        return "done"

    def hold(tell: Tell) -> object:
        lease = Observer(store, "job", ttl=TTL).wait(20)
        assert lease is not None
        return work(lease, tell, 10**6)

    def watch(after: int) -> Callable[[Tell], object]:
        def observe(tell: Tell) -> object:
            observer = Observer(store, "job", ttl=TTL)
            while True:
                lease = observer.take()
                if lease is not None:
                    return [lease.version, work(lease, tell, 5)]
                holder = observer.holder()
                if holder is not None and holder.version > after:
                    return [0, "somebody else"]
                time.sleep(0.01)

        return observe

    taken = 0
    for _ in range(STOPS):
        zombie = Child(hold)
        assert zombie.first() == "idle"
        assert zombie.first() == "idle"  # so it has had an effect
        version = store.refs.get("leases/job").version
        os.kill(zombie.pid, signal.SIGSTOP)
        others = [Child(watch(version)) for _ in range(5)]
        results: list[Any] = [child.result() for child in others]
        winners = [found for found in results if found[0]]
        assert winners == [[version + 1, "done"]], results
        time.sleep(TTL)
        os.kill(zombie.pid, signal.SIGCONT)
        assert zombie.result() == "lost"
        taken += 1
    lines = [line.split() for line in said.read_text().splitlines()]
    epochs = [int(epoch) for epoch, _ in lines]
    assert epochs == sorted(epochs), "an effect under an old epoch came after one under a newer"
    assert all(len({pid for epoch, pid in lines if epoch == one}) == 1 for one, _ in lines)
    print(f"\n{taken} holders stopped for two terms, {len(lines)} effects, none out of turn")
    assert taken == STOPS
