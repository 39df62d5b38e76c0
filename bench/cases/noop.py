"""Running again what is finished: the commonest call of all."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench import history, projects, tools
from bench.measure import Contender, Cost, Row, cpu_row, interleave, ratio_row
from bench.projects import Shape, Step
from bench.settings import Settings
from bench.tools import Tool

_SLOW = {"snakemake": 2, "dvc": 1}  # rounds; a call takes seconds, or minutes
_TARGET = 15.0
_DVC = {True: 1 / 200, False: 1 / 30}  # at most this of `dvc repro`: at the full size, at a tenth of it
_RACY = 2.1  # seconds after which the time stamp of a directory can be trusted


def noop(settings: Settings) -> Iterator[Row]:
    """Run again with nothing to do; Pinyon with ten past attempts per stage in its store"""
    for shape in ("chain", "fan"):
        yield from _shape(settings, shape, settings.size)
    yield from _shape(settings, "chain", settings.sizes[0])


def _shape(settings: Settings, shape: Shape, size: int) -> Iterator[Row]:
    graph = projects.steps(shape, size)
    label = f"{shape} of {size}"
    fast: dict[str, Contender] = {}
    for tool in map(tools.find, ("pinyon", "make", "doit")):
        if tool.path is None:
            yield Row(f"{tool.name}, {label}", note="not installed")
            continue
        project = _finished(settings, tool, shape, graph)
        fast[tool.name] = partial(_again, tool, project, graph)
        if tool.name == "pinyon":
            fast["pinyon, first after a run"] = partial(_first, tool, project, graph)
    time.sleep(_RACY)
    costs = interleave(settings.rounds, fast)
    for name, found in costs.items():
        yield cpu_row(f"{name}, {label}", found)
    yield ratio_row(
        f"pinyon ÷ make, {label}", costs["pinyon"], costs["make"], _TARGET if size == settings.size else None
    )
    first = costs["pinyon, first after a run"]
    yield ratio_row(f"pinyon, first after a run ÷ make, {label}", first, costs["make"])
    if shape == "chain":
        for tool in map(tools.find, _SLOW):
            yield from _slow(settings, tool, shape, graph, costs["pinyon"])


def _slow(settings: Settings, tool: Tool, shape: Shape, graph: list[Step], ours: list[Cost]) -> Iterator[Row]:
    label = f"{shape} of {len(graph)}"
    if tool.path is None:
        yield Row(f"{tool.name}, {label}", note="not installed")
        return
    project = _finished(settings, tool, shape, graph)
    found = [_again(tool, project, graph) for _ in range(_SLOW[tool.name])]
    yield cpu_row(f"{tool.name}, {label}", found)
    if tool.name == "dvc":
        yield ratio_row(f"pinyon ÷ dvc, {label}", ours, found, _DVC[len(graph) == settings.size])


def _finished(settings: Settings, tool: Tool, shape: Shape, graph: list[Step]) -> Path:
    project = projects.write(tool.name, settings.folder("noop", f"{shape}-{len(graph)}", tool.name), graph)
    if tool.name == "pinyon":
        history.write(project, graph, 10 * len(graph))
    tool.finish(project, graph)
    return project


def _first(tool: Tool, project: Path, graph: list[Step]) -> Cost:
    """Without the fingerprint that the call before left: every stage is decided."""
    for known in (project / ".pinyon/cache").glob("noop-*"):
        known.unlink()
    return _again(tool, project, graph)


def _again(tool: Tool, project: Path, graph: list[Step]) -> Cost:
    before = [os.stat(project / step.name).st_mtime_ns for step in graph]
    cost = tool.run(project)
    if before != [os.stat(project / step.name).st_mtime_ns for step in graph]:
        raise RuntimeError(f"{tool.name} found something to do in {project}")
    return cost
