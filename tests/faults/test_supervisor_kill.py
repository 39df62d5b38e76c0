"""SIGKILL for driver, supervisor and command at any moment: nothing acknowledged is lost, nothing old is damaged.

The acknowledged set is kept here, outside of what is killed: commands and driver write to a pipe of the test's.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pinyon.store.local import LocalStore

sys.path.insert(0, str(Path(__file__).parent))
from worker import State

DEEP = os.environ.get("PINYON_FAULTS") == "deep"
KILLS = 300 if DEEP else 30
STAGES = [str(number) for number in range(30)]
WORKER = Path(__file__).with_name("worker.py")


class Harness:
    """One project, a pipe for what is acknowledged, and a driver that is started again and again."""

    def __init__(self, root: Path, numbers: list[str]) -> None:
        self.root, self.numbers = root, numbers
        self.acks = f"{root}.acks"
        os.mkfifo(self.acks)
        self.pipe = os.open(self.acks, os.O_RDWR | os.O_NONBLOCK)
        self.lines: list[str] = []
        (root / "out").mkdir(parents=True)
        for number in numbers:
            (root / f"out/{number}").write_text(f"old {number}")

    def start(self, *python: str) -> subprocess.Popen[bytes]:
        argv = [sys.executable, str(WORKER), str(self.root), ",".join(self.numbers), self.acks, *python]
        return subprocess.Popen(
            argv, env={**os.environ, "PINYON_HARNESS": str(self.root)}, start_new_session=True
        )

    def listen(self) -> None:
        try:
            while chunk := os.read(self.pipe, 1 << 16):
                self.lines += chunk.decode().splitlines()
        except BlockingIOError:
            pass

    def said(self, word: str) -> list[list[str]]:
        self.listen()
        return [line.split() for line in self.lines if line.startswith(word)]

    def processes(self, what: str) -> list[int]:
        """Live processes of this harness: driver, supervisor, command, or all."""
        mark = f"PINYON_HARNESS={self.root}".encode()
        found = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                if mark not in Path(f"/proc/{entry}/environ").read_bytes().split(b"\0"):
                    continue
                line = Path(f"/proc/{entry}/cmdline").read_bytes()
            except OSError:
                continue
            kind = (
                "driver" if b"worker.py" in line else "supervisor" if b"execute.node" in line else "command"
            )
            if line and what in (kind, "all"):
                found.append(int(entry))
        return found

    def kill(self, what: str) -> int:
        pids = self.processes(what)
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        return len(pids)

    def settle(self, driver: subprocess.Popen[bytes]) -> None:
        """End the driver, which must not have failed by itself."""
        assert driver.poll() in (None, 0, -signal.SIGKILL)
        driver.kill()
        driver.wait()

    def finish(self) -> None:
        """Let a last driver end what is left, undisturbed."""
        assert self.start().wait(60) == 0

    def check(self) -> None:
        """Everything that must hold at the end."""
        self.listen()
        assert not self.said("overlap"), self.lines
        assert not self.said("damaged"), self.lines
        store = LocalStore(self.root / ".pinyon")
        state = State(store)
        assert not state.open
        succeeded = {number for _, number, _, how in self.said("ended") if how == "SUCCEEDED"}
        assert succeeded <= state.done == set(self.numbers)
        per_number = [name for _, number, name, how in self.said("ended") if how == "SUCCEEDED"]
        assert len(per_number) == len(succeeded), "an acknowledged attempt was repeated"
        for number in self.numbers:
            assert (self.root / f"out/{number}").read_text() == f"whole {number}"
        damage = [one for segment in store.journals.segments() for one in store.journals.verify(segment)]
        assert [one for one in damage if not one.torn] == []
        deadline = time.monotonic() + 5
        while self.processes("all"):
            assert time.monotonic() < deadline, self.processes("all")
            time.sleep(0.02)


@pytest.mark.timeout(1800 if DEEP else 120)
def test_random_kills(tmp_path: Path) -> None:
    seed = int(os.environ.get("PINYON_SEED", time.time_ns() % 10**6))
    dice = random.Random(seed)
    kills = rounds = 0
    while kills < KILLS:
        rounds += 1
        harness = Harness(tmp_path / f"p{rounds}", STAGES)
        while kills < KILLS and not harness.said("finished"):
            driver = harness.start()
            time.sleep(dice.uniform(0.2, 0.8))
            kills += bool(harness.kill(dice.choice(["driver", "supervisor", "command", "all"])))
            time.sleep(dice.uniform(0, 0.05))
            harness.settle(driver)
        harness.finish()
        harness.check()
        runs = len(harness.said("ran"))
        assert runs >= len(STAGES)
        shutil.rmtree(harness.root)
    print(f"\nseed {seed}: {kills} kills in {rounds} projects")  # noqa: T201 - the load is part of the result
    assert kills >= KILLS


CALLS = ("write", "fsync", "fdatasync", "rename", "openat", "close", "unlink", "mkdir", "rmdir")
TRACE = ["strace", "-f", "-qq"]


@pytest.mark.timeout(3000 if DEEP else 120)
@pytest.mark.parametrize("call", CALLS)
def test_kill_at_every_syscall_of_the_commit_path(tmp_path: Path, call: str) -> None:
    if shutil.which("strace") is None:
        pytest.skip("needs strace: it kills at a chosen system call")
    first, last = window(tmp_path, call)
    every = range(first, last + 1)
    points = every if DEEP else sorted(random.Random(1).sample(every, min(len(every), 4)))
    killed = sum(killed_at(Harness(tmp_path / str(index), ["3"]), call, index) for index in points)
    print(f"\n{call}: {killed} kills at calls {first} to {last}")  # noqa: T201 - the load is part of the result
    assert killed >= min(len(points), 2) - (call in ("fdatasync", "rmdir"))


def window(folder: Path, call: str) -> tuple[int, int]:
    """The numbers of those calls that one attempt that fails and one that succeeds add to a supervisor's start."""
    harness = Harness(folder / "measure", ["3"])
    trace = f"{folder}/all"
    started = traced(harness, f"{call}:delay_enter=0", trace)
    assert started.wait(60) == 0
    counts: dict[str, int] = {}
    for line in Path(trace).read_text().splitlines():
        if f" {call}(" in line:
            pid = line.split()[0]
            counts[pid] = counts.get(pid, 0) + 1
    idle = f"{folder}/idle"
    argv = [*TRACE, "-o", idle, f"-etrace={call}", sys.executable, "-P", "-m", "pinyon.execute.node"]
    subprocess.run(
        [*argv, str(folder), f"{folder}/.pinyon"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=True,
    )
    base = sum(
        f" {call}(" in line or line.startswith(f"{call}(") for line in Path(idle).read_text().splitlines()
    )
    return max(1, base - 1), max(counts.values(), default=1)


def traced(harness: Harness, inject: str, trace: str) -> subprocess.Popen[bytes]:
    """A driver whose first supervisor runs under strace."""
    call = inject.partition(":")[0]
    wrapper = Path(f"{harness.root}.python")
    line = " ".join([*TRACE, "-o", trace, f"-etrace={call}", f"-einject={inject}", sys.executable])
    once = f'mkdir {trace}.once 2>/dev/null && exec {line} "$@"'
    wrapper.write_text(f'#!/bin/sh\necho >>{trace}.starts\n{once}\nexec {sys.executable} "$@"\n')
    wrapper.chmod(0o755)
    return harness.start(str(wrapper))


def killed_at(harness: Harness, call: str, index: int) -> bool:
    """Whether a thread of the supervisor made that many such calls, and so it was killed before it could close its journal;
    everything is checked either way."""
    trace = f"{harness.root}.trace"
    driver = traced(harness, f"{call}:signal=KILL:when={index}", trace)
    assert driver.wait(60) == 0
    harness.check()
    journals = LocalStore(harness.root / ".pinyon").journals
    kinds = [{event.kind for event, _ in journals.read(segment)} for segment in journals.segments()]
    restarted = len(Path(f"{trace}.starts").read_text()) > 1
    return restarted or any(
        "intent" not in some and "lost" not in some and "closed" not in some for some in kinds
    )
