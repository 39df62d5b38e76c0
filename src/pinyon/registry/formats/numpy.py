"""NumPy's own files: a header in Python's spelling, then numbers, or a pickle where the array holds objects."""

from __future__ import annotations

import ast
import math
import re
from typing import Any

from pinyon.registry.formats.looked import Looked
from pinyon.registry.formats.window import Window

_LONGEST = 10_000  # characters of a header: more than that NumPy refuses, too
_OBJECT = re.compile(r"O|object")


def look_npy(data: Window) -> Looked:
    """One array; of objects it is a pickle."""
    head = data.at(0, 12)
    width = 2 if head[6:7] == b"\1" else 4
    length = int.from_bytes(head[8 : 8 + width], "little")
    if length > _LONGEST:
        return Looked("npy", True, f"its header has {length} bytes; nobody looked inside")
    header = _literal(data.at(8 + width, length))
    if not isinstance(header, dict) or not _sizes(header.get("shape")) or "descr" not in header:
        return Looked("npy", True, "its header cannot be understood, so it may hold anything")
    if _objects(header["descr"]):
        return Looked("npy", True, "its array holds Python objects, which are a pickle")
    numbers = math.prod(header["shape"])
    dtype = str(header["descr"])[:200]
    facts = {
        "tensors": 1,
        "parameters": numbers,
        "dtypes": {dtype: numbers},
        "largest": [["", dtype, list(header["shape"])]],
    }
    return Looked("npy", False, "its array holds numbers", facts)


def _literal(header: bytes) -> Any:
    try:
        return ast.literal_eval(header.decode("latin-1").strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _sizes(shape: Any) -> bool:
    return (
        isinstance(shape, tuple)
        and len(shape) <= 64
        and all(type(size) is int and 0 <= size < 1 << 64 for size in shape)
    )


def _objects(descr: Any) -> bool:
    """Whether a dtype, as it is spelled, has objects in it. What is not understood has."""
    if isinstance(descr, str):
        return bool(_OBJECT.search(descr))
    if isinstance(descr, list):
        return any(not isinstance(field, tuple) or len(field) < 2 or _objects(field[1]) for field in descr)
    if isinstance(descr, tuple) and len(descr) == 2:
        return _objects(descr[0])
    return True
