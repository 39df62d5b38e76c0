"""CRC-32C (Castagnoli), as TFRecord files use it: reflected polynomial 0x82F63B78, then rotated, and a constant added."""

from __future__ import annotations


def _table() -> list[int]:
    table = []
    for crc in range(256):
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


_TABLE = _table()


def crc32c(data: bytes | bytearray) -> int:
    """The checksum of some bytes."""
    crc, table = 0xFFFFFFFF, _TABLE
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def masked(data: bytes | bytearray) -> int:
    """The checksum as it stands beside the bytes: a checksum over bytes that hold checksums would be a weak one."""
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
