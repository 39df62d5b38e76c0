"""What a library logs, as `pinyon.run().log` takes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def scalars(values: Mapping[str, Any] | None) -> dict[str, Any]:
    """Values that are one number each; texts, None and the like are left out, tensors of one number are not."""
    found: dict[str, Any] = {}
    for name, value in (values or {}).items():
        if isinstance(value, (bool, int, float)):
            found[name] = value
        elif hasattr(value, "item"):
            try:
                found[name] = value.item()
            except (TypeError, ValueError, RuntimeError):  # more than one number
                continue
    return found
