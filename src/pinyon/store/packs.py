"""Packs: many small blobs in one file, because on most file systems making a file costs more than its bytes
(docs/FORMAT.md §2)."""

from __future__ import annotations

import bisect
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from blake3 import blake3

from pinyon.store.copying import write_all

SMALL = 64 << 10  # bytes; larger files have a file of their own
FEW = 64  # so few new blobs are not worth a pack
BATCH = 1 << 20  # bytes written at once
LARGEST = 256 << 20  # bytes of a pack, so that a gc which has to rewrite one need not rewrite much

_MAGIC = b"pinyonP1"
_PROBE = 30  # rows of an index that are read in the time that one is looked for
_ROW = 48  # bytes of the index for one blob: digest 32, offset 8, size 8
NAME = re.compile(r"[0-9a-f]{64}")


class Member(NamedTuple):
    """Where a blob lies in a pack."""

    pack: str
    offset: int
    size: int


class Pack:
    """The index of one pack, in memory; the file is opened for each reading, so that hundreds of packs cost no
    descriptors and one that a gc has deleted is never taken for one that is there.

    Args:
        path: of the file or object.
        rows: as `index_of` gives them.
    """

    def __init__(self, path: str, rows: bytes) -> None:
        self.path = path
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows) // _ROW

    def __getitem__(self, place: int) -> bytes:
        return self.rows[place * _ROW : place * _ROW + 32]

    def find(self, digest: bytes) -> Member | None:
        """Where the blob of a raw digest lies."""
        place = bisect.bisect_left(self, digest)  # all it asks of a sequence
        return self.member(place) if place < len(self) and self[place] == digest else None

    def digests(self) -> Iterator[bytes]:
        """All raw digests."""
        return (self.rows[start : start + 32] for start in range(0, len(self.rows), _ROW))

    def among(self, digests: set[bytes]) -> set[bytes]:
        """Which of these are here."""
        if len(digests) * _PROBE < len(self):
            return {digest for digest in digests if self.find(digest) is not None}
        return digests.intersection(self.digests())

    def member(self, place: int) -> Member:
        """Where the blob of a row lies."""
        row = self.rows[place * _ROW + 32 : (place + 1) * _ROW]
        return Member(self.path, int.from_bytes(row[:8], "big"), int.from_bytes(row[8:], "big"))

    def members(self) -> list[tuple[bytes, int]]:
        """All raw digests with their sizes in bytes."""
        return [(self[place], self.member(place).size) for place in range(len(self))]


class Packs:
    """The packs of a store, in ``directory``."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._known: dict[str, Pack] = {}

    def find(self, digest: bytes) -> Member | None:
        """Where the blob of a raw digest lies; None when no pack that is there now has it."""
        for pack in self._packs():
            if (found := pack.find(digest)) is not None:
                return found
        return None

    def read(self, digest: bytes) -> bytes | None:
        """The bytes as they lie there, unverified; None when no pack has them."""
        while (member := self.find(digest)) is not None:
            try:
                fd = os.open(member.pack, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue  # a gc has just put its blobs elsewhere
            try:
                return os.pread(fd, member.size, member.offset)
            finally:
                os.close(fd)
        return None

    def digests(self) -> Iterator[bytes]:
        """Raw digests of all blobs in packs."""
        for pack in self._packs():
            yield from pack.digests()

    def among(self, digests: set[bytes]) -> dict[str, set[bytes]]:
        """Those of many raw digests that packs have, by the path of the pack; one that several have is named once."""
        found: dict[str, set[bytes]] = {}
        for pack in self._packs() if digests else ():
            if held := pack.among(digests):
                found[pack.path] = held
                digests = digests - held
        return found

    def damaged(self) -> list[str]:
        """Packs whose index is not what was written, so that what is in them is not known."""
        return [pack.path for pack in self._packs() if not len(pack)]

    def members(self) -> dict[str, list[tuple[bytes, int]]]:
        """Of each pack the digests and sizes in it."""
        return {pack.path: pack.members() for pack in self._packs()}

    def _packs(self) -> list[Pack]:
        # Listed each time: a pack that is new must be found, and one that is gone must not be.
        try:
            names = os.listdir(self._directory)
        except FileNotFoundError:
            return []
        found = []
        for name in filter(NAME.fullmatch, names):
            pack = self._known.get(name)
            if pack is None:
                try:
                    pack = _opened(f"{self._directory}/{name}")
                except FileNotFoundError:
                    continue
                if len(pack):  # a broken one may be written again under the same name
                    self._known[name] = pack
            found.append(pack)
        return found


class Packing:
    """A pack that is being written: bytes of blobs as they come, and at last the index.

    Args:
        fd: of an empty file.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._rows: list[bytes] = []
        self.digests: set[str] = set()
        self.size = 0

    def add(self, blobs: Mapping[str, bytes]) -> None:
        """Append some blobs by their digests in hex."""
        for digest, data in blobs.items():
            place = self.size.to_bytes(8, "big") + len(data).to_bytes(8, "big")
            self._rows.append(bytes.fromhex(digest) + place)
            self.size += len(data)
        self.digests.update(blobs)
        write_all(self._fd, b"".join(blobs.values()))

    def finish(self) -> str:
        """Write the index; gives the name that the file must get."""
        name, end = _end(self._rows)
        write_all(self._fd, end)
        return name


def build(blobs: Mapping[str, bytes]) -> tuple[str, bytes]:
    """A whole pack in memory, by digests in hex; its name and its bytes."""
    rows, offset = [], 0
    for digest, data in blobs.items():
        rows.append(bytes.fromhex(digest) + offset.to_bytes(8, "big") + len(data).to_bytes(8, "big"))
        offset += len(data)
    name, end = _end(rows)
    return name, b"".join([*blobs.values(), end])


def _end(rows: list[bytes]) -> tuple[str, bytes]:
    """The name of a pack, and all behind its blobs."""
    index = b"".join(sorted(rows))
    return blake3(index).hexdigest(), index + len(rows).to_bytes(8, "big") + _MAGIC


def index_of(name: str, size: int, read: Callable[[int, int], bytes]) -> bytes:
    """The index of a pack; empty when it is not what was written (a power cut can leave it so).

    Args:
        name: of the pack, in hex.
        size: of all its bytes.
        read: gives those from a start to an end.
    """
    end = size - 16
    tail = read(end, size) if end >= 0 else b""
    length = int.from_bytes(tail[:8], "big") * _ROW
    if tail[8:] != _MAGIC or not 0 < length <= end:
        return b""
    index = read(end - length, end)
    return index if is_index(name, index) else b""


def is_index(name: str, rows: bytes) -> bool:
    """Whether these are the rows that a pack is named by."""
    return blake3(rows).hexdigest() == name


def _opened(path: str) -> Pack:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(fd).st_size
        rows = index_of(os.path.basename(path), size, lambda start, end: os.pread(fd, end - start, start))
    finally:
        os.close(fd)
    return Pack(path, rows)
