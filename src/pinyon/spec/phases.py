"""One phase of an experiment: a grid or a search, and the conditions on it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pinyon.model.condition import Comparison
from pinyon.model.experiment import PLUGGED_SAMPLERS, SAMPLERS, Choice, Phase, Range, Space
from pinyon.model.project import Origin
from pinyon.spec.checks import Path, SchemaError, anything, closed, named, nearest, number, text, wrong
from pinyon.spec.conditions import clauses_of
from pinyon.spec.expect import expected_of
from pinyon.spec.space import Axes, axes_of, space_of

LARGEST = (
    100_000  # replicates of a phase: more than anybody waits for, and as many as are planned without a pause
)
EXAMPLE = "{grid: {train.lr: [0.1, 0.01]}}"

_OF_SEARCH = ("trials", "parallel", "sampler")
_shape = closed(
    dict.fromkeys(("grid", "search", *_OF_SEARCH, "where", "quorum", "stop", "expect"), anything),
    hints={
        "set": "put it beside phases: it holds in all of them, and here a grid sets it: {grid: {train.lr: [0.1]}}"
    },
)
_count = number(1, whole=True)
_room = number(0, whole=True)


def phase_of(value: Any, path: Path, seeds: Axes, origin: Origin) -> Phase:
    """A phase as written at ``path``, whose last part is its name; ``seeds`` are those of its experiment.

    Raises:
        SchemaError: the first mistake.
    """
    _shape(value, path)
    if "grid" in value and "search" in value:
        raise SchemaError(path, f"{named(path)} has a grid and a search", next="make two phases of it")
    if "grid" not in value and "search" not in value:
        raise SchemaError(
            path, f"{named(path)} has neither grid nor search", next=f"write for example {EXAMPLE}"
        )
    phase = _grid(value, path) if "grid" in value else _search(value, path)
    for parameter, _ in phase.grid or phase.space:
        if parameter in dict(seeds):
            at = (*path, "grid" if phase.grid else "search", parameter)
            raise SchemaError(at, f"{named(at)} is a seed, too", next="keep it in one of them")
    _refuse_many(phase, path, seeds)
    phase = phase._replace(where=_where(value.get("where", []), (*path, "where"), phase.grid or phase.space))
    return phase._replace(
        quorum=_quorum(value.get("quorum", 1), (*path, "quorum")),
        stop=clauses_of(value.get("stop", []), (*path, "stop")),
        expect=expected_of(value.get("expect", []), (*path, "expect"), phase),
        origin=origin,
    )


def _grid(value: Mapping[str, Any], path: Path) -> Phase:
    for key in _OF_SEARCH:
        if key in value:
            raise SchemaError(
                (*path, key), f"{named((*path, key))} belongs to a search, not to a grid", next="remove it"
            )
    return Phase(path[-1], grid=axes_of(value["grid"], (*path, "grid"), "{train.lr: [0.1, 0.01]}"))


def _search(value: Mapping[str, Any], path: Path) -> Phase:
    space = space_of(value["search"], (*path, "search"))
    sampler = _sampler(value.get("sampler", "tpe"), (*path, "sampler"))
    if "trials" in value:
        _count(value["trials"], (*path, "trials"))
        trials = int(value["trials"])
    elif sampler == "grid":
        trials = math.prod(_raster(found, (*path, "search", name)) for name, found in space)
    else:
        raise SchemaError(path, f"{named(path)} has no trials", next="say how many: trials: 32")
    _room(value.get("parallel", 0), (*path, "parallel"))
    return Phase(
        path[-1], space=space, trials=trials, parallel=int(value.get("parallel", 0)), sampler=sampler
    )


def _sampler(value: Any, path: Path) -> str:
    """The name of a built-in sampler, or of one that an installed package plugs in."""
    text(value, path)
    found: str = value
    if found not in SAMPLERS:
        from importlib.metadata import entry_points

        known = [*SAMPLERS, *sorted({entry.name for entry in entry_points(group=PLUGGED_SAMPLERS)})]
        if found not in known:
            what = f"{named(path)}: '{found[:60]}' is none"
            raise SchemaError(path, what, why=f"samplers are {', '.join(known)}", next=nearest(found, known))
    return found


def _raster(found: Choice | Range, path: Path) -> int:
    """How many values a dimension has."""
    if isinstance(found, Choice):
        return len(found.values)
    step = found.step or (1 if found.integer else None)
    if step is None:
        raise SchemaError(
            path,
            f"{named(path)} has no step, so a grid has no end there",
            next="add a step, name choices, or take sampler: tpe",
        )
    return math.floor((found.high - found.low) / step + 1e-9) + 1


def _refuse_many(phase: Phase, path: Path, seeds: Axes) -> None:
    cells = phase.trials or math.prod(len(values) for _, values in phase.grid)
    replicates = cells * math.prod(len(values) for _, values in seeds)
    if replicates > LARGEST:
        declared = f"{cells:,} {'trials' if phase.trials else 'cells'}"
        under = f" under {replicates // cells:,} seeds, which makes {replicates:,} runs" if seeds else ""
        raise SchemaError(
            (*path, "search" if phase.trials else "grid"),
            f"{named(path)} declares {declared}{under}",
            why=f"{LARGEST:,} are allowed",
            next="vary less, or let a search choose: {search: …, trials: 100}",
        )


def _where(value: Any, path: Path, axes: Axes | Space) -> tuple[Comparison, ...]:
    clauses = clauses_of(value, path)
    varied = dict(axes)
    for clause in clauses:
        if clause.metric not in varied:
            why = f"it varies {', '.join(varied)}"
            what = f"{named(path)} asks for {clause.metric}, which the phase does not vary"
            raise SchemaError(path, what, why=why, next=nearest(clause.metric, varied))
        for entry in _choices(varied[clause.metric]):
            if isinstance(entry, bool) or not isinstance(entry, (int, float)):
                what = f"{named(path)} compares {clause.metric} with a number, and {repr(entry)[:40]} is none"
                raise SchemaError(path, what, next="name the combinations in phases of their own")
    return clauses


def _choices(axis: Choice | Range | tuple[Any, ...]) -> tuple[Any, ...]:
    if isinstance(axis, Range):
        return ()
    return axis.values if isinstance(axis, Choice) else axis


def _quorum(value: Any, path: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise wrong(value, path, "a number")
    if not 0 < value <= 1:  # NaN is refused, too
        next = f"write quorum: {value / 100:g}" if 1 < value <= 100 else ""
        why = "0.9 waits for nine of ten replicates"
        raise SchemaError(
            path, f"{named(path)} must lie above 0 and up to 1, not {value:g}", why=why, next=next
        )
    return float(value)
