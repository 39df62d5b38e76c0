"""Objects in a directory of a local or shared disk: a key is a path."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pinyon.errors import SpecError, StoreError
from pinyon.store.backends.shared import check_options, cut, missing, pieces, receiving
from pinyon.store.copying import write_all
from pinyon.store.disk import fsync, link_new
from pinyon.store.objects import Abilities, Listed
from pinyon.store.protocol import Tell, quiet

_TMP = "~tmp"  # no part of a key has a ~
_STALE = 86_400  # seconds after which nobody writes to a temporary file any more

_NEXT = {
    errno.ENOSPC: "free some space there",
    errno.EDQUOT: "free some of your quota there",
    errno.EROFS: "mount it writable, or push elsewhere",
    errno.EACCES: "ask for the right to write there, or set another place",
    errno.EPERM: "ask for the right to write there, or set another place",
    errno.ESTALE: "mount it again",
    errno.EIO: "look at the disk, or at the network to it",
}


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
    """Objects under ``root``, which is made at the first write if the directory that it lies in is there.

    Whatever is written is complete and synced before it gets its name, and names are made by rename(2) and link(2) alone,
    which NFS and cluster file systems do at their server. Hard links must work there for `create`.
    """

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._durable: set[str] = set()  # directories whose own entry is on disk
        self._swept = False

    @property
    def url(self) -> str:
        """See `pinyon.store.objects.Objects.url`."""
        return Path(self._root).as_uri()

    @property
    def abilities(self) -> Abilities:
        """See `pinyon.store.objects.Objects.abilities`."""
        return Abilities(parallel=8)

    def list(self, prefix: str = "") -> Iterator[Listed]:
        """See `pinyon.store.objects.Objects.list`."""
        folder, _, start = prefix.rpartition("/")
        with self._told():
            yield from self._under(folder, start)

    def _under(self, folder: str, start: str = "") -> Iterator[Listed]:
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
                    yield Listed(key, entry.stat().st_size)

    def size(self, key: str) -> int | None:
        """See `pinyon.store.objects.Objects.size`."""
        with self._told():
            fd = self._open(key)
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
        with self._told(), self._temporary(source, tell) as (temporary, _):
            folder = self._folder(key)
            os.rename(temporary, f"{self._root}/{key}")
            fsync(folder)

    def create(self, key: str, data: bytes) -> bool:
        """See `pinyon.store.objects.Objects.create`."""
        with self._told(), self._temporary(data, quiet) as (temporary, fd):
            folder = self._folder(key)
            made = link_new(temporary, fd, f"{self._root}/{key}")
            fsync(folder)  # of whoever made it: one that lost acts on what it finds
            return made

    def delete(self, keys: Iterable[str]) -> None:
        """See `pinyon.store.objects.Objects.delete`."""
        folders = set()
        with self._told():
            for key in keys:
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    os.unlink(f"{self._root}/{key}")
                    folders.add(os.path.dirname(f"{self._root}/{key}"))
            for folder in folders:
                fsync(folder)

    def _open(self, key: str) -> int | None:
        """An object's file; None where there is no such object."""
        path = f"{self._root}/{key}"
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if os.path.isdir(path):
            os.close(fd)
            return None
        return fd

    @contextlib.contextmanager
    def _reading(self, key: str) -> Iterator[int]:
        fd = self._open(key)
        if fd is None:
            raise missing(self.url, key)
        try:
            yield fd
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def _temporary(self, source: bytes | Path, tell: Tell) -> Iterator[tuple[str, int]]:
        """A file with these bytes, on the disk, whose name is gone afterwards."""
        folder = self._made(f"{self._root}/{_TMP}")
        self._sweep(folder)
        path = f"{folder}/{os.getpid()}-{os.urandom(8).hex()}"
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o666)
        try:
            for piece in pieces(source):
                write_all(fd, piece)
                tell(len(piece))
            os.fsync(fd)
            yield path, fd
        finally:
            os.close(fd)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def _sweep(self, folder: str) -> None:
        """Remove what writers left that died, once a client."""
        if self._swept:
            return
        self._swept = True
        for entry in os.scandir(folder):
            with contextlib.suppress(OSError):
                if entry.stat().st_mtime < time.time() - _STALE:
                    os.unlink(entry.path)

    def _folder(self, key: str) -> str:
        return self._made(os.path.dirname(f"{self._root}/{key}"))

    def _made(self, folder: str) -> str:
        """Make a directory of ours, and its entry durable; the one that all lie in must be there."""
        if folder in self._durable:
            return folder
        if folder == self._root:
            above = os.path.dirname(folder)
            if not os.path.isdir(above):
                raise StoreError(
                    f"there is no directory {above}",
                    where=self.url,
                    why="a disk that is not mounted must not be mistaken for an empty one",
                    next=f"mount it, or mkdir -p {above}",
                )
        else:
            above = self._made(os.path.dirname(folder))
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder)
        fsync(above)  # always: whoever made it may not have got as far as syncing it
        self._durable.add(folder)
        return folder

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """An error of the operating system's is one that says what to do."""
        try:
            yield
        except StoreError:
            raise
        except OSError as error:
            raise StoreError(
                f"{error.filename or 'the directory'}: {error.strerror}",
                where=self.url,
                why="this disk refuses",
                next=_NEXT.get(error.errno or 0, "look at this directory, then try again"),
            ) from error
