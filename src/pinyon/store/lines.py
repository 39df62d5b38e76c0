"""One line of JSON that carries its own crc: records of journals and versions of refs."""

from __future__ import annotations

import json
import math
import re
import zlib
from typing import Any

_CRC = re.compile(rb',"crc":"([0-9a-f]{8})"}$')
_CRC_LENGTH = len(b',"crc":"00000000"}')
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def encode(record: dict[str, Any]) -> bytes:
    """One line without its line feed, the crc at its end."""
    try:
        text = _encode(record)
    except ValueError:
        text = _encode(_finite(record))
    data = text.encode(errors="backslashreplace")[:-1]
    return data + b',"crc":"%08x"}' % zlib.crc32(data)


def is_sound(line: bytes) -> bool:
    """Whether the crc of a line is that of its bytes."""
    match = _CRC.search(line)
    return match is not None and zlib.crc32(line[:-_CRC_LENGTH]) == int(match[1], 16)


def decode(line: bytes) -> dict[str, Any] | None:
    """The object of one line; None when its crc or its JSON is wrong."""
    if not is_sound(line):
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _finite(value: Any) -> Any:
    """NaN and infinities as text, which every JSON reader survives."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {_finite(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
