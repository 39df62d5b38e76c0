"""What it costs to measure an attempt, and to capture the code that it runs."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import tools
from bench.measure import Cost, Row, cost_here, cost_of, cpu_row, interleave
from bench.settings import Settings
from pinyon.capture.captured import captured
from pinyon.capture.code import Project
from pinyon.capture.facts import status
from pinyon.capture.sampling import SHORT, Sampler
from pinyon.store.local import LocalStore

_TIMES = 50  # samples of one measurement
_WORTH = 0.01 * SHORT * 1e3  # ms of CPU: a hundredth of a core, at the shortest distance between two samples
_SPEC = "stages:\n  s:\n    cmd: cp a b\n    deps: [a]\n    outs: [b]\n"


def metering(settings: Settings) -> Iterator[Row]:
    """System metrics: a sample of 1, 20 and 200 processes; capturing: a clean and a dirty repository of 2 × `size` files"""
    for count in (1, 20, 200):
        yield _sample(settings, count)
    yield from _capture(settings)


def _sample(settings: Settings, count: int) -> Row:
    line = f"for i in $(seq {count - 1}); do sleep 300 & done; exec sleep 300"
    process = subprocess.Popen(["sh", "-c", line], start_new_session=True)
    sampler = Sampler()
    sampler.add(process.pid)

    def samples() -> None:
        for _ in range(_TIMES):
            sampler.sample()

    try:
        while len(sampler._before) < count:
            sampler.sample()
        costs = [cost_here(samples) for _ in range(settings.rounds)]
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return cpu_row(f"a sample of {count} processes", costs, per=_TIMES, limit=_WORTH)


def _capture(settings: Settings) -> Iterator[Row]:
    folder = settings.folder("metering")
    files = 2 * settings.size
    _repository(folder, files)
    store = LocalStore(folder / ".pinyon")
    store.prepare("bench")
    project = Project(folder, store.blobs, store.cache, {"b"})

    def look() -> None:
        captured(project, status(folder), [])

    def edited() -> None:
        with (folder / "m0.py").open("a") as file:
            file.write("# edited\n")
        look()

    yield cpu_row(f"captured, {files} files, clean, the first time", [cost_here(look)])
    yield cpu_row(f"captured, {files} files, clean", [cost_here(look) for _ in range(settings.rounds)])
    yield cpu_row(f"captured, {files} files, dirty, the first time", [cost_here(edited)])
    yield cpu_row(
        f"captured, {files} files, another edit", [cost_here(edited) for _ in range(settings.rounds)]
    )
    pinyon = tools.find("pinyon").command()[0]
    runs = interleave(settings.rounds, {"run": lambda: cost_of([pinyon, "run", "-f"], folder)})["run"]
    yield cpu_row(f"pinyon run -f of one `cp`, dirty, {files} files", runs)


def _cost(work: Callable[[], None]) -> Cost:
    """Of a call in this process, git's part included."""
    before, began = os.times(), time.perf_counter()
    work()
    after = os.times()
    return Cost(sum(after[:4]) - sum(before[:4]), time.perf_counter() - began)


def _repository(folder: Path, files: int) -> None:
    text = Path(__file__).read_text()
    for number in range(files):
        (folder / f"m{number}.py").write_text(f"# {number}\n{text}")
    (folder / "pinyon.yaml").write_text(_SPEC)
    (folder / "a").write_text("a")
    who = ("-c", "user.name=bench", "-c", "user.email=bench@example.org")
    for words in (("init", "-q"), ("add", "-A"), (*who, "commit", "-q", "-m", "state")):
        subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)
