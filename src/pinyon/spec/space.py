"""What a phase varies: axes of a grid, seeds, and the space of a search."""

from __future__ import annotations

import math
from typing import Any

from pinyon.errors import PlanError
from pinyon.model.canonical import canonical
from pinyon.model.experiment import Choice, Range, Space
from pinyon.spec.checks import Path, SchemaError, name, named, unknown, wrong

Axes = tuple[tuple[str, tuple[Any, ...]], ...]

_RANGES = ("log", "uniform", "int")


def axes_of(value: Any, path: Path, example: str) -> Axes:
    """Parameters with the values that each takes: a grid, or seeds.

    Raises:
        SchemaError: no values, the same value twice, or one that no parameter can have.
    """
    entries = _entries(value, path, f"{path[-1]}: {example}")
    return tuple((key, _values(found, (*path, key))) for key, found in entries)


def pairs_of(value: Any, path: Path) -> tuple[tuple[str, Any], ...]:
    """Parameters with one value each.

    Raises:
        SchemaError: none at all, or a value that no parameter can have.
    """
    entries = _entries(value, path, f"{path[-1]}: {{train.lr: 0.01}}")
    for key, found in entries:
        _canonical(found, (*path, key))
    return entries


def space_of(value: Any, path: Path) -> Space:
    """Parameters with what a sampler may choose for each.

    Raises:
        SchemaError: neither choices nor a range, or a range without numbers in it.
    """
    entries = _entries(value, path, "search: {train.lr: {log: [1.0e-4, 1.0e-2]}}")
    return tuple((key, _dimension(found, (*path, key))) for key, found in entries)


def _entries(value: Any, path: Path, example: str) -> tuple[tuple[str, Any], ...]:
    """What stands under the names of parameters, which must be some."""
    next = f"write for example {example}"
    if not isinstance(value, dict):
        raise wrong(value, path, "a mapping", next)
    if not value:
        raise SchemaError(path, f"{named(path)} is empty", next=next)
    for key in value:
        name(key, path)
    return tuple(value.items())


def _dimension(value: Any, path: Path) -> Choice | Range:
    if isinstance(value, list):
        return Choice(_values(value, path))
    if not isinstance(value, dict):
        wanted = "a list of choices or a range"
        raise wrong(
            value,
            path,
            wanted,
            "write [8, 16, 32], {log: [1.0e-4, 1.0e-2]}, {uniform: [0, 1]} or {int: [1, 8]}",
        )
    for key in value:
        if key not in (*_RANGES, "step"):
            raise unknown(key, path, (*_RANGES, "step"))
    spread = "int" in value and isinstance(value.get("log"), bool)  # {int: [1, 1024], log: true}
    kinds = [kind for kind in _RANGES if kind in value and not (spread and kind == "log")]
    if len(kinds) != 1:
        what = f"is {' and '.join(kinds)} at once" if kinds else "has no range"
        raise SchemaError(path, f"{named(path)} {what}", why="a range is one of log, uniform, int")
    return _range(kinds[0], value, path)


def _range(kind: str, value: dict[str, Any], path: Path) -> Range:
    at = (*path, kind)
    bounds = value[kind]
    next = f"write {kind}: [low, high]"
    if not isinstance(bounds, list):
        raise wrong(bounds, at, "two numbers", next)
    if len(bounds) != 2:
        raise SchemaError(at, f"{named(at)} has {len(bounds)} numbers and not two", next=next)
    whole = kind == "int"
    low, high = (_number(bound, (*at, index), whole) for index, bound in enumerate(bounds))
    if low >= high:
        raise SchemaError(at, f"{named(at)} goes from {low:g} to {high:g}", why="the first must be less")
    log = kind == "log" or value.get("log") is True
    if log and low <= 0:
        raise SchemaError(at, f"{named(at)} begins at {low:g}", why="a logarithm needs more than 0")
    step = None
    if "step" in value:
        if log:
            raise SchemaError(
                (*path, "step"), f"{named(path)} is log, so it has no step", why="uniform and int may"
            )
        step = _number(value["step"], (*path, "step"), whole)
        if not 0 < step <= high - low:
            raise SchemaError(
                (*path, "step"),
                f"{named((*path, 'step'))} is {step:g}",
                why=f"it must lie between 0 and {high - low:g}",
            )
    return Range(low, high, log=log, step=step, integer=whole)


def _number(value: Any, path: Path, whole: bool) -> float:
    wanted = "a whole number" if whole else "a number"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise wrong(value, path, wanted, "" if not isinstance(value, str) else "remove its quotes")
    if isinstance(value, int) and value.bit_length() > 1_000:
        raise SchemaError(
            path, f"{named(path)} has {len(str(value))} digits", why="no sampler can count so far"
        )
    if not math.isfinite(value) or (whole and value != int(value)):
        raise SchemaError(path, f"{named(path)} must be {wanted}, not {value:g}")
    return int(value) if whole else value


def _values(value: Any, path: Path) -> tuple[Any, ...]:
    if not isinstance(value, list):
        plain = isinstance(value, (int, float)) and not isinstance(value, bool)
        inner = f".{next(iter(value))}" if isinstance(value, dict) and value else ""
        shown = f"{path[-1]}{inner}: [{value if plain else '1, 2, 3'}]"
        raise wrong(value, path, "a list of values", f"write {shown}")
    if not value:
        raise SchemaError(
            path, f"{named(path)} has no values", next=f"write for example {path[-1]}: [1, 2, 3]"
        )
    seen: dict[bytes, Any] = {}
    for index, entry in enumerate(value):
        known = _canonical(entry, (*path, index))
        if known in seen:
            first = seen[known]
            same = "" if repr(first) == repr(entry) else f"{first!r} equals {entry!r}"[:80]
            what = f"{repr(entry)[:60]} stands twice in {named(path)}"
            raise SchemaError((*path, index), what, why=same, next="remove one of them")
        seen[known] = entry
    return tuple(value)


def _canonical(value: Any, path: Path) -> bytes:
    """A value's identity."""
    try:
        return canonical(value)
    except PlanError as error:
        raise SchemaError(path, f"{named(path)}: {error.what}", why=error.why, next=error.next) from None
