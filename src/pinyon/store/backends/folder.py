"""Objects as files below a directory. Works on the standard library alone, of any Python from 3.7 on, because it is also
sent to hosts on which nothing of ours is installed (`pinyon.store.backends.ssh`)."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator

from pinyon.store.disk import fsync, link_new

_TMP = "~tmp"  # no part of a key has a ~
_STALE = 86_400  # seconds after which nobody writes to a temporary file any more


class Folder:
    """Objects under ``root``. Errors are the operating system's.

    Whatever is written is complete and synced before it gets its name, and names are made by rename(2) and link(2) alone,
    which NFS and cluster file systems do at their server. Hard links must work there for `create`.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._durable: set[str] = set()  # directories whose own entry is on disk
        self._swept = False

    def list(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Keys that begin so, and sizes."""
        folder, _, start = prefix.rpartition("/")
        return self._under(folder, start)

    def _under(self, folder: str, start: str = "") -> Iterator[tuple[str, int]]:
        try:
            entries = list(os.scandir(f"{self._root}/{folder}"))
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in entries:
            if not entry.name.startswith(start) or entry.name == _TMP:
                continue
            key = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir():
                yield from self._under(key)
            else:
                with contextlib.suppress(FileNotFoundError):  # it may be deleted meanwhile
                    yield key, entry.stat().st_size

    def open(self, key: str) -> int | None:
        """A file descriptor; None where there is no such object."""
        path = f"{self._root}/{key}"
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if os.path.isdir(path):
            os.close(fd)
            return None
        return fd

    def write(self, key: str, pieces: Iterable[bytes]) -> None:
        """Make or replace an object."""
        temporary, fd = self._temporary(f"{os.getpid()}-{os.urandom(8).hex()}", pieces)
        try:
            folder = self._parent(key)
            os.rename(temporary, f"{self._root}/{key}")
            fsync(folder)
        except BaseException:
            os.unlink(temporary)
            raise
        finally:
            os.close(fd)

    def create(self, key: str, data: bytes, token: str) -> bool:
        """Make an object that is not there; False where it is.

        Whoever asks again with the same token, because the answer got lost, gets the same answer; when nobody will any
        more, call `forget`.
        """
        temporary = f"{self._root}/{_TMP}/{token}"
        if self._made_before(temporary):
            return True
        _, fd = self._temporary(token, [data])
        try:
            folder = self._parent(key)
            made = link_new(temporary, fd, f"{self._root}/{key}")
            fsync(folder)  # of whoever made it: one that lost acts on what it finds
            return made
        finally:
            os.close(fd)

    def _made_before(self, temporary: str) -> bool:
        """Whether an earlier call has given this file the name of its object; afterwards it has that one alone."""
        try:
            fd = os.open(temporary, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            # Its writer may still be at it: without the first name it can make no second one.
            os.unlink(temporary)
            return os.fstat(fd).st_nlink > 0
        finally:
            os.close(fd)

    def forget(self, token: str) -> None:
        """Nobody asks for this `create` again."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{self._root}/{_TMP}/{token}")

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects that are there."""
        folders = set()
        for key in keys:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                os.unlink(f"{self._root}/{key}")
                folders.add(os.path.dirname(f"{self._root}/{key}"))
        for folder in folders:
            fsync(folder)

    def _temporary(self, name: str, pieces: Iterable[bytes]) -> tuple[str, int]:
        """A file with these bytes, on the disk; and its descriptor."""
        folder = self._made(f"{self._root}/{_TMP}")
        self._sweep(folder)
        path = f"{folder}/{name}"
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o666)
        try:
            for piece in pieces:
                view = memoryview(piece)
                while view:  # a full disk can show as a short write, and the next one then raises it
                    view = view[os.write(fd, view) :]
            os.fsync(fd)
        except BaseException:
            os.close(fd)
            os.unlink(path)
            raise
        return path, fd

    def _sweep(self, folder: str) -> None:
        """Remove what writers left that died, once a client."""
        if self._swept:
            return
        self._swept = True
        for entry in os.scandir(folder):
            with contextlib.suppress(OSError):
                if entry.stat().st_mtime < time.time() - _STALE:
                    os.unlink(entry.path)

    def _parent(self, key: str) -> str:
        return self._made(os.path.dirname(f"{self._root}/{key}"))

    def _made(self, folder: str) -> str:
        """Make a directory of ours, and its entry durable; the one that all lie in must be there."""
        if folder in self._durable:
            return folder
        above = os.path.dirname(folder)
        if folder == self._root:
            os.stat(above)  # a disk that is not mounted must not be mistaken for an empty one
        else:
            self._made(above)
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder)
        fsync(above)  # always: whoever made it may not have got as far as syncing it
        self._durable.add(folder)
        return folder
