"""What will be done, and why: the plan of a large project."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from bench import projects, tools
from bench.measure import Contender, Row, cost_here, cost_of, cpu_row, interleave, ratio_row
from bench.settings import Settings
from pinyon.model.project import Goal
from pinyon.session import load
from pinyon.spec.load import load_project

_MATRIX = 500.0  # ms of CPU


def plan(settings: Settings) -> Iterator[Row]:
    """The plan, before the first run and after it"""
    yield _matrix(settings)
    for shape in ("chain", "fan"):
        graph = projects.steps(shape, settings.size)
        ours, theirs = tools.find("pinyon"), tools.find("make")
        a, b = (
            projects.write(tool.name, settings.folder("plan", shape, tool.name), graph)
            for tool in (ours, theirs)
        )
        yield from _pair(settings, f"{shape} of {settings.size}, never run", a, b)
        yield from _load(settings, shape, a)
        ours.finish(a, graph)
        theirs.finish(b, graph)
        time.sleep(2.1)
        yield from _pair(settings, f"{shape} of {settings.size}, finished", a, b)


def _matrix(settings: Settings) -> Row:
    """A matrix of 1.4 stages for each of `size`."""
    size = settings.size * 14 // 10
    folder = settings.folder("plan", "matrix")
    (folder / "source").write_text(projects.CONTENT)
    (folder / "params.yaml").write_text(f"numbers: {list(range(size // 7))}\n")
    stage = (
        "cmd: cp source out/${item.n}-${item.m}\n    deps: [source]\n    outs: ['out/${item.n}-${item.m}']"
    )
    matrix = "matrix: {n: '${numbers}', m: [a, b, c, d, e, f, g]}"
    (folder / "pinyon.yaml").write_text(f"stages:\n  cell:\n    {matrix}\n    {stage}\n")
    command = [*tools.find("pinyon").command()[:1], "plan", "--json"]
    costs = interleave(max(settings.rounds // 2, 2), {"pinyon": lambda: cost_of(command, folder)})
    return cpu_row(f"pinyon plan, matrix of {size // 7 * 7}", costs["pinyon"], limit=_MATRIX)


def _pair(settings: Settings, label: str, ours: Path, theirs: Path) -> Iterator[Row]:
    contenders: dict[str, Contender] = {
        "pinyon plan": lambda: cost_of([*tools.find("pinyon").command()[:1], "plan"], ours),
        "make -n": lambda: cost_of([*tools.find("make").command(), "-n"], theirs),
    }
    costs = interleave(max(settings.rounds // 2, 2), contenders)
    for name, found in costs.items():
        yield cpu_row(f"{name}, {label}", found)
    yield ratio_row(f"pinyon plan ÷ make -n, {label}", costs["pinyon plan"], costs["make -n"])


def _load(settings: Settings, shape: str, folder: Path) -> Iterator[Row]:
    """The two halves of reading, in this process."""
    turns = range(max(settings.rounds // 2, 2))
    project = load_project(folder)
    yield cpu_row(
        f"read and check the YAML, {shape}", [cost_here(lambda: load_project(folder)) for _ in turns]
    )
    yield cpu_row(f"resolve the graph, {shape}", [cost_here(lambda: load(project, Goal())) for _ in turns])
