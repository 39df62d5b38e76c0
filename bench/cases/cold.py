"""Running everything for the first time: what the engine adds to each stage."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from bench import projects, tools
from bench.measure import Contender, Cost, Row, cpu_row, interleave, ratio_row
from bench.projects import Shape
from bench.settings import Settings

_TARGET = 2.5
_ENOUGH = 100  # stages; below, a difference of two runs is noise
_DVC = 1 / 25  # at most this of `dvc repro`
_STRAIGHT = 1.3  # how much more a late stage may cost than an early one; a quadratic loop would show as more
# make starts a plain command by itself as long as its shell is /bin/sh, and so does Pinyon; by another name of a shell
# make starts one for each command: what a line with a pipe or a variable costs it.
_SHELL = f"SHELL={shutil.which('dash') or shutil.which('bash')}"
_VARIANTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "pinyon": ("pinyon", ()),
    "make": ("make", ()),
    "make with a shell": ("make", (_SHELL,)),
}
Costs = dict[str, list[Cost]]


def cold(settings: Settings) -> Iterator[Row]:
    """First run of `cp` stages, per stage"""
    for shape in ("chain", "fan"):
        for jobs in (1, 2):
            costs = {}
            for size in settings.sizes:
                costs[size] = _costs(settings, shape, size, jobs)
                yield from _rows(costs[size], size, f"{shape} of {size} -j{jobs}")
            yield from _growth(costs, f"{shape} -j{jobs}")
    size = settings.sizes[1]
    different = _costs(settings, "chain", size, 1, distinct=True)
    yield from _rows(different, size, f"chain of {size} -j1, all outs different")
    yield from _peers(settings)


def _costs(settings: Settings, shape: Shape, size: int, jobs: int, *, distinct: bool = False) -> Costs:
    contenders = {
        name: _cold(settings, name, shape, size, jobs, distinct=distinct)
        for name in _VARIANTS
        if not (distinct and "with a shell" in name)
    }
    return interleave(max(settings.rounds // 3, 2), contenders, warm=False)


def _rows(costs: Costs, size: int, label: str) -> Iterator[Row]:
    for name, found in costs.items():
        yield cpu_row(f"{name}, {label}", found, per=size)
    yield ratio_row(f"pinyon ÷ make, {label}", costs["pinyon"], costs["make"], _TARGET)


def _growth(costs: dict[int, Costs], label: str) -> Iterator[Row]:
    """What one more stage costs, free of what every call costs, and whether it stays the same towards the end."""
    small, middle, large = costs
    more = {name: _each_more(costs, name, small, large) for name in costs[small]}
    for name, found in more.items():
        yield cpu_row(f"{name}, one more stage, {label}", found)
    yield ratio_row(f"pinyon ÷ make, one more stage, {label}", more["pinyon"], more["make"])
    early, late = (_each_more(costs, "pinyon", *pair) for pair in ((small, middle), (middle, large)))
    what = f"pinyon, one more stage between {middle} and {large} ÷ between {small} and {middle}, {label}"
    yield ratio_row(what, late, early, _STRAIGHT if small >= _ENOUGH else None)


def _each_more(costs: dict[int, Costs], name: str, few: int, many: int) -> list[Cost]:
    pairs = zip(costs[few][name], costs[many][name], strict=True)
    return [Cost((b.cpu - a.cpu) / (many - few), (b.wall - a.wall) / (many - few)) for a, b in pairs]


def _peers(settings: Settings) -> Iterator[Row]:
    size = settings.sizes[0]
    for name in ("doit", "snakemake", "dvc"):
        what = f"{name}, chain of {size} -j1"
        if tools.find(name).path is None:
            yield Row(what, note="not installed")
        else:
            pairs = interleave(
                2, {n: _cold(settings, n, "chain", size, 1) for n in (name, "pinyon")}, warm=False
            )
            yield cpu_row(what, pairs[name], per=size)
            if name == "dvc":
                yield ratio_row(f"pinyon ÷ {what}", pairs["pinyon"], pairs[name], _DVC)


def _cold(
    settings: Settings, name: str, shape: Shape, size: int, jobs: int, *, distinct: bool = False
) -> Contender:
    command, more = _VARIANTS.get(name, (name, ()))
    tool, graph = tools.find(command), projects.steps(shape, size, distinct=distinct)

    def run() -> Cost:
        folder = projects.write(command, settings.folder("cold", command), graph)
        tool.prepare(folder)
        cost = tool.run(folder, jobs, *more)
        _check(folder, graph[-1].name)
        shutil.rmtree(folder)
        return cost

    return run


def _check(folder: Path, last: str) -> None:
    if not (folder / last).exists():
        raise RuntimeError(f"{folder / last} was not made")
