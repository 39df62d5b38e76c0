"""Packs as objects: their indexes are kept, their blobs are read by range (docs/FORMAT.md §2, §15)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from pinyon.errors import MissingObjectError
from pinyon.store.objects import Listed, Objects
from pinyon.store.packs import NAME, Member, Pack, index_of, is_index

FOLDER = "packs/"


class RemotePacks:
    """The packs of a store in objects.

    Args:
        cache: a directory for indexes, which never change; None for memory alone.
    """

    def __init__(self, objects: Objects, cache: Path | None = None) -> None:
        self._objects, self._cache = objects, cache
        self._known: dict[Listed, Pack] = {}

    def now(self) -> list[Pack]:
        """All packs; those whose index is not what was written have no rows."""
        listed = [one for one in self._objects.list(FOLDER) if NAME.fullmatch(one.key[len(FOLDER) :])]
        fresh = [one for one in listed if one not in self._known]
        if len(fresh) > 1:
            with ThreadPoolExecutor(self._objects.abilities.parallel) as pool:
                loaded = list(pool.map(self._load, fresh))
        else:
            loaded = list(map(self._load, fresh))
        # A broken one may be written again under the same name.
        known = {one: pack for one, pack in self._known.items() if one in set(listed)}
        self._known = known | {one: pack for one, pack in zip(fresh, loaded, strict=True) if len(pack)}
        return [*known.values(), *loaded]

    def _load(self, one: Listed) -> Pack:
        name = one.key[len(FOLDER) :]
        if self._cache is not None:
            with contextlib.suppress(FileNotFoundError):
                rows = (self._cache / name).read_bytes()
                if is_index(name, rows):
                    return Pack(one.key, rows)
        try:
            rows = index_of(name, one.size, partial(self._objects.read, one.key))
        except MissingObjectError:
            rows = b""
        if rows and self._cache is not None:
            self._cache.mkdir(parents=True, exist_ok=True)
            temporary = self._cache / f"{name}.{os.urandom(4).hex()}"
            temporary.write_bytes(rows)
            os.replace(temporary, self._cache / name)
        return Pack(one.key, rows)

    def known(self, digest: bytes) -> Member | None:
        """Where a blob lies in a pack that was there a while ago."""
        return next(
            (found for pack in list(self._known.values()) if (found := pack.find(digest)) is not None), None
        )

    def find(self, digest: bytes) -> Member | None:
        """Where the blob of a raw digest lies; None when no pack that is there now has it."""
        return next((found for pack in self.now() if (found := pack.find(digest)) is not None), None)

    def read(self, digest: bytes) -> tuple[bytes, Member] | None:
        """The bytes as they lie there, unverified, and where; None when no pack has them."""
        member = self.known(digest) or self.find(digest)
        while member is not None:
            try:
                return self._objects.read(member.pack, member.offset, member.offset + member.size), member
            except MissingObjectError:
                member = self.find(digest)  # a gc has put its blobs elsewhere
        return None

    def digests(self) -> Iterator[bytes]:
        """Raw digests of all blobs in packs."""
        return (digest for pack in self.now() for digest in pack.digests())
