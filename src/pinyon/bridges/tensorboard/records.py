"""TFRecord framing: length, its checksum, the bytes, their checksum."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache

from pinyon.bridges.growing import LARGEST, Growing
from pinyon.bridges.tensorboard.crc32c import masked

_HEAD = struct.Struct("<QI")


_mask = lru_cache(4096)(masked)  # most records are as long as some other


class Records:
    """The records of one file, in order, as far as they are whole.

    Attributes:
        passed: how many were too long to be read.
        lost: nothing behind the damage can be found any more.
    """

    def __init__(self, path: str) -> None:
        self._file = Growing(path)
        self.passed, self.lost = 0, False

    def read(self) -> Iterator[tuple[int, bytes]]:
        """What is new: offset and bytes of each record. A record that is not whole yet comes with a later call.

        Raises:
            ForeignFileError: damage. Called again it goes on behind that, if the next record can be found.
        """
        file = self._file
        while not self.lost and file.want(16):
            length, crc = _HEAD.unpack_from(file.held)
            if _mask(bytes(file.held[:8])) != crc:
                self.lost = True
                raise file.fault("the length of a record is not what was written")
            at, whole = file.at, length + 16
            if length > LARGEST:
                file.skip(whole)
                self.passed += 1
                continue
            if not file.want(whole):
                return
            data = bytes(file.held[12 : whole - 4])
            (crc,) = struct.unpack_from("<I", file.held, whole - 4)
            file.skip(whole)
            if masked(data) != crc:
                raise file.fault("a record is not what was written", at)
            yield at, data

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
