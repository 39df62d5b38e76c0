"""Declared parameters of a stage: which file, which name, which value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from pinyon.errors import PlanError
from pinyon.model.graph import Param
from pinyon.model.project import StageTemplate
from pinyon.plan.interpolate import get_path, nearest
from pinyon.plan.paths import join
from pinyon.plan.scope import DEFAULT_PARAMS, Files

_PATTERN = frozenset("*?[")


class Lack(NamedTuple):
    """A declared parameter that is not there (yet): a stage may make its file, or never run."""

    file: str
    error: PlanError


def declared(entries: Sequence[Any], wdir: str) -> dict[str, list[str]]:
    """Names by file; an empty list is the whole file, which names of its parts add nothing to."""
    pairs = [
        (join(wdir, file), names or [])
        for entry in entries
        for file, names in (entry.items() if isinstance(entry, Mapping) else [(DEFAULT_PARAMS, [entry])])
    ]
    whole = {path for path, names in pairs if not names}
    found: dict[str, list[str]] = {}
    for path, names in pairs:
        known = found.setdefault(path, [])
        if path not in whole:
            known += names
    return found


def params_of(
    template: StageTemplate, name: str, entries: Sequence[Any], wdir: str, files: Files
) -> tuple[tuple[Param, ...], list[Lack]]:
    """The parameters of a stage called ``name``, and what they lack.

    Raises:
        UnreadFileError: a parameter file must be read first.
    """
    found: dict[tuple[str, str], Param] = {}
    lacks: list[Lack] = []
    for path, names in declared(entries, wdir).items():
        content = files.get(path)
        if content is None:
            what = f"stage '{name}' reads parameters from {path}, which does not exist"
            next_ = f"write {path} or remove it from params"
            lacks.append(Lack(path, PlanError(what, where=str(template.at("params")), next=next_)))
            continue
        for key in names or ("",):
            there, value = get_path(content, key) if key else (True, content)
            fitting = (
                [] if there or not _PATTERN.intersection(key) else list(_fitting(content, key.split(".")))
            )
            if there or len(fitting) == 1:
                found[path, key] = Param(path, key, value if there else fitting[0])
            else:
                lacks.append(Lack(path, _missing(template, name, path, key, content, len(fitting))))
    return tuple(found.values()), lacks


def _fitting(content: Any, steps: Sequence[str]) -> Iterator[Any]:
    """Values whose names fit a pattern such as ``train.*``, one step for one step."""
    if not steps:
        yield content
        return
    keys: Any = content.items() if isinstance(content, Mapping) else ()
    for key, value in enumerate(content) if isinstance(content, list) else keys:
        if fnmatchcase(str(key), steps[0]):
            yield from _fitting(value, steps[1:])


def _missing(
    template: StageTemplate, name: str, path: str, key: str, content: Any, fitting: int
) -> PlanError:
    what = "does not have" if not fitting else f"has {fitting} times"
    return PlanError(
        f"stage '{name}' declares parameter '{key}', which {path} {what}",
        where=str(template.at("params")),
        why="a pattern must fit one parameter" if fitting else nearest(key, list(dotted_names(content))),
    )


def dotted_names(content: Any, prefix: str = "") -> list[str]:
    """Every dotted name in nested maps, groups included."""
    names: list[str] = []
    if isinstance(content, Mapping):
        for key, value in content.items():
            names += [f"{prefix}{key}", *dotted_names(value, f"{prefix}{key}.")]
    return names
