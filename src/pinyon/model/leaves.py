"""Nested data as one level of dotted names."""

from __future__ import annotations

from typing import Any


def flatten(data: Any, name: str = "") -> dict[str, Any]:
    """Leaves by dotted name; lists are leaves, empty mappings are nothing. What is no mapping has the name ""."""
    if not isinstance(data, dict):
        return {name: data}
    return {
        dotted: leaf
        for key, value in data.items()
        for dotted, leaf in flatten(value, f"{name}.{key}" if name else str(key)).items()
    }
