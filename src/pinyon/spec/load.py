"""A directory becomes a `Project`: its root is found, its files are read, checked and taken apart into templates."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pinyon.errors import SpecError
from pinyon.model.project import Origin, Project, StageTemplate
from pinyon.spec import files, params
from pinyon.spec.checks import SchemaError
from pinyon.spec.schema import check_document
from pinyon.spec.stage import Dialect
from pinyon.store.place import project_around

PROJECT_FILES: dict[str, Dialect] = {"pinyon.yaml": "pinyon", "dvc.yaml": "dvc"}


def find_root(start: Path) -> Path:
    """The project that ``start`` (a directory or a file) lies in.

    The nearest ``pinyon.yaml`` upwards decides; where there is none at all, the nearest ``dvc.yaml``, and without either
    the nearest store.

    Raises:
        SpecError: none of them is there.
    """
    root = project_around(str(start))
    if root is not None:
        return Path(root)
    raise SpecError(
        "no pinyon.yaml and no dvc.yaml here or above",
        where=os.path.abspath(start),
        next="pinyon init, or without any file: pinyon run -- python train.py",
    )


def load_project(root: Path) -> Project:
    """Read ``pinyon.yaml`` and ``dvc.yaml`` at ``root``; with both, the stages of both count.

    Raises:
        SpecError: the first mistake in them, or neither is there.
    """
    # Files at the root itself; a dvc.yaml in a directory below would join this list under its path from the root.
    sources = [source for file in PROJECT_FILES if (source := _read(root, file)) is not None]
    if not sources:
        raise SpecError("no pinyon.yaml and no dvc.yaml here", where=str(root), next="pinyon init")
    settings: dict[str, Any] = {}
    stages: dict[str, StageTemplate] = {}
    variables: dict[str, tuple[Any, ...]] = {}
    for source in sources:
        for template in _templates(source):
            _add_stage(stages, template)
        if source.data.get("vars"):
            variables[source.base] = (*variables.get(source.base, ()), *source.data["vars"])
        _add_settings(settings, source)
    return Project(
        root=str(root),
        name=settings.get("project", {}).get("name") or os.path.basename(os.path.abspath(root)) or "project",
        files=tuple(source.file for source in sources),
        stages=tuple(stages.values()),
        variables=variables,
        settings=settings,
    )


def read_params(root: Path, relpath: str) -> Any:
    """The data of the parameter file at ``relpath``, a posix path seen from ``root``; None when there is no such file.

    Raises:
        SpecError: the file is broken, too long, or of no known kind.
    """
    raw = files.read(root / relpath, relpath, files.PARAMS_LIMIT)
    return None if raw is None else params.parse_params(raw, relpath)


class _Source(NamedTuple):
    """One project file, checked."""

    file: str  # relative to the root
    base: str
    dialect: Dialect
    data: Mapping[str, Any]
    lines: Mapping[str, int]


def _read(root: Path, file: str) -> _Source | None:
    raw = files.read(root / file, file, files.PROJECT_LIMIT)
    if raw is None:
        return None
    from pinyon.spec.yaml import load_yaml  # PyYAML is not for those who only import this module

    document = load_yaml(raw, file)
    base, _, name = file.rpartition("/")
    data = {} if document.data is None else document.data
    try:
        check_document(data, PROJECT_FILES[name])
    except SchemaError as error:
        line = _line(document.lines, error.path)
        raise SpecError(error.what, where=str(Origin(file, line)), why=error.why, next=error.next) from None
    return _Source(file, base, PROJECT_FILES[name], data, document.lines)


def _line(lines: Mapping[str, int], path: tuple[Any, ...]) -> int:
    """The line of the nearest enclosing part that has one; 0 for the whole file."""
    for end in range(len(path), 0, -1):
        line = lines.get(".".join(map(str, path[:end])))
        if line:
            return line
    return 0


class _StageLines(Mapping[str, int]):
    """A file's lines as one stage sees them; what stands under ``meta.pinyon`` is found at the stage's own level."""

    def __init__(self, lines: Mapping[str, int], stage: str) -> None:
        self._lines = lines
        self._prefix = f"stages.{stage}."

    def __getitem__(self, path: str) -> int:
        line = self._lines.get(self._prefix + path)
        return self._lines[f"{self._prefix}meta.pinyon.{path}"] if line is None else line

    def __iter__(self) -> Iterator[str]:
        return (path.removeprefix(self._prefix) for path in self._lines if path.startswith(self._prefix))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _templates(source: _Source) -> Iterator[StageTemplate]:
    for name, body in source.data.get("stages", {}).items():
        yield StageTemplate(
            name=name,
            body=_flat(body),
            origin=Origin(source.file, _line(source.lines, ("stages", name))),
            base=source.base,
            dialect=source.dialect,
            lines=_StageLines(source.lines, name),
        )


def _flat(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The body with one shape for what may be written in two: our keys at the top, one path an out entry."""
    flat = dict(body)
    meta = body.get("meta")
    if isinstance(meta, dict):
        flat |= meta.get("pinyon", {})
    for key in ("outs", "metrics", "plots"):
        if any(isinstance(entry, dict) and len(entry) != 1 for entry in body.get(key, ())):
            flat[key] = [one for entry in body[key] for one in _single(entry)]
    return flat


def _single(entry: Any) -> list[Any]:
    return [{path: options} for path, options in entry.items()] if isinstance(entry, dict) else [entry]


def _add_stage(stages: dict[str, StageTemplate], template: StageTemplate) -> None:
    first = stages.setdefault(template.name, template)
    if first is not template:
        raise SpecError(
            f"stage '{template.name}' is declared twice",
            where=str(template.origin),
            why=f"the first stands at {first.origin}",
            next="rename one of them",
        )


def _add_settings(settings: dict[str, Any], source: _Source) -> None:
    """Sections of both files: lists are joined, mappings are united."""
    for section, value in source.data.items():
        if section in ("stages", "vars") or value is None:
            continue
        known = settings.setdefault(section, value)
        if known is value:
            continue
        if isinstance(known, list) and isinstance(value, list):
            settings[section] = known + value
        elif isinstance(known, dict) and isinstance(value, dict) and not known.keys() & value.keys():
            settings[section] = known | value
        else:
            where = Origin(source.file, _line(source.lines, (section,)))
            raise SpecError(
                f"{section} is declared twice",
                where=str(where),
                why="pinyon.yaml says something else under the same name",
                next="keep it in one of the files",
            )
