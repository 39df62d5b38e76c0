"""``-S key=value`` and the cells of an experiment: values laid over parameter files, with the types kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pinyon.errors import PlanError
from pinyon.model.experiment import Pairs
from pinyon.plan.interpolate import get_path, nearest
from pinyon.plan.params import dotted_names
from pinyon.plan.paths import join
from pinyon.plan.scope import DEFAULT_PARAMS

Overrides = Sequence[tuple[str, Any]]


def split(key: str) -> tuple[str, str]:
    """``file:a.b`` or ``a.b`` (of params.yaml) → (file as a normal path, dotted name)."""
    file, colon, name = key.rpartition(":")
    return (join("", file), name) if colon else (DEFAULT_PARAMS, key)


def files_of(overrides: Overrides) -> list[str]:
    """The parameter files that the overrides touch."""
    return list(dict.fromkeys(split(key)[0] for key, _ in overrides))


def names_in(read: Mapping[str, Any]) -> list[str]:
    """Every parameter that can be named without its file."""
    return dotted_names(read.get(DEFAULT_PARAMS))


def parted(read: Mapping[str, Any], overrides: Overrides) -> tuple[Overrides, Overrides]:
    """Those that mean a parameter file, and those whose name stands in none: they are for commands, if for anybody."""
    elsewhere = [
        pair
        for pair in overrides
        if ":" not in pair[0] and not get_path(read.get(DEFAULT_PARAMS) or {}, pair[0])[0]
    ]
    return [pair for pair in overrides if pair not in elsewhere], elsewhere


def over(*layers: Overrides) -> Pairs:
    """One overlay of several; later ones win, the order stays that of the first mention. A value for a whole group takes
    away what was set inside it before."""
    merged: dict[str, Any] = {}
    for pairs in layers:
        for key, value in pairs:
            for inner in [other for other in merged if other != key and covers(key, other)]:
                del merged[inner]
            merged[key] = value
    return tuple(merged.items())


def covers(key: str, other: str) -> bool:
    """Whether a value for ``key`` is one for ``other``, too: they are the same parameter, or that one lies inside."""
    (file, name), (others, inner) = split(key), split(other)
    return file == others and within(inner, name)


def meet(one: str, other: str) -> bool:
    """Whether they are the same parameter, or one lies inside the other."""
    return covers(one, other) or covers(other, one)


def within(inner: str, name: str) -> bool:
    """Whether a dotted name is this one or lies inside it."""
    return inner == name or inner.startswith(f"{name}.")


def apply(read: Mapping[str, Any], overrides: Overrides, said: str = "") -> Mapping[str, Any]:
    """The files with the overrides in them; the originals are not changed.

    Args:
        said: what errors begin with, if not with ``-S`` and the name.

    Raises:
        PlanError: a parameter that is not there (with the nearest name) or has another type.
    """
    files = dict(read)
    for key, value in overrides:
        file, name = split(key)
        begin = said or f"-S {key}"
        if files.get(file) is None:
            raise PlanError(f"{begin}: there is no {file}", next=f"write {file} first")
        there, old = get_path(files[file], name)
        if not there:
            why = nearest(name, dotted_names(files[file]))
            raise PlanError(f"{begin}: {file} has no parameter '{name}'", why=why)
        if not _fits(old, value):
            raise PlanError(
                f"{begin}={value}: {name} is {_kind(old)} in {file}, not {_kind(value)}",
                next=f"give {_kind(old)}",
            )
        # The same way as `get_path` went: a key that holds the dots itself wins, but only at the top.
        whole = isinstance(files[file], Mapping) and name in files[file]
        files[file] = _put(files[file], [name] if whole else name.split("."), value)
    return files


def _put(content: Any, steps: list[str], value: Any) -> Any:
    if not steps:
        return value
    step, *rest = steps
    if isinstance(content, Mapping):
        key = step if step in content else next(key for key in content if str(key) == step)
        return {**content, key: _put(content[key], rest, value)}
    items = list(content)
    items[int(step)] = _put(items[int(step)], rest, value)
    return items


def _fits(old: Any, new: Any) -> bool:
    if old is None or new is None:
        return True
    if isinstance(old, bool) or isinstance(new, bool):
        return isinstance(old, bool) and isinstance(new, bool)
    if isinstance(old, (int, float)):
        return isinstance(new, (int, float))
    return isinstance(new, (list, tuple)) if isinstance(old, (list, tuple)) else isinstance(new, type(old))


def _kind(value: Any) -> str:
    names = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "a map",
    }
    return names.get(type(value), "null")
