"""Two projects with one home store, several drivers at once, some of them killed: every key is made once.

What really ran is recorded here, outside of what is tested: commands append to a file beside their project.
"""

# ruff: noqa: T201 - each test prints its load

from __future__ import annotations

import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest
from test_run_kill import DEEP, DEPS, FAR, Harness, contents

from pinyon.store.local import set_home

ROUNDS = 12 if DEEP else 3


def pair(folder: Path, *mode: str) -> tuple[Harness, Harness]:
    """Two projects with the same pipeline and the same sources, at home in one store."""
    folder.mkdir()
    found = (Harness(folder / "ant", *mode), Harness(folder / "bee", *mode))
    for harness in found:
        set_home(harness.root, "../home", harness.root.name)
    return found


def finish(both: tuple[Harness, Harness]) -> None:
    """Call each until it is done; then both have everything, and the store is sound."""
    for harness in both:
        for _ in range(4):
            done = harness.call("run")
            if done.returncode == 0:
                break
        assert done.returncode == 0, done.stderr
    ant, bee = (contents(harness.root) for harness in both)
    assert ant == bee
    for harness in both:
        verified = harness.call("verify", "--json")
        assert verified.returncode == 0, verified.stdout
        shown = harness.call("runs", "--json", "--project", "all")
        assert shown.returncode == 0


def ran(both: tuple[Harness, Harness], word: str = "start") -> list[str]:
    return sorted(stage for harness in both for stage, _ in harness.said(word))


@pytest.mark.parametrize("mode", [(), ("--isolated",)], ids=["in place", "isolated"])
def test_two_projects_at_once_make_each_key_once(tmp_path: Path, mode: tuple[str, ...]) -> None:
    drivers_each = 2 if mode else 1  # in place a second driver of the same project is refused
    for number in range(ROUNDS):
        both = pair(tmp_path / f"r{number}", *mode)
        drivers = [harness.start() for _ in range(drivers_each) for harness in both]
        for driver in drivers:
            assert driver.wait(FAR) == 0, [harness.output() for harness in both]
        assert ran(both) == sorted(DEPS)
        finish(both)
        assert ran(both) == sorted(DEPS)
        for harness in both:  # its attempts ran in its own directory, and are told as its own
            made = {stage for stage, _ in harness.said("end")}
            assert {row["stage"] for row in harness.runs()} == made
    print(f"\n{ROUNDS} races of {2 * drivers_each} drivers in 2 projects, {ROUNDS * len(DEPS)} keys")


@pytest.mark.parametrize("mode", [(), ("--isolated",)], ids=["in place", "isolated"])
def test_one_project_dies_and_the_other_goes_on(tmp_path: Path, mode: tuple[str, ...]) -> None:
    seed = int(os.environ.get("PINYON_SEED", time.time_ns() % 10**6))
    print(f"\nPINYON_SEED={seed}")
    dice = random.Random(seed)
    kills: Counter[str] = Counter()
    for number in range(ROUNDS):
        both = pair(tmp_path / f"r{number}", *mode)
        ant, bee = both
        doomed, survivor = ant.start(), bee.start()
        while not ant.processes()["supervisor"] and doomed.poll() is None:
            time.sleep(0.01)
        time.sleep(dice.uniform(0, 0.6))
        what = dice.choice(["driver", "all", "all"])
        kills[what] += ant.kill(what, dice)
        assert survivor.wait(FAR) == 0, bee.output()
        doomed.wait(FAR)
        finish(both)
        ended = Counter(ran(both, "end"))
        # A killed command may have said that it ended before anybody recorded it; nothing else runs twice.
        assert set(ended) == set(DEPS)
        assert sum(ended.values()) <= len(DEPS) + 2
    print(f"{kills.total()} kills in {ROUNDS} races: {dict(kills)}")
    assert kills.total() >= 1
