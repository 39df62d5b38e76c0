"""A file that another process may still be writing: every byte is read once, what is not there yet comes later."""

from __future__ import annotations

import os
import stat

from pinyon.errors import ForeignFileError

_CHUNK = 1 << 20
LARGEST = 16 << 20  # bytes of one record that is kept in memory; what is longer is passed over


class Growing:
    """Bytes of a file from the front on.

    Attributes:
        path: of the file.
        at: offset of the first byte that was not taken yet.
        held: bytes from there on that were read.

    Raises:
        ForeignFileError: it is no file, or cannot be opened.
    """

    def __init__(self, path: str) -> None:
        self.path, self.at, self.held = path, 0, bytearray()
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise ForeignFileError(f"cannot be opened: {error.strerror}", where=path) from None
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            self.close()
            raise ForeignFileError("this is no file", where=path)

    def want(self, count: int) -> bool:
        """Hold so many bytes; False when they are not there yet.

        Raises:
            ForeignFileError: the file cannot be read.
        """
        while len(self.held) < count:
            try:
                chunk = os.pread(self._fd, _CHUNK, self.at + len(self.held))
            except OSError as error:
                raise ForeignFileError(f"cannot be read: {error.strerror}", where=self.path) from None
            if not chunk:
                return False
            self.held += chunk
        return True

    def skip(self, count: int) -> None:
        """Be done with so many bytes, whether they were read, or exist, or not."""
        del self.held[:count]
        self.at += count

    def fault(self, what: str, at: int | None = None) -> ForeignFileError:
        """An error about the bytes at an offset, by default the next."""
        return ForeignFileError(f"byte {self.at if at is None else at}: {what}", where=self.path)

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
