"""`pinyon logs`: every byte as it was printed, over attempts, whatever happens to the store meanwhile."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

# Prints what a file says, then waits; fails where another file says so.
TALK = """
import os, sys, time
here = os.environ["HERE"]
number = len(os.listdir(here + "/tries")) + 1
open(here + f"/tries/{number}", "w").close()
step = 0
while True:
    try:
        data = open(here + f"/say-{number}-{step}", "rb").read()
    except OSError:
        if os.path.exists(here + f"/end-{number}"):
            sys.exit(int(open(here + f"/end-{number}").read()))
        time.sleep(0.01)
        continue
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
    step += 1
"""
SPEC = """
stages:
  talk: {cmd: python talk.py, deps: [talk.py], retry: {times: 2, on: [exit]}}
"""


class Talk:
    """A stage that says what it is told to."""

    def __init__(self, project: Any) -> None:
        self.project, self.here = project, project.root.parent
        project.fill({"pinyon.yaml": SPEC, "talk.py": TALK})
        (self.here / "tries").mkdir()
        self.steps: dict[int, int] = {}

    def say(self, data: bytes, number: int = 1) -> None:
        step = self.steps.get(number, 0)
        self.steps[number] = step + 1
        temporary = self.here / "tmp"
        temporary.write_bytes(data)
        os.replace(temporary, self.here / f"say-{number}-{step}")

    def end(self, number: int, code: int) -> None:
        temporary = self.here / "tmp"
        temporary.write_text(str(code))
        os.replace(temporary, self.here / f"end-{number}")

    def begun(self, number: int) -> None:
        self.project.wait_for((self.here / f"tries/{number}").exists)


@pytest.fixture
def talk(empty: Any) -> Talk:
    return Talk(empty)


def follow(project: Any, *arguments: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "pinyon.cli", "logs", "-f", *arguments], cwd=project.root, env=project.env,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    project._processes.append(process)
    return process


def printed(process: subprocess.Popen[bytes], size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = os.read(process.stdout.fileno(), size - len(data))
        assert chunk, process.stderr.read()
        data += chunk
    return data


def known(talk: Talk) -> None:
    """Wait until it is on record that the first attempt runs."""
    talk.begun(1)
    talk.project.wait_for(lambda: talk.project("logs", "talk").code == 0)


def test_bytes_reach_the_terminal_as_they_were(talk: Talk) -> None:
    driver = talk.project.start("run")
    known(talk)
    follower = follow(talk.project, "talk")
    seed = int(os.environ.get("PINYON_SEED", "1"))
    dice = random.Random(seed)
    bars = b"".join(b"\r%3d%%|%s" % (n, b"#" * (n // 10)) for n in range(0, 101, 5))
    said = [
        bars + b"\n",
        bytes(range(256)),
        b"\x1b[31mred\x1b[0m",
        "nai\u0308ve ✓".encode()[:-1],
        b"no end of line",
    ]
    said += [dice.randbytes(dice.randrange(1, 200_000)) for _ in range(5)]
    for data in said:
        talk.say(data)
        assert printed(follower, len(data)) == data
    talk.end(1, 0)
    rest, err = follower.communicate(timeout=30)
    assert (rest, err, follower.returncode) == (b"", b"", 0)
    assert driver.wait(30) == 0


def test_a_retry_is_gone_on_with_and_said(talk: Talk) -> None:
    driver = talk.project.start("run")
    known(talk)
    follower = follow(talk.project, "talk")
    for number, code in ((1, 1), (2, 1), (3, 0)):
        talk.begun(number)
        data = b"try %d\n" % number
        talk.say(data, number)
        assert printed(follower, len(data)) == data
        talk.end(number, code)
    rest, err = follower.communicate(timeout=30)
    assert (rest, follower.returncode) == (b"", 0)
    lines = err.decode().splitlines()
    assert len(lines) == 2
    assert all(" ended: FAILED; a-" in line and line.endswith(" goes on") for line in lines)
    assert driver.wait(30) == 0


def test_it_ends_with_the_last_try(talk: Talk) -> None:
    driver = talk.project.start("run")
    known(talk)
    follower = follow(talk.project, "talk")
    for number in (1, 2, 3):
        talk.begun(number)
        talk.end(number, 1)
    assert follower.wait(30) == 0
    assert driver.wait(30) != 0


def test_the_store_may_go_away_for_a_while(talk: Talk) -> None:
    talk.project.start("run")
    known(talk)
    follower = follow(talk.project, "talk")
    talk.say(b"before\n")
    assert printed(follower, 7) == b"before\n"
    store, away = talk.project.root / ".pinyon", talk.project.root / "away"
    store.rename(away)
    assert b"not reachable" in follower.stderr.readline()
    talk.say(b"meanwhile\n")
    time.sleep(0.5)
    assert not store.exists()
    away.rename(store)
    assert printed(follower, 10) == b"meanwhile\n"
    talk.end(1, 0)
    _, err = follower.communicate(timeout=30)
    assert follower.returncode == 0
    assert b"reachable again" in err


@pytest.mark.parametrize("lines", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("ends", [b"", b"\n"])
def test_the_last_lines(talk: Talk, lines: int, ends: bytes) -> None:
    driver = talk.project.start("run")
    known(talk)
    text = b"first\r10%\r20%\n\nthird" + b"x" * 70_000 + b"\nfourth\nfifth" + ends
    talk.say(text)
    talk.end(1, 0)
    assert driver.wait(30) == 0
    command = [sys.executable, "-m", "pinyon.cli", "logs", "-n", str(lines), "talk"]
    done = subprocess.run(command, cwd=talk.project.root, env=talk.project.env, capture_output=True)
    whole = [part + b"\n" for part in text.split(b"\n")]
    whole[-1] = whole[-1][:-1]
    assert done.stdout == b"".join([part for part in whole if part][-lines:])


def test_since_begins_with_earlier_attempts(talk: Talk) -> None:
    driver = talk.project.start("run")
    known(talk)
    talk.say(b"one\n")
    talk.end(1, 1)
    talk.begun(2)
    talk.say(b"two\n", 2)
    talk.end(2, 0)
    assert driver.wait(30) == 0
    assert talk.project.good("logs", "talk").out == "two\n"
    both = talk.project.good("logs", "--since", "1h", "talk")
    assert both.out == "one\ntwo\n"
    assert len(both.err.splitlines()) == 2
    assert talk.project.good("logs", "--since", "0s", "talk").out == "two\n"
    wrong = talk.project("logs", "--since", "soon", "talk")
    assert wrong.code == 3
    assert "not a duration" in wrong.err


def test_waiting_costs_next_to_nothing(talk: Talk) -> None:
    """Counted in looks, not in seconds: nothing is read while nothing is written."""
    talk.project.start("run")
    known(talk)
    follower = follow(talk.project, "talk")
    talk.say(b"x")
    printed(follower, 1)
    time.sleep(1.5)

    def read() -> int:
        lines = Path(f"/proc/{follower.pid}/io").read_text().splitlines()
        return int(lines[0].split()[1])

    before = read()
    time.sleep(3)
    assert read() - before < 100_000
    talk.end(1, 0)
    assert follower.wait(30) == 0
