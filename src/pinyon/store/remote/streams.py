"""Streams as objects: pieces by their offset, which may overlap and leave gaps (docs/FORMAT.md §15)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pinyon.errors import StoreError
from pinyon.store.objects import Objects
from pinyon.store.protocol import Damage
from pinyon.store.streams import JOURNALS, LOGS, is_stream

_PIECE = re.compile(r"(?P<stream>.+)/(?P<offset>[0-9]{12})")


class Piece(NamedTuple):
    """Where a piece begins, and how many bytes it has."""

    offset: int
    size: int


class Part(NamedTuple):
    """Bytes of a stream that one piece gives: from ``start`` to ``end``."""

    piece: Piece
    start: int
    end: int


def parts(pieces: Iterable[Piece]) -> list[Part]:
    """What each piece gives, in order: of two that have the same bytes the earlier one; nothing from a gap on."""
    found, end = list[Part](), 0
    for piece in sorted(pieces):
        if piece.offset > end:
            break
        if piece.offset + piece.size > end:
            found.append(Part(piece, end, piece.offset + piece.size))
            end = piece.offset + piece.size
    return found


def length(pieces: Iterable[Piece]) -> int:
    """Bytes of a stream that has these pieces."""
    return max((part.end for part in parts(pieces)), default=0)


class RemoteStreams:
    """Those of a store in objects."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def pieces(self, prefix: str) -> dict[str, list[Piece]]:
        """Pieces of all streams whose place begins so."""
        found: dict[str, list[Piece]] = {}
        for key, size in self._objects.list(prefix):
            if (match := _PIECE.fullmatch(key)) is not None:
                found.setdefault(match["stream"], []).append(Piece(int(match["offset"]), size))
        return found

    def of(self, stream: str) -> list[Piece]:
        """Pieces of one stream."""
        return self.pieces(f"{stream}/").get(stream, [])

    def sizes(self) -> dict[str, int]:
        """See `pinyon.store.streams.LocalStreams.sizes`."""
        # Logs first: a record is there before what it tells of has grown.
        found = {**self.pieces(LOGS), **self.pieces(JOURNALS)}
        return {place: length(pieces) for place, pieces in found.items() if is_stream(place)}

    def read(self, stream: str, start: int, end: int) -> bytes:
        """See `pinyon.store.streams.LocalStreams.read`."""
        return b"".join(self.chunks(stream, start, end))

    def chunks(self, stream: str, start: int, end: int | None = None) -> Iterator[bytes]:
        """Bytes from an offset on, a piece at a time."""
        for part in parts(self.of(stream)):
            first, last = max(part.start, start), part.end if end is None else min(part.end, end)
            if first < last:
                offset = part.piece.offset
                yield self._objects.read(key_of(stream, offset), first - offset, last - offset)

    def size(self, stream: str) -> int:
        """See `pinyon.store.streams.LocalStreams.size`."""
        return length(self.of(stream))

    def extend(self, stream: str, at: int, data: bytes) -> bool:
        """Make the piece that goes on at ``at``, of which whoever calls knows that it leaves no gap; False, and nothing
        changes, where another one begins there."""
        return made(self._objects, key_of(stream, at), data)

    def add(self, stream: str, at: int, data: bytes) -> None:
        """Make a piece.

        Raises:
            StoreError: there is another one.
        """
        if not self.extend(stream, at, data):
            raise StoreError(
                f"somebody else has just written '{key_of(stream, at)}'",
                where=self._objects.url,
                next="try again",
            )

    def verify(self, stream: str) -> Iterator[Damage]:
        """Pieces that do not repeat what others say, and (torn, since it may come yet) what is behind a gap."""
        pieces, end = self.of(stream), 0
        for piece in sorted(pieces):
            where = f"{self._objects.url}/{key_of(stream, piece.offset)}"
            if piece.offset > (end := length(pieces)):
                yield Damage(where, 0, f"the bytes before it, from {end} on, are not there yet", torn=True)
                return
            data = self._objects.read(key_of(stream, piece.offset))
            if data != self.read(stream, piece.offset, piece.offset + len(data)):
                yield Damage(where, 0, "it is not what other pieces of the same bytes say")


def key_of(stream: str, offset: int) -> str:
    """The key of a piece."""
    return f"{stream}/{offset:012d}"


def made(objects: Objects, key: str, data: bytes) -> bool:
    """Whether an object that must never be replaced was made, now or by a call whose answer got lost. Where a place cannot
    make it atomically, a look before has to do: such a store is a mirror, and what is in it can be copied again."""
    if objects.abilities.create:
        if objects.create(key, data):
            return True
    elif objects.size(key) is None:
        objects.write(key, data)
        return True
    return objects.read(key) == data
