"""Data into the store: many small files, the same again, and one large file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import tools
from bench.measure import Contender, Cost, Row, cost_of, cpu_row, interleave, ratio_row, wall_row
from bench.settings import Settings
from bench.tools import Tool

_SMALL = 4096  # bytes of each of the many
_NEW, _AGAIN = 500.0, 100.0  # ms of CPU
_LARGE = 0.2  # of dvc's wall time


def data(settings: Settings) -> Iterator[Row]:
    """`add`: ten files of 4 KB for each of `size`, again unchanged, and one file of 2 MB times `size`"""
    ours, theirs = tools.find("pinyon"), tools.find("dvc")
    both = [tool for tool in (ours, theirs) if tool.path is not None]
    yield from _many(settings, both)
    yield from _one(settings, both)
    if theirs.path is None:
        yield Row("dvc", note="not installed")


def _many(settings: Settings, both: list[Tool]) -> Iterator[Row]:
    count = 10 * settings.size
    label = f"{count:,} files of 4 KB"
    folders = {tool.name: _project(settings, tool, "many") for tool in both}
    for folder in folders.values():
        (folder / "data").mkdir()
        for number in range(count):
            (folder / "data" / f"{number:05}").write_bytes(os.urandom(_SMALL))
    new: dict[str, Contender] = {tool.name: _add(tool, folders[tool.name], _forget) for tool in both}
    again: dict[str, Contender] = {tool.name: _add(tool, folders[tool.name]) for tool in both}
    rounds = max(settings.rounds // 3, 2)
    yield from _rows(f"add {label}", interleave(rounds, new), _NEW)
    yield from _rows(f"add {label} again", interleave(rounds, again), _AGAIN)


def _one(settings: Settings, both: list[Tool]) -> Iterator[Row]:
    size = 2_000_000 * settings.size
    folders = {tool.name: _project(settings, tool, "one") for tool in both}
    block = os.urandom(1_000_000)
    for folder in folders.values():
        with open(folder / "data", "wb") as file:
            file.writelines(block for _ in range(size // len(block)))
    contenders: dict[str, Contender] = {tool.name: _add(tool, folders[tool.name], _forget) for tool in both}
    costs = interleave(max(settings.rounds // 3, 2), contenders)
    label = f"add a file of {size / 1e9:.3g} GB"
    for name, found in costs.items():
        yield wall_row(f"{name}, {label}", found)
    if "dvc" in costs:
        pairs = zip(costs["pinyon"], costs["dvc"], strict=True)
        yield Row(f"pinyon ÷ dvc, wall, {label}", "×", tuple(a.wall / b.wall for a, b in pairs), _LARGE)


def _project(settings: Settings, tool: Tool, name: str) -> Path:
    folder = settings.folder("data", name, tool.name)
    tool.prepare(folder)
    if tool.name == "pinyon":
        (folder / "pinyon.yaml").write_text("stages: {}\n")
    return folder


def _add(tool: Tool, folder: Path, before: Callable[[Path], None] = lambda _: None) -> Contender:
    def call() -> Cost:
        before(folder)
        assert tool.path is not None
        return cost_of([tool.path, "add", "data"], folder)

    return call


def _forget(folder: Path) -> None:
    """As if the data had never been added; DVC keeps its configuration."""
    for path in (".pinyon", ".dvc/cache", ".dvc/tmp"):
        shutil.rmtree(folder / path, ignore_errors=True)
    for name in ("data.pinyon", "data.dvc", ".gitignore"):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(os.environ["DVC_SITE_CACHE_DIR"], ignore_errors=True)
    os.sync()  # what the round before wrote is not this one's cost


def _rows(label: str, costs: dict[str, list[Cost]], budget: float) -> Iterator[Row]:
    for name, found in costs.items():
        yield cpu_row(f"{name}, {label}", found, limit=budget if name == "pinyon" else None)
    if "dvc" in costs:
        yield ratio_row(f"pinyon ÷ dvc, {label}", costs["pinyon"], costs["dvc"])
