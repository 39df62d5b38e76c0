"""What every contract case starts from: how to make the store, and the way to its stored bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinyon.store.protocol import Store
from pinyon.testing.layout import FileLayout, Layout


class StoreCase:
    """Override `make_store`, and `layout` where the store's url is not a directory."""

    def make_store(self, path: Path) -> Store:
        """A store that keeps its bytes under ``path`` (or in a place of its own named by it), ready to be written.
        Called twice with one path it opens the same store twice."""
        raise NotImplementedError

    def layout(self, store: Store) -> Layout:
        """The way to the stored bytes."""
        return FileLayout(store)

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        """A new, empty store."""
        return self.make_store(tmp_path / "store")
