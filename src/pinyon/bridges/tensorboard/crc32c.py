"""CRC-32C (Castagnoli), as TFRecord files use it: reflected polynomial 0x82F63B78, then rotated, and a constant added."""

from __future__ import annotations

import struct
from functools import cache


def _table() -> list[int]:
    table = []
    for crc in range(256):
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


_TABLE = _table()


@cache
def _pairs() -> list[int]:
    """The same for two bytes at once: a checksum is linear, so each of its rows is one of the low byte and one of the
    high byte."""
    low = [_TABLE[crc & 255] ^ (crc >> 8) for crc in _TABLE]
    return [one ^ other for other in _TABLE for one in low]


def crc32c(data: bytes | bytearray) -> int:
    """The checksum of some bytes."""
    crc, table, whole = 0xFFFFFFFF, _pairs(), len(data) & ~1
    for pair in struct.unpack_from(f"<{whole >> 1}H", data):
        crc = table[(crc ^ pair) & 0xFFFF] ^ (crc >> 16)
    if whole < len(data):
        crc = _TABLE[(crc ^ data[-1]) & 255] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def masked(data: bytes | bytearray) -> int:
    """The checksum as it stands beside the bytes: a checksum over bytes that hold checksums would be a weak one."""
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
