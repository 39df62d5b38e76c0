"""Event files, written without TensorBoard: TFRecord around Event messages (event.proto, summary.proto, tensor.proto).

Numbers stand as tensors of doubles, which TensorBoard shows as scalars and reads back as they were; its older form has
32 bits.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import IO, Any

from pinyon.bridges.tensorboard.crc32c import masked

_DOUBLE = 2  # DT_DOUBLE
_SCALARS, _HPARAMS = "scalars", "hparams"
_SMALL = [bytes([value]) for value in range(128)]
_SESSION = "_hparams_/session_start_info"


@lru_cache(4096)
def head(length: int) -> bytes:
    """What stands before an event of so many bytes: that number, and its checksum."""
    told = struct.pack("<Q", length)
    return told + struct.pack("<I", masked(told))


class EventWriter:
    """Appends events to a file that is open for writing bytes.

    Args:
        named: tags of which the file has values already.
    """

    def __init__(self, file: IO[bytes], named: Iterable[str] = ()) -> None:
        self._file = file
        self._tags: dict[str, bytes] = {}
        self._plugin = set(named)  # tags whose plugin was named: only the first value says so

    def version(self, wall: float) -> None:
        """The first event of a file."""
        self._write(_double(1, wall) + _text(3, "brain.Event:2"))

    def params(self, wall: float, params: Mapping[str, Any]) -> None:
        """The parameters of the run, as the hparams plugin has them."""
        entries = b"".join(
            _bytes(1, _text(1, name) + _bytes(2, _setting(value))) for name, value in params.items()
        )
        content = _bytes(3, entries)
        metadata = _bytes(9, _bytes(1, _text(1, _HPARAMS) + _bytes(2, content)))
        tensor = _number(1, _DOUBLE) + _bytes(2, b"") + _packed(6, [0.0])
        self._event(wall, 0, [_text(1, _SESSION) + metadata + _bytes(8, tensor)])

    def scalars(self, wall: float, step: int, values: Iterable[tuple[str, float]]) -> None:
        """Numbers of one moment."""
        self._event(wall, step, [self._scalar(tag, value) for tag, value in values])

    def _scalar(self, tag: str, value: float) -> bytes:
        told = self._tags.get(tag)
        if told is None:
            told = self._tags[tag] = _text(1, tag)
        if tag not in self._plugin:
            self._plugin.add(tag)
            told += _bytes(9, _bytes(1, _text(1, _SCALARS)) + _number(4, 1))  # its data class: scalars
        return told + _SCALAR + struct.pack("<d", value)

    def _event(self, wall: float, step: int, values: Iterable[bytes]) -> None:
        summary = b"".join(_bytes(1, value) for value in values)
        self._write(_double(1, wall) + _number(2, step) + _bytes(5, summary))

    def _write(self, event: bytes) -> None:
        self._file.write(head(len(event)) + event + struct.pack("<I", masked(event)))


def _varint(value: int) -> bytes:
    if 0 <= value < 128:
        return _SMALL[value]
    value &= 0xFFFF_FFFF_FFFF_FFFF
    data = bytearray()
    while value > 127:
        data.append(value & 127 | 128)
        value >>= 7
    data.append(value)
    return bytes(data)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _double(field: int, value: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", value)


def _bytes(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _text(field: int, text: str) -> bytes:
    return _bytes(field, text.encode("utf-8", "replace"))


def _packed(field: int, values: list[float]) -> bytes:
    return _bytes(field, struct.pack(f"<{len(values)}d", *values))


def _setting(value: Any) -> bytes:
    """A google.protobuf.Value."""
    if isinstance(value, bool):
        return _number(4, int(value))
    if isinstance(value, (int, float)) and abs(value) < 2**53:
        return _double(2, float(value))
    return _text(3, value if isinstance(value, str) else repr(value))


# A value that is a tensor of one double, up to the double.
_SCALAR = (
    _varint(8 << 3 | 2)
    + _varint(14)
    + _number(1, _DOUBLE)
    + _bytes(2, b"")
    + _varint(6 << 3 | 2)
    + _varint(8)
)
