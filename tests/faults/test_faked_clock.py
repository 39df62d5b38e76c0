"""The wall clock of all processes of a project stands wrong, jumps or races (libfaketime); the monotonic one goes on."""

# ruff: noqa: T201 - each test prints its load

from __future__ import annotations

import glob
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

PINYON = [sys.executable, "-m", "pinyon.cli"]
LIBRARY = "/usr/lib/*/faketime/libfaketime.so.1"
STEPS = 60
DAY = 86_400
SPEC = f"""
stages:
  prep: {{cmd: 'date +%s > p; cat s >> p', deps: [s], outs: [p]}}
  train: {{cmd: '{sys.executable} train.py', deps: [p, train.py], outs: [model]}}
  eval: {{cmd: 'cp model score', deps: [model], outs: [score]}}
"""
TRAIN = f"""
import os, time, pinyon
with pinyon.run() as run:
    for step in range({STEPS}):
        run.log(loss=1 / (step + 1), step=step)
        run.summary["n"] = step
        if step == {STEPS // 2} and os.environ["JUMP"]:
            with open(os.environ["CLOCK"] + ".new", "w") as file:
                file.write(os.environ["JUMP"])
            os.replace(os.environ["CLOCK"] + ".new", os.environ["CLOCK"])
        time.sleep(0.005)
    run.summary["times"] = len(open("s").read())
open("model", "w").write(open("s").read())
"""
# This libfaketime refuses every sleep that a monotonic clock of its own is to end.
SITE = "import select, time\ntime.sleep = lambda seconds: select.select([], [], [], seconds) and None\n"

CASES = {  # how the clock goes, how it goes after the middle of the training, and how it is off for the first command
    "3 days ahead": ("+3d", "", 3 * DAY),
    "3 days behind": ("-3d", "", -3 * DAY),
    "back in the middle": ("+0", "-3d", 0),
    "ten times as fast, and back": ("+0 x10", "-1h", 0),
    "stands still": ("2001-02-03 04:05:06", "", None),
}
if os.environ.get("PINYON_FAULTS") == "deep":
    CASES |= {
        "ahead, and back in the middle": ("+3d", "-3d", 3 * DAY),
        "behind, and ahead in the middle": ("-3d", "+3d", -3 * DAY),
        "ten times as fast": ("+0 x10", "", 0),
        "a year ahead, and back": ("+365d", "+0", 365 * DAY),
    }


class World:
    """A project, and a clock that all its processes believe in."""

    def __init__(self, root: Path) -> None:
        libraries = glob.glob(LIBRARY)
        if not libraries:
            pytest.skip("needs faketime: the clock is faked by its library")
        self.root, self.clock = root / "project", root / "clock"
        self.root.mkdir()
        (root / "site").mkdir()
        (root / "site" / "sitecustomize.py").write_text(SITE)
        (self.root / "pinyon.yaml").write_text(SPEC)
        (self.root / "train.py").write_text(TRAIN)
        (self.root / "s").write_text("s")
        paths = [str(root / "site"), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.faked = {
            "LD_PRELOAD": libraries[0], "FAKETIME_TIMESTAMP_FILE": str(self.clock), "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1", "PYTHONPATH": os.pathsep.join(paths),
        }  # fmt: skip

    def call(self, *arguments: str, faked: bool = True, jump: str = "") -> str:
        env = {**os.environ, "CLOCK": str(self.clock), "JUMP": jump, **(self.faked if faked else {})}
        done = subprocess.run(
            [*PINYON, *arguments], cwd=self.root, env=env, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def runs(self, *, faked: bool) -> dict[str, dict[str, Any]]:
        return {run["stage"]: run for run in json.loads(self.call("runs", "--json", faked=faked))}


@pytest.mark.parametrize("case", CASES)
def test_a_clock_that_is_wrong_for_everybody(tmp_path: Path, case: str) -> None:
    world = World(tmp_path)
    clock, jump, off = CASES[case]
    world.clock.write_text(clock)
    began = time.monotonic()
    world.call("run", jump=jump)
    took = time.monotonic() - began
    if off is not None:  # the clock was faked indeed
        assert abs(int((world.root / "p").read_text().split()[0]) - time.time() - off) < 10 * took + 60
    for faked in (True, False):
        runs = world.runs(faked=faked)
        assert sorted((stage, run["status"]) for stage, run in runs.items()) == [
            (stage, "SUCCEEDED") for stage in ("eval", "prep", "train")
        ]
        assert all(0 <= run["seconds"] <= took for run in runs.values()), (runs, took)
        assert runs["train"]["metrics"]["n"] == STEPS - 1
        assert "nothing to do" in world.call("run", faked=faked)
    for verb in ("watch", "--once"), ("status",):
        assert not re.search(r"(?<![\w-])-\d", world.call(*verb))
    # What is made later counts, though the clock may say that it was earlier.
    (world.root / "s").write_text("ss")
    world.call("run", faked=False)
    assert (world.root / "score").read_text() == "ss"
    for verb in "compact", "gc", "verify":
        world.call(verb)
    assert "nothing to do" in world.call("run")
    asked = "select step, t from points where metric = 'loss' order by run, step"
    rows = [tuple(map(float, row.split(","))) for row in world.call("query", "--csv", asked).split()[1:]]
    print(f"\n{case}: {len(rows)} points, the first run took {took:.1f} s")
    assert [step for step, _ in rows] == [*range(STEPS), *range(STEPS)]
    for part in rows[:STEPS], rows[STEPS:]:
        times = [t for _, t in part]
        assert times == sorted(times)
        assert 0 <= times[0] <= times[-1] < 60
