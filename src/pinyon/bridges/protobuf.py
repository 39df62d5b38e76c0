"""Protobuf's wire format: the fields of one message, one level deep. What they mean is the caller's business.

From the published encoding (protobuf.dev, "Encoding"). Nothing here recurses, allocates by what the bytes claim, or
trusts a length: a message that does not add up is a `WireError`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_LONGEST = 10  # bytes of a varint of 64 bits
_ITEMS = 100_000  # of one repeated field, beyond which nobody means it


class WireError(ValueError):
    """Bytes that are no message."""


def fields(data: bytes) -> Iterator[tuple[int, int, Any]]:
    """Number, wire type and value of each field in turn: an int for VARINT, else bytes.

    Raises:
        WireError: a varint without end, a length beyond the message, a wire type that is none.
    """
    at, end = 0, len(data)
    while at < end:
        tag = data[at]
        at += 1
        if tag > 127:
            tag, at = _varint(data, at - 1)
        number, wire = tag >> 3, tag & 7
        value: Any
        if wire == VARINT:
            value, at = (data[at], at + 1) if at < end and data[at] < 128 else _varint(data, at)
        else:
            if wire == BYTES:
                size, at = (data[at], at + 1) if at < end and data[at] < 128 else _varint(data, at)
            elif wire == FIXED64:
                size = 8
            elif wire == FIXED32:
                size = 4
            else:  # groups, which nobody has written for fifteen years, and what was never given out
                raise WireError(f"there is no field of wire type {wire}")
            if size > end - at:
                raise WireError(f"a field claims {size} bytes where {end - at} are left")
            value = data[at : at + size]
            at += size
        if not number:
            raise WireError("a field has the number 0")
        yield number, wire, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number that begins at an offset, and the offset behind it."""
    value = shift = 0
    for byte in data[at : at + _LONGEST]:
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7
    raise WireError("a number has no end")


def signed(value: int) -> int:
    """A VARINT as int32 or int64."""
    return value - (1 << 64) if value >> 63 else value


def double(value: bytes) -> float:
    """A FIXED64 as double."""
    return float(struct.unpack("<d", value)[0])


def single(value: bytes) -> float:
    """A FIXED32 as float."""
    return float(struct.unpack("<f", value)[0])


def text(value: bytes) -> str:
    """BYTES as text; what is no UTF-8 is replaced."""
    return value.decode("utf-8", "replace")


def packed(wire: int, value: Any, code: str) -> list[Any]:
    """What one field adds to a repeated number, packed or not.

    Args:
        code: of `struct` for one number of fixed size; "" for varints, which are given as int64.

    Raises:
        WireError: the bytes are no whole numbers, or are more of them than anybody means.
    """
    if not code:
        return [signed(number) for number in ([value] if wire == VARINT else _varints(value))]
    size = struct.calcsize("<" + code)
    if wire == VARINT or len(value) % size:
        raise WireError("a list of numbers has bytes left over")
    return list(struct.unpack(f"<{_counted(len(value) // size)}{code}", value))


def _varints(data: bytes) -> Iterator[int]:
    at = count = 0
    while at < len(data):
        value, at = _varint(data, at)
        count = _counted(count + 1)
        yield value


def _counted(count: int) -> int:
    """The count of items of something, if anybody can mean so many.

    Raises:
        WireError: it is too large.
    """
    if count > _ITEMS:
        raise WireError(f"there are more than {_ITEMS:,} items")
    return count


def repeated(data: bytes, wanted: int) -> Iterator[bytes]:
    """The messages of one repeated field.

    Raises:
        WireError: as `fields`; or there are too many.
    """
    count = 0
    for number, wire, value in fields(data):
        if number == wanted and wire == BYTES:
            count = _counted(count + 1)
            yield value
