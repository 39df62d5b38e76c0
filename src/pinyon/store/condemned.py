"""Marks on blobs that a later gc may delete, and the lock that keeps a deletion and a `put` apart (docs/FORMAT.md §8)."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Collection, Iterable, Iterator

_FEW = 16  # digests that are asked for one by one, and not by a listing of all marks


class Marks:
    """Empty files under ``root/condemned``, named by digest in hex."""

    def __init__(self, root: str) -> None:
        self._directory = f"{root}/condemned"
        self._lock = f"{root}/locks/gc"

    def has(self, digest: str) -> bool:
        """Whether a blob is condemned."""
        try:
            os.stat(f"{self._directory}/{digest}")
        except FileNotFoundError:
            return False
        return True

    def among(self, digests: Collection[str]) -> set[str]:
        """Which of these are condemned."""
        if len(digests) < _FEW:
            return set(filter(self.has, digests))
        try:
            return set(digests).intersection(os.listdir(self._directory))
        except FileNotFoundError:
            return set()

    def since(self, digest: str) -> float | None:
        """When it was condemned, in seconds since the epoch; None when it is not."""
        try:
            return os.stat(f"{self._directory}/{digest}").st_mtime
        except FileNotFoundError:
            return None

    def all(self) -> dict[str, float]:
        """When each condemned blob was, by digest."""
        try:
            names = os.listdir(self._directory)
        except FileNotFoundError:
            return {}
        found = {name: self.since(name) for name in names}
        return {name: when for name, when in found.items() if when is not None}

    def add(self, digests: Iterable[str]) -> None:
        """Condemn; those that are already keep their time."""
        os.makedirs(self._directory, exist_ok=True)
        for digest in digests:
            with contextlib.suppress(FileExistsError):
                os.close(os.open(f"{self._directory}/{digest}", os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o664))

    def remove(self, digests: Iterable[str]) -> None:
        """Spare."""
        for digest in digests:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{self._directory}/{digest}")

    @contextlib.contextmanager
    def held(self, *, alone: bool) -> Iterator[None]:
        """The lock: ``alone`` for whoever deletes, together for all who put condemned blobs again."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        os.makedirs(os.path.dirname(self._lock), exist_ok=True)
        fd = os.open(self._lock, flags, 0o664)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            yield
        finally:
            os.close(fd)
