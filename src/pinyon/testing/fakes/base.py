"""How a fake says which rule it breaks, and how a store is made of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pinyon.store.blobs import LocalBlobs
from pinyon.store.journal import LocalJournals, LocalJournalWriter
from pinyon.store.local import LocalStore
from pinyon.store.refs import LocalRefs

Part = type[LocalBlobs] | type[LocalRefs] | type[LocalJournals] | type[LocalJournalWriter]
_Part = TypeVar("_Part", bound=Part)


class Fake(NamedTuple):
    """A part of a store that breaks one rule, and the name of the test that must notice."""

    part: Part
    rule: str

    @property
    def name(self) -> str:
        """What it does wrong, in a word or three."""
        return self.part.__name__.lstrip("_")

    def build(self, path: Path) -> LocalStore:
        """A local store with this part in place of the sound one."""
        store = LocalStore(path)
        store.prepare("fake")
        part = self.part
        if issubclass(part, LocalBlobs):
            store.blobs = part(path)
        elif issubclass(part, LocalRefs):
            store.refs = part(path)
        elif issubclass(part, LocalJournals):
            store.journals = part(path)
        else:
            store.journals = _JournalsOf(path, part)
        return store


FAKES: list[Fake] = []


def breaks(rule: str) -> Callable[[_Part], _Part]:
    """Register a class as the fake that the test ``rule`` must notice."""

    def register(part: _Part) -> _Part:
        FAKES.append(Fake(part, rule))
        return part

    return register


class _JournalsOf(LocalJournals):
    """Sound journals with a faulty writer."""

    def __init__(self, root: Path, part: type[LocalJournalWriter]) -> None:
        super().__init__(root)
        self._part = part

    def open_writer(self, **about: Any) -> LocalJournalWriter:
        return self._part(self._dir, **about)
