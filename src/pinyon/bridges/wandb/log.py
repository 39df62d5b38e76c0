"""The framing of a ``.wandb`` file: LevelDB's log, with a header of its own and plain CRC-32.

Blocks of 32 KiB hold chunks of 7 bytes (checksum, length, kind) and data; a record is one chunk, or a first, middle ones
and a last. The header of the file is part of the first block.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from pinyon.bridges.growing import LARGEST, Growing

_BLOCK = 32 * 1024
_HEAD = struct.Struct("<IHB")
_START = struct.Struct("<4sHB")
_MAGIC = (b":W&B", 0xBEE1, 0)
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


class Log:
    """The records of one file, in order, as far as they are whole.

    Attributes:
        passed: how many were too long to be read.
    """

    def __init__(self, path: str) -> None:
        self._file = Growing(path)
        self._begun = self._lost = False
        self._at, self._parts, self._size = (
            -1,
            list[bytes](),
            0,
        )  # of the record in hand; no offset: there is none
        self.passed = 0

    def read(self) -> Iterator[tuple[int, bytes]]:
        """What is new: offset and bytes of each record. A record that is not whole yet comes with a later call.

        Raises:
            ForeignFileError: damage. Called again it goes on with the next block; where the file is none of W&B's it
                never gives anything.
        """
        file = self._file
        if not self._begun and not self._begin():
            return
        while True:
            left = _BLOCK - file.at % _BLOCK
            if left < _HEAD.size:
                file.skip(left)
                continue
            if not file.want(_HEAD.size):
                return
            crc, length, kind = _HEAD.unpack_from(file.held)
            if not _FULL <= kind <= _LAST or length > left - _HEAD.size:
                raise self._damage(left, "a record's head is not what was written")
            if not file.want(_HEAD.size + length):
                return
            data = bytes(file.held[_HEAD.size : _HEAD.size + length])
            if zlib.crc32(data, zlib.crc32(bytes([kind]))) != crc:
                raise self._damage(left, "a record is not what was written")
            at = file.at
            file.skip(_HEAD.size + length)
            record = self._join(at, kind, data)
            if record is not None:
                yield record

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _begin(self) -> bool:
        """Whether the header is there and right."""
        if self._lost or not self._file.want(_START.size):
            return False
        if _START.unpack_from(self._file.held) != _MAGIC:
            self._lost = True
            raise self._file.fault("this is no file of W&B's, or of a newer format")
        self._file.skip(_START.size)
        self._begun = True
        return True

    def _join(self, at: int, kind: int, data: bytes) -> tuple[int, bytes] | None:
        """The record that this chunk completes, if it does."""
        if kind in (_FULL, _FIRST):
            self._at, self._parts, self._size = at, [], 0
        elif self._at < 0:
            return None  # its beginning was damaged
        self._size += len(data)
        if self._size <= LARGEST:
            self._parts.append(data)
        else:
            self._parts.clear()
        if kind in (_FIRST, _MIDDLE):
            return None
        at, self._at = self._at, -1
        if self._size > LARGEST:
            self.passed += 1
            return None
        return at, b"".join(self._parts)

    def _damage(self, left: int, what: str) -> Exception:
        """Pass over the rest of the block."""
        fault = self._file.fault(what)
        self._file.skip(left)
        self._at = -1
        return fault
