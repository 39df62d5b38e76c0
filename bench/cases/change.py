"""One parameter changed: how much is done for the one stage that uses it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from bench import projects, tools
from bench.measure import Contender, Cost, Row, cpu_row, interleave, ratio_row
from bench.projects import Step
from bench.settings import Settings
from bench.tools import Tool


def change(settings: Settings) -> Iterator[Row]:
    """A changed parameter of the last of a chain's stages"""
    graph = projects.steps("chain", settings.sizes[0])
    contenders: dict[str, Contender] = {}
    for tool in map(tools.find, tools.NAMES):
        if tool.path is None:
            yield Row(tool.name, note="not installed")
            continue
        folder = projects.write(tool.name, settings.folder("change", tool.name), graph)
        tool.finish(folder, graph)
        contenders[tool.name] = _changing(tool, folder, graph)
    costs = interleave(settings.rounds, contenders)
    for name, found in costs.items():
        yield cpu_row(f"{name}, last of {len(graph)}", found)
    yield ratio_row(f"pinyon ÷ make, last of {len(graph)}", costs["pinyon"], costs["make"])


def _changing(tool: Tool, folder: Path, graph: list[Step]) -> Contender:
    values, last = count(2), graph[-1]

    def run() -> Cost:
        time.sleep(0.02)  # past one step of the clock that stamps files
        projects.set_params(tool.name, folder, graph, {last.param: next(values)})
        before = (folder / last.name).stat()
        cost = tool.run(folder)
        after = (folder / last.name).stat()
        if (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino):
            raise RuntimeError(f"{tool.name} did not run {last.name}")
        return cost

    return run
