"""The store over objects keeps the contract of every store, and what only a store elsewhere must keep."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinyon.errors import StoreError
from pinyon.store.backends import open_objects
from pinyon.store.objects import Abilities
from pinyon.store.remote.store import RemoteStore
from pinyon.testing.memory import FolderObjects, MemoryObjects
from pinyon.testing.remote import MirrorContract, ObjectLayout
from pinyon.testing.store import StoreContract


class TestRemoteStore(StoreContract):
    """Every rule, over objects that other processes see."""

    def make_store(self, path: Path) -> RemoteStore:
        """A store in a folder of objects."""
        store = RemoteStore(FolderObjects(path))
        store.prepare("contract")
        return store

    def layout(self, store: RemoteStore) -> ObjectLayout:
        """The objects."""
        return ObjectLayout(store.objects)


class TestRemoteStoreInADirectory(TestRemoteStore):
    """The same over the shared directories that people use."""

    def make_store(self, path: Path) -> RemoteStore:
        """A store in a directory of objects."""
        store = RemoteStore(open_objects(str(path), {}))
        store.prepare("contract")
        return store


class TestMirror(MirrorContract):
    """A place with compare-and-swap that mirrors."""

    def make_mirror(self, path: Path) -> RemoteStore:
        """A mirror in memory."""
        store = RemoteStore(MemoryObjects(str(path)))
        store.prepare("contract", mirror=True)
        return store


class TestMirrorWithoutCreate(MirrorContract):
    """A place that can only mirror."""

    def make_mirror(self, path: Path) -> RemoteStore:
        """A mirror in memory."""
        store = RemoteStore(MemoryObjects(str(path), Abilities(create=False)))
        store.prepare("contract", mirror=True)
        return store


def test_a_place_without_compare_and_swap_is_no_home(tmp_path: Path):
    store = RemoteStore(MemoryObjects(str(tmp_path), Abilities(create=False)))
    with pytest.raises(StoreError, match="compare-and-swap"):
        store.prepare("p")
    assert store.describe() == {}
    assert list(store.objects.list()) == []
