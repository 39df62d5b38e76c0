"""Many blobs at once on their way into a directory (docs/FORMAT.md §2)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from typing import NamedTuple

from pinyon.store import packs
from pinyon.store.names import PREFIX, name_of


class Target(NamedTuple):
    """What a batch needs of the blobs that it goes to: which digests are to be written, given their sizes; a temporary
    file and its descriptor; to take such a file as a pack, given its name and digests; and to put one blob alone."""

    lacking: Callable[[Mapping[str, int]], set[str]]
    temporary: Callable[[], tuple[str, int]]
    publish_pack: Callable[[str, str, set[str]], None]
    put: Callable[[bytes], str]


class Batch:
    """Small blobs on their way into a pack, or, if few of them are new, into files of their own."""

    def __init__(self, into: Target) -> None:
        self._into = into
        self._read: dict[str, bytes] = {}  # which nobody has looked for in the store yet
        self._fresh: dict[str, bytes] = {}  # which the store lacks
        self._waiting = 0  # bytes that were read
        self._packing: packs.Packing | None = None
        self._temporary, self._fd = "", -1

    def add(self, data: bytes) -> str:
        """Take some bytes; gives their name."""
        name = name_of(data)
        digest = name[len(PREFIX) :]
        if digest not in self._read:
            self._read[digest] = data
            self._waiting += len(data)
            if self._waiting >= packs.BATCH:
                self._sift()
        return name

    def _sift(self) -> None:
        """Keep of what was read what is new, and write it once that is worth it."""
        packed = self._packing.digests if self._packing is not None else set()
        sizes = {digest: len(data) for digest, data in self._read.items() if digest not in packed}
        lacking = self._into.lacking(sizes)
        self._fresh.update((digest, data) for digest, data in self._read.items() if digest in lacking)
        self._read, self._waiting = {}, 0
        if len(self._fresh) >= packs.FEW and sum(map(len, self._fresh.values())) >= packs.BATCH:
            self._write()
            if self._packing is not None and self._packing.size >= packs.LARGEST:
                self._end()

    def _write(self) -> None:
        if self._packing is None:
            self._temporary, self._fd = self._into.temporary()
            self._packing = packs.Packing(self._fd)
        self._packing.add(self._fresh)
        self._fresh = {}

    def _end(self) -> None:
        """The pack that is being written is in the store."""
        assert self._packing is not None
        self._into.publish_pack(self._temporary, self._packing.finish(), self._packing.digests)
        os.close(self._fd)
        self._packing, self._fd = None, -1

    def finish(self) -> None:
        """Everything that was added is in the store."""
        self._sift()
        if self._packing is None and len(self._fresh) < packs.FEW:
            for data in self._fresh.values():
                self._into.put(data)
            return
        self._write()
        self._end()

    def close(self) -> None:
        """Leave nothing half-made behind."""
        if self._packing is not None:
            os.close(self._fd)
            with contextlib.suppress(OSError):
                os.unlink(self._temporary)


def read_small(path: str) -> bytes | None:
    """All bytes of a file small enough for a pack; None for a larger one."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.read(fd, packs.SMALL + 1)
        while data and len(data) <= packs.SMALL and (more := os.read(fd, packs.SMALL + 1)):
            data += more
    finally:
        os.close(fd)
    return data if len(data) <= packs.SMALL else None
