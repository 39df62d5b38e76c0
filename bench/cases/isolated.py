"""Attempts in workspaces of their own, where a slot is used again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from bench import tools
from bench.measure import Cost, Row, cost_of, cpu_row, over_row
from bench.settings import Settings
from pinyon.store.local import LocalStore

_TARGET = 60.0
_STAGES = 4
_COMMAND = "date +%s.%N"  # what a stage writes is the moment at which its command ended


def isolated(settings: Settings) -> Iterator[Row]:
    """Isolated attempts of a project of many files, four an execution, in one reused slot"""
    folder = _project(settings.folder("isolated"), settings.size)
    tool = tools.find("pinyon")
    assert tool.path is not None
    ours, bare = [], []
    fresh, first, later = [], [], []
    for turn in range(settings.rounds + 1):
        began = time.time()
        cost = cost_of([tool.path, "run", "-S", f"value={turn}"], folder)
        found = _gaps(LocalStore(folder / ".pinyon"), began)
        floor = _bare(folder)
        if not turn:
            fresh = found[:1]
            continue
        ours.append(cost)
        bare.append(floor)
        first += found[:1]
        later += found[1:]
    label = f"{settings.size} files"
    yield from _moments(f"{label}, fresh slot", fresh)
    yield from _moments(f"{label}, reused slot, first of an execution (its supervisor starts)", first)
    yield from _moments(f"{label}, reused slot", later, _TARGET)
    yield cpu_row(f"pinyon run -S value=N, {_STAGES} stages", ours)
    yield cpu_row(f"the {_STAGES} bare commands", bare)
    yield over_row("pinyon over bare commands, an attempt", _each(ours), _each(bare))
    wall = tuple((a.wall - b.wall) * 1e3 / _STAGES for a, b in zip(ours, bare, strict=True))
    yield Row("pinyon over bare commands, an attempt", "ms wall", wall)


def _moments(label: str, gaps: list[tuple[float, float]], limit: float | None = None) -> Iterator[Row]:
    """Both gaps of some attempts, together and apart."""
    yield Row(f"attempt, {label}", "ms wall", tuple(sum(gap) * 1e3 for gap in gaps), limit)
    yield Row("… intent to running", "ms wall", tuple(before * 1e3 for before, _ in gaps))
    yield Row("… command's end to ended", "ms wall", tuple(after * 1e3 for _, after in gaps))


def _project(folder: Path, files: int) -> Path:
    for number in range(files):
        path = folder / f"src/{number // 100:02}/{number:04}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{number}\n" * 100)
    (folder / "params.yaml").write_text("value: -1\n")
    stages = "".join(
        f"  s{number}:\n    cmd: {_COMMAND} > s{number}\n    deps: [src/00]\n    params: [value]\n    outs: [s{number}]\n"
        for number in range(_STAGES)
    )
    (folder / "pinyon.yaml").write_text(f"stages:\n{stages}")
    return folder


def _bare(folder: Path) -> Cost:
    costs = [cost_of(["sh", "-c", f"{_COMMAND} > bare"], folder) for _ in range(_STAGES)]
    return Cost(sum(cost.cpu for cost in costs), sum(cost.wall for cost in costs))


def _each(costs: list[Cost]) -> list[Cost]:
    return [Cost(cost.cpu / _STAGES, cost.wall / _STAGES) for cost in costs]


def _gaps(store: LocalStore, began: float) -> list[tuple[float, float]]:
    """Seconds from intent to running and from the command's end to ended, by the journals, of all attempts since."""
    times: dict[str, dict[str, float]] = {}
    for segment in store.journals.segments():
        for event, _ in store.journals.read(segment):
            if event.ts < began or "attempt" not in event.body:
                continue
            moments = times.setdefault(event.body["attempt"], {})
            moments[event.kind] = event.ts
            if event.kind == "outputs":
                moments["end"] = float(store.blobs.read(event.body["outs"][0][1]))
    in_order = sorted(times.values(), key=lambda at: at["running"])
    return [(at["running"] - at["intent"], at["ended"] - at["end"]) for at in in_order]
