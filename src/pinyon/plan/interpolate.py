"""``${…}``: values of parameters in templates, with DVC's rules.

A string that is one expression keeps the value's type; inside a longer string values become text, booleans as ``true`` and
``false``. A map expands to options (``--key value``) in ``cmd`` only. ``\\${`` is a literal ``${``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pinyon.errors import PlanError

_EXPRESSION = re.compile(r"(?<!\\)\$\{\s*([^{}]*?)\s*\}")
_STEP = re.compile(r"\.?([^.\[\]]+)|\[([^\[\]]+)\]")
_PATH = re.compile(r"[^.\[\]]+(\.[^.\[\]]+|\[[^.\[\]]+\])*")
_PLAIN = re.compile(r"[\w.\[\]-]+")
_MISSING = object()


def resolve(value: Any, context: Mapping[str, Any], where: Callable[[], str]) -> Any:
    """``value`` with every expression in it, at any depth, replaced from ``context``.

    Args:
        where: called for the place to name in an error.

    Raises:
        PlanError: an unknown name (with the nearest one), a map or list inside text, or a broken expression.
    """
    if isinstance(value, str):
        return _text(value, context, where) if "${" in value else value
    if isinstance(value, Mapping):
        return {resolve(k, context, where): resolve(v, context, where) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [resolve(item, context, where) for item in value]
    return value


def resolve_command(text: str, context: Mapping[str, Any], where: Callable[[], str]) -> str:
    """One command as text; maps expand to options here, and only here."""
    if "${" not in text:
        return text
    value = _EXPRESSION.sub(
        lambda match: _option_text(look_up(context, match[1], where), match[1], where), text
    )
    return _unescape(value, text, where)


def look_up(context: Mapping[str, Any], expression: str, where: Callable[[], str]) -> Any:
    """The value of ``a.b.c``, ``a[0].b`` or ``a.0.b``."""
    value: Any = context
    if not _PATH.fullmatch(expression):
        raise _no_name(f"${{{expression}}}", where)
    for match in _STEP.finditer(expression):
        step = match[1] or match[2]
        found = child(value, step)
        if found is _MISSING and not _PLAIN.fullmatch(expression):
            raise _no_name(f"${{{expression}}}", where)
        if found is _MISSING:
            raise _unknown(value, step, expression, where())
        value = found
    return value


def child(value: Any, step: str) -> Any:
    """One step into a map or list; the module's ``_MISSING`` when there is no such thing (see `has_path`)."""
    if isinstance(value, Mapping):
        if step in value:
            return value[step]
        # Keys that are numbers in YAML are written as text in an expression.
        return next(
            (item for key, item in value.items() if not isinstance(key, str) and str(key) == step), _MISSING
        )
    if isinstance(value, Sequence) and not isinstance(value, str) and step.lstrip("-").isdecimal():
        position = int(step)
        return value[position] if -len(value) <= position < len(value) else _MISSING
    return _MISSING


def get_path(value: Any, dotted: str) -> tuple[bool, Any]:
    """(True, value) of a dotted name in nested maps, or (False, None). A key that holds the dots itself wins."""
    if isinstance(value, Mapping) and dotted in value:
        return True, value[dotted]
    for step in dotted.split("."):
        value = child(value, step)
        if value is _MISSING:
            return False, None
    return True, value


def nearest(name: str, known: Sequence[str]) -> str:
    """`` did you mean …?`` or what there is; for the end of an error."""
    close = get_close_matches(name, known, 1, 0.6)
    if close:
        return f"did you mean {close[0]}?"
    return (
        f"there are {', '.join(list(known)[:8])}{', …' if len(known) > 8 else ''}"
        if known
        else "there are none"
    )


def _text(text: str, context: Mapping[str, Any], where: Callable[[], str]) -> Any:
    whole = _EXPRESSION.fullmatch(text)
    if whole:
        return look_up(context, whole[1], where)
    return _unescape(
        _EXPRESSION.sub(lambda m: _scalar(look_up(context, m[1], where), m[1], where), text), text, where
    )


def _unescape(value: str, source: str, where: Callable[[], str]) -> str:
    if re.search(r"(?<!\\)\$\{", _EXPRESSION.sub("", source)):
        raise _no_name(source.strip(), where)
    return value.replace("\\${", "${")


def _scalar(value: Any, expression: str, where: Callable[[], str]) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, (Mapping, list, tuple)):
        kind = "null" if value is None else "a map" if isinstance(value, Mapping) else "a list"
        raise PlanError(
            f"${{{expression}}} is {kind}",
            where=where(),
            why="inside text a value must be text, a number or a boolean",
        )
    return str(value)


def _option_text(value: Any, expression: str, where: Callable[[], str]) -> str:
    if not isinstance(value, Mapping):
        return _scalar(value, expression, where)
    words: list[str] = []
    for key, item in value.items():
        if isinstance(item, Mapping):
            raise PlanError(
                f"${{{expression}.{key}}} is a map",
                where=where(),
                why="options cannot be nested in a command",
            )
        if item is True:
            words.append(f"--{key}")
        elif isinstance(item, (list, tuple)):
            words += [f"--{key}", *(_quote(_scalar(one, expression, where)) for one in item)]
        elif item is not False and item is not None:
            words += [f"--{key}", _quote(str(item))]
    return " ".join(words)


def _quote(text: str) -> str:
    # A value with blanks must stay one word; single quotes are the only ones a shell does not look into.
    return text if re.fullmatch(r"[\w@%+=:,./-]+", text) else "'" + text.replace("'", "'\"'\"'") + "'"


def _no_name(text: str, where: Callable[[], str]) -> PlanError:
    return PlanError(
        f"'{text}' has an expression that is not a name",
        where=where(),
        why="${…} holds the name of a parameter",
        next="write \\${ for a literal ${, as the shell's ${V:-x} needs",
    )


def _unknown(value: Any, step: str, expression: str, where: str) -> PlanError:
    known = [str(key) for key in value] if isinstance(value, Mapping) else []
    return PlanError(
        f"${{{expression}}} names '{step}', which is not a parameter", where=where, why=nearest(step, known)
    )
