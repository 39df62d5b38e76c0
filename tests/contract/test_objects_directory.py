"""A directory keeps the contract of objects."""

from __future__ import annotations

from pathlib import Path

from pinyon.store.backends.directory import DirectoryObjects
from pinyon.testing.objects import ObjectsContract


class TestDirectoryObjects(ObjectsContract):
    """Every rule."""

    def make_objects(self, path: Path) -> DirectoryObjects:
        """A directory that is made at the first write."""
        return DirectoryObjects(path)
