"""A proposal: stages with comments that say what was not certain, and the text of the pinyon.yaml."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pinyon.spec.yaml import dump_yaml

_PLAIN = re.compile(r"[A-Za-z0-9_./-]+")  # in a list between brackets


class Entry(NamedTuple):
    """A path or a name in a list. ``doubt`` is why it may be wrong; "" when the code says it plainly."""

    path: str
    doubt: str = ""


class Drafted(NamedTuple):
    """One stage as proposed.

    ``above`` are comments over it, ``doubts`` comments inside it; ``loop`` is its ``foreach`` or ``matrix`` with what it
    goes over, a template such as ``${rows}`` if that is text; None for a stage of one.
    """

    name: str
    cmd: str
    wdir: str = ""
    deps: tuple[Entry, ...] = ()
    params: tuple[Entry, ...] = ()
    outs: tuple[Entry, ...] = ()
    metrics: tuple[Entry, ...] = ()
    above: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    loop: tuple[str, Any] | None = None
    resources: Mapping[str, Any] = {}


class Draft(NamedTuple):
    """A whole proposal: ``head`` and ``tail`` are comments, ``variables`` files for ``vars``, ``files`` their
    bytes, ``said`` what a person should know now."""

    source: str
    stages: tuple[Drafted, ...]
    head: tuple[str, ...] = ()
    tail: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    files: Mapping[str, bytes] = {}
    said: tuple[str, ...] = ()

    @property
    def guesses(self) -> int:
        """How many things somebody should look at."""
        return sum(line.count("# guess: ") for line in render(self).splitlines())


def render(draft: Draft) -> str:
    """The text of pinyon.yaml."""
    lines = [f"# {line}".rstrip() for line in draft.head]
    if draft.variables:
        lines += [f"vars: [{', '.join(map(scalar, draft.variables))}]"]
    lines += ["stages:" if draft.stages else "stages: {}"]
    for stage in draft.stages:
        lines += [f"  # {line}".rstrip() for line in stage.above]
        lines += _stage(stage)
    lines += [f"# {line}".rstrip() for line in draft.tail]
    return "\n".join(lines) + "\n"


def _stage(stage: Drafted) -> list[str]:
    lines = [f"  {scalar(stage.name)}:"]
    depth = "    "
    if stage.loop is not None:
        kind, over = stage.loop
        lines += [f"{depth}{kind}: {over if isinstance(over, str) else _flow(over)}"]
        if kind == "foreach":
            lines += [f"{depth}do:"]
            depth += "  "
    body = _command(stage.cmd)
    if stage.wdir:
        body += [f"wdir: {scalar(stage.wdir)}"]
    for key in ("deps", "params", "outs", "metrics"):
        body += _entries(key, getattr(stage, key))
    if stage.resources:
        body += [f"resources: {_flow(dict(stage.resources))}"]
    body += [f"# {line}".rstrip() for line in stage.doubts]
    return lines + [f"{depth}{line}" for line in body]


def _command(cmd: str) -> list[str]:
    parts = cmd.split("\n")
    if len(parts) == 1:
        return [f"cmd: {scalar(cmd)}"]
    if all(part.isprintable() and part == part.strip() and part for part in parts):
        return ["cmd: |-", *(f"  {part}" for part in parts)]
    return [f"cmd: {_quoted(cmd)}"]


def _entries(key: str, entries: Sequence[Entry]) -> list[str]:
    if not entries:
        return []
    if not any(entry.doubt for entry in entries):
        line = f"{key}: [{', '.join(scalar(entry.path) for entry in entries)}]"
        if len(line) <= 100 and all(_PLAIN.fullmatch(entry.path) for entry in entries):
            return [line]
    return [f"{key}:", *(f"  - {scalar(entry.path)}{_guess(entry.doubt)}" for entry in entries)]


def _guess(doubt: str) -> str:
    return f"  # guess: {comments([doubt])[0]}" if doubt else ""


def scalar(text: str) -> str:
    """Text as one YAML scalar in one line, quoted where it has to be."""
    written = dump_yaml([text]).decode()[2:].rstrip("\n") if text.isprintable() else "\n"
    return _quoted(text) if "\n" in written else written


def _quoted(text: str) -> str:
    """Between double quotes, with an escape for all that is not printed: YAML takes more than \\n for a line break."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08x}"


def _flow(value: Any) -> str:
    """A value in flow style, where commas and brackets end a plain word."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str):
        return scalar(value) if _PLAIN.fullmatch(value) else _quoted(value)
    return json.dumps(value)


def comments(lines: Iterable[str]) -> tuple[str, ...]:
    """Lines that can stand behind ``#``: no line breaks, nothing that a terminal would obey."""
    return tuple("".join(c if c.isprintable() else " " for c in line)[:200].rstrip() for line in lines)
