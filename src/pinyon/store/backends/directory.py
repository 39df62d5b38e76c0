"""Objects in a directory of a local or shared disk: a key is a path."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pinyon.errors import SpecError, StoreError
from pinyon.store.backends.folder import Folder
from pinyon.store.backends.shared import check_options, cut, missing, no_create, pieces, receiving, refused
from pinyon.store.objects import Abilities, Listed
from pinyon.store.protocol import Tell, quiet

_LINKLESS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)  # what link(2) says where there are none


def open_directory(url: str, options: Mapping[str, str]) -> DirectoryObjects:
    """``file:///abs/olute``, or a path.

    Raises:
        SpecError: it is neither, or has options.
    """
    check_options("file", options, ())
    if not url.startswith("file:"):
        return DirectoryObjects(Path(os.path.abspath(os.path.expanduser(url))))
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise SpecError(
            f"'{url}' is no directory",
            why="after file:// comes an absolute path",
            next="write file:///absolute/path, or only the path",
        )
    return DirectoryObjects(Path(unquote(parts.path)))


class DirectoryObjects:
    """Objects under ``root``, which is made at the first write if the directory that it lies in is there."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = Folder(str(root))

    @property
    def url(self) -> str:
        """See `pinyon.store.objects.Objects.url`."""
        return self._root.as_uri()

    @property
    def abilities(self) -> Abilities:
        """See `pinyon.store.objects.Objects.abilities`."""
        return Abilities(parallel=8)

    def list(self, prefix: str = "") -> Iterator[Listed]:
        """See `pinyon.store.objects.Objects.list`."""
        with self._told():
            for key, size in self._folder.list(prefix):
                yield Listed(key, size)

    def size(self, key: str) -> int | None:
        """See `pinyon.store.objects.Objects.size`."""
        with self._told():
            fd = self._folder.open(key)
            if fd is None:
                return None
            try:
                return os.fstat(fd).st_size
            finally:
                os.close(fd)

    def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """See `pinyon.store.objects.Objects.read`."""
        with self._told(), self._reading(key) as fd:
            begin, until = cut(start, end, os.fstat(fd).st_size)
            data = bytearray()
            while len(data) < until - begin:
                more = os.pread(fd, until - begin - len(data), begin + len(data))
                if not more:
                    break
                data += more
            return bytes(data)

    def fetch(self, key: str, target: Path, *, tell: Tell = quiet) -> None:
        """See `pinyon.store.objects.Objects.fetch`."""
        with self._told(), self._reading(key) as fd, receiving(target) as file:
            while data := os.read(fd, 1 << 20):
                file.write(data)
                tell(len(data))

    def write(self, key: str, source: bytes | Path, *, tell: Tell = quiet) -> None:
        """See `pinyon.store.objects.Objects.write`."""
        with self._told():
            self._folder.write(key, pieces(source, tell=tell))

    def create(self, key: str, data: bytes) -> bool:
        """See `pinyon.store.objects.Objects.create`."""
        token = f"{os.getpid()}-{os.urandom(8).hex()}"
        with self._told():
            try:
                return self._folder.create(key, data, token)
            except OSError as error:
                if error.errno in _LINKLESS and error.filename2 is not None:
                    raise no_create(self.url, "its file system has no hard links") from error
                raise
            finally:
                self._folder.forget(token)

    def delete(self, keys: Iterable[str]) -> None:
        """See `pinyon.store.objects.Objects.delete`."""
        with self._told():
            self._folder.delete(keys)

    @contextlib.contextmanager
    def _reading(self, key: str) -> Iterator[int]:
        fd = self._folder.open(key)
        if fd is None:
            raise missing(self.url, key)
        try:
            yield fd
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """An error of the operating system's is one that says what to do."""
        try:
            yield
        except StoreError:
            raise
        except OSError as error:
            raise refused(self.url, error.errno or 0, os.fspath(error.filename or "")) from error
