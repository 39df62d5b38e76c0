"""What an unquoted word of YAML means: the core schema of YAML 1.2, and nothing of 1.1.

Source: https://yaml.org/spec/1.2.2/#1032-tag-resolution. Dates, ``on``, ``1_000`` and ``12:30:45`` are text there.
"""

from __future__ import annotations

import re
from typing import Any

from pinyon.spec.files import DIGITS

_INF, _NAN = float("inf"), float("nan")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), _INF),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -_INF),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), _NAN),
}
_NUMBER = re.compile(
    r"(?P<int>[-+]?[0-9]+)|0o(?P<oct>[0-7]+)|0x(?P<hex>[0-9a-fA-F]+)"
    r"|(?P<float>[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)"
)
_BASES = {"int": 10, "oct": 8, "hex": 16}
_TAG = "tag:yaml.org,2002:"
_TAGS: dict[str, type] = {
    "!": str,
    f"{_TAG}str": str,
    f"{_TAG}int": int,
    f"{_TAG}float": float,
    f"{_TAG}bool": bool,
    f"{_TAG}null": type(None),
}
COLLECTION_TAGS: dict[type, str] = {dict: f"{_TAG}map", list: f"{_TAG}seq"}


def resolve(text: str) -> Any:
    """The value of a plain scalar: None, bool, int, float or the text itself.

    Raises:
        ValueError: an integer of more digits than Python can show.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "0123456789+-.":
        return text
    match = _NUMBER.fullmatch(text)
    if match is None:
        return text
    kind = match.lastgroup or ""
    if kind == "float":
        return float(text)
    if len(text) > DIGITS:
        raise ValueError(f"an integer of {len(text):,} digits is too long; {DIGITS:,} are allowed")
    return int(match[kind], _BASES[kind])


_OLD_BOOLEANS = {
    spelling(word): word in ("yes", "true", "on")
    for word in ("yes", "no", "true", "false", "on", "off")
    for spelling in (str.lower, str.capitalize, str.upper)
}
_OLD_INTEGER = re.compile(
    r"(?P<sign>[-+]?)(?:0b(?P<bin>[01_]+)|0x(?P<hex>[0-9a-fA-F_]+)|0(?P<oct>[0-7_]+)|(?P<int>0|[1-9][0-9_]*)"
    r"|(?P<sixty>[1-9][0-9_]*(?::[0-5]?[0-9])+))"
)
_OLD_FLOAT = re.compile(
    r"[-+]?[0-9]+(?:_[0-9]+)*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+(?:_[0-9]+)*[eE][-+]?[0-9]+"
    r"|\.[0-9]+(?:_[0-9]+)*(?:[eE][-+][0-9]+)?"
)


def resolve_old(text: str) -> Any:
    """The value of a plain scalar as Hydra reads it: YAML 1.1, in which ``on`` is true and ``1_000`` a number, but dates
    are text and ``1e-4`` is a number.

    Raises:
        ValueError: an integer of more digits than Python can show.
    """
    if text in _OLD_BOOLEANS:
        return _OLD_BOOLEANS[text]
    if text in _WORDS:
        return _WORDS[text]
    if _OLD_FLOAT.fullmatch(text):
        return float(text.replace("_", ""))
    match = _OLD_INTEGER.fullmatch(text)
    if match is None or len(text) > DIGITS:
        return text
    kind = match.lastgroup or ""
    digits = match[kind].replace("_", "")
    sign = -1 if match["sign"] == "-" else 1
    if kind == "sixty":
        value = 0
        for part in digits.split(":"):
            value = value * 60 + int(part)
        return sign * value
    return sign * int(digits or "0", {"bin": 2, "oct": 8, "hex": 16}.get(kind, 10))


def is_text(text: str) -> bool:
    """Whether a plain scalar of this text is read as the text itself."""
    return text not in _WORDS and _NUMBER.fullmatch(text) is None


def tagged(text: str, tag: str) -> Any:
    """The value of a scalar with a tag such as ``!!float``.

    Raises:
        ValueError: a tag outside the core schema, or text that is not of the tag's kind.
    """
    kind = _TAGS.get(tag)
    if kind is str:
        return text
    if kind is None:
        raise ValueError(
            f"the tag {show_tag(tag)} is not known; known are !!str, !!int, !!float, !!bool, !!null"
        )
    value = resolve(text)
    if kind is float and type(value) is int and value.bit_length() < 1024:  # more overflow a float
        value = float(value)
    if type(value) is not kind:
        raise ValueError(f"'{text[:40]}' is not a {show_tag(tag)}")
    return value


def show_tag(tag: str) -> str:
    """A tag as people write it: ``!!int``."""
    return "!!" + tag.removeprefix(_TAG) if tag.startswith(_TAG) else tag
