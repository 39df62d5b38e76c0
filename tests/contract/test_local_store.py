"""The store on a local disk keeps the contract."""

from __future__ import annotations

from pathlib import Path

from pinyon.store.local import LocalStore
from pinyon.testing.store import StoreContract


class TestLocalStore(StoreContract):
    """Every rule."""

    def make_store(self, path: Path) -> LocalStore:
        """A store in a directory."""
        store = LocalStore(path)
        store.prepare("contract")
        return store
