"""SIGKILL of an unchanged script, of the process that follows its files, or of the supervisor, at any moment.

What the script had written when it was killed is told by the script itself, to a file beside the project: a number stands
there after its write to the event file has returned.
"""

# ruff: noqa: T201 - the test prints its load

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from pinyon.query import points as reader
from pinyon.store.local import LocalStore

DEEP = os.environ.get("PINYON_FAULTS") == "deep"
KILLS = 80 if DEEP else 8
WHO = (("command",), ("tail",), ("tail", "command"), ("supervisor",))
PINYON = [sys.executable, "-m", "pinyon.cli"]
MADE = Path(__file__).parents[1] / "bridges"
FAR = 60.0

Number = tuple[str, float]

SCRIPT = """
import os, sys, time
import madefiles as made
said = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)
events, run = made.Events("runs/a"), made.Wandb("wandb")
for number in range(1_000):
    events.add(number, loss=number)
    os.write(said, b"loss %d\\n" % number)
    run.add(made.history(number, time.time(), accuracy=number))
    os.write(said, b"accuracy %d\\n" % number)
    time.sleep(0.002)
"""


def processes(part: str, word: str) -> list[int]:
    """Those of which one argument ends in ``part`` and one is or holds ``word``."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(each.endswith(part.encode()) for each in words) and any(
            word.encode() in each for each in words
        ):
            found.append(int(entry))
    return found


def numbers(root: Path) -> Counter[Number]:
    """(metric, value) of all points of a project."""
    found: Counter[Number] = Counter()
    store = LocalStore(root / ".pinyon")
    for segment in store.journals.points():
        assert not [damage for damage in store.journals.verify(segment) if not damage.torn]
        columns = reader.read(store.root / "journals" / segment).points
        rows = columns.numbers()
        found.update((name, value) for _, name, _, value in rows if not name.startswith("system."))
    return found


def run_and_kill(
    root: Path, who: tuple[str, ...], delay: float
) -> tuple[set[tuple[str, float]], Counter[tuple[str, float]]]:
    """What the script had written, and what is recorded, after these were killed."""
    root.mkdir()
    said = root.with_suffix(".said")
    said.touch()
    (root / "train.py").write_text(SCRIPT)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(MADE), os.environ.get("PYTHONPATH", "")])}
    argv = [*PINYON, "run", "--", sys.executable, "train.py", str(said)]
    call = subprocess.Popen(argv, cwd=root, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    names = {"command": ("train.py", str(said)), "tail": ("pinyon.bridges.tail", str(root)),
             "supervisor": ("pinyon.execute.node", str(root))}  # fmt: skip
    deadline = time.monotonic() + FAR
    while not processes(*names["tail"]) and call.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(delay)
    for name in who:
        for pid in processes(*names[name]):
            if pid != call.pid:
                os.kill(pid, signal.SIGKILL)
        time.sleep(delay / 4)
    call.wait(FAR)
    if "supervisor" in who:  # the next call ends what is left of its attempt
        subprocess.run([*PINYON, "run", "--", "true"], cwd=root, env=env, capture_output=True, timeout=FAR)
    while processes(*names["tail"]):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    rows = (line.split() for line in said.read_text().splitlines())
    return {(name, float(number)) for name, number in rows}, numbers(root)


def test_every_number_that_was_in_a_file_is_recorded_once(tmp_path: Path) -> None:
    seed = int(os.environ.get("PINYON_SEED", random.randrange(2**32)))
    chance = random.Random(seed)
    acknowledged = 0
    for turn in range(KILLS):
        written, recorded = run_and_kill(tmp_path / f"p{turn}", WHO[turn % len(WHO)], chance.uniform(0, 0.8))
        assert not written - set(recorded), (seed, turn)
        assert set(recorded.values()) == {1}, (seed, turn)
        acknowledged += len(written)
    print(f"{KILLS} kills, {acknowledged} numbers acknowledged, seed {seed}")
    assert acknowledged >= 500 * KILLS
