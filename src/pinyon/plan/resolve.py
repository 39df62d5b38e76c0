"""From a template to a stage: interpolation, paths, parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pinyon.errors import PlanError
from pinyon.model.graph import Command, Out, Param, Resources, Retry, Stage
from pinyon.model.project import StageTemplate
from pinyon.model.units import seconds, size
from pinyon.plan.interpolate import get_path, nearest, resolve, resolve_command
from pinyon.plan.paths import join, outside

DEFAULT_PARAMS = "params.yaml"


class UnreadFileError(Exception):
    """A parameter file is needed that has not been read yet."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class Files(NamedTuple):
    """Parameter files by path relative to the root, overrides applied; None for a file that does not exist."""

    read: Mapping[str, Any]

    def get(self, path: str) -> Any:
        """Content of a file; `UnreadFileError` when nobody has read it."""
        if path not in self.read:
            raise UnreadFileError(path)
        return self.read[path]


def context_of(base: str, variables: Sequence[Any], files: Files) -> dict[str, Any]:
    """What ``${…}`` can see in a directory: its params.yaml, then each entry of ``vars`` (a file or a map)."""
    default = join(base, DEFAULT_PARAMS)
    content = files.get(default)
    return _extended(content if isinstance(content, Mapping) else {}, base, variables, files, default)


def _extended(
    context: Mapping[str, Any], base: str, variables: Sequence[Any], files: Files, default: str
) -> dict[str, Any]:
    """A context with entries of ``vars`` in it; ``default`` is the file that it began with."""
    merged = dict(context)
    for entry in variables:
        if isinstance(entry, Mapping):
            _merge(merged, entry, "vars")
            continue
        file, _, picked = str(entry).partition(":")
        path = join(base, file)
        content = files.get(path)
        if content is None:
            raise PlanError(
                f"vars names {path}, which does not exist", next=f"write {path} or remove it from vars"
            )
        if path != default:
            _merge(merged, _pick(content, path, picked), path)
    return merged


def _pick(content: Any, path: str, picked: str) -> Mapping[str, Any]:
    """Of a file in ``vars`` the keys that ``file:a,b`` names; all of it when none are named."""
    if not isinstance(content, Mapping):
        raise PlanError(f"{path} holds no map", why="vars are names with values")
    names = [name.strip() for name in picked.split(",")] if picked else list(content)
    for name in names:
        if name not in content:
            raise PlanError(
                f"vars asks {path} for '{name}', which it does not have", why=nearest(name, list(content))
            )
    return {name: content[name] for name in names}


def _merge(target: dict[str, Any], extra: Mapping[str, Any], source: str) -> None:
    for key, value in extra.items():
        old = target.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            deeper = dict(old)
            _merge(deeper, value, source)
            target[key] = deeper
        elif key in target and old != value:
            raise PlanError(f"{source} sets '{key}' a second time", why="one name must have one value")
        else:
            target[key] = value


def resolve_stage(template: StageTemplate, context: Mapping[str, Any], files: Files) -> Stage:
    """The stage that a template means.

    Raises:
        PlanError: an unknown or ill-typed value; names file and line.
        UnreadFileError: a parameter file must be read first.
    """
    body = template.body

    def value(key: str, default: Any = None) -> Any:
        return (
            resolve(body[key], context, lambda: str(template.at(key)))
            if body.get(key) is not None
            else default
        )

    wdir = join(template.base, _text(template, "wdir", value("wdir", ".")))
    if body.get("vars"):
        context = _extended(context, wdir, body["vars"], files, join(template.base, DEFAULT_PARAMS))
    command, cmd = _command(template, context)
    return Stage(
        name=template.name,
        command=command,
        wdir=wdir,
        deps=tuple(dict.fromkeys(join(wdir, _text(template, "deps", dep)) for dep in value("deps", ()))),
        params=_params(template, value("params", ()), wdir, files),
        outs=_outs(template, value, wdir),
        env=tuple(join(template.base, _text(template, "env", path)) for path in value("env", ())),
        frozen=bool(value("frozen", False)),
        always_changed=bool(value("always_changed", False)),
        description=str(value("desc", "")),
        resources=_resources(template, value("resources", {}), value("timeout")),
        retry=_retry(value("retry", {})),
        origin=template.origin,
        cmd=cmd,
    )


def _text(template: StageTemplate, key: str, value: Any) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise PlanError(
            f"{key} of stage '{template.name}' resolves to {value!r}",
            where=str(template.at(key)),
            why="a path is needed",
        )
    return value


def _command(template: StageTemplate, context: Mapping[str, Any]) -> tuple[Command, str | tuple[str, ...]]:
    """What is run, and the same as written: a dvc.lock records the second."""
    written = template.body["cmd"]
    parts = [written] if isinstance(written, str) else list(written)

    def where() -> str:
        return str(template.at("cmd"))

    if isinstance(written, str) or template.dialect == "dvc":
        lines = [resolve_command(str(part), context, where) for part in parts]
        # DVC gives each line of a string to a shell of its own; a list item stays one shell, line breaks and all.
        split = lines[0].splitlines() if isinstance(written, str) else lines
        command = Command("shell", tuple(line for line in split if line.strip()))
        return command, lines[0] if isinstance(written, str) else tuple(lines)
    words = tuple(_word(resolve(part, context, where), template) for part in parts)
    return Command("exec", words), words


def _word(value: Any, template: StageTemplate) -> str:
    if value is None or isinstance(value, (Mapping, list)) or "\0" in str(value):
        raise PlanError(
            f"a word of cmd is {value!r}",
            where=str(template.at("cmd")),
            why="text, a number or a boolean is needed",
        )
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _params(template: StageTemplate, entries: Sequence[Any], wdir: str, files: Files) -> tuple[Param, ...]:
    found: dict[tuple[str, str], Param] = {}
    for entry in entries:
        pairs = entry.items() if isinstance(entry, Mapping) else [(DEFAULT_PARAMS, [entry])]
        for file, names in pairs:
            path = join(wdir, str(file))
            content = files.get(path)
            if content is None:
                raise PlanError(
                    f"stage '{template.name}' reads parameters from {path}, which does not exist",
                    where=str(template.at("params")),
                    next=f"write {path} or remove it from params",
                )
            for name in names or [""]:
                found[path, str(name)] = Param(path, str(name), _param(template, path, str(name), content))
    return tuple(found.values())


def _param(template: StageTemplate, path: str, name: str, content: Any) -> Any:
    if not name:
        return content
    there, value = get_path(content, name)
    if not there:
        raise PlanError(
            f"stage '{template.name}' declares parameter '{name}', which {path} does not have",
            where=str(template.at("params")),
            why=nearest(name, list(dotted_names(content))),
        )
    return value


def dotted_names(content: Any, prefix: str = "") -> list[str]:
    """Every dotted name in nested maps, groups included."""
    names: list[str] = []
    if isinstance(content, Mapping):
        for key, value in content.items():
            names += [f"{prefix}{key}", *dotted_names(value, f"{prefix}{key}.")]
    return names


def _outs(template: StageTemplate, value: Any, wdir: str) -> tuple[Out, ...]:
    found: list[Out] = []
    for key, role in (("outs", "out"), ("metrics", "metric"), ("plots", "plot")):
        for entry in value(key, ()):
            path, flags = next(iter(entry.items())) if isinstance(entry, Mapping) else (entry, None)
            flags = flags or {}
            full = join(wdir, _text(template, key, path))
            if outside(full) or full == ".":
                raise PlanError(
                    f"stage '{template.name}' writes {full}",
                    where=str(template.at(key)),
                    why="outs lie inside the project",
                )
            if f"{full}/".startswith(".pinyon/"):
                raise PlanError(
                    f"stage '{template.name}' writes {full}",
                    where=str(template.at(key)),
                    why="that is where the store lies",
                )
            found.append(Out(full, role, bool(flags.get("cache", True)), bool(flags.get("persist", False))))  # type: ignore[arg-type]
    return tuple(found)


def _resources(template: StageTemplate, asked: Mapping[str, Any], timeout: Any) -> Resources:
    def read(name: str, how: Any, value: Any) -> Any:
        try:
            return None if value is None else how(value)
        except (TypeError, ValueError) as error:
            raise PlanError(
                f"{name} of stage '{template.name}': {error}", where=str(template.at("resources", name))
            ) from None

    return Resources(
        cpus=read("cpus", float, asked.get("cpus")),
        memory=read("memory", size, asked.get("memory")),
        gpus=read("gpus", float, asked.get("gpus")),
        vram=read("vram", size, asked.get("vram")),
        time=read("time", seconds, timeout if timeout is not None else asked.get("time")),
    )


def _retry(asked: Mapping[str, Any]) -> Retry:
    default = Retry()
    return Retry(int(asked.get("times", default.times)), tuple(asked.get("on", default.on)))
