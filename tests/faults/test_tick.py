"""`pinyon tick`, twenty at once and again and again, and killed at any moment: no stage runs twice, and the end is reached.

What really ran is recorded here: commands append to a file beside the project, and nothing that is tested writes to it.
"""

# ruff: noqa: T201 - each test prints its load

# ruff: noqa: E501 - a stage is easier to read in one line

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from test_run_kill import DEEP, FAR, PINYON, Harness, attempts

KILLS = 200 if DEEP else 20
ROUNDS = 5 if DEEP else 1
DEPS = {"a1": ["s0"], "a2": ["s0"], "b1": ["a1", "a2"], "b2": ["a1"], "c1": ["b1", "b2"], "c2": ["s1"]}


def pipeline() -> str:
    stages = {}
    for name, deps in DEPS.items():
        note = f'"{name} $PINYON_ATTEMPT\\n" >> "$SAID"'
        cmd = f"set -e; printf start:{note}; printf half > {name}; sleep 0.15; cat {' '.join(deps)} > {name}; echo {name} >> {name}; printf end:{note}"
        stages[name] = {"cmd": cmd, "deps": deps, "outs": [name]}
    return json.dumps({"stages": stages})


class Ticker(Harness):
    """A project, and calls of `pinyon tick` on it."""

    def __init__(self, root: Path, *mode: str) -> None:
        super().__init__(root, *mode)
        (root / "pinyon.yaml").write_text(pipeline())

    def tick(self, *more: str) -> subprocess.Popen[str]:
        argv = [*PINYON, "tick", "--json", "-j", "3", *self.mode, *more]
        return subprocess.Popen(
            argv, cwd=self.root, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def check(self) -> None:
        """Everything is there, and every command ran once."""
        for word in ("start", "end"):
            assert sorted(stage for stage, _ in self.said(word)) == sorted(DEPS), self.said(word)
        assert set(attempts(self.root).values()) <= {"SUCCEEDED", "LOST"}
        assert self.mode or (self.root / "c1").read_text().endswith("c1\n")
        verified = self.call("verify", "--json")
        assert verified.returncode == 0, verified.stdout
        journals = os.listdir(self.root / ".pinyon/journals")
        assert self.call("tick", *self.mode).stdout == "everything is done\n"
        assert os.listdir(self.root / ".pinyon/journals") == journals, (
            "a tick with nothing to do left a journal"
        )


def answer(process: subprocess.Popen[str]) -> str:
    out, _ = process.communicate(timeout=FAR)
    assert process.returncode == 0, out
    return str(json.loads(out)["state"])


@pytest.mark.timeout(900 if DEEP else 240)
@pytest.mark.parametrize("mode", [(), ("--isolated",)], ids=["in place", "isolated"])
def test_twenty_ticks_at_once_run_nothing_twice(tmp_path: Path, mode: tuple[str, ...]) -> None:
    count = 0
    at_once = 20 if not mode or DEEP else 8
    for number in range(ROUNDS):
        ticker = Ticker(tmp_path / f"p{number}", *mode)
        states = {""}
        while states != {"done"}:
            processes = [ticker.tick() for _ in range(at_once)]
            states = {answer(process) for process in processes}
            assert states <= {"done", "going", "busy"}
            count += len(processes)
        ticker.check()
    print(f"\n{count} ticks, {at_once} at once, {ROUNDS * len(DEPS)} stages")
    assert count >= 2 * at_once * ROUNDS


@pytest.mark.timeout(900 if DEEP else 240)
def test_killed_ticks_run_nothing_twice(tmp_path: Path) -> None:
    seed = int(os.environ.get("PINYON_SEED", time.time_ns() % 10**6))
    print(f"\nPINYON_SEED={seed}")
    dice = random.Random(seed)
    kills: Counter[str] = Counter()
    projects = 0
    while kills.total() < KILLS:
        projects += 1
        ticker = Ticker(tmp_path / f"p{projects}")
        for _ in range(200):
            processes = [ticker.tick() for _ in range(2)]
            time.sleep(dice.uniform(0.1, 0.7))
            for process in processes:
                if process.poll() is None:
                    process.send_signal(signal.SIGKILL)
                process.communicate(timeout=FAR)
                kills["tick"] += process.returncode == -signal.SIGKILL
            if {stage for stage, _ in ticker.said("end")} == set(DEPS):
                break
        deadline = time.monotonic() + FAR
        while answer(ticker.tick()) != "done":
            assert time.monotonic() < deadline
        ticker.check()
    print(f"{kills.total()} ticks killed in {projects} projects")


def test_one_call_goes_all_the_way_though_nobody_is_awake(tmp_path: Path) -> None:
    ticker = Ticker(tmp_path / "p")
    assert answer(ticker.tick("--chain")) == "going"
    deadline = time.monotonic() + FAR
    while len(ticker.said("end")) < len(DEPS) or any(ticker.processes().values()):
        assert time.monotonic() < deadline, ticker.said("end")
        time.sleep(0.05)
    ticker.check()
