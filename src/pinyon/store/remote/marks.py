"""Marks on blobs that a later gc may delete, and the word that keeps a deletion and a `put` apart (docs/FORMAT.md §15)."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator

from pinyon.errors import MissingObjectError, StoreError
from pinyon.store.objects import Objects
from pinyon.store.remote.streams import made

_FOLDER = "condemned/"
_WORD = "condemned/deleting"
_FEW = 8  # digests that are asked for one by one, and not by a listing of all marks
_TERM = 60.0  # seconds after which whoever deletes has died; it stops by itself after half of them


class RemoteMarks:
    """Objects under ``condemned/``, named by digest in hex, that say when."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def among(self, digests: Collection[str]) -> set[str]:
        """Which of these are condemned."""
        if len(digests) < _FEW:
            return {digest for digest in digests if self._objects.size(_FOLDER + digest) is not None}
        return set(digests) & self.names()

    def names(self) -> set[str]:
        """Digests of all that are condemned."""
        return {key[len(_FOLDER) :] for key, _ in self._objects.list(_FOLDER) if key != _WORD}

    def since(self, digest: str) -> float | None:
        """When it was condemned, in seconds since the epoch; None when it is not."""
        try:
            return float(json.loads(self._objects.read(_FOLDER + digest))["ts"])
        except MissingObjectError:
            return None
        except (ValueError, KeyError, TypeError):
            return time.time()  # a mark that cannot be read is as young as can be

    def add(self, digests: Iterable[str]) -> None:
        """Condemn; those that are already keep their time."""
        data = json.dumps({"ts": time.time()}).encode()
        for digest in digests:
            made(self._objects, _FOLDER + digest, data)

    def remove(self, digests: Iterable[str]) -> None:
        """Spare."""
        self._objects.delete([_FOLDER + digest for digest in digests])

    def save(self, digests: Collection[str]) -> None:
        """Take away marks of what is about to be written, and wait until nobody deletes who may have seen them."""
        self.remove(digests)
        began, word = time.monotonic(), self._word()
        while word is not None and self._word() == word:
            if time.monotonic() - began > _TERM:
                self._objects.delete([_WORD])
                return
            time.sleep(0.01)

    @contextlib.contextmanager
    def deleting(self) -> Iterator[Callable[[], bool]]:
        """The word of whoever deletes; gives what says whether it still may. Marks are looked at after it is given.

        Raises:
            StoreError: somebody else deletes, or the place has no compare-and-swap.
        """
        if not self._objects.abilities.create:
            raise StoreError(
                "nothing can be deleted in this place",
                where=self._objects.url,
                why="it has no compare-and-swap, so what is put at the same time could be lost",
                next="empty it with its own tools, then pinyon sync push",
            )
        began, word = time.monotonic(), os.urandom(8).hex().encode()
        while not self._objects.create(_WORD, word):
            other = self._word()
            if time.monotonic() - began > _TERM and other is not None and other == self._word():
                self._objects.delete([_WORD])
            time.sleep(0.01)
        began = time.monotonic()
        try:
            yield lambda: time.monotonic() - began < _TERM / 2
        finally:
            if self._word() == word:
                self._objects.delete([_WORD])

    def _word(self) -> bytes | None:
        try:
            return self._objects.read(_WORD)
        except MissingObjectError:
            return None
