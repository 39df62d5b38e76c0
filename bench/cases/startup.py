"""What every call pays before it does anything."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench import projects, tools
from bench.measure import Row, cost_of, cpu_row, interleave, over_row, wall_row
from bench.settings import Settings

_BUDGET = 50.0


def startup(settings: Settings) -> Iterator[Row]:
    """Imports and small calls; the project has four stages"""
    graph = projects.steps("chain", 4)
    tool = tools.find("pinyon")
    folder = projects.write("pinyon", settings.folder("startup"), graph)
    tool.run(folder)
    assert tool.path is not None
    time.sleep(2.1)
    commands: dict[str, list[str | Path]] = {
        "python": [sys.executable, "-c", "pass"],
        "import pinyon": [sys.executable, "-c", "import pinyon"],
        "import pinyon.cli": [sys.executable, "-c", "import pinyon.cli"],
        "pinyon --help": [tool.path, "--help"],
        "pinyon run, nothing to do": tool.command(),
        "pinyon plan": [tool.path, "plan"],
        "pinyon status": [tool.path, "status"],
    }
    contenders = {name: partial(cost_of, command, folder) for name, command in commands.items()}
    costs = interleave(settings.rounds * 2, contenders)
    for name, found in costs.items():
        yield cpu_row(name, found)
    over = {
        "import pinyon": _BUDGET,
        "import pinyon.cli": _BUDGET,
        "pinyon run, nothing to do": None,
        "pinyon plan": None,
    }
    for name, limit in over.items():
        yield over_row(f"{name}, over python", costs[name], costs["python"], limit)
    yield wall_row("pinyon run, nothing to do", costs["pinyon run, nothing to do"])
