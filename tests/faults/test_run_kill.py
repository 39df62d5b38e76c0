"""SIGKILL for the driver, the supervisor, one command or all of `pinyon run`, at any moment, and two drivers at once.

What was acknowledged and what really ran is recorded here, outside of what is killed: commands append to a file beside the
project, and "done" is what the driver printed before it died.
"""

# ruff: noqa: T201 - each test prints its load

# ruff: noqa: E501 - a stage is easier to read in one line

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pinyon.store.local import LocalStore

DEEP = os.environ.get("PINYON_FAULTS") == "deep"
KILLS = 200 if DEEP else 26
PINYON = [sys.executable, "-m", "pinyon.cli"]
WHO = ("driver", "supervisor", "command", "all")
FAR = 60

# Two diamonds and a chain: s0 feeds 1 to 4, which feed 5; 6 to 8 are a chain of their own, 9 to 11 hang on both.
DEPS = {
    "a1": ["s0"], "a2": ["s0"], "a3": ["a1", "a2"], "a4": ["a1"], "a5": ["a3", "a4"], "b6": ["s1"], "b7": ["b6"],
    "b8": ["b7"], "c9": ["a5", "b8"], "c10": ["c9"], "c11": ["c9"], "c12": ["c10", "c11", "s2"],
}  # fmt: skip


def pipeline() -> str:
    stages = {}
    for name, deps in DEPS.items():
        note = f'"{name} $PINYON_ATTEMPT\\n" >> "$SAID"'
        cmd = (
            # Without -e, a command whose cat was killed would go on and succeed with half of its input.
            f"set -e; printf start:{note}; printf half > {name}; mkdir -p {name}.d; echo 1 > {name}.d/half; sleep 0.0{len(deps)}5; "
            f"cat {' '.join(deps)} > {name}; echo {name} >> {name}; rm {name}.d/half; cp {name} {name}.d/copy; printf end:{note}"
        )
        stages[name] = {"cmd": cmd, "deps": deps, "outs": [name, f"{name}.d"]}
    return json.dumps({"stages": stages})


class Harness:
    """A project, and the calls of the command on it."""

    def __init__(self, root: Path, *mode: str) -> None:
        self.root, self.mode = root, mode
        self.said_in = Path(f"{root}.said")
        self.env = {
            **os.environ,
            "SAID": str(self.said_in),
            "PINYON_HARNESS": str(root),
            "PYTHONUNBUFFERED": "1",
        }
        self.acknowledged: list[str] = []
        self.number = 0
        root.mkdir()
        self.said_in.touch()
        (root / "pinyon.yaml").write_text(pipeline())
        for source in ("s0", "s1", "s2"):
            (root / source).write_text(f"{source}\n")

    def start(self) -> subprocess.Popen[bytes]:
        self.number += 1
        argv = [*PINYON, "run", "-j", "2", *self.mode]
        with open(f"{self.root}.out{self.number}", "wb") as out:
            return subprocess.Popen(argv, cwd=self.root, env=self.env, stdout=out, stderr=subprocess.STDOUT)

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PINYON, *arguments], cwd=self.root, env=self.env, capture_output=True, text=True, timeout=FAR
        )

    def output(self, number: int = 0) -> str:
        return Path(f"{self.root}.out{number or self.number}").read_text()

    def done(self, number: int = 0) -> list[str]:
        """Stages that a driver has acknowledged."""
        return re.findall(r"^done +(\w+)  ", self.output(number), re.MULTILINE)

    def said(self, word: str) -> list[tuple[str, str]]:
        """(stage, attempt) of every command that has begun, or has come to its end."""
        lines = self.said_in.read_text().splitlines()
        return [tuple(line.partition(":")[2].split()) for line in lines if line.startswith(f"{word}:")]

    def processes(self) -> dict[str, list[int]]:
        """Live processes of this harness by what they are."""
        mark = f"PINYON_HARNESS={self.root}".encode()
        found: dict[str, list[int]] = {"driver": [], "supervisor": [], "command": []}
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                environ = Path(f"/proc/{entry}/environ").read_bytes().split(b"\0")
                line = Path(f"/proc/{entry}/cmdline").read_bytes()
            except OSError:
                continue
            if mark not in environ or not line:
                continue
            in_attempt = any(one.startswith(b"PINYON_ATTEMPT=") for one in environ)
            kind = "command" if in_attempt else "supervisor" if b"execute.node" in line else "driver"
            found[kind].append(int(entry))
        return found

    def kill(self, what: str, dice: random.Random) -> bool:
        found = self.processes()
        pids = found.get(what, [])
        if what == "command" and pids:
            pids = [dice.choice(pids)]
        elif what == "all":
            pids = [pid for some in found.values() for pid in some]
        hit = False
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
                hit = True
            except ProcessLookupError:
                continue
        return hit

    def runs(self) -> list[dict[str, Any]]:
        listed = self.call("runs", "--json")
        assert listed.returncode == 0, listed.stderr
        return json.loads(listed.stdout)


def contents(root: Path) -> dict[str, bytes]:
    """All files of the project, without its store."""
    files = (
        path for path in root.rglob("*") if path.is_file() and ".pinyon" not in path.relative_to(root).parts
    )
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What lies in a project after an undisturbed run."""
    harness = Harness(tmp_path_factory.mktemp("clean") / "p")
    assert harness.start().wait(FAR) == 0, harness.output()
    assert sorted(harness.done()) == sorted(DEPS)
    return contents(harness.root)


def shoot(harness: Harness, dice: random.Random, kills: Counter[str]) -> bool:
    """One call under fire until it ends; whether it went through all the same."""
    driver = harness.start()
    mine: Counter[str] = Counter()
    while driver.poll() is None and not harness.processes()["supervisor"]:
        time.sleep(0.01)  # python's own start is no moment of ours
    while driver.poll() is None:
        time.sleep(dice.uniform(0, 0.4))
        what = dice.choice(WHO)
        while driver.poll() is None and not harness.kill(what, dice):
            time.sleep(0.002)
        mine[what] += driver.returncode is None
    driver.wait(FAR)
    text = harness.output()
    assert "Traceback" not in text, text
    # Whose command is killed fails; and who loses four supervisors under one stage may give up.
    may_fail = mine["command"] or mine["supervisor"] > 3
    assert driver.returncode in ((0, 4) if may_fail else (0,)) or mine["driver"] + mine["all"], (mine, text)
    harness.acknowledged += harness.done()
    kills.update(mine)
    return driver.returncode == 0


def check(harness: Harness, clean: dict[str, bytes]) -> None:
    """Everything that must hold after the call that went through."""
    assert contents(harness.root) == clean
    begun, ended = harness.said("start"), harness.said("end")
    # Inputs never change here, so what was acknowledged once must never begin again.
    assert len(harness.acknowledged) == len(set(harness.acknowledged)), harness.acknowledged
    assert len({attempt for _, attempt in begun}) == len(begun), "one attempt ran twice"
    states = attempts(harness.root)
    winners = Counter(stage for stage, attempt in begun if states[attempt] == "SUCCEEDED")
    assert winners == Counter(DEPS.keys()), winners
    assert {attempt for attempt, state in states.items() if state == "SUCCEEDED"} <= {
        attempt for _, attempt in ended
    }
    assert not set(states.values()) & {"RUNNING", "SUBMITTED"}
    for stage in DEPS:
        # Nothing of a stage begins after its winner has begun.
        assert states[[attempt for name, attempt in begun if name == stage][-1]] == "SUCCEEDED"
    verified = harness.call("verify", "--json")
    assert verified.returncode == 0, verified.stdout
    deadline = time.monotonic() + 5
    while any(found := harness.processes().values()):
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


def attempts(root: Path) -> dict[str, str]:
    """Attempt → state, straight from the journals."""
    journals = LocalStore(root / ".pinyon").journals
    states: dict[str, str] = {}
    for segment in journals.segments():
        for event, _ in journals.read(segment):
            if event.kind in ("intent", "ended", "lost"):
                state = {"intent": "RUNNING", "lost": "LOST"}.get(event.kind) or event.body["state"]
                rank = ("RUNNING", "LOST").index(state) if state in ("RUNNING", "LOST") else 2
                known = states.get(event.body["attempt"], "RUNNING")
                if rank >= (("RUNNING", "LOST").index(known) if known in ("RUNNING", "LOST") else 2):
                    states[event.body["attempt"]] = state
    return states


@pytest.mark.timeout(1800 if DEEP else 200)
@pytest.mark.parametrize("mode", [(), ("--isolated",)], ids=["in place", "isolated"])
def test_whatever_is_killed_the_next_call_goes_on(
    tmp_path: Path, clean: dict[str, bytes], mode: tuple[str, ...]
) -> None:
    seed = int(os.environ.get("PINYON_SEED", time.time_ns() % 10**6))
    print(f"\nPINYON_SEED={seed}")
    dice = random.Random(seed)
    kills: Counter[str] = Counter()
    rounds = 0
    while kills.total() < KILLS // 2 or not all(kills[what] for what in WHO):
        rounds += 1
        harness = Harness(tmp_path / f"p{rounds}", *mode)
        for _ in range(6):
            if shoot(harness, dice, kills):
                break
        else:
            assert harness.start().wait(FAR) == 0, harness.output()
            harness.acknowledged += harness.done()
        if mode:
            assert not set(DEPS) & set(os.listdir(harness.root)), (
                "an isolated run has left outs in the project"
            )
            fetch = harness.call("run")
            assert fetch.returncode == 0, fetch.stderr
        check(harness, clean)
        shutil.rmtree(harness.root)
    print(f"{kills.total()} kills in {rounds} projects: {dict(kills)}")
    assert kills.total() >= KILLS // 2


def test_a_supervisor_that_dies_between_two_messages_costs_one_try(
    tmp_path: Path, clean: dict[str, bytes]
) -> None:
    harness = Harness(tmp_path / "p")
    driver = harness.start()
    while not harness.said("start"):
        time.sleep(0.005)
    # The driver will read that commands have ended, and find nobody to give the next ones to.
    driver.send_signal(signal.SIGSTOP)
    deadline = time.monotonic() + 10
    while "SUCCEEDED" not in attempts(harness.root).values():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.05)
    (supervisor,) = harness.processes()["supervisor"]
    os.kill(supervisor, signal.SIGKILL)
    driver.send_signal(signal.SIGCONT)
    assert driver.wait(FAR) == 0, harness.output()
    harness.acknowledged += harness.done()
    assert Counter(attempts(harness.root).values())["LOST"] <= 2
    check(harness, clean)


@pytest.mark.parametrize("count", [2, 3])
def test_drivers_at_once_make_each_key_once(tmp_path: Path, clean: dict[str, bytes], count: int) -> None:
    rounds = 10 if DEEP else 2
    for number in range(rounds):
        harness = Harness(tmp_path / f"p{number}", "--isolated")
        drivers = [harness.start() for _ in range(count)]
        for index, driver in enumerate(drivers, 1):
            assert driver.wait(FAR) == 0, harness.output(index)
            harness.acknowledged += harness.done(index)
        assert sorted(stage for stage, _ in harness.said("start")) == sorted(DEPS)
        assert sorted(harness.acknowledged) == sorted(DEPS)
        assert harness.call("run").returncode == 0
        check(harness, clean)
    print(f"\n{rounds} races of {count} drivers, {rounds * len(DEPS)} keys")


def test_one_of_two_drivers_is_killed_and_the_other_takes_over(
    tmp_path: Path, clean: dict[str, bytes]
) -> None:
    harness = Harness(tmp_path / "p", "--isolated")
    first = harness.start()
    while not harness.said("start"):
        time.sleep(0.01)
    second = harness.start()
    time.sleep(0.1)
    for pid in (first.pid, *harness.processes()["supervisor"]):
        os.kill(pid, signal.SIGKILL)
    first.wait()
    assert second.wait(FAR) == 0, harness.output()
    harness.acknowledged += harness.done(1) + harness.done(2)
    assert harness.call("run").returncode == 0
    check(harness, clean)


def test_one_unreadable_journal_hides_no_other_run(tmp_path: Path) -> None:
    count = 200 if DEEP else 20
    harness = Harness(tmp_path / "p")
    body = '{{cmd: "echo {0} > o{0}", deps: [s0], outs: [o{0}]}}'
    for number in range(2):  # two executions, each with a journal of its driver and one of its supervisor
        stages = "".join(f"  n{i}: {body.format(i)}\n" for i in range(count * (number + 1)))
        (harness.root / "pinyon.yaml").write_text(f"stages:\n{stages}")
        assert harness.call("run", "-j", "4").returncode == 0
    runs = {run["stage"]: run for run in harness.runs()}
    assert len(runs) == 2 * count
    journals = sorted((harness.root / ".pinyon/journals").iterdir(), key=lambda path: path.stat().st_mtime)
    lines = {path: path.read_bytes().splitlines(keepends=True) for path in journals}
    drivers = [path for path in journals if any(b'"kind":"intent"' in line for line in lines[path])]
    # One record in the middle of the first driver's journal rots: of one attempt the intent.
    victim = drivers[0]
    rotten = [i for i, line in enumerate(lines[victim]) if b'"kind":"intent"' in line][count // 2]
    lost = json.loads(lines[victim][rotten])["body"]["stage"]
    lines[victim][rotten] = lines[victim][rotten].replace(b'"kind":"intent"', b'"kind":"inTent"')
    victim.write_bytes(b"".join(lines[victim]))
    shutil.rmtree(harness.root / ".pinyon/cache")
    listed = {run["stage"]: run for run in harness.runs()}
    assert set(runs) - set(listed) <= {lost}
    for stage in set(listed) - {lost}:
        assert listed[stage] == runs[stage]
    for verb, code in (("verify", 5), ("doctor", 5)):
        told = harness.call(verb)
        assert told.returncode == code, told
        assert victim.name in told.stdout
    # A whole journal that is nothing but noise takes only its own execution with it.
    victim.write_bytes(os.urandom(4096))
    shutil.rmtree(harness.root / ".pinyon/cache")
    listed = {run["stage"]: run for run in harness.runs()}
    assert {f"n{i}" for i in range(count, 2 * count)} <= set(listed)
    assert victim.name in harness.call("verify").stdout
    # What cannot be read any more is made again, and the next call goes on.
    assert harness.call("run", "-j", "4").returncode == 0
    assert len(harness.runs()) == 2 * count
    print(
        f"\n{2 * count - 1} of {2 * count} runs shown beside one bad record, {count} beside one bad journal"
    )
