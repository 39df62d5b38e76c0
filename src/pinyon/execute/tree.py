"""Files and directories as names: walking what lies on disk (docs/FORMAT.md §2, "a directory is a blob too")."""

from __future__ import annotations

import os
import stat as stat_
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, NamedTuple

from pinyon.errors import ExecuteError
from pinyon.store import tree
from pinyon.store.names import name_of, name_of_file

if TYPE_CHECKING:
    from pinyon.store.protocol import Blobs

# What Python leaves beside the code it imports. A dep that is a directory of code must not change by being run.
CACHE = "__pycache__"
_MAPPED = 1 << 20  # from this size on a file is hashed by mapping it

Fingerprint = tuple[int, int, int, int]  # mtime_ns, size, inode, ctime_ns


class File(NamedTuple):
    """A regular file that was found: ``path`` relative to where the walk began ("" when it began there), and of what stat
    says that which counts. Times are in ns."""

    path: str
    full: str
    mtime: int
    size: int
    inode: int
    ctime: int
    mode: int

    @property
    def fingerprint(self) -> Fingerprint:
        """See `fingerprint`."""
        return self.mtime, self.size, self.inode, self.ctime

    @property
    def executable(self) -> bool:
        """Whether its owner may execute it."""
        return bool(self.mode & 0o100)


class Content(NamedTuple):
    """What a path holds: its name, the bytes in all, and for a directory the manifest."""

    name: str
    size: int
    executable: bool = False
    manifest: bytes | None = None


def fingerprint(stat: os.stat_result) -> Fingerprint:
    """The four numbers that change when a file does: mtime_ns, size, inode, ctime_ns."""
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino, stat.st_ctime_ns)


def walk(top: str, skip: Collection[str] = (CACHE,)) -> list[File]:
    """Every file at or under ``top``, links followed, without directories called as in ``skip``.

    Raises:
        ExecuteError: a link that leads nowhere or back up, a socket, pipe or device, a name that is not UTF-8.
        OSError: something that cannot be read; a missing ``top`` too.
    """
    found: list[File] = []
    stat = os.stat(top)
    if stat_.S_ISDIR(stat.st_mode):
        _walk(found, top, "", skip, ((stat.st_dev, stat.st_ino),))
    else:
        _take(found, top, "", stat)
    return found


def _walk(
    found: list[File], folder: str, prefix: str, skip: Collection[str], above: tuple[tuple[int, int], ...]
) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name in skip:
                continue
            path, stat = prefix + entry.name, _follow(entry)
            if not stat_.S_ISDIR(stat.st_mode):
                _take(found, entry.path, path, stat)
                continue
            here = (stat.st_dev, stat.st_ino)
            if here in above:
                raise ExecuteError("this link leads back up, so the directory has no end", where=entry.path)
            _walk(found, entry.path, f"{path}/", skip, (*above, here))


def _follow(entry: os.DirEntry[str]) -> os.stat_result:
    try:
        return entry.stat()
    except FileNotFoundError:
        if entry.is_symlink():
            raise ExecuteError("this link leads nowhere", where=entry.path, next="remove it") from None
        raise


def _take(found: list[File], full: str, path: str, stat: os.stat_result) -> None:
    if not stat_.S_ISREG(stat.st_mode):
        raise ExecuteError(
            "this is neither a file nor a directory", where=full, why="its bytes cannot be kept"
        )
    if not path.isascii():
        try:
            path.encode()
        except UnicodeEncodeError:
            raise ExecuteError("this name is not UTF-8", where=repr(full), next="rename it") from None
    found.append(
        File(path, full, stat.st_mtime_ns, stat.st_size, stat.st_ino, stat.st_ctime_ns, stat.st_mode)
    )


def name_file(file: File) -> str:
    """Hash a file's bytes."""
    if file.size >= _MAPPED:
        return name_of_file(file.full)
    with open(file.full, "rb", buffering=0) as source:
        return name_of(source.read())


def describe(top: str, name: Callable[[File], str]) -> Content:
    """What a file or directory holds, each file named by ``name`` (which may store it). Errors of `walk`."""
    if not os.path.isdir(top):
        (file,) = walk(top)
        return Content(name(file), file.size, file.executable)
    return combine((file, name(file)) for file in walk(top))


def combine(files: Iterable[tuple[File, str]]) -> Content:
    """A directory's content from its named files."""
    rows = [tree.Row(file.path, name, file.size, file.executable) for file, name in files]
    manifest = tree.encode(rows)
    return Content(name_of(manifest) + "/", sum(row.size for row in rows), False, manifest)


def hash_tree(top: str) -> Content:
    """What a file or directory holds, stored nowhere. Errors of `walk`."""
    return describe(top, name_file)


def put_tree(blobs: Blobs, top: str) -> Content:
    """Store a file or directory, its manifest last. Errors of `walk` and of the store."""
    from pathlib import Path  # half of what importing this module would cost

    content = describe(top, lambda file: blobs.put(Path(file.full)))
    if content.manifest is not None:
        blobs.put(content.manifest)
    return content


def has_tree(blobs: Blobs, name: str) -> bool:
    """Whether the store has a name and, for a directory, every file of it."""
    if not blobs.has(name):
        return False
    return not name.endswith("/") or all(blobs.has(row.name) for row in tree.decode(blobs.read(name)))
