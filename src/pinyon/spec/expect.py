"""What somebody expects of the cells of a phase: shown beside what is measured, decides nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from pinyon.errors import PinyonError
from pinyon.model.canonical import canonical
from pinyon.model.experiment import Expected, Phase, Range
from pinyon.model.units import seconds
from pinyon.spec.checks import Path, SchemaError, mapping, name, named, wrong

_EXAMPLE = "[{accuracy: [0.72, 0.75], time: 90m}]"
_TIME = "time"
Bounds = tuple[float, float]


def expected_of(value: Any, path: Path, phase: Phase) -> tuple[Expected, ...]:
    """The rows of a phase's ``expect``. Keys that the phase varies pick cells (none is fine), ``time`` is what a replicate
    takes, and all others are metrics.

    Args:
        phase: with what it varies, and its ``where``.

    Raises:
        SchemaError: a row that expects nothing, or says what is no number.
    """
    if not isinstance(value, list):
        raise wrong(value, path, "a list of rows", f"write for example {path[-1]}: {_EXAMPLE}")
    return tuple(_row(row, (*path, index), phase) for index, row in enumerate(value))


def _row(value: Any, path: Path, phase: Phase) -> Expected:
    mapping(value, path)
    for key in value:
        name(key, path)
    varied = [axis for axis, _ in phase.grid or phase.space]
    cells = tuple((key, _picked(entry, (*path, key), phase)) for key, entry in value.items() if key in varied)
    rest = {key: entry for key, entry in value.items() if key not in varied}
    if not rest:
        raise SchemaError(path, f"{named(path)} expects nothing", next=f"add a metric, as in {_EXAMPLE}")
    _refuse_mistaken(rest, path, phase)
    time = _bounds(rest.pop(_TIME), (*path, _TIME), _seconds) if _TIME in rest else None
    metrics = tuple((key, _bounds(entry, (*path, key), _number)) for key, entry in rest.items())
    return Expected(cells, metrics, time)


def _picked(value: Any, path: Path, phase: Phase) -> Any:
    """The value as the phase varies it. One that no cell has stays as it is: a grid may change, what was expected not."""
    known = (one for one in _values(phase, path[-1]) if _same(one, value))
    return next(known, value)


def _values(phase: Phase, parameter: str) -> list[Any]:
    """What a parameter can be in a cell, as far as that is written out. Every condition is on one parameter."""
    axis = dict(phase.grid or phase.space)[parameter]
    values: Any = () if isinstance(axis, Range) else getattr(axis, "values", axis)
    return [value for value in values if _meets(phase, parameter, value)]


def _meets(phase: Phase, parameter: str, value: Any) -> bool:
    return all(clause.meets(value) for clause in phase.where if clause.metric == parameter)


def _refuse_mistaken(row: Mapping[str, Any], path: Path, phase: Phase) -> None:
    """What is called nearly like a parameter of the phase, and has one of its values, is no metric."""
    from difflib import get_close_matches

    varied = [axis for axis, _ in phase.grid or phase.space]
    for key, value in row.items():
        for axis in varied:
            alike = axis.rpartition(".")[2] == key or get_close_matches(key[:100], [axis], 1, 0.8)
            if alike and any(_same(known, value) for known in _values(phase, axis)):
                what = f"'{key[:60]}' in {named(path)} is nothing that the phase varies"
                raise SchemaError((*path, key), what, next=f"write {axis}")


def _bounds(value: Any, path: Path, read: Callable[[Any, Path], float]) -> Bounds:
    """The lowest and the highest value; both the same where one is given."""
    if not isinstance(value, list):
        one = read(value, path)
        return one, one
    if len(value) != 2:
        what = f"{named(path)} has {len(value)} values and not two"
        raise SchemaError(path, what, next=f"write {path[-1]}: [low, high]")
    low, high = (read(entry, (*path, index)) for index, entry in enumerate(value))
    if low > high:
        raise SchemaError(path, f"{named(path)} goes from {low:g} to {high:g}", why="the first must be less")
    return low, high


def _number(value: Any, path: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise wrong(value, path, "a number, or [low, high]")
    try:
        found = float(value)
    except OverflowError:  # an integer that no float holds
        found = math.inf
    if not math.isfinite(found):
        raise SchemaError(path, f"{named(path)} must be a finite number, not {found:g}")
    return found


def _seconds(value: Any, path: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise wrong(value, path, "seconds, a duration such as 90m, or [low, high]")
    try:
        return seconds(value)
    except (ValueError, OverflowError) as error:
        what, _, next = str(error).partition("; ")
        raise SchemaError(path, f"{named(path)}: {what[:120]}", next=next) from None


def _same(one: Any, other: Any) -> bool:
    try:
        return canonical(one) == canonical(other)
    except (PinyonError, ValueError, TypeError):
        return False
