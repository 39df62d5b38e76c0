"""Values in the cells of a CSV: numbers and words as JSON, texts as they are unless that would be read as JSON."""

from __future__ import annotations

import json
from typing import Any

_WORDS = {
    "True": True,
    "False": False,
    "None": None,
    "nan": float("nan"),
    "inf": float("inf"),
    "-inf": float("-inf"),
}


def spell(value: Any) -> str:
    """The text of a cell; of a value that is not there it is empty."""
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False, default=str)
    read = unspell(value)
    return value if read == value and isinstance(read, str) else json.dumps(value, ensure_ascii=False)


def unspell(text: str) -> Any:
    """The value of a cell; None for an empty one."""
    if text in _WORDS:
        return _WORDS[text]
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return text


def number(value: Any) -> float | None:
    """A value as a number, if it is one."""
    if isinstance(value, (bool, int, float)):
        try:
            return float(value)
        except OverflowError:
            return None
    return None
