"""A directory becomes a `Project`: its root is found, its files are read, checked and taken apart into templates."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pinyon.errors import SpecError
from pinyon.model.project import Origin, Pointer, Project, StageTemplate
from pinyon.spec import files, params
from pinyon.spec.checks import SchemaError
from pinyon.spec.schema import check_document
from pinyon.spec.stage import Dialect
from pinyon.store.place import DVC, project_around

if TYPE_CHECKING:
    from pinyon.spec.walk import Walk

PROJECT_FILES: dict[str, Dialect] = {"pinyon.yaml": "pinyon", "dvc.yaml": "dvc"}
_OUTS = ("outs", "metrics", "plots")


def find_root(start: Path) -> Path:
    """The project that ``start`` (a directory or a file) lies in.

    The nearest ``pinyon.yaml`` upwards decides; where there is none at all, the nearest repository of DVC's (a directory
    with ``.dvc/``), else the nearest ``dvc.yaml``, and without any of them the nearest store.

    Raises:
        SpecError: nothing of this is there.
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

    Where there is a ``.dvc/``, every ``dvc.yaml`` below counts, too, its stages named ``sub/dvc.yaml:train``, and every
    ``*.dvc`` is a pointer to data.

    Raises:
        SpecError: the first mistake in them, or nothing of this is there.
    """
    sources = [source for file in PROJECT_FILES if (source := _read(root, file)) is not None]
    repository = (root / DVC).is_dir()
    if not sources and not repository:
        raise SpecError("no pinyon.yaml and no dvc.yaml here", where=str(root), next="pinyon init")
    below = _below(root, sources) if repository else _Below([], [], [], ())
    settings: dict[str, Any] = {}
    stages: dict[str, StageTemplate] = {}
    variables: dict[str, tuple[Any, ...]] = {}
    for source in sources:
        _add_settings(settings, source)
    for source in (*sources, *below.sources):
        for template in _templates(source):
            _add_stage(stages, template)
        if source.data.get("vars"):
            variables[source.base] = (*variables.get(source.base, ()), *source.data["vars"])
    return Project(
        root=str(root),
        name=settings.get("project", {}).get("name") or os.path.basename(os.path.abspath(root)) or "project",
        files=(*(source.file for source in (*sources, *below.sources)), *below.files),
        stages=tuple(stages.values()),
        variables=variables,
        settings=settings,
        pointers=tuple(below.pointers),
        sections={source.file: source.data for source in (*sources, *below.sources)},
        folders=tuple(below.folders),
        lines={source.file: source.lines for source in (*sources, *below.sources)},
    )


class _Below(NamedTuple):
    """What lies in the directories of a repository of DVC's."""

    sources: list[_Source]
    pointers: list[Pointer]
    files: list[str]  # those that hold the pointers
    folders: Iterable[str]


def _below(root: Path, known: Sequence[_Source]) -> _Below:
    from pinyon.spec.walk import Walk

    walk = Walk(root)
    found = _Below([], [], [], walk.folders)
    for source in known:
        _leave_outs(walk, source)
    for file in walk:
        if file in PROJECT_FILES:
            continue
        if file.endswith(DVC):
            found.files.append(file)
            for pointer in _pointers(root, file):
                found.pointers.append(pointer)
                walk.leave_out(pointer.path)
        elif (more := _read(root, file)) is not None:
            found.sources.append(more)
            _leave_outs(walk, more)
    return found


def _pointers(root: Path, file: str) -> list[Pointer]:
    raw = files.read(root / file, file, files.PROJECT_LIMIT)
    if raw is None:
        return []
    from pinyon.spec.dvcfile import pointers_of
    from pinyon.spec.yaml import load_yaml

    document = load_yaml(raw, file)
    with told(file, document.lines):
        return pointers_of(document.data, file, document.lines)


def _leave_outs(walk: Walk, source: _Source) -> None:
    """Outs are data, whatever lies in them; those that are written without an expression are known by now."""
    for body in source.data.get("stages", {}).values():
        inner = body.get("do", body)
        for entry in (entry for key in _OUTS for entry in inner.get(key, ())):
            for path in entry if isinstance(entry, dict) else (entry,):
                if "${" not in f"{path}{inner.get('wdir', '')}":
                    walk.leave_out(os.path.normpath(os.path.join(source.base, inner.get("wdir", ""), path)))


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
    with told(file, document.lines):
        check_document(data, PROJECT_FILES[name])
    return _Source(file, base, PROJECT_FILES[name], data, document.lines)


@contextmanager
def told(file: str, lines: Mapping[str, int]) -> Iterator[None]:
    """A mistake at a path of keys becomes one at a line.

    Raises:
        SpecError: in the place of a `SchemaError`.
    """
    try:
        yield
    except SchemaError as error:
        where = Origin(file, line_of(lines, error.path))
        raise SpecError(error.what, where=str(where), why=error.why, next=error.next) from None


def line_of(lines: Mapping[str, int], path: tuple[Any, ...]) -> int:
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
        if line is None:
            inner = "do." if path.startswith("do.") else ""
            line = self._lines[f"{self._prefix}{inner}meta.pinyon.{path.removeprefix(inner)}"]
        return line

    def __iter__(self) -> Iterator[str]:
        return (path.removeprefix(self._prefix) for path in self._lines if path.startswith(self._prefix))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _templates(source: _Source) -> Iterator[StageTemplate]:
    for name, body in source.data.get("stages", {}).items():
        yield StageTemplate(
            name=f"{source.file}:{name}" if source.base else name,
            body=body | {"do": _flat(body["do"])} if "do" in body else _flat(body),
            origin=Origin(source.file, line_of(source.lines, ("stages", name))),
            base=source.base,
            dialect=source.dialect,
            lines=_StageLines(source.lines, name),
        )


def _flat(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The body with one shape for what may be written in two: our keys at the top."""
    meta = body.get("meta")
    return {**body, **meta["pinyon"]} if isinstance(meta, dict) and "pinyon" in meta else body


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
            where = Origin(source.file, line_of(source.lines, (section,)))
            raise SpecError(
                f"{section} is declared twice",
                where=str(where),
                why="pinyon.yaml says something else under the same name",
                next="keep it in one of the files",
            )
