"""The suite that every store passes.

::

    from pinyon.testing.store import StoreContract

    class TestMyStore(StoreContract):
        def make_store(self, path):
            store = MyStore(f"memory://{path}")
            store.prepare("contract")
            return store

A store whose url is not a directory also overrides `layout`, so that the suite can damage what is stored.
"""

from __future__ import annotations

from pinyon.testing.blobs import BlobContract
from pinyon.testing.journals import JournalContract
from pinyon.testing.refs import RefContract


class StoreContract(BlobContract, RefContract, JournalContract):
    """The rules of docs/FORMAT.md §2, §3, §6 and §7, one test each."""

    @classmethod
    def rules(cls) -> list[str]:
        """The names of all tests, sorted."""
        return sorted(name for name in dir(cls) if name.startswith("test_"))
