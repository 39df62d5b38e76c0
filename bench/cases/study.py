"""Experiments: a grid of many cells, three phases against the ideal schedule, one more experiment beside DVC's queue."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bench import tools
from bench.measure import Cost, Row, cost_of, cpu_row, interleave, wall_row
from bench.settings import Settings
from bench.tools import Tool

_PLAN, _NOOP, _IDEAL = 1000.0, 500.0, 1.1
_NAP = 1.0  # seconds that each attempt of the three phases sleeps
_PARAMS = "a: 0\nb: 0\nc: 0\nsigma: 1\nhidden: 1\nheads: 1\nlayers: 1\nepochs: 1\n"


def study(settings: Settings) -> Iterator[Row]:
    """A grid of `size` cells planned and repeated; the phases of a small study; one experiment beside DVC's"""
    yield from _grid(settings)
    yield from _phases(settings)
    yield from _queue(settings)


def _project(folder: Path, stages: dict[str, object], phases: dict[str, object]) -> Path:
    experiment = {"stage": "train", "objective": {"maximize": "score"}, "phases": phases}
    document = {"stages": stages, "experiments": {"study": experiment}}
    (folder / "pinyon.yaml").write_text(json.dumps(document))
    (folder / "params.yaml").write_text(_PARAMS)
    (folder / "data").write_text("data\n")
    return folder


def _grid(settings: Settings) -> Iterator[Row]:
    tool = tools.find("pinyon")
    assert tool.path is not None
    side = round(settings.size ** (1 / 3))
    train = {
        "cmd": 'echo "{\\"score\\": ${a}${b}${c}}" > m.json',
        "deps": ["net"], "params": ["a", "b", "c"], "metrics": ["m.json"],
    }  # fmt: skip
    pretrain = {"cmd": "echo ${a} ${b} > net", "deps": ["data"], "params": ["a", "b"], "outs": ["net"]}
    grid = {name: list(range(1, side + 1)) for name in "abc"}
    folder = _project(
        settings.folder("study", "grid"), {"pretrain": pretrain, "train": train}, {"all": {"grid": grid}}
    )
    label = f"a grid of {side**3:,} cells"
    words = [tool.path, "plan", "study", "--json"]
    yield cpu_row(f"plan {label}, never run", _costs(settings, words, folder), limit=_PLAN)
    ran = cost_of([tool.path, "run", "study", "-j", "2"], folder)
    runs = side**3 + side**2
    yield Row(f"run {label}, an attempt of {runs:,}", "ms CPU", (ran.cpu * 1e3 / runs,))
    yield cpu_row(f"plan {label}, finished", _costs(settings, words, folder), limit=_PLAN)
    again = [tool.path, "run", "study"]
    cost_of(again, folder)
    yield cpu_row(f"run {label} again", _costs(settings, again, folder), limit=_NOOP)


def _costs(settings: Settings, words: list[str | Path], folder: Path) -> list[Cost]:
    return [cost_of(words, folder) for _ in range(max(settings.rounds // 2, 3))]


def _phases(settings: Settings) -> Iterator[Row]:
    """Fifteen cells in three phases that only sleep, two at a time: 4, 7 and 2 attempts in 2, 4 and 1 turns."""
    tool = tools.find("pinyon")
    assert tool.path is not None
    train = {
        "cmd": f'sleep {_NAP}; echo "{{\\"score\\": 1}}" > m.json', "deps": ["data"],
        "params": ["sigma", "hidden", "heads", "layers", "epochs"], "metrics": ["m.json"],
    }  # fmt: skip
    phases = {
        "warp": {"grid": {"sigma": [1, 2, 3, 4]}},
        "shape": {"grid": {"hidden": [1, 2], "heads": [1, 2], "layers": [1, 2]}},
        "depth": {"grid": {"epochs": [1, 2, 3]}},
    }
    took = []
    for turn in range(3):
        folder = _project(settings.folder("study", f"phases-{turn}"), {"train": train}, phases)
        took.append(cost_of([tool.path, "run", "study", "-j", "2"], folder).wall)
    ideal = (2 + 4 + 1) * _NAP
    yield Row(
        "three phases of 15 cells, -j 2, wall ÷ ideal", "×", tuple(wall / ideal for wall in took), _IDEAL
    )


def _queue(settings: Settings) -> Iterator[Row]:
    """One experiment more, of a command that does nothing: the whole call."""
    ours, theirs = tools.find("pinyon"), tools.find("dvc")
    stages = {"train": {"cmd": "true", "deps": ["data"], "params": ["a"]}}
    turns = iter(range(1, 10_000))

    def add(tool: Tool, folder: Path) -> Cost:
        turn = next(turns)
        assert tool.path is not None
        if tool.name == "pinyon":
            return cost_of([tool.path, "run", "-S", f"a={turn}"], folder)
        # In a folder of its own as a queued one would be; `--queue` starts a worker that stays.
        return cost_of([tool.path, "exp", "run", "--temp", "-S", f"a={turn}"], folder)

    contenders = {}
    for tool in (ours, theirs):
        if tool.path is None:
            yield Row(tool.name, note="not installed")
            continue
        folder = settings.folder("study", "queue", tool.name)
        _repository(folder, tool, stages)
        contenders[tool.name] = lambda tool=tool, folder=folder: add(tool, folder)
    for name, costs in interleave(3, contenders).items():
        how = "run -S" if name == "pinyon" else "exp run --temp"
        yield wall_row(f"{name} {how}: one experiment that does nothing", costs)
        yield cpu_row(f"{name} {how}: one experiment that does nothing", costs)


def _repository(folder: Path, tool: Tool, stages: dict[str, object]) -> None:
    """A git repository with one commit, as DVC's experiments need one."""
    (folder / "params.yaml").write_text(_PARAMS)
    (folder / "data").write_text("data\n")
    name = "pinyon.yaml" if tool.name == "pinyon" else "dvc.yaml"
    (folder / name).write_text(json.dumps({"stages": stages}))
    git = shutil.which("git")
    assert git is not None
    subprocess.run([git, "init", "-q"], cwd=folder, check=True)
    if tool.name == "dvc" and tool.path:
        cost_of([tool.path, "init", "-q"], folder)
    subprocess.run([git, "add", "-A"], cwd=folder, check=True)
    who = ["-c", "user.name=bench", "-c", "user.email=bench@example.org"]
    subprocess.run([git, *who, "commit", "-qm", "bench"], cwd=folder, check=True)
