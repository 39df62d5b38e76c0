"""Compressed files, such as joblib's: a few thousand bytes are unpacked in memory, and looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pinyon.registry.formats.looked import Inside, Looked
from pinyon.registry.formats.window import Window

_PACKED = 32 << 10  # bytes that are read
_UNPACKED = 64 << 10  # and how many they may become
_MEMORY = 64 << 20  # that unpacking may take

_CLOSED = {b"\x28\xb5\x2f\xfd": "zstd", b"\x04\x22\x4d\x18": "lz4", b"ZF0x": "joblib"}


def look_packed(data: Window, head: bytes, inside: Inside | None) -> Looked | None:
    """What is in a compressed file; None if it is none."""
    for magic, name in _CLOSED.items():
        if head.startswith(magic):
            return Looked(name, True, f"it is packed ({name}), and nobody can look into that here")
    kind = _kind(head)
    if not kind:
        return None
    if inside is None:
        return Looked(kind, True, "it is packed twice, and nobody looked inside")
    start = _begin(kind, data.at(0, _PACKED))
    if start is None:
        # Two of the beginnings are so short that other files have them by chance.
        if kind in ("zlib", "lzma"):
            return None
        return Looked(kind, True, f"it begins as {kind} and cannot be unpacked, so it may hold anything")
    unpacked, whole = start
    found = inside(Window(unpacked, len(unpacked) if whole else 1 << 62))
    if found.format == "pickle":
        return Looked("joblib", True, f"a pickle is packed in it ({kind}), and loading a pickle runs code")
    return Looked(kind, found.runs_code, f"packed in it ({kind}): {found.why}", {"holds": found.format})


def _kind(head: bytes) -> str:
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head.startswith(b"BZh"):
        return "bz2"
    if head.startswith(b"\xfd7zXZ\0"):
        return "xz"
    if head.startswith(b"\x5d\0\0"):
        return "lzma"
    if head[:1] == b"\x78" and len(head) > 2 and int.from_bytes(head[:2], "big") % 31 == 0:
        return "zlib"
    return ""


def _begin(kind: str, packed: bytes) -> tuple[bytes, bool] | None:
    """The first bytes that it holds, and whether they are all; None if it cannot be unpacked."""
    import bz2
    import lzma
    import zlib

    makers: dict[str, Callable[[], Any]] = {
        "gzip": lambda: zlib.decompressobj(31),
        "zlib": lambda: zlib.decompressobj(15),
        "bz2": bz2.BZ2Decompressor,
        "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY),
        "lzma": lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_MEMORY),
    }
    unpacker = makers[kind]()
    try:
        found = unpacker.decompress(packed, _UNPACKED)
    except (zlib.error, OSError, EOFError, lzma.LZMAError):
        return None
    return (found, unpacker.eof) if found or unpacker.eof else None
