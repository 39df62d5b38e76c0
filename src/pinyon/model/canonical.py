"""The one JSON that digests are taken of (docs/FORMAT.md, "Canonical JSON")."""

from __future__ import annotations

import json
import math
from typing import Any

from pinyon.errors import PlanError


def canonical(value: Any) -> bytes:
    """Encode ``value`` so that equal values give equal bytes.

    Keys are sorted, nothing is padded, text is UTF-8, and a float with an integer value is written as that integer
    (``1`` equals ``1.0``, as parameters mean it). Tuples are lists.

    Raises:
        PlanError: NaN, an infinity, or a type that JSON does not have.
    """
    try:
        return json.dumps(
            _normal(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        ).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise PlanError(
            f"this value has no canonical form: {error}", next="use numbers, text, lists and maps"
        ) from error


def _normal(value: Any) -> Any:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise PlanError(
                f"{value} cannot be part of a key", why="it does not equal itself", next="use a finite number"
            )
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, dict):
        normal = {_key(k): _normal(v) for k, v in value.items()}
        if len(normal) < len(value):
            raise PlanError("two keys of a map have one spelling", next="write each key once, as text")
        return normal
    if isinstance(value, (list, tuple)):
        return [_normal(v) for v in value]
    return value


def _key(key: Any) -> str:
    # YAML allows numbers, booleans and null as keys; JSON does not, so they take their JSON spelling.
    if isinstance(key, (tuple, frozenset)):
        raise TypeError(f"the key {key!r} is not text")
    return key if isinstance(key, str) else json.dumps(_normal(key))
