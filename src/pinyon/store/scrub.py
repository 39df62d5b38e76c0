"""Output of commands without secrets: overwritten where it lies, with as many stars, so that offsets stay right."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from pinyon.store.redacted import spans

_CHUNK = 1 << 20  # bytes that are looked through at a time
_OVERLAP = 8 << 10  # bytes that are looked at again with what follows: a secret may come in two parts


class Scrub:
    """One log, from a byte of its own on.

    Args:
        path: of the file.
        first: its bytes before this one are somebody else's.
    """

    def __init__(self, path: str, first: int) -> None:
        self._path, self._first, self._seen = path, first, first

    def behind(self) -> bool:
        """Whether there is more than was looked at."""
        try:
            return os.stat(self._path).st_size > self._seen
        except OSError:
            return False

    def steps(self, *, last: bool = True) -> Iterator[None]:
        """Look through what is new, a megabyte a step.

        Args:
            last: nothing will follow. Else what looks like a secret at the very end waits for its rest.

        Raises:
            OSError: the file cannot be changed.
        """
        if not self.behind():
            return
        fd = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        with contextlib.closing(open(fd, "r+b", buffering=0)):
            while True:
                start = max(self._first, self._seen - _OVERLAP)
                data = os.pread(fd, _CHUNK + _OVERLAP, start)
                if start + len(data) <= self._seen:
                    return
                whole = last and len(data) < _CHUNK + _OVERLAP
                for begin, end in spans(data):
                    if end < len(data) or whole:
                        os.pwrite(fd, b"*" * (end - begin), start + begin)
                self._seen = start + len(data)
                yield
