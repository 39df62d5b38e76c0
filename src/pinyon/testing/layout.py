"""The stored bytes behind a store, so that a test can damage them (docs/FORMAT.md §1)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Protocol

from pinyon.store.protocol import Store


class Layout(Protocol):
    """Raw bytes by their place in FORMAT §1, such as ``refs/best/000001``; a backend keeps its own way to them."""

    def get(self, place: str) -> bytes:
        """The bytes there."""
        ...

    def set(self, place: str, data: bytes) -> None:
        """Put other bytes there, behind the store's back."""
        ...

    def remove(self, place: str) -> None:
        """Take away what is there, and all below it."""
        ...

    def places(self) -> list[str]:
        """Every place that holds bytes, sorted."""
        ...


class FileLayout:
    """A store whose url is a directory."""

    def __init__(self, store: Store) -> None:
        self._root = Path(store.url)

    def get(self, place: str) -> bytes:
        """See `Layout.get`."""
        return (self._root / place).read_bytes()

    def set(self, place: str, data: bytes) -> None:
        """See `Layout.set`. A new inode, because the file may be read-only and open."""
        path = self._root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(data)

    def remove(self, place: str) -> None:
        """See `Layout.remove`."""
        path = self._root / place
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()

    def places(self) -> list[str]:
        """See `Layout.places`."""
        return sorted(str(path.relative_to(self._root)) for path in self._root.rglob("*") if path.is_file())


def blob_place(name: str) -> str:
    """Where a blob lies."""
    digest = name.removesuffix("/").removeprefix("blake3:")
    return f"blobs/{digest[:2]}/{digest[2:]}"


def damaged(data: bytes) -> dict[str, bytes]:
    """Every way in which bytes (two at least, not all alike) rot, by its name."""
    middle = len(data) // 2
    flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
    return {
        "one bit": flipped,
        "truncated": data[:-1],
        "empty": b"",
        "longer": data + b"\0",
        "another": bytes(reversed(data)),
    }
