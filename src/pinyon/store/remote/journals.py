"""Journals as pieces (docs/FORMAT.md §3, §15)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b

from pinyon.model.actor import Actor
from pinyon.store.facts import Facts
from pinyon.store.objects import Objects
from pinyon.store.protocol import Damage
from pinyon.store.remote.streams import RemoteStreams
from pinyon.store.streams import JOURNALS
from pinyon.store.writer import FactsWriter


class RemoteJournalWriter(FactsWriter):
    """See `pinyon.store.protocol.JournalWriter`. Each record is a piece, so that it is there when `append` returns."""

    def __init__(
        self, streams: RemoteStreams, user: str = "", actor: Actor | None = None, project: str = ""
    ) -> None:
        super().__init__(user, actor, project)
        self._streams = streams
        self._segment, self._offset = "", 0

    def _begin_segment(self, name: str) -> None:
        self._segment, self._offset = JOURNALS + name, 0

    def _emit(self, data: bytes) -> None:
        self._streams.add(self._segment, self._offset, data)
        self._offset += len(data)

    def flush(self) -> None:
        """See `pinyon.store.protocol.JournalWriter.flush`: a record is as durable as it gets when it is written."""

    def close(self) -> None:
        """See `pinyon.store.protocol.JournalWriter.close`."""
        if not self._segment:
            return
        try:
            self.append("closed", {})
        finally:
            self._segment, self._retired = "", True


class RemoteJournals(Facts):
    """Facts under ``journals/``."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._streams = RemoteStreams(objects)

    def open_writer(
        self, *, user: str = "", actor: Actor | None = None, project: str = ""
    ) -> RemoteJournalWriter:
        """See `pinyon.store.protocol.Journals.open_writer`."""
        return RemoteJournalWriter(self._streams, user, actor, project)

    def _all(self) -> Iterable[str]:
        found = self._streams.pieces(JOURNALS)
        return [name[len(JOURNALS) :] for name, pieces in found.items() if min(pieces).offset == 0]

    def stamp(self) -> tuple[int, ...]:
        """See `pinyon.store.protocol.Journals.stamp`. A listing, since places tell no more."""
        names = "\n".join([*self.segments(), *self.points()])
        return (int.from_bytes(blake2b(names.encode(), digest_size=8).digest(), "big"),)

    def size(self, segment: str) -> int:
        """See `pinyon.store.protocol.Journals.size`."""
        return self._streams.size(JOURNALS + segment)

    def _where(self, segment: str) -> str:
        return f"{self._objects.url}/{JOURNALS}{segment}"

    def _raw(self, segment: str, offset: int) -> Iterator[bytes]:
        rest = b""
        for chunk in self._streams.chunks(JOURNALS + segment, offset):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line + b"\n"
        if rest:
            yield rest

    def verify(self, segment: str) -> Iterator[Damage]:
        """See `pinyon.store.protocol.Journals.verify`."""
        yield from super().verify(segment)
        yield from self._streams.verify(JOURNALS + segment)
