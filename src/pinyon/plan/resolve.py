"""From a template to a stage: interpolation, paths, parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pinyon.errors import PlanError
from pinyon.model.graph import Command, Out, Resources, Retry, Stage
from pinyon.model.project import StageTemplate
from pinyon.model.units import seconds, size
from pinyon.plan.interpolate import Place, resolve, resolve_command, resolve_plain
from pinyon.plan.params import Lack, params_of
from pinyon.plan.paths import is_url, join, outside
from pinyon.plan.scope import Files, Scope, extended

_ROLES = (("outs", "out"), ("metrics", "metric"), ("plots", "plot"))
_AXES = frozenset({"template", "x", "y", "x_label", "y_label", "title", "header"})
_OURS = ("env", "resources", "retry", "timeout", "estimate", "strict_deps", "args")
_READ = frozenset({"cmd", "wdir", "vars", "deps", "params", "frozen", "always_changed", "desc", *_OURS})
_WRITTEN = frozenset(key for key, _ in _ROLES)
_NO_RESOURCES, _NO_RETRY = Resources(), Retry()


class Resolved(NamedTuple):
    """A stage, and the declared parameters that are not there (yet)."""

    stage: Stage
    lacks: list[Lack]


def resolve_stage(
    template: StageTemplate,
    scope: Scope,
    files: Files,
    name: str = "",
    own: Mapping[str, Any] | None = None,
) -> Resolved:
    """The stage that a template means.

    Args:
        name: the stage's, when the template stands for many.
        own: what a loop adds to the scope for this stage (``item``, ``key``).

    Raises:
        PlanError: an unknown or ill-typed value; names file and line.
        UnreadFileError: a parameter file must be read first.
    """
    body = template.body
    name = name or template.name
    context = {**scope.values, **own} if own else scope.values
    where = Place(template, files.budget)

    def value(key: str, default: Any = None, how: Callable[..., Any] = resolve_plain) -> Any:
        written = body.get(key)
        where.key = key
        return default if written is None else how(written, context, where)

    def path(key: str, found: Any) -> str:
        if not isinstance(found, str) or not found or "\0" in found:
            raise PlanError(
                f"{key} of stage '{name}' resolves to {found!r}",
                where=str(template.at(key)),
                why="a path is needed",
            )
        return found

    wdir = join(template.base, path("wdir", value("wdir") if body.get("wdir") else "."))
    if body.get("vars"):
        place = str(template.at("vars"))
        more = extended(scope, wdir, body["vars"], files, place, tuple(own or ()))
        context = {**more.values, **own} if own else more.values
    params, lacks = params_of(template, name, _entries(template, value("params", ())), wdir, files)
    where.key = "cmd"
    command, cmd = _command(template, context, where)
    for key in body.keys() - _READ - _WRITTEN:
        value(key)  # an expression in meta must have a value, too
    return Resolved(
        Stage(
            name=name,
            command=command,
            wdir=wdir,
            deps=tuple(dict.fromkeys([_dep(template, wdir, path("deps", dep)) for dep in value("deps", ())])),
            params=params,
            outs=_outs(template, name, value, path, wdir),
            env=tuple([join(template.base, path("env", entry)) for entry in value("env", ())]),
            frozen=bool(body.get("frozen")),
            always_changed=bool(body.get("always_changed")),
            description=str(value("desc", "")),
            resources=_resources(template, name, value("resources", {}, resolve), value("timeout")),
            retry=_retry(value("retry", {}, resolve)),
            origin=template.origin,
            cmd=cmd,
            estimate=_estimate(template, name, value("estimate")),
            strict_deps=bool(body.get("strict_deps")),
            **_args(value("args")),
        ),
        lacks,
    )


def _command(
    template: StageTemplate, context: Mapping[str, Any], where: Place
) -> tuple[Command, str | tuple[str, ...]]:
    """What runs, and the command as a dvc.lock records it."""
    written = template.body["cmd"]
    if isinstance(written, str):
        text = _no_nul(resolve_command(written, context, where), template)
        # DVC gives each line of a string to a shell of its own; a list item stays one shell, line breaks and all.
        return Command("shell", tuple([line for line in text.splitlines() if line.strip()])), text
    if template.dialect == "dvc":
        items = tuple(_no_nul(resolve_command(str(part), context, where), template) for part in written)
        return Command("shell", tuple(item for item in items if item.strip())), items
    words = tuple(_word(resolve(part, context, where), template) for part in written)
    return Command("exec", words), words


def _no_nul(text: str, template: StageTemplate) -> str:
    if "\0" in text or not text.strip():
        what = "holds a NUL character" if "\0" in text else "is empty"
        raise PlanError(f"cmd of stage '{template.name}' {what}", where=str(template.at("cmd")))
    return text


def _word(value: Any, template: StageTemplate) -> str:
    if value is None or isinstance(value, (Mapping, list)) or "\0" in str(value):
        raise PlanError(
            f"a word of cmd is {value!r}",
            where=str(template.at("cmd")),
            why="text, a number or a boolean is needed",
        )
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _dep(template: StageTemplate, wdir: str, path: str) -> str:
    return path if is_url(path) else _no_dvc_file(template, "deps", join(wdir, path))


def _no_dvc_file(template: StageTemplate, key: str, path: str) -> str:
    if template.dialect == "dvc" and (path.endswith(".dvc") or path.rpartition("/")[2] == "dvc.yaml"):
        raise PlanError(
            f"{key} names {path}, a file of DVC's own",
            where=str(template.at(key)),
            next=f"name the data instead: {path.removesuffix('.dvc')}"
            if path.endswith(".dvc")
            else "remove it",
        )
    return path


def _entries(template: StageTemplate, entries: Any) -> Any:
    """Entries of ``params`` after interpolation: names and file names must have stayed text."""
    for entry in entries:
        for file, names in entry.items() if isinstance(entry, dict) else [("-", [entry])]:
            if not isinstance(file, str) or not all(isinstance(one, str) for one in names or ()):
                raise PlanError(
                    f"params names {entry!r:.60}",
                    where=str(template.at("params")),
                    why="a parameter's name is text",
                )
    return entries


def _outs(
    template: StageTemplate, name: str, value: Callable[..., Any], path: Callable[[str, Any], str], wdir: str
) -> tuple[Out, ...]:
    found: list[Out] = []
    for key, role in _ROLES:
        merged: dict[str, dict[str, Any]] = {}
        for entry in value(key, ()):
            for written, flags in entry.items() if isinstance(entry, Mapping) else ((entry, None),):
                merged.setdefault(path(key, written), {}).update(flags or {})
        for written, flags in merged.items():
            full = _inside(template, name, key, written, join(wdir, written))
            axes = {axis: flags[axis] for axis in flags if axis in _AXES} if role == "plot" and flags else {}
            found.append(Out(full, role, flags.get("cache", True), flags.get("persist", False), axes))  # type: ignore[arg-type]
    return tuple(found)


def _inside(template: StageTemplate, name: str, key: str, written: str, full: str) -> str:
    """The path of an out, which must lie in the project and be nobody's own."""
    why = ""
    if is_url(written) or outside(full) or full == ".":
        why = "outs lie inside the project"
    elif f"{full}/".startswith(".pinyon/"):
        why = "that is where the store lies"
    if why:
        shown = written if is_url(written) else full
        raise PlanError(f"stage '{name}' writes {shown}", where=str(template.at(key)), why=why)
    return _no_dvc_file(template, key, full)


def _resources(template: StageTemplate, name: str, asked: Mapping[str, Any], timeout: Any) -> Resources:
    if not asked and timeout is None:
        return _NO_RESOURCES

    def read(field: str, how: Callable[[Any], Any], value: Any) -> Any:
        return None if value is None else _measured(template, name, field, how, value, ("resources", field))

    return Resources(
        cpus=read("cpus", float, asked.get("cpus")),
        memory=read("memory", size, asked.get("memory")),
        gpus=read("gpus", float, asked.get("gpus")),
        vram=read("vram", size, asked.get("vram")),
        time=read("time", seconds, timeout if timeout is not None else asked.get("time")),
    )


def _estimate(template: StageTemplate, name: str, asked: Any) -> float | None:
    if asked is None:
        return None
    found: float = _measured(template, name, "estimate", seconds, asked, ("estimate",))
    return found


def _measured(
    template: StageTemplate, name: str, field: str, how: Callable[[Any], Any], value: Any, at: tuple[str, ...]
) -> Any:
    try:
        return how(value)
    except (TypeError, ValueError) as error:
        raise PlanError(f"{field} of stage '{name}': {error}", where=str(template.at(*at))) from None


def _args(written: Any) -> dict[str, Any]:
    """How the stage gets its parameters, and the names of those that it tells."""
    if not isinstance(written, Mapping):
        return {"args": written or "file"}
    style, names = next(iter(written.items()))
    return {"args": style, "arg_names": tuple(map(str, names))}


def _retry(asked: Mapping[str, Any]) -> Retry:
    if not asked:
        return _NO_RETRY
    return Retry(int(asked.get("times", _NO_RETRY.times)), tuple(asked.get("on", _NO_RETRY.on)))
