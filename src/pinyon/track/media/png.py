"""Pictures as PNG, by the standard library alone."""

from __future__ import annotations

import struct
import zlib

_KINDS = {1: 0, 2: 4, 3: 2, 4: 6}  # grey, grey and alpha, red green blue, and alpha


def png(width: int, height: int, channels: int, pixels: bytes) -> bytes:
    """A PNG of one byte a channel.

    Args:
        channels: 1 grey, 2 grey and alpha, 3 red, green and blue, 4 with alpha.
        pixels: height * width * channels bytes, row by row from the top.
    """
    wide = width * channels
    rows = b"".join(b"\0" + pixels[at : at + wide] for at in range(0, height * wide, wide))  # 0: no filter
    header = struct.pack(">IIBBBBB", width, height, 8, _KINDS[channels], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
