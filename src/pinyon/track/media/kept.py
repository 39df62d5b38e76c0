"""What becomes of a thing: JSON that may stand in a line of points, or bytes that are a blob (docs/FORMAT.md §5)."""

from __future__ import annotations

import math
import os
from typing import Any, NamedTuple

from pinyon.errors import TrackError
from pinyon.track.values import fact

TEXT_MOST = 10_000_000  # bytes of a text
ROWS_MOST = 1_000_000


class Kept(NamedTuple):
    """A thing as it is recorded: as ``value``, or as bytes with their ``format``, or as both, and the smaller one counts.

    ``data`` are the bytes or the path of a file. ``about`` stands beside them either way. ``blob``: never in a line.
    """

    type: str
    value: dict[str, Any] | None = None
    data: bytes | str | None = None
    format: str = "json"
    about: dict[str, Any] = {}
    blob: bool = False


def cell(value: Any) -> Any:
    """A value of a table or the like as JSON has it; what is not finite is text (docs/FORMAT.md §3)."""
    plain = fact(value)
    if isinstance(plain, float) and not math.isfinite(plain):
        return "NaN" if math.isnan(plain) else "Infinity" if plain > 0 else "-Infinity"
    return clean(plain) if isinstance(plain, str) else plain


def clean(text: str) -> str:
    """Text that UTF-8 can hold."""
    return text.encode("utf-8", "replace").decode()


def said(**about: Any) -> dict[str, Any]:
    """Those of these that were said."""
    return {name: cell(value) for name, value in about.items() if value not in (None, "")}


def source(given: Any, format: str, kind: str) -> tuple[bytes | str, str]:
    """A file or bytes, with their format: as it was said, else by the first bytes, else by the path's ending.

    Raises:
        TrackError: they have none, or there is no such file.
    """
    path = "" if isinstance(given, (bytes, bytearray)) else os.fspath(given)
    start = _read_start(path) if path else bytes(given[:_START])
    format = format or _format(start) or os.path.splitext(path)[1][1:].lower()
    if not format:
        raise TrackError(f"these bytes are no {kind} that we know", next='format="…" says what they are')
    return path or bytes(given), format


_START = 512
_MAGIC = (
    (b"\x89PNG\r\n", "png"), (b"\xff\xd8\xff", "jpg"), (b"GIF8", "gif"), (b"BM", "bmp"), (b"OggS", "ogg"),
    (b"fLaC", "flac"), (b"ID3", "mp3"), (b"\x1aE\xdf\xa3", "webm"),
)  # fmt: skip
_RIFF = {b"WEBP": "webp", b"WAVE": "wav", b"AVI ": "avi"}


def _read_start(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_START)
    except OSError as error:
        raise TrackError("this cannot be kept", where=path, why=error.strerror or str(error)) from None


def _format(start: bytes) -> str:
    if start[:4] == b"RIFF":
        return _RIFF.get(start[8:12], "")
    if start[4:8] == b"ftyp":
        return "mp4"
    if is_svg(start):
        return "svg"
    return next((format for magic, format in _MAGIC if start.startswith(magic)), "")


def is_svg(start: bytes) -> bool:
    """Whether text that begins so is a picture."""
    return start.lstrip()[:5].lower() in (b"<svg ", b"<svg>") or (
        start.lstrip()[:5].lower() == b"<?xml" and b"<svg" in start
    )
