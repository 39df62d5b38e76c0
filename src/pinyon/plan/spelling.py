"""Parameters as a command spells them: options of argparse and click, variables of the environment."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from pinyon.errors import PlanError
from pinyon.model.flags import Flag
from pinyon.plan.grammar import override
from pinyon.plan.interpolate import nearest

_JOINTS = re.compile(r"[._-]+")
_NEGATIVE = re.compile(r"-\d+|-\d*\.\d+")  # what argparse takes for a value though it begins with a dash


def words(style: str, pairs: Sequence[tuple[str, Any]], flags: Sequence[Flag]) -> list[str]:
    """The words that give a command these parameters; nothing in them is meant for a shell.

    ``argparse``: ``--lr 0.1``, a list as several words, true as the option alone where it takes no value; null and false
    leave it out. ``hydra``: ``a.b=v``. ``env``: ``A_B=v``. ``file``: nothing, since they stand in a file.

    Args:
        flags: of argparse and env; a pair that none of them fits is left out.

    Raises:
        PlanError: a value that the flag does not take, or that cannot be written.
    """
    if style == "file":
        return []
    if style == "hydra":
        return [override(name, value) for name, value in pairs]
    write = _option if style == "argparse" else _variable
    found = ((find(name, flags), value) for name, value in pairs)
    return [word for flag, value in found if flag for word in write(flag, value)]


def find(name: str, flags: Iterable[Flag], *, loose: bool = True) -> Flag | None:
    """The flag that a parameter's name means: spelt so; else with ``.``, ``_`` and ``-`` taken for each other; else
    (``loose``) called like the last part of the name. Where several fit equally well, none is meant."""
    known = tuple(flags)
    last = _joined(name.rpartition(".")[2])
    tests: list[Callable[[Flag], bool]] = [
        lambda flag: name == flag.name or name in (one.lstrip("-") for one in flag.spellings),
        lambda flag: _joined(flag.name) == _joined(name),
        lambda flag: loose and _joined(flag.name) == last,
    ]
    for test in tests:
        fitting = [flag for flag in known if test(flag)]
        if fitting:
            return fitting[0] if len(fitting) == 1 else None
    return None


def declared(style: str, names: Iterable[str]) -> tuple[Flag, ...]:
    """Flags that a stage names itself. Nothing is known of them, so true gives an option alone, and a list its items."""
    if style == "env":
        return tuple(Flag(name, (variable(name),)) for name in names)
    spelt = {name.lstrip("-"): name if name.startswith("-") else f"--{name}" for name in names}
    return tuple(Flag(name, (spelling,), 0, None) for name, spelling in spelt.items())


def variable(name: str) -> str:
    """The variable of a parameter: upper case, everything but letters and digits as ``_``: ``train.lr`` → TRAIN_LR."""
    text = re.sub(r"[^A-Z0-9]", "_", name.upper())
    return f"_{text}" if text[:1].isdigit() else text


def without(given: Sequence[str], flag: Flag) -> list[str]:
    """Words of a command without an option that is to be given anew, and without its values."""
    kept: list[str] = []
    rest = list(given)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return [*kept, word, *rest]
        option, equals, _ = word.partition("=")
        if option not in (*flag.spellings, flag.off) or not word.startswith("-"):
            kept.append(word)
            continue
        most = 0 if equals else len(rest) if flag.most is None else flag.most
        for place in range(min(most, len(rest))):
            if place >= flag.least and rest[0].startswith("-") and not _NEGATIVE.fullmatch(rest[0]):
                break
            rest.pop(0)
    return kept


def _joined(name: str) -> str:
    return _JOINTS.sub("_", name)


def _option(flag: Flag, value: Any) -> list[str]:
    """One option of argparse's or click's with its values."""
    option = flag.spellings[0]
    if isinstance(value, bool) and flag.least == 0:
        if value:
            return [option] if flag.most != 1 or not flag.choices else [option, _chosen(flag, value)]
        return [flag.off] if flag.off else []
    if value is None:
        return []
    if flag.most == 0:
        raise _refused(flag, value, f"{option} takes no value", f"-S {flag.name}=true")
    items = list(value) if isinstance(value, (list, tuple)) else [value]
    many = flag.most is None or flag.most > 1
    if isinstance(value, (list, tuple)) and not many:
        raise _refused(flag, value, f"{option} takes one value, no list")
    if len(items) < flag.least or (flag.most is not None and len(items) > flag.most):
        least = f"{flag.least}" if flag.most == flag.least else f"at least {flag.least}"
        raise _refused(flag, value, f"{option} takes {least} values")
    texts = [_chosen(flag, item) for item in items]
    if len(texts) == 1:
        return [f"{option}={texts[0]}"] if texts[0].startswith("-") else [option, texts[0]]
    return [option, *(_dashless(flag, item, text) for item, text in zip(items, texts, strict=True))]


def _dashless(flag: Flag, item: Any, text: str) -> str:
    """One of several values: there argparse takes nothing that begins with a dash, but plain numbers."""
    if not text.startswith("-"):
        return text
    if isinstance(item, (int, float)):
        text = format(Decimal(text), "f")
    if not _NEGATIVE.fullmatch(text):
        raise _refused(flag, item, "among several values none can begin with a dash")
    return text


def _chosen(flag: Flag, value: Any) -> str:
    """A value as text, as one of the flag's choices if it has some."""
    text = _text(flag, value)
    if not flag.choices or text in flag.choices:
        return text
    for choice in flag.choices:
        if choice == str(value) or (not isinstance(value, str) and _number(choice) == value):
            return choice
    why = nearest(text, list(flag.choices)) or f"it takes {', '.join(flag.choices[:20])}"
    raise _refused(flag, value, why)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _text(flag: Flag, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (Mapping, list, tuple, type(None))):
        raise _refused(flag, value, "text, a number or a boolean is needed")
    text = str(value)
    if "\0" in text:
        raise _refused(flag, value, "no command can be given a NUL character")
    return text


def _variable(flag: Flag, value: Any) -> list[str]:
    """One variable; lists and maps are JSON, null leaves it out."""
    if value is None:
        return []
    if isinstance(value, (list, tuple, Mapping)):
        return [f"{flag.spellings[0]}={json.dumps(value, separators=(',', ':'), ensure_ascii=False)}"]
    return [f"{flag.spellings[0]}={_text(flag, value)}"]


def _refused(flag: Flag, value: Any, why: str, next: str = "") -> PlanError:
    return PlanError(f"{flag.name} is set to {value!r:.60}", why=why, next=next)
