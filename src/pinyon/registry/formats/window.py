"""Bytes that are looked at, never more of them than a budget allows: a file, or the beginning of something packed."""

from __future__ import annotations

import os

_BLOCK = 4096


class SpentError(Exception):
    """More would have to be read than anybody is willing to read of a file that nobody trusts."""


class Window:
    """The bytes of an open file, or those given; ``size`` is what there is in all, as far as known. It can be read like a
    file, and forgets what it gave."""

    def __init__(self, source: int | bytes, size: int, budget: int = 64 << 20) -> None:
        self.size = size
        self.budget = budget
        self._source = source
        self._position = 0
        self._block = (0, b"")

    def at(self, start: int, count: int) -> bytes:
        """Bytes from an offset on; fewer at the end.

        Raises:
            SpentError: the budget does not hold them.
        """
        first, block = self._block
        if first <= start and start + count <= first + len(block):
            return block[start - first : start - first + count]
        wanted = max(count, _BLOCK)
        self.budget -= min(wanted, max(0, self.size - start))
        if self.budget < 0:
            raise SpentError
        if isinstance(self._source, bytes):
            block = self._source[start : start + wanted]
        else:
            block = os.pread(self._source, wanted, start)
        self._block = (start, block if wanted == _BLOCK else b"")
        return block[:count]

    def line(self, start: int, longest: int = _BLOCK) -> bytes | None:
        """A line with its end; None where it has none within ``longest`` bytes."""
        for count in (128, _BLOCK, longest):
            found, end, _ = self.at(start, min(count, longest)).partition(b"\n")
            if end:
                return found + end
        return None

    @property
    def known(self) -> int:
        """Up to where there is something to read: of something packed only its beginning is."""
        return len(self._source) if isinstance(self._source, bytes) else self.size

    def read(self, count: int = -1) -> bytes:
        """As of a file."""
        data = self.at(self._position, self.size - self._position if count < 0 else count)
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As of a file."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise OSError(22, os.strerror(22))
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """As of a file."""
        return self._position

    def seekable(self) -> bool:
        """As of a file."""
        return True
