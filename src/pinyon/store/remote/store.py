"""The store in a place of objects (docs/FORMAT.md §15)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pinyon.errors import CorruptError, FormatVersionError, MissingObjectError, StoreError
from pinyon.model.ids import new_id
from pinyon.store.local import FORMAT
from pinyon.store.objects import Objects
from pinyon.store.remote.blobs import RemoteBlobs
from pinyon.store.remote.journals import RemoteJournals
from pinyon.store.remote.refs import RemoteRefs
from pinyon.store.remote.streams import RemoteStreams, made

_KEY = "format.json"


class RemoteStore:
    """Journals, blobs and refs as objects. Making it asks the place nothing.

    Args:
        cache: a directory for what never changes (indexes of packs); None for memory alone.
    """

    shared = False

    def __init__(self, objects: Objects, cache: Path | None = None) -> None:
        self.objects = objects
        self._described: dict[str, object] = {}
        self.blobs = RemoteBlobs(objects, cache)
        self.refs = RemoteRefs(objects, self.is_mirror)
        self.journals = RemoteJournals(objects)
        self.streams = RemoteStreams(objects)

    @property
    def url(self) -> str:
        """Where the objects are."""
        return self.objects.url

    def is_mirror(self) -> bool:
        """Whether its refs are copies."""
        return self.describe().get("mirror") is True

    def prepare(self, name: str, *, project: str = "", mirror: bool = False) -> None:
        """See `pinyon.store.local.LocalStore.prepare`.

        Raises:
            FormatVersionError: a newer Pinyon wrote it.
            StoreError: the place has no compare-and-swap and can only be a mirror.
        """
        if not self.describe():
            if not (mirror or self.objects.abilities.create):
                raise StoreError(
                    "this place cannot be a home store",
                    where=self.url,
                    why="it has no compare-and-swap for refs",
                    next="keep the home store elsewhere; this place can be a mirror",
                )
            copied: dict[str, object] = {"mirror": True} if mirror else {}
            described = {"format": FORMAT, "project": project or new_id("p"), "name": name, **copied}
            made(
                self.objects, _KEY, json.dumps(described).encode()
            )  # where somebody else was first, theirs counts
        found = self.describe()["format"]
        if not isinstance(found, int) or found > FORMAT:
            raise FormatVersionError(
                f"this store has format {found}, this Pinyon writes {FORMAT}",
                where=f"{self.url}/{_KEY}",
                next="pip install -U pinyon",
            )

    def describe(self) -> dict[str, object]:
        """What ``format.json`` says; empty when there is no store yet."""
        if not self._described:
            try:
                data: Any = json.loads(self.objects.read(_KEY))
            except MissingObjectError:
                return {}
            except ValueError:
                data = None
            if not isinstance(data, dict) or "format" not in data:
                raise CorruptError(
                    "this object is unreadable",
                    where=f"{self.url}/{_KEY}",
                    next="copy it from the home store",
                )
            self._described = data
        return self._described
