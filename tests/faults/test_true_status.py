"""Nothing dead is ever said to run, nothing that lives to be lost: whoever is killed, whatever the clocks say.

What really lives is known here, from the processes that the test itself killed or waited for, never from the store.
"""

# ruff: noqa: T201 - each test prints its load

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pinyon.model.event import Event
from pinyon.model.ids import ProcessId, read_process
from pinyon.query import alive, live
from pinyon.query.going import Going
from pinyon.query.index import FILE, Index
from pinyon.query.runs import list_runs
from pinyon.session.records import open_records
from pinyon.store.local import LocalStore
from pinyon.store.points import Point, PointsWriter

DEEP = os.environ.get("PINYON_FAULTS") == "deep"
KILLS = 1000 if DEEP else 100
PINYON = [sys.executable, "-m", "pinyon.cli"]
STAGES = "abcdefgh"
SOLOS = ("s1", "s2")
SPEC = "stages:\n" + "".join(
    f"  {name}: {{cmd: 'echo > $HERE/began-{name}; sleep 60; echo > {name}', outs: [{name}]}}\n"
    for name in STAGES
)
SOLO = """
import os, sys, time
import pinyon
with pinyon.run():
    open(os.environ["HERE"] + "/began-" + sys.argv[1], "w").close()
    time.sleep(60)
"""
KINDS = ("own", "attempt", "supervisor", "driver")
VICTIMS = ["attempt"] * len(STAGES) + ["own"] * len(SOLOS) + ["supervisor", "driver"]  # of one start


class World:
    """A project; what runs in it is found by a mark in the environment of each process."""

    def __init__(self, root: Path) -> None:
        self.root = root / "project"
        self.root.mkdir()
        (self.root / "pinyon.yaml").write_text(SPEC)
        (self.root / "solo.py").write_text(SOLO)
        self.env = {
            **os.environ,
            "HERE": str(root),
            "PINYON_WORLD": str(root),
            "GIT_CEILING_DIRECTORIES": str(root),
        }
        self.here, self.out = root, root / "said"
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """A driver with its stages, and runs of processes' own: all at work when this returns."""
        with self.out.open("ab") as out:
            quiet: dict[str, Any] = {"cwd": self.root, "env": self.env, "stdout": out, "stderr": out}
            self.started = [
                subprocess.Popen([*PINYON, "run", "-j", str(len(STAGES)), "-k", "-f"], **quiet),
                *(subprocess.Popen([sys.executable, "solo.py", name], **quiet) for name in SOLOS),
            ]
        self.wait(*STAGES, *SOLOS)

    def wait(self, *names: str) -> None:
        deadline = time.monotonic() + 30
        for name in names:
            path = self.here / f"began-{name}"
            while not path.exists():
                said = self.out.read_text()[-2000:]
                assert time.monotonic() < deadline, f"{name} never began: {said}"
                time.sleep(0.01)
            path.unlink()

    def processes(self, kind: str) -> list[int]:
        mark = f"PINYON_WORLD={self.here}".encode()
        found = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if mark not in Path(f"/proc/{entry}/environ").read_bytes().split(b"\0"):
                    continue
                line = Path(f"/proc/{entry}/cmdline").read_bytes()
                what = {b"solo.py": "own", b"execute.node": "supervisor", b"pinyon.cli": "driver"}
                name = next((name for word, name in what.items() if word in line), "attempt")
                if line and name == kind:
                    found.append(int(entry))
        return found

    def kill(self, kind: str, dice: random.Random) -> bool:
        """Kill one process of a kind; it is dead, and no zombie of ours, when this returns."""
        pids = self.processes(kind)
        if not pids:
            return False
        pid = dice.choice(pids)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        for process in self.started:
            if process.pid == pid:
                process.wait()
        deadline = time.monotonic() + 10
        while lives(pid) and time.monotonic() < deadline:
            time.sleep(0.002)
        return True

    def runs(self) -> list[dict[str, Any]]:
        """As the command says it."""
        done = subprocess.run(
            [*PINYON, "runs", "--json"], cwd=self.root, env={**self.env, "PINYON_WORLD": ""}, capture_output=True,
            text=True, check=True, timeout=60,
        )  # fmt: skip
        return list(json.loads(done.stdout))

    def seen(self) -> dict[str, str]:
        """The status of each attempt by what the command is made of, in a few milliseconds."""
        with ExitStack() as stack:
            return {run.attempt.id: run.status for run in list_runs(open_records(self.root, stack).fold)}

    def clean(self) -> None:
        for kind in KINDS:
            while pids := self.processes(kind):
                for pid in pids:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                self.reap()
        for process in self.started:
            process.wait(60)

    def reap(self) -> None:
        """Leave no zombies of ours."""
        for process in self.started:
            process.poll()


def lives(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    return False


def intents(root: Path) -> dict[str, ProcessId]:
    """Who looks after each attempt, read here and not by what is tested."""
    journals = LocalStore(root / ".pinyon").journals
    return {
        event.body["attempt"]: read_process(event.body["supervisor"])
        for name in journals.segments()
        for event, _ in journals.read(name)
        if event.kind == "intent"
    }


@pytest.mark.timeout(1800 if DEEP else 240)
def test_who_is_dead_never_runs_and_who_lives_is_never_lost(tmp_path: Path) -> None:
    """Each verdict is taken right after its kill; what the command says, after the last kill of each start."""
    seed = int(os.environ.get("PINYON_SEED", time.time_ns() % 10**6))
    dice, world = random.Random(seed), World(tmp_path)
    kills, answers = Counter[str](), Counter[str]()

    def checked(ask: Callable[[], dict[str, str]], what: str) -> None:
        before = {name: lives(process.pid) for name, process in intents(world.root).items()}
        statuses = ask()
        after = {name: lives(process.pid) for name, process in intents(world.root).items()}
        answers.update(statuses.values())
        for name, status in statuses.items():
            if not before.get(name, True):  # one that is not known here began meanwhile
                assert status not in ("RUNNING", "SUBMITTED"), (seed, what, name)
            if after.get(name):
                assert status != "LOST", (seed, what, name)

    try:
        while sum(kills.values()) < KILLS:
            world.start()
            for kind in dice.sample(VICTIMS, len(VICTIMS)):
                if world.kill(kind, dice):
                    kills[kind] += 1
                    checked(world.seen, kind)
                    time.sleep(dice.uniform(0, 0.03))
            checked(lambda: {row["attempt"]: row["status"] for row in world.runs()}, "the command")
            world.clean()
    finally:
        world.clean()
    print(f"\nseed {seed}: kills {dict(kills)}, answers {dict(answers)}")
    assert sum(kills.values()) >= KILLS
    assert all(kills[kind] >= KILLS // 20 for kind in KINDS), kills
    assert all(answers[status] for status in ("LOST", "RUNNING")), answers


# -- clocks --------------------------------------------------------------------------------------------------------------

DAY = 86400.0
CLOCKS = {
    "right": lambda now, began: now,
    "three days fast": lambda now, began: now + 3 * DAY,
    "three days slow": lambda now, began: now - 3 * DAY,
    "set back by an hour after a while": lambda now, began: now - (3600 if now > began + 0.4 else 0),
    "set forth by an hour after a while": lambda now, began: now + (3600 if now > began + 0.4 else 0),
    "ten times as fast": lambda now, began: began + 10 * (now - began),
    "at the epoch": lambda now, began: now - began,
    "back and forth": lambda now, began: now + (DAY if int(now * 10) % 2 else -DAY),
}


@pytest.mark.parametrize("whose", ["the observer's", "the writer's"])
@pytest.mark.parametrize("clock", CLOCKS)
def test_no_wall_clock_makes_a_status_wrong(tmp_path, monkeypatch, clock, whose):
    """Attempts that live, that are dead, that have ended, and one on another host; looked at for a while."""
    wrong, real = CLOCKS[clock], time.time
    began = real()
    store = LocalStore(tmp_path / ".pinyon")
    with clocked(monkeypatch, whose == "the writer's", lambda: wrong(real(), began)):
        store.prepare("p")
        helper = subprocess.Popen(["sleep", "60"])
        from pinyon.model.ids import process_id

        here, there = process_id(helper.pid), ProcessId("elsewhere", "b", 7, 7)
        gone = here._replace(start=here.start + 1)
        driver = store.journals.open_writer(project="p")
        for name, supervisor in (("live", here), ("dead", gone), ("over", gone), ("far", there)):
            body = {
                "attempt": name,
                "execution": "x",
                "key": f"{name:0<64}",
                "recipe": name,
                "stage": name,
                "epoch": 1,
            }
            driver.append(
                "intent", {**body, "mode": "in place", "supervisor": list(supervisor), "inputs": {}}
            )
            driver.append("running", {"attempt": name, "pid": 1})
        driver.append("ended", {"attempt": "over", "state": "SUCCEEDED", "seconds": 0.1})
        far = Far(store, there)
        far.beat()
        points = PointsWriter(str(store.root / "journals"), driver.writer)
        points.write([Point(0, 0.25, 5, {"loss": 1.0})], "live")
    index = Index(store.cache / FILE, store.journals)
    index.catch_up()
    going, looks = Going(store, index), 0
    try:
        for number in range(12):
            with clocked(monkeypatch, whose == "the writer's", lambda: wrong(real(), began)):
                points.write(
                    [Point(number + 1, 0.3 + number / 10, number, {"loss": 1.0 / (number + 1)})], "live"
                )
                far.beat()
            with clocked(monkeypatch, whose == "the observer's", lambda: wrong(real(), began)):
                found = {row.attempt.id: row for work in going.look().works for row in work.attempts}
                statuses = {row.stage: row.status for row in list_runs(index)}
            looks += 1
            assert {name: row.verdict.status for name, row in found.items()} | {
                "over": "SUCCEEDED"
            } == statuses
            # At the first look nobody knows whether records of another host still come.
            assert statuses == {
                "live": "RUNNING",
                "dead": "LOST",
                "over": "SUCCEEDED",
                "far": "RUNNING" if number else "UNKNOWN",
            }
            for row in found.values():
                assert row.elapsed >= 0
                assert row.silent is None or row.silent >= 0
            assert found["live"].elapsed < 120
            assert found["live"].metrics["loss"].value == 1.0 / (number + 1)  # by the order of its writer
            time.sleep(0.06)
    finally:
        helper.kill()
        helper.wait()
        index.close()
    print(f"\n{clock}, {whose}: {looks} looks")
    assert looks == 12


class Far:
    """The supervisor of another host, which writes heartbeats."""

    def __init__(self, store: LocalStore, process: ProcessId) -> None:
        self._writer = store.journals.open_writer(project="p")
        self._writer._process = process._replace(pid=os.getpid())  # it says of itself what its host would
        self._opened = process
        self._store = store

    def beat(self) -> Event:
        if self._writer._fd < 0:
            mine, self._writer._process = self._writer._process, self._opened
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(os, "getpid", lambda: self._opened.pid)
                event = self._writer.append("heartbeat", {"attempts": ["far"]})
            self._writer._process = mine
            return event
        return self._writer.append("heartbeat", {"attempts": ["far"]})


@contextlib.contextmanager
def clocked(monkeypatch: pytest.MonkeyPatch, wrong: bool, clock: Any) -> Iterator[None]:
    """The wall clock of everything in this process, for a while; monotonic clocks stay what they are."""
    with monkeypatch.context() as patch:
        if wrong:
            for module in (time, alive.time, live.time):
                patch.setattr(module, "time", clock)
        yield
