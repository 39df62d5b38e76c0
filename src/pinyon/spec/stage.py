"""What a stage may say: the closed schema of DVC 3.67, and a few keys of ours.

A stage is a definition, a definition with a ``matrix``, or a ``foreach`` with a definition under ``do``. Our keys stand
beside ``cmd`` in `pinyon.yaml`, and in both files under ``meta: {pinyon: …}``, where DVC takes anything. The next key is
one line in `OUR_KEYS`.
"""

from __future__ import annotations

from typing import Any, Literal

from pinyon.model.flags import STYLES
from pinyon.model.outcome import CAUSES
from pinyon.model.units import seconds, size
from pinyon.spec.checks import (
    Check,
    Path,
    SchemaError,
    anything,
    closed,
    flag,
    has_expression,
    list_of,
    location,
    map_of,
    measure,
    named,
    nearest,
    number,
    text,
    wrong,
)

Dialect = Literal["pinyon", "dvc"]


def _cause(value: Any, path: Path) -> None:
    text(value, path)
    if value not in CAUSES and "${" not in value:
        why = f"causes are {', '.join(CAUSES)}"
        raise SchemaError(
            path, f"{named(path)} is no cause: '{value[:60]}'", why=why, next=nearest(value, CAUSES)
        )


def _args(value: Any, path: Path) -> None:
    """A style, or a style with the names of parameters below it."""
    if isinstance(value, str):
        if value not in STYLES:
            why = f"allowed are {', '.join(STYLES)}"
            raise SchemaError(
                path, f"{named(path)} cannot be '{value[:60]}'", why=why, next=nearest(value, STYLES)
            )
        return
    if not isinstance(value, dict) or len(value) != 1:
        raise wrong(value, path, "one word", "write for example args: argparse, or args: {argparse: [lr]}")
    closed(dict.fromkeys(STYLES[1:], list_of(text, "a list of parameter names", "lr")))(value, path)


paths = list_of(location, "a list of paths", "train.py")
labels = list_of(text, "a list of text", "vision")

OUR_KEYS: dict[str, Check] = {
    "env": list_of(location, "a list of files", "uv.lock"),
    "resources": closed(
        {
            "cpus": number(0),
            "memory": measure(size),
            "gpus": number(0),
            "vram": measure(size),
            "time": measure(seconds),
        }
    ),
    "retry": closed(
        {"times": number(0, whole=True), "on": list_of(_cause, "a list of causes", "preempted, lost")}
    ),
    "timeout": measure(seconds),
    "estimate": measure(seconds),
    "strict_deps": flag,
    "args": _args,
}
_ours = closed(OUR_KEYS)


def _command_of(dialect: Dialect) -> Check:
    """A list is one argument vector for us, so numbers may stand in it; for DVC each item is a shell line."""

    def check(value: Any, path: Path) -> None:
        if not isinstance(value, (str, list)):
            raise wrong(value, path, "text or a list", "write for example cmd: python train.py")
        if not value:
            raise SchemaError(path, f"{named(path)} is empty", next="write for example cmd: python train.py")
        words = enumerate(value) if isinstance(value, list) else ()
        for index, word in words:
            if dialect == "dvc" or not isinstance(word, (bool, int, float)):
                text(word, (*path, index))
        if isinstance(value, str):
            text(value, path)

    return check


def _meta(value: Any, path: Path) -> None:
    if isinstance(value, dict) and "pinyon" in value:
        _ours(value["pinyon"], (*path, "pinyon"))


ANNOTATIONS: dict[str, Check] = {"desc": text, "type": text, "labels": labels, "meta": anything}
_OUT: dict[str, Check] = {
    "cache": flag,
    "persist": flag,
    "checkpoint": flag,
    "remote": text,
    "push": flag,
    **ANNOTATIONS,
}
AXES: dict[str, Check] = {
    "template": text,
    "x": text,
    "y": text,
    "x_label": text,
    "y_label": text,
    "title": text,
}


def _entry(options: Check) -> Check:
    """A path, or paths with options below them: ``- model.pkl: {cache: false}``."""

    def check(value: Any, path: Path) -> None:
        if not isinstance(value, dict):
            if not isinstance(value, str):
                raise wrong(
                    value, path, "a path, or a path with options", "write - path, or - path: {cache: false}"
                )
            location(value, path)
            return
        for key, below in value.items():
            location(key, (*path, str(key)))
            if below is None:
                next = "remove its colon, or indent its options deeper than the path"
                raise SchemaError((*path, key), f"'{key}' in {named(path)} has no options", next=next)
            options(below, (*path, key))

    return check


def _outs(options: dict[str, Check]) -> Check:
    return list_of(_entry(closed(options)), "a list of paths", "model.pkl")


_names = list_of(text, "a list of parameter names", "train.lr")


def _param(value: Any, path: Path) -> None:
    """A name in params.yaml, or files with names in them; a file with nothing below it counts as a whole."""
    if not isinstance(value, dict):
        text(value, path)
        return
    for file, names in value.items():
        location(file, (*path, str(file)))
        if names not in (None, {}):
            _names(names, (*path, file))


def _variable(value: Any, path: Path) -> None:
    if not isinstance(value, dict):
        if not isinstance(value, str):
            raise wrong(value, path, "a file or a mapping")
        location(value, path)
    if has_expression(value):
        raise SchemaError(path, f"{named(path)} holds ${{…}}", why="vars are read before any expression is")


def _folder(value: Any, path: Path) -> None:
    """A directory; empty text is the one that the file lies in."""
    if value != "":
        location(value, path)


variables = list_of(_variable, "a list of files and mappings", "params.yaml")


def _list_or_text(value: Any, path: Path) -> None:
    if not isinstance(value, (list, str)):
        raise wrong(value, path, "a list", f"write for example {path[-1]}: [a, b]")


def _foreach(value: Any, path: Path) -> None:
    if not isinstance(value, (dict, list, str)):
        raise wrong(value, path, "a list, a mapping or the name of one", "write for example foreach: [a, b]")


def _definition(dialect: Dialect) -> dict[str, Check]:
    table: dict[str, Check] = {
        "cmd": _command_of(dialect),
        "wdir": _folder,
        "deps": paths,
        "params": list_of(_param, "a list of parameter names", "train.lr"),
        "outs": _outs(_OUT),
        "metrics": _outs(_OUT),
        "plots": _outs({**_OUT, **AXES, "header": flag}),
        "frozen": flag,
        "always_changed": flag,
        "vars": variables,
        "desc": text,
        "meta": _meta,
    }
    return table | OUR_KEYS if dialect == "pinyon" else table


def stage_of(dialect: Dialect) -> Check:
    """The check of one stage of a file, at the path (stages, name)."""
    table = _definition(dialect)
    hints: dict[str, str] = {"foreach": "begin the stage with it, and put all else under do:"}
    if dialect == "dvc":
        hints |= {key: f"DVC refuses it there: write meta: {{pinyon: {{{key}: …}}}}" for key in OUR_KEYS}
    once = closed(table | {"matrix": map_of(_list_or_text)}, required=("cmd",), hints=hints)
    hints |= {"matrix": "a stage has either foreach or matrix", "do": "a loop has no loop in it"}
    inner = closed(table, required=("cmd",), hints=hints)

    def done(value: Any, path: Path) -> None:
        inner(value, path)
        twice(value, path)

    hints = dict.fromkeys(table, "put it under do:") | {"matrix": "a stage has either foreach or matrix"}
    loop = closed({"foreach": _foreach, "do": done}, required=("foreach", "do"), hints=hints)

    def twice(value: dict[str, Any], path: Path) -> None:
        if dialect == "pinyon" and isinstance(meta := value.get("meta"), dict):
            for key in meta.get("pinyon", ()):
                if key in value:
                    raise SchemaError(
                        (*path, "meta", "pinyon", key), f"{key} of {named(path)} stands here and beside cmd"
                    )

    def stage(value: Any, path: Path) -> None:
        if isinstance(value, dict) and ("foreach" in value or "do" in value):
            loop(value, path)
            return
        once(value, path)
        twice(value, path)
        if "@" in path[-1] and "matrix" not in value:
            raise SchemaError(
                path, f"{named(path)} has an @ in its name", why="that sets the copies of a loop apart"
            )

    return stage
