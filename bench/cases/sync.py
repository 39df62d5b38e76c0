"""Data to a directory elsewhere: many small files, and the question whether there is anything to do."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bench import tools
from bench.measure import Contender, Cost, Row, cost_of, cpu_row, interleave, wall_row
from bench.settings import Settings
from bench.tools import Tool

_SMALL = 4096  # bytes of each file
_STATUS = 1_000.0  # ms
_PUSH = 1 / 3  # of dvc's wall time


def sync(settings: Settings) -> Iterator[Row]:
    """`sync push` to a directory: ten files of 4 KB for each of `size`; `sync status` when all is there"""
    ours, theirs = tools.find("pinyon"), tools.find("dvc")
    both = [tool for tool in (ours, theirs) if tool.path is not None]
    label = f"{10 * settings.size:,} files of 4 KB"
    folders = {tool.name: _added(settings, tool) for tool in both}
    pushes: dict[str, Contender] = {tool.name: _push(tool, folders[tool.name]) for tool in both}
    costs = interleave(max(settings.rounds // 3, 2), pushes)
    for name, found in costs.items():
        yield wall_row(f"{name}, push {label} to a directory", found)
    if "dvc" in costs:
        pairs = zip(costs["pinyon"], costs["dvc"], strict=True)
        yield Row(f"pinyon ÷ dvc, wall, push {label}", "×", tuple(a.wall / b.wall for a, b in pairs), _PUSH)
    else:
        yield Row("dvc", note="not installed")
    there = folders["pinyon"]
    status = [str(ours.path), "sync", "status", "elsewhere"]
    costs = interleave(settings.rounds, {"pinyon": lambda: cost_of(status, there)})
    yield wall_row(f"pinyon sync status, {label}, nothing to do", costs["pinyon"], limit=_STATUS)
    yield cpu_row(f"pinyon sync status, {label}, nothing to do", costs["pinyon"], limit=_STATUS)


def _added(settings: Settings, tool: Tool) -> Path:
    """A project that has added its data, with a place to push to beside it."""
    folder = settings.folder("sync", tool.name, "project")
    tool.prepare(folder)
    assert tool.path is not None
    (folder / "data").mkdir()
    for number in range(10 * settings.size):
        (folder / "data" / f"{number:05}").write_bytes(os.urandom(_SMALL))
    if tool.name == "pinyon":
        (folder / "pinyon.yaml").write_text("stages: {}\nstores: {elsewhere: ../elsewhere}\n")
    else:
        remote = [tool.path, "remote", "add", "-d", "elsewhere", "../elsewhere"]
        subprocess.run(remote, cwd=folder, check=True, capture_output=True)
    subprocess.run([tool.path, "add", "data"], cwd=folder, check=True, capture_output=True)
    return folder


def _push(tool: Tool, folder: Path) -> Contender:
    words = ["sync", "push", "elsewhere"] if tool.name == "pinyon" else ["push"]

    def call() -> Cost:
        assert tool.path is not None
        shutil.rmtree(folder.parent / "elsewhere", ignore_errors=True)
        shutil.rmtree(os.environ["DVC_SITE_CACHE_DIR"], ignore_errors=True)
        os.sync()  # what the round before wrote is not this one's cost
        return cost_of([tool.path, *words], folder)

    return call
