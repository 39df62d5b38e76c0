"""Places of objects that each break one rule of FORMAT §15."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from pinyon.errors import StoreError
from pinyon.store.objects import Abilities, Listed
from pinyon.store.protocol import Tell, quiet
from pinyon.testing.memory import MemoryObjects


class ObjectFake(NamedTuple):
    """A place that breaks one rule, and the name of the test that must notice."""

    make: Callable[[str], MemoryObjects]
    rule: str
    what: str


OBJECT_FAKES: list[ObjectFake] = []


def _breaks(rule: str) -> Callable[[type[MemoryObjects]], type[MemoryObjects]]:
    def register(fake: type[MemoryObjects]) -> type[MemoryObjects]:
        OBJECT_FAKES.append(ObjectFake(fake, rule, fake.__name__.lstrip("_")))
        return fake

    return register


@_breaks("test_object_comes_back_as_it_was")
class _KeepsOnePart(MemoryObjects):
    """Forgets all but the first eight megabytes."""

    def write(self, key: str, source: bytes | Path, *, tell: Tell = quiet) -> None:
        data = source if isinstance(source, bytes) else source.read_bytes()
        super().write(key, data[: 8 << 20], tell=tell)


@_breaks("test_object_that_is_missing_is_told")
class _GivesNothingForNothing(MemoryObjects):
    """What is not there is empty."""

    def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        return b"" if self.size(key) is None else super().read(key, start, end)


@_breaks("test_object_that_is_missing_is_told")
class _LeavesAFile(MemoryObjects):
    """A failed fetch leaves an empty file."""

    def fetch(self, key: str, target: Path, *, tell: Tell = quiet) -> None:
        target.touch()
        super().fetch(key, target, tell=tell)


@_breaks("test_object_is_read_by_ranges")
class _CountsTheLastByte(MemoryObjects):
    """As HTTP does: the end of a range is part of it."""

    def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        return super().read(key, start, None if end is None else end + 1)


@_breaks("test_object_is_read_by_ranges")
class _KnowsNoEnd(MemoryObjects):
    """A negative start is the beginning."""

    def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        return super().read(key, max(0, start), end)


@_breaks("test_object_is_replaced")
class _KeepsTheFirst(MemoryObjects):
    """What is there stays."""

    def write(self, key: str, source: bytes | Path, *, tell: Tell = quiet) -> None:
        if self.size(key) is None:
            super().write(key, source, tell=tell)


@_breaks("test_object_appears_whole")
class _WritesByParts(MemoryObjects):
    """Readers see the first half for a while."""

    def write(self, key: str, source: bytes | Path, *, tell: Tell = quiet) -> None:
        data = source if isinstance(source, bytes) else source.read_bytes()
        before = self._held.get(key, b"")
        super().write(key, data[: len(data) // 2] + before[len(data) // 2 :])
        time.sleep(0.005)
        super().write(key, data, tell=tell)


@_breaks("test_objects_have_any_key_of_ours")
class _Unquotes(MemoryObjects):
    """Keys are taken for addresses."""

    def write(self, key: str, source: bytes | Path, *, tell: Tell = quiet) -> None:
        super().write(key.replace("%2E", "."), source, tell=tell)


@_breaks("test_objects_are_listed_by_the_beginning_of_their_keys")
class _ListsFolders(MemoryObjects):
    """A prefix ends at a slash."""

    def list(self, prefix: str = "") -> Iterator[Listed]:
        folder = prefix[: prefix.rfind("/") + 1]
        return super().list(folder)


@_breaks("test_objects_beyond_one_page_are_listed")
class _ListsOnePage(MemoryObjects):
    """A thousand, and no more."""

    def list(self, prefix: str = "") -> Iterator[Listed]:
        return (one for one, _ in zip(super().list(prefix), range(1000), strict=False))


@_breaks("test_objects_are_deleted")
class _RefusesToDeleteNothing(MemoryObjects):
    """What is not there cannot be deleted."""

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            if self.size(key) is None:
                raise StoreError(f"no object '{key}'")
            super().delete([key])


@_breaks("test_object_is_made_once")
class _Replaces(MemoryObjects):
    """Tells that it was there, and replaces it."""

    def create(self, key: str, data: bytes) -> bool:
        fresh = self.size(key) is None
        self.write(key, data)
        return fresh


@_breaks("test_object_is_made_once")
class _SaysNothing(MemoryObjects):
    """Cannot make an object once, and does as if."""

    abilities = Abilities(create=False)

    def create(self, key: str, data: bytes) -> bool:
        self.write(key, data)
        return True


@_breaks("test_object_that_many_make_has_one_maker")
class _LooksFirst(MemoryObjects):
    """And then writes."""

    def create(self, key: str, data: bytes) -> bool:
        fresh = self.size(key) is None
        time.sleep(0.002)
        if fresh:
            self.write(key, data)
        return fresh


@_breaks("test_objects_tell_of_their_bytes")
class _TellsTwice(MemoryObjects):
    """When it reads and when it has written."""

    def write(self, key: str, source: bytes | Path, *, tell: Tell = quiet) -> None:
        super().write(key, source, tell=tell)
        tell(1)


@_breaks("test_objects_are_there_for_others")
class _Caches(MemoryObjects):
    """Each client believes what it saw first."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._seen: dict[str, bytes] = {}

    def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        if key not in self._seen:
            self._seen[key] = super().read(key)
        return self._seen[key][start:end]


@_breaks("test_objects_are_safe_for_threads")
class _SharesItsHands(MemoryObjects):
    """One buffer for all threads."""

    def write(self, key: str, source: bytes | Path, *, tell: Tell = quiet) -> None:
        self._hand = source
        time.sleep(0.0005)
        super().write(key, self._hand, tell=tell)
