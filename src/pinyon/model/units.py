"""Durations and sizes as people write them: ``90m``, ``1h30m``, ``20GB``, ``512MiB``."""

from __future__ import annotations

import re

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_BYTES = {
    "": 1, "b": 1, "k": 10**3, "kb": 10**3, "m": 10**6, "mb": 10**6, "g": 10**9, "gb": 10**9, "t": 10**12, "tb": 10**12,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")


def seconds(text: str | int | float) -> float:
    """Seconds of a duration: ``90m`` is 5400.0, ``1h30m`` too; a bare number is seconds.

    Raises:
        ValueError: not a duration; the message lists the units.
    """
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        value = float(text)
    else:
        compact = str(text).replace(" ", "")
        if _NUMBER.fullmatch(compact):
            compact += "s"
        parts = _DURATION.findall(compact)
        if not parts or "".join(n + u for n, u in parts) != compact:
            raise ValueError(f"'{text}' is not a duration; write for example 30s, 90m, 1h30m or 2d")
        value = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if not 0 <= value < float("inf"):
        raise ValueError(f"'{text}' is not a duration: it must be finite and not negative")
    return value


def size(text: str | int | float) -> int:
    """Bytes of a size: ``20GB`` is 20·10⁹, ``512MiB`` is 512·2²⁰; a bare number is bytes.

    Raises:
        ValueError: not a size; the message lists the units.
    """
    if isinstance(text, float) and text.is_integer():
        text = int(text)
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", str(text).strip())
    if match is None or match[2].lower() not in _BYTES:
        raise ValueError(f"'{text}' is not a size; write for example 500MB, 20GB or 512MiB")
    whole, _, decimals = match[1].partition(".")
    scale: int = 10 ** len(decimals)
    return int(whole + decimals) * _BYTES[match[2].lower()] // scale


def show_seconds(value: float) -> str:
    """A duration for people: ``0.4 s``, ``12 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if value < 10:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def show_bytes(value: int) -> str:
    """A size for people: ``312 B``, ``4.2 kB``, ``1.3 GB``."""
    number = float(value)
    for unit in ("B", "kB", "MB", "GB"):
        if number < (1000 if unit == "B" else 999.95):
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"
