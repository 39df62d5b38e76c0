"""What a call of `log` costs a training, and what is left of it after a kill."""

from __future__ import annotations

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from bench.measure import Row, cost_of
from bench.settings import Settings

NAMES = ("pinyon", "wandb", "trackio", "tensorboard", "mlflow", "mlflow-async")
_SCRIPT = Path(__file__).parent.parent / "loggers.py"
_SCALARS = 10
_PATIENCE = 90  # seconds of one command
_ROUNDS = 3
_FLOORS = {
    "floor": sys.executable,
    "pack": sys.executable,
}  # a loop that logs nothing, and one that only packs


class _Pace(NamedTuple):
    """Microseconds of a call: in a row, and two milliseconds apart; CPU with the waiting loop. Seconds of the end."""

    calls: int
    tight: float
    p50: float
    p99: float
    cpu: float
    end: float


def logging(settings: Settings) -> Iterator[Row]:
    """Ten numbers in each call: stall of the caller, CPU of all processes, points a second, and what a kill takes"""
    found = {name: python for name in NAMES if (python := _python(name)) is not None}
    yield from (Row(f"{name} log", note="not installed") for name in NAMES if name not in found)
    yield from _paces(settings, found)
    for name, python in found.items():
        yield from _flood(settings, name, python)
        yield from _kills(settings, name, python)


def _python(name: str) -> str | None:
    if name == "pinyon":
        return sys.executable
    peers = os.environ.get("PINYON_BENCH_PEERS")
    return shutil.which(f"{peers}/{name.partition('-')[0]}/bin/python") if peers else None


def _said(settings: Settings, name: str, python: str, what: str, calls: int, seconds: float) -> Any:
    """What a script printed."""
    folder, log = settings.scratch / name / what, settings.scratch / f"{name}-{what}.log"
    command = [python, _SCRIPT, name, what, folder, str(calls), str(seconds)]
    cost_of(["timeout", str(_PATIENCE), *command], settings.scratch, log=log)
    return json.loads(next(line for line in log.read_text().splitlines() if line.startswith("{")))


def _paces(settings: Settings, pythons: dict[str, str]) -> Iterator[Row]:
    """Rounds of all of them in turn: how cold the caches are after each wait differs from minute to minute."""
    rounds = [
        {name: _pace(settings, name, python) for name, python in {**_FLOORS, **pythons}.items()}
        for _ in range(_ROUNDS)
    ]
    for name in ("pack", *pythons):
        limits = (2.0, 10.0, 100.0) if name == "pinyon" else (None, None, None)
        calls = rounds[0][name].calls
        ends = max(one[name].end for one in rounds)
        note = (
            f"{calls} calls; its end took {ends:.2g} s"
            if name in pythons
            else "one bare struct.pack: the floor"
        )
        cpus = tuple(one[name].cpu - one["floor"].cpu for one in rounds)
        yield Row(
            f"{name} log in a tight loop, p50", "µs", tuple(one[name].tight for one in rounds), limits[0]
        )
        yield Row(
            f"{name} log every 2 ms, p50", "µs", tuple(one[name].p50 for one in rounds), limits[1], note
        )
        yield Row(f"{name} log every 2 ms, p99", "µs", tuple(one[name].p99 for one in rounds), limits[2])
        yield Row(f"{name} log, CPU of all its processes", "µs", cpus, note="without the waiting loop")
    peers = [name for name in pythons if name != "pinyon"]
    if peers:
        shares = tuple(
            (one["pinyon"].cpu - one["floor"].cpu) / (min(one[name].cpu for name in peers) - one["floor"].cpu)
            for one in rounds
        )
        yield Row("pinyon ÷ the best peer, CPU of a call", "×", shares, 1 / 3)


def _pace(settings: Settings, name: str, python: str) -> _Pace:
    shutil.rmtree(settings.scratch / name / "pace", ignore_errors=True)
    said = _said(settings, name, python, "pace", 2 * settings.size, 5.0)
    took = sorted(said["took"])
    return _Pace(
        len(took), statistics.median(said["tight"]), statistics.median(took), took[len(took) * 99 // 100],
        said["cpu"] / len(took) * 1e6, said["end"],
    )  # fmt: skip


def _flood(settings: Settings, name: str, python: str) -> Iterator[Row]:
    said = _said(settings, name, python, "flood", 50 * settings.size, 3.0)
    rate = said["calls"] * _SCALARS / said["seconds"]
    note = "target: at least 300000" if name == "pinyon" else ""
    yield Row(f"{name} points a second to the end of all writing", "1/s", (rate,), note=note)


def _kills(settings: Settings, name: str, python: str) -> Iterator[Row]:
    """SIGKILL of the script alone, as the kernel does it that runs out of memory, at random moments."""
    drawn = random.Random(1)
    acknowledged = lost = facts = forgotten = doubled = running = 0
    rounds = max(2, settings.size // 300)
    for number in range(rounds):
        folder = settings.scratch / name / f"kill-{number}"
        command = [python, str(_SCRIPT), name, "ack", str(folder), "0", "0"]
        with open(settings.scratch / "kill.log", "ab") as log:
            child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        assert child.stdout is not None
        first = child.stdout.readline()
        while first[:2] not in (b"p ", b""):
            first = child.stdout.readline()
        time.sleep(0.5 + drawn.random())
        child.kill()
        told = [
            line.split()
            for line in (first + child.stdout.read()).splitlines(keepends=True)
            if line[-1:] == b"\n"
        ]
        child.wait()
        child.stdout.close()
        time.sleep(0.5)  # whoever writes on after the death of its script may do so
        read = subprocess.run(
            [*command[:3], "read", str(folder)], capture_output=True, text=True, check=False
        )
        found = (
            json.loads(read.stdout.splitlines()[-1]) if read.returncode == 0 else {"steps": [], "fact": -1}
        )
        steps = [int(line[1]) for line in told if line[0] == b"p"]
        acknowledged += len(steps)
        lost += len(set(steps) - set(found["steps"]))
        doubled += len(found["steps"]) - len(set(found["steps"]))
        if found["fact"] is not None:
            newest = [int(line[1]) for line in told if line[0] == b"f"]
            facts += len(newest)
            forgotten += sum(one > found["fact"] for one in newest)
        running += found.get("status") in ("RUNNING", "running")
    limit = 0.0 if name == "pinyon" else None
    note = f"of {acknowledged} in {rounds} kills; {doubled} doubled; {running} still said to be running"
    yield Row(f"{name} calls lost by kill -9", "", (float(lost),), limit, note)
    if facts:
        yield Row(f"{name} facts lost by kill -9", "", (float(forgotten),), limit, f"of {facts}")
