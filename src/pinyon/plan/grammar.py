"""Overrides as words of a command that Hydra 1.3 reads: ``a.b=v``.

Source of the grammar: https://hydra.cc/docs/1.3/advanced/override_grammar/basic/, and its behaviour, which a test asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from pinyon.errors import PlanError
from pinyon.model.flags import HydraConfig
from pinyon.plan.hydra import Choice, is_group

_BARE = re.compile(r"[A-Za-z_][\w-]*(?:[/.][\w-]+)*", re.ASCII)
_WORDS = frozenset({"true", "false", "null", "nan", "inf"})
_KEY = re.compile(r"[A-Za-z_$][\w$-]*(?:\.(?:[A-Za-z_$][\w$-]*|0|[1-9]\d*))*", re.ASCII)
_GROUP = re.compile(r"[A-Za-z_][\w-]*(?:/[A-Za-z_][\w-]*)*(?:@[\w.$-]+)?", re.ASCII)
_OVERRIDE = re.compile(r"(\+{0,2}|~)([\w./@$:-]+)(?:=(.*))?", re.DOTALL)


def override(name: str, value: Any) -> str:
    """One override, ``a.b=v``, in Hydra's grammar, whatever stands in the value.

    Raises:
        PlanError: a name or a value that the grammar has no way to write.
    """
    if not (_KEY.fullmatch(name) or _GROUP.fullmatch(name)):
        raise PlanError(
            f"Hydra cannot override a parameter called '{name}'", why="its grammar has no such names"
        )
    return f"{name}={_value(name, value)}"


def _value(name: str, value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return f"[{','.join(_value(name, item) for item in value)}]"
    if isinstance(value, str):
        return value if _BARE.fullmatch(value) and value.lower() not in _WORDS else _quoted(value)
    raise PlanError(f"{name} is set to a map", next="set its parts: -S " + name + ".PART=VALUE")


def _quoted(text: str) -> str:
    # A backslash means something only where a quote follows it, so only there it is doubled.
    inside = re.sub(r"(\\*)'", r"\1\1\\'", text)
    return "'" + re.sub(r"(\\+)$", r"\1\1", inside) + "'"


class Written(NamedTuple):
    """Overrides that stand in a command: chosen groups, added groups, and names that ``+a.b=v`` adds."""

    choices: dict[str, Choice]
    added: dict[str, Choice]
    names: tuple[str, ...]


def written(config: HydraConfig, words: Iterable[str]) -> Written:
    """The overrides among the words of a command."""
    found = Written({}, {}, ())
    for word in words:
        match = _OVERRIDE.fullmatch(word)
        if match is None or (match[3] is None and match[1] != "~"):
            continue
        if is_group(config, match[2]):
            value = None if match[1] == "~" or match[3] in ("null", "") else match[3]
            (found.added if match[1] == "+" else found.choices)[match[2]] = value
        elif match[1] in ("+", "++"):
            found = found._replace(names=(*found.names, match[2]))
    return found
