"""Refs as objects: versions made by an atomic create (docs/FORMAT.md §6, §15)."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

from pinyon.errors import CorruptError, StoreError
from pinyon.store.lines import encode
from pinyon.store.objects import Objects
from pinyon.store.protocol import Damage, RefVersion
from pinyon.store.refs import conflict, decode_name, encode_name, no_home, version_in
from pinyon.store.remote.streams import made

_VERSION = re.compile(r"refs/(?P<name>[^/]+)/(?P<version>[0-9]{6,})")


class RemoteRefs:
    """Refs under ``refs/``.

    Args:
        mirror: whether they are copies.
    """

    def __init__(self, objects: Objects, mirror: Callable[[], bool]) -> None:
        self._objects, self._mirror = objects, mirror

    def get(self, name: str) -> RefVersion | None:
        """See `pinyon.store.protocol.Refs.get`."""
        newest = self._newest(name)
        return self._read(name, newest) if newest else None

    def history(self, name: str) -> list[RefVersion]:
        """See `pinyon.store.protocol.Refs.history`."""
        return [self._read(name, version) for version in self._found(name).get(name, [])]

    def set(self, name: str, value: Any, *, expect: int, actor: str = "") -> RefVersion:
        """See `pinyon.store.protocol.Refs.set`.

        Raises:
            StoreError: this store is a mirror, or can only be one.
        """
        key = _key(name, expect + 1)
        if self._mirror():
            raise no_home(self._objects.url)
        if not self._objects.abilities.create:
            raise StoreError(
                "refs cannot be set in this place",
                where=self._objects.url,
                why="it has no compare-and-swap, so of two writers both could win",
                next="keep the home store elsewhere; this place can be a mirror",
            )
        newest = self._newest(name)
        if newest != expect:
            raise conflict(name, expect, newest)
        version = RefVersion(name, expect + 1, value, actor, time.time())
        # If the answer gets lost, these letters tell ours from somebody else's that says the same.
        data = encode({"v": 1, **version._asdict(), "made": os.urandom(8).hex()})
        if not made(self._objects, key, data):
            raise conflict(name, expect, expect + 1)
        return version

    def names(self, prefix: str = "") -> list[str]:
        """See `pinyon.store.protocol.Refs.names`."""
        return sorted(name for name in self.versions() if name.startswith(prefix))

    def versions(self) -> dict[str, list[int]]:
        """See `pinyon.store.refs.LocalRefs.versions`."""
        return self._listed("refs/")

    def verify(self) -> Iterator[Damage]:
        """See `pinyon.store.protocol.Refs.verify`."""
        for name, versions in sorted(self.versions().items()):
            where = f"{self._objects.url}/refs/{encode_name(name)}"
            if versions != list(range(1, len(versions) + 1)):
                yield Damage(where, 0, f"versions have gaps: {versions[:20]}")
            for version in versions:
                try:
                    self._read(name, version)
                except CorruptError as error:
                    yield Damage(f"{where}/{version:06d}", 0, error.what)

    def raw(self, name: str, version: int) -> bytes:
        """See `pinyon.store.refs.LocalRefs.raw`."""
        return self._objects.read(_key(name, version))

    def adopt(self, name: str, version: int, data: bytes) -> bool:
        """See `pinyon.store.refs.LocalRefs.adopt`."""
        version_in(data, name, version, name)
        return made(self._objects, _key(name, version), data)

    def _read(self, name: str, version: int) -> RefVersion:
        return version_in(
            self.raw(name, version), name, version, f"{self._objects.url}/{_key(name, version)}"
        )

    def _newest(self, name: str) -> int:
        return max(self._found(name).get(name, []), default=0)

    def _found(self, name: str) -> dict[str, list[int]]:
        return self._listed(f"refs/{encode_name(name)}/")

    def _listed(self, prefix: str) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for key, _ in self._objects.list(prefix):
            match = _VERSION.fullmatch(key)
            if match is not None and (name := decode_name(match["name"])) is not None:
                found.setdefault(name, []).append(int(match["version"]))
        return {name: sorted(versions) for name, versions in found.items()}


def _key(name: str, version: int) -> str:
    return f"refs/{encode_name(name)}/{version:06d}"
