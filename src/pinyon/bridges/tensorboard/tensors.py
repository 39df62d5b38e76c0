"""TensorProto: small tensors as lists of numbers or texts."""

from __future__ import annotations

import math
import struct
from typing import Any, NamedTuple

from pinyon.bridges.protobuf import BYTES, VARINT, WireError, fields, packed, signed

# Of each number type: how one stands in `tensor_content`, in which field of a message, and how there.
_TYPES = {
    1: ("f", 5, "f"), 2: ("d", 6, "d"), 3: ("i", 7, ""), 4: ("B", 7, ""), 5: ("h", 7, ""), 6: ("b", 7, ""),
    9: ("q", 10, ""), 10: ("?", 11, ""), 14: ("H", 13, ""), 17: ("H", 7, ""), 19: ("e", 13, ""), 22: ("I", 16, ""),
    23: ("Q", 17, ""),
}  # fmt: skip
_BFLOAT16, _HALF, _UINT64, _STRING = 14, 19, 23, 7
_LARGEST = 100_000  # items
# What nearly all are: one number, as torch, TensorFlow and we spell it (type, empty shape, a packed list or raw bytes).
_HEAD = 6
_SCALARS = {
    (b"\x08\x02\x12\x00\x32\x08", 14): "<d",
    (b"\x08\x01\x12\x00\x2a\x04", 10): "<f",
    (b"\x08\x01\x12\x00\x22\x04", 10): "<f",
}


class Tensor(NamedTuple):
    """Shape, and its items in row-major order; ``items`` is None for a type that holds no numbers and no texts, and for one
    that is too large."""

    shape: tuple[int, ...]
    items: list[Any] | None


def tensor(data: bytes) -> Tensor:
    """Read a TensorProto.

    Raises:
        WireError: it does not add up.
    """
    if form := _SCALARS.get((data[:_HEAD], len(data))):
        return Tensor((), list(struct.unpack_from(form, data, _HEAD)))
    dtype, shape, content, texts = 0, tuple[int, ...](), b"", list[bytes]()
    values: dict[int, list[Any]] = {}
    for number, wire, value in fields(data):
        if number == 1 and wire == VARINT:
            dtype = value
        elif number == 2 and wire == BYTES:
            shape = _shape(value)
        elif number == 4 and wire == BYTES:
            content = value
        elif number == 8 and wire == BYTES and len(texts) < _LARGEST:
            texts.append(value)
        elif dtype in _TYPES and number == _TYPES[dtype][1]:
            values.setdefault(number, []).extend(packed(wire, value, _TYPES[dtype][2]))
    if dtype == _STRING:
        return Tensor(shape, texts)
    if dtype not in _TYPES:
        return Tensor(shape, None)
    code, field, _ = _TYPES[dtype]
    items = _content(content, code) if content else _listed(values.get(field, []), dtype)
    count = math.prod(shape)
    if items is None or count > _LARGEST:
        return Tensor(shape, None)
    if len(items) < 2:  # how equal items are spelled, and how zeros are
        items = (items or [0]) * count
    if len(items) != count:
        raise WireError(f"a tensor of {count} items has {len(items)}")
    return Tensor(shape, _bfloats(items) if dtype == _BFLOAT16 else items)


def _shape(data: bytes) -> tuple[int, ...]:
    sizes: list[int] = []
    for number, wire, value in fields(data):
        if number == 2 and wire == BYTES:
            size = next(
                (signed(item) for inner, kind, item in fields(value) if (inner, kind) == (1, VARINT)), 0
            )
            if size < 0 or len(sizes) == 32:
                raise WireError("a tensor has no such shape")
            sizes.append(size)
    return tuple(sizes)


def _content(data: bytes, code: str) -> list[Any] | None:
    size = struct.calcsize("<" + code)
    if len(data) % size:
        raise WireError("a tensor has bytes left over")
    count = len(data) // size
    return None if count > _LARGEST else list(struct.unpack(f"<{count}{code}", data))


def _listed(items: list[Any], dtype: int) -> list[Any] | None:
    if len(items) > _LARGEST:
        return None
    if dtype == _HALF:  # 16 bits each, in integers
        return [struct.unpack("<e", struct.pack("<H", item & 0xFFFF))[0] for item in items]
    if dtype == _BFLOAT16:
        return [item & 0xFFFF for item in items]
    return [item & 0xFFFF_FFFF_FFFF_FFFF for item in items] if dtype == _UINT64 else items


def _bfloats(items: list[int]) -> list[float]:
    return [struct.unpack("<f", struct.pack("<I", item << 16))[0] for item in items]
