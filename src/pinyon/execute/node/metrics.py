"""Numbers out of metrics files: what `outputs.metrics` carries."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from typing import Any

_LARGEST = 4 << 20  # bytes; a bigger file is data, not metrics
_MOST = 10_000  # numbers of one file


def read(path: str) -> dict[str, Any]:
    """Numeric leaves of a .json, .toml or .yaml file by dotted name; NaN and the infinities as text.

    Raises:
        ValueError: unreadable; the message is the reason.
    """
    try:
        if os.path.getsize(path) > _LARGEST:
            raise ValueError(f"larger than {_LARGEST >> 20} MiB")
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from None
    return numbers(text, path)


def numbers(text: str, path: str) -> dict[str, Any]:
    """The same from what stands in a file; ``path`` says by its ending what it is.

    Raises:
        ValueError: not that; the message is the reason.
    """
    try:
        found = dict(_leaves(_parse(text, path), ""))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if len(found) > _MOST:
        raise ValueError(f"more than {_MOST} numbers")
    return found


def readable(path: str) -> bool:
    """Whether the name says that numbers can be read from it."""
    return path.endswith((".json", ".toml", ".yaml", ".yml"))


def _parse(text: str, path: str) -> Any:
    if path.endswith(".json"):
        return json.loads(text)
    if path.endswith(".toml"):
        try:
            import tomllib
        except ImportError:  # Python before 3.11
            raise ValueError("this Python cannot read TOML") from None
        return tomllib.loads(text)
    try:
        import yaml
    except ImportError:
        raise ValueError("PyYAML is not installed here") from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def _leaves(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, float) and not math.isfinite(value):
        yield name, "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield name, value
