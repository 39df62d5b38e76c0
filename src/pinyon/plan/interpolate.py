"""``${…}``: values of parameters in templates, with DVC's rules.

A string that is one expression keeps the value's type; inside a longer string values become text, booleans as ``true`` and
``false``. A map expands to options (``--key value``) in ``cmd`` only. ``\\${`` is a literal ``${``. Only keys that are text
can be named, and only they are seen where a map is gone through.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from pinyon.errors import PlanError
from pinyon.model.project import StageTemplate

TEXT_LIMIT = 1_000_000  # characters that one text may grow to: no system takes a longer command or path
TEXTS_LIMIT = 100_000_000  # characters that all texts of a project may grow to together

_EXPRESSION = re.compile(r"(?<!\\)\$\{(.*?)\}")
_PATH = re.compile(r"[^.\[\]]+(?:\.[^.\[\]]+|\[[^.\[\]]+\]\s*)*")
_PLAIN = re.compile(r"[\w.\[\]\s-]+")
_MISSING = object()

Where = Callable[[], str]


class Budget:
    """How many characters expressions may still make."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = TEXTS_LIMIT

    def spend(self, characters: int, where: Where) -> None:
        """Take them off.

        Raises:
            PlanError: there are no more.
        """
        self.left -= characters
        if self.left < 0:
            raise PlanError(
                f"expressions make more than {TEXTS_LIMIT:,} characters of text",
                where=where(),
                next="let a command read long values from the parameter file",
            )


class Place:
    """A `Where` inside a template: set ``key`` to what is being resolved. What its expressions make is counted."""

    __slots__ = ("_template", "budget", "key")

    def __init__(self, template: StageTemplate, budget: Budget, key: str = "") -> None:
        self._template = template
        self.budget = budget
        self.key = key

    def __call__(self) -> str:
        """File and line of it."""
        return str(self._template.at(self.key))


def resolve(value: Any, context: Mapping[str, Any], where: Where) -> Any:
    """``value`` with every expression in it, at any depth, replaced from ``context``.

    Args:
        where: called for the place to name in an error.

    Raises:
        PlanError: an unknown name (with the nearest one), a map or list inside text, or a broken expression.
    """
    if isinstance(value, str):
        return _text(value, context, where) if "${" in value else value
    if isinstance(value, Mapping):
        return {
            _as_key(resolve(k, context, where), where): resolve(v, context, where) for k, v in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [resolve(item, context, where) for item in value]
    return value


def resolve_plain(value: Any, context: Mapping[str, Any], where: Where) -> Any:
    """The same where an expression must stand for text, a number, a boolean or null: a stage's own fields."""
    if isinstance(value, str):
        if "${" not in value:
            return value
        found = _text(value, context, where)
        if isinstance(found, (Mapping, list, tuple)):
            raise _no_scalar(found, value, where)
        return found
    if isinstance(value, Mapping):
        return {
            _as_key(resolve_plain(k, context, where), where): resolve_plain(v, context, where)
            for k, v in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [resolve_plain(item, context, where) for item in value]
    return value


def resolve_command(text: str, context: Mapping[str, Any], where: Where) -> str:
    """One command as text; maps expand to options here, and only here."""
    if "${" not in text:
        return text
    whole = _EXPRESSION.fullmatch(text)
    if whole and "}" not in whole[1]:
        value = look_up(context, whole[1], where)
        return value if isinstance(value, str) else _option_text(value, whole[1], where)
    return _embed(text, context, where, _option_text)


def is_expression(value: Any) -> bool:
    """Whether it is text that is one expression and nothing else."""
    whole = _EXPRESSION.fullmatch(value) if isinstance(value, str) else None
    return whole is not None and "}" not in whole[1]


def look_up(context: Mapping[str, Any], expression: str, where: Where) -> Any:
    """The value of ``a.b.c``, ``a[0].b`` or ``a.0.b``."""
    steps = _steps(expression)
    if steps is None:
        raise _no_name(f"${{{expression}}}", where)
    value: Any = context
    for step in steps:
        if isinstance(value, Mapping):
            found = value.get(step, _MISSING)
        else:
            found = _item(value, step)
        if found is _MISSING:
            if not _PLAIN.fullmatch(expression):
                raise _no_name(f"${{{expression}}}", where)
            raise _unknown(value, step, expression, where())
        value = found
    return value


@lru_cache(maxsize=4096)
def _steps(expression: str) -> tuple[str, ...] | None:
    """The steps of a path; None when it is no path."""
    if not _PATH.fullmatch(expression):
        return None
    return tuple(step.strip() for step in expression.replace("[", ".").replace("]", "").split("."))


def _item(value: Any, step: str) -> Any:
    """One step into a list; ``_MISSING`` when it is none, or has no such place."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        try:
            return value[int(step)]
        except (ValueError, IndexError):
            pass
    return _MISSING


def child(value: Any, step: str) -> Any:
    """One step into a map or list as the names in ``params`` go it: a number may be a key, too."""
    if isinstance(value, Mapping):
        if step in value:
            return value[step]
        return next(
            (item for key, item in value.items() if not isinstance(key, str) and str(key) == step), _MISSING
        )
    return _item(value, step)


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


def _text(text: str, context: Mapping[str, Any], where: Where) -> Any:
    whole = _EXPRESSION.fullmatch(text)
    if whole and "}" not in whole[1]:
        return look_up(context, whole[1], where)
    return _embed(text, context, where, _scalar)


def _embed(
    text: str, context: Mapping[str, Any], where: Where, show: Callable[[Any, str, Where], str]
) -> str:
    size = len(text)

    def one(match: re.Match[str]) -> str:
        nonlocal size
        shown = show(look_up(context, match[1], where), match[1], where)
        size += len(shown)
        if size > TEXT_LIMIT:
            raise PlanError(f"a text grows past {TEXT_LIMIT:,} characters", where=where())
        return shown

    made = _EXPRESSION.sub(one, text).replace("\\${", "${")
    if isinstance(where, Place):
        where.budget.spend(size, where)
    return made


def _scalar(value: Any, expression: str, where: Where) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (Mapping, list, tuple)):
        raise _no_scalar(value, f"${{{expression}}}", where)
    return str(value)


def _option_text(value: Any, expression: str, where: Where) -> str:
    if not isinstance(value, Mapping):
        return _scalar(value, expression, where)
    words: list[str] = []
    for name, item in _flat(value, ""):
        if item is True:
            words.append(f"--{name}")
        elif isinstance(item, (list, tuple)):
            if any(isinstance(one, (Mapping, list, tuple)) for one in item):
                raise PlanError(
                    f"${{{expression}.{name}}} is a list of lists or maps",
                    where=where(),
                    why="an option of a command takes plain values",
                )
            words += [f"--{name}", *map(_word, item)] if item else []
        elif item is not False:
            words += [f"--{name}", _word(item)]
    return " ".join(words)


def _flat(value: Mapping[Any, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """Nested maps as one, with dotted names."""
    for key, item in value.items():
        if isinstance(key, str):
            if isinstance(item, Mapping):
                yield from _flat(item, f"{prefix}{key}.")
            else:
                yield f"{prefix}{key}", item


def _word(value: Any) -> str:
    """Text stays one word of a shell, whatever stands in it: single quotes are the only ones it does not look into."""
    if not isinstance(value, str) or re.fullmatch(r"[\w@%+=:,./-]+", value, re.ASCII):
        return str(value)
    return "'" + value.replace("'", "'\"'\"'") + "'"


def _as_key(value: Any, where: Where) -> Any:
    if isinstance(value, (Mapping, list)):
        raise PlanError("a key resolves to a map or a list", where=where(), why="a key must be text")
    return value


def _no_scalar(value: Any, expression: str, where: Where) -> PlanError:
    kind = "a map" if isinstance(value, Mapping) else "a list"
    return PlanError(
        f"{expression.strip()} is {kind}",
        where=where(),
        why="here a value must be text, a number or a boolean",
    )


def _no_name(text: str, where: Where) -> PlanError:
    return PlanError(
        f"'{text}' has an expression that is not a name",
        where=where(),
        why="${…} holds the name of a parameter",
        next="write \\${ for a literal ${, as the shell's ${V:-x} needs",
    )


def _unknown(value: Any, step: str, expression: str, where: str) -> PlanError:
    known = [key for key in value if isinstance(key, str)] if isinstance(value, Mapping) else []
    return PlanError(
        f"${{{expression}}} names '{step}', which is not a parameter", where=where, why=nearest(step, known)
    )
