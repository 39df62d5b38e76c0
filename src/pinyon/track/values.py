"""What users hand to `log`, `summary` and `tag`, as plain numbers and texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def numbers(values: Mapping[Any, Any], refuse: Any) -> dict[str, Any]:
    """Plain numbers by name: scalars of numpy, torch and the like are taken out, nested maps get dotted names.

    Args:
        refuse: called with name and value of what is no number; it is left out.
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            inner = numbers(value, lambda rest, held, name=name: refuse(f"{name}.{rest}", held))
            found.update({f"{name}.{rest}": held for rest, held in inner.items()})
            continue
        plain = number(value)
        if plain is None:
            refuse(str(name), value)
        else:
            found[str(name)] = plain
    return found


def number(value: Any) -> float | int | None:
    """The number that a value is, a one-element array's element; None if it is none."""
    if isinstance(value, (bool, int, float)):
        return float(value) if isinstance(value, float) else int(value)
    item = getattr(value, "item", None)
    try:
        plain = item() if callable(item) else float(value) if hasattr(value, "__float__") else None
    except Exception:  # noqa: BLE001 - a foreign object may raise anything; a tensor of several elements does
        return None
    return number(plain) if isinstance(plain, (bool, int, float)) else None


def fact(value: Any) -> Any:
    """A value that a record can hold: numbers, text, true, false and none as they are, all else as its text."""
    if value is None or isinstance(value, (bool, str)):
        return value
    plain = number(value)
    return str(value) if plain is None else plain


def plain(value: Any) -> Any:
    """The same for parameters, which may be lists and maps; a configuration object's mapping is taken."""
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return fact(value)
