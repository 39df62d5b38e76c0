"""Objects in memory and in a folder, to build on and to break.

`MemoryObjects` are for tests of one process, `FolderObjects` are seen by several; `FaultyObjects` fail where told to.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from pinyon.errors import MissingObjectError, StoreError
from pinyon.store.objects import Abilities, Listed, Objects
from pinyon.store.protocol import Tell, quiet

_PART = 1 << 20  # bytes that are told at once
_LOCK = threading.Lock()
_PLACES: dict[str, dict[str, bytes]] = {}


class MemoryObjects:
    """A place in the memory of this process; whoever gives the same name sees the same objects."""

    def __init__(self, name: str, abilities: Abilities | None = None) -> None:
        self._name = name
        self._abilities = abilities or Abilities()
        with _LOCK:
            self._held = _PLACES.setdefault(name, {})

    @property
    def url(self) -> str:
        """See `pinyon.store.objects.Objects.url`."""
        return f"memory://{self._name}"

    @property
    def abilities(self) -> Abilities:
        """See `pinyon.store.objects.Objects.abilities`."""
        return self._abilities

    def list(self, prefix: str = "") -> Iterator[Listed]:
        """See `pinyon.store.objects.Objects.list`."""
        with _LOCK:
            found = [Listed(key, len(data)) for key, data in self._held.items() if key.startswith(prefix)]
        return iter(found)

    def size(self, key: str) -> int | None:
        """See `pinyon.store.objects.Objects.size`."""
        data = self._held.get(key)
        return None if data is None else len(data)

    def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """See `pinyon.store.objects.Objects.read`."""
        data = self._held.get(key)
        if data is None:
            raise missing(key, self.url)
        return data[start:end]

    def fetch(self, key: str, target: Path, *, tell: Tell = quiet) -> None:
        """See `pinyon.store.objects.Objects.fetch`."""
        data = self.read(key)
        target.write_bytes(data)
        tell(len(data))

    def write(self, key: str, source: bytes | Path, *, tell: Tell = quiet) -> None:
        """See `pinyon.store.objects.Objects.write`."""
        self._may("write", self._abilities.write)
        data = source if isinstance(source, bytes) else source.read_bytes()
        with _LOCK:
            self._held[key] = data
        tell(len(data))

    def create(self, key: str, data: bytes) -> bool:
        """See `pinyon.store.objects.Objects.create`."""
        self._may("compare-and-swap", self._abilities.create)
        with _LOCK:
            return self._held.setdefault(key, data := bytes(bytearray(data))) is data

    def delete(self, keys: Iterable[str]) -> None:
        """See `pinyon.store.objects.Objects.delete`."""
        self._may("delete", self._abilities.delete)
        with _LOCK:
            for key in keys:
                self._held.pop(key, None)

    def _may(self, what: str, able: bool) -> None:
        if not able:
            raise StoreError(f"this place has no {what}", where=self.url)


def missing(key: str, url: str) -> MissingObjectError:
    """What the reader of an object that is not there is told."""
    return MissingObjectError(f"no object '{key}'", where=url, next="pinyon sync status")


class FolderObjects:
    """A place in a directory: a file an object, its key with the slashes escaped as its name."""

    abilities = Abilities(parallel=4)

    def __init__(self, folder: Path) -> None:
        self._folder, self._new = folder / "objects", folder / "new"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._new.mkdir(exist_ok=True)

    @property
    def url(self) -> str:
        """See `pinyon.store.objects.Objects.url`."""
        return str(self._folder)

    def _path(self, key: str) -> Path:
        return self._folder / key.replace("/", "!")

    def list(self, prefix: str = "") -> Iterator[Listed]:
        """See `pinyon.store.objects.Objects.list`."""
        with os.scandir(self._folder) as entries:
            for entry in entries:
                key = entry.name.replace("!", "/")
                if key.startswith(prefix):
                    with contextlib.suppress(FileNotFoundError):
                        yield Listed(key, entry.stat().st_size)

    def size(self, key: str) -> int | None:
        """See `pinyon.store.objects.Objects.size`."""
        try:
            return self._path(key).stat().st_size
        except FileNotFoundError:
            return None

    def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """See `pinyon.store.objects.Objects.read`."""
        try:
            with open(self._path(key), "rb") as file:
                size = os.fstat(file.fileno()).st_size
                start = max(0, size + start) if start < 0 else start
                file.seek(start)
                return file.read(-1 if end is None else max(0, end - start))
        except FileNotFoundError:
            raise missing(key, self.url) from None

    def fetch(self, key: str, target: Path, *, tell: Tell = quiet) -> None:
        """See `pinyon.store.objects.Objects.fetch`."""
        data = self.read(key)
        target.write_bytes(data)
        tell(len(data))

    @contextlib.contextmanager
    def _written(self, source: bytes | Path, tell: Tell) -> Iterator[str]:
        temporary = self._new / os.urandom(8).hex()
        with open(temporary, "xb") as file:
            if isinstance(source, bytes):
                file.write(source)
                tell(len(source))
            else:
                with open(source, "rb") as reader:
                    while data := reader.read(_PART):
                        file.write(data)
                        tell(len(data))
        try:
            yield str(temporary)
        finally:
            temporary.unlink(missing_ok=True)

    def write(self, key: str, source: bytes | Path, *, tell: Tell = quiet) -> None:
        """See `pinyon.store.objects.Objects.write`."""
        with self._written(source, tell) as temporary:
            os.rename(temporary, self._path(key))

    def create(self, key: str, data: bytes) -> bool:
        """See `pinyon.store.objects.Objects.create`."""
        with self._written(data, quiet) as temporary:
            try:
                os.link(temporary, self._path(key))
            except FileExistsError:
                return False
        return True

    def delete(self, keys: Iterable[str]) -> None:
        """See `pinyon.store.objects.Objects.delete`."""
        for key in keys:
            self._path(key).unlink(missing_ok=True)


class Cut(NamedTuple):
    """The ``nth`` call (from 1) of those named fails; ``after``: what it does is done all the same, and only its answer is
    lost. ``always``: so does every later one."""

    nth: int
    calls: frozenset[str] = frozenset({"list", "size", "read", "fetch", "write", "create", "delete"})
    after: bool = False
    always: bool = True


class FaultyObjects:
    """Objects in front of others. ``calls`` are those that counted, so that a test can first learn how many there are."""

    def __init__(self, objects: Objects, cut: Cut) -> None:
        self.calls = 0
        self._objects, self._cut = objects, cut
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """The others'."""
        return self._objects.url

    @property
    def abilities(self) -> Abilities:
        """The others'."""
        return self._objects.abilities

    @contextlib.contextmanager
    def _call(self, name: str) -> Iterator[None]:
        if name not in self._cut.calls:
            yield
            return
        with self._lock:
            self.calls += 1
            hit = self.calls == self._cut.nth or (self._cut.always and self.calls > self._cut.nth)
        if hit and (not self._cut.after or self.calls > self._cut.nth):
            raise StoreError(f"{name} failed", where=self.url)
        yield
        if hit:
            raise StoreError(f"the answer to {name} got lost", where=self.url)

    def list(self, prefix: str = "") -> Iterator[Listed]:
        """The others', faulty."""
        with self._call("list"):
            found = list(self._objects.list(prefix))
        return iter(found)

    def size(self, key: str) -> int | None:
        """The others', faulty."""
        with self._call("size"):
            return self._objects.size(key)

    def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """The others', faulty."""
        with self._call("read"):
            return self._objects.read(key, start, end)

    def fetch(self, key: str, target: Path, *, tell: Tell = quiet) -> None:
        """The others', faulty."""
        with self._call("fetch"):
            self._objects.fetch(key, target, tell=tell)

    def write(self, key: str, source: bytes | Path, *, tell: Tell = quiet) -> None:
        """The others', faulty."""
        with self._call("write"):
            self._objects.write(key, source, tell=tell)

    def create(self, key: str, data: bytes) -> bool:
        """The others', faulty."""
        with self._call("create"):
            return self._objects.create(key, data)

    def delete(self, keys: Iterable[str]) -> None:
        """The others', faulty."""
        with self._call("delete"):
            self._objects.delete(keys)
