"""`pinyon add` of what is as it was when it was added: found out by looking, without reading a byte of it.

Imported at every such call, which is over sooner than the rest of `add` is imported: nothing heavy may come in here.
"""

from __future__ import annotations

import marshal
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

from pinyon.errors import ExecuteError, PinyonError, PlanError
from pinyon.execute import tree
from pinyon.execute.beside import Root, is_ignored
from pinyon.execute.statcache import StatCache
from pinyon.execute.tree import File, Fingerprint
from pinyon.store.names import digest_in, file_of, name_of, names_in
from pinyon.store.place import POINTER


class Added(NamedTuple):
    """What became of one path. ``files`` is None for a file; ``changed`` False: its pointer said so already."""

    path: str
    pointer: str
    digest: str
    size: int
    files: int | None
    changed: bool


class Look(NamedTuple):
    """One path, looked at.

    ``name`` is that of the whole; None: something of it must be hashed first. ``numbers`` stand for every file of a folder
    together. ``known`` are names by full path that the stat cache vouches for, where they have been asked for.
    """

    path: str
    folder: bool
    files: Sequence[File]
    name: str | None
    numbers: Fingerprint
    known: Mapping[str, str] = {}

    @property
    def size(self) -> int:
        """Bytes in all."""
        return self.numbers[1]

    @property
    def key(self) -> str:
        """Of the whole, in the stat cache."""
        return f"{self.path}/" if self.folder else self.path


def all_unchanged(root: str, store: str, cache: str, paths: Sequence[str]) -> list[Added] | None:
    """What `add` would say if there is nothing to do; None where it must find that out itself, or refuse.

    Args:
        store: directory of the home store.
        cache: directory of disposable files.
        paths: posix, relative to the project.
    """
    if not all(_is_there(root, f"{path}{POINTER}") for path in paths):
        return None  # before anything is walked
    rows = []
    stats = StatCache(f"{cache}/stat.sqlite")
    try:
        for path in dict.fromkeys(paths):
            refuse(root, path, paths)
            found = glance(root, path, stats)
            if not is_pointed_at(root, found, lambda name: os.path.exists(file_of(store, digest_in(name)))):
                return None
            rows.append(unchanged(found))
    except (PinyonError, OSError):
        return None
    finally:
        stats.close()
    return rows


def glance(root: Root, path: str, stats: StatCache) -> Look:
    """Look at a file or folder; its name is what the stat cache has for the whole of it.

    Raises:
        ExecuteError: absent, or nothing whose bytes can be kept.
    """
    full = os.path.join(root, path)
    try:
        folder, files = os.path.isdir(full), tree.walk(full)
    except (FileNotFoundError, NotADirectoryError):
        raise ExecuteError("there is no such file or folder", where=path) from None
    except PermissionError as error:
        raise ExecuteError("this cannot be read", where=str(error.filename), next="check its owner") from None
    found = Look(path, folder, files, None, _numbers(files) if folder else files[0].fingerprint)
    return found._replace(name=stats.lookup_many({found.key: found.numbers}).get(found.key))


def _numbers(files: Sequence[File]) -> Fingerprint:
    """One fingerprint for a whole folder: newest mtime, bytes in all, a digest of everything, newest ctime."""
    if not files:
        return (0, 0, 0, 0)
    # Columns, because 10,000 rows are slower to sort and to write than five times 10,000 values.
    paths, _, mtimes, sizes, inodes, ctimes, modes = zip(*sorted(files, key=itemgetter(0)), strict=True)
    digest = name_of(marshal.dumps((paths, mtimes, sizes, inodes, ctimes, modes), 2))
    return (max(mtimes), sum(sizes), int(digest[-14:], 16), max(ctimes))  # 56 bits: sqlite's integers have 63


def is_pointed_at(root: Root, look: Look, has: Callable[[str], bool]) -> bool:
    """Whether the pointer names what lies there, the store has it, and git is told: all as `add` leaves it."""
    if look.name is None:
        return False
    try:
        with open(os.path.join(root, f"{look.path}{POINTER}"), "rb") as file:
            said = file.read()
    except FileNotFoundError:
        return False
    return names_in(said) == {look.name} and has(look.name) and is_ignored(root, look.path)


def unchanged(look: Look) -> Added:
    """What there is to say of what `is_pointed_at`."""
    assert look.name is not None
    count = len(look.files) if look.folder else None
    return Added(look.path, f"{look.path}{POINTER}", look.name, look.size, count, changed=False)


def refuse(root: Root, path: str, others: Collection[str]) -> None:
    """Raise `PlanError` for what is no data of this project, or is covered by a pointer already."""
    parts = path.split("/")
    if path in (".", "") or parts[0] == ".." or path.startswith("/"):
        what = "this is the project itself" if path in (".", "") else "this lies outside the project"
        raise PlanError(what, where=path, next="name a file or folder inside it")
    if parts[0] in (".pinyon", ".git", ".dvc"):
        raise PlanError(f"this belongs to {parts[0]}", where=path, next="name data")
    try:
        path.encode()
    except UnicodeEncodeError:
        raise PlanError("this name is not UTF-8", where=repr(path), next="rename it") from None
    if path.endswith((POINTER, ".dvc")):
        raise PlanError("this is a pointer", where=path, next=f"pinyon add {path.rpartition('.')[0]}")
    if not _is_there(root, path):
        restore = (
            f"pinyon add --restore {path}" if _is_there(root, f"{path}{POINTER}") else "correct the path"
        )
        raise PlanError("there is no such file or folder", where=path, next=restore)
    for end in range(1, len(parts)):
        above = "/".join(parts[:end])
        if above in others or _is_there(root, f"{above}{POINTER}"):
            raise PlanError(f"{above} covers this already", where=path, next=f"pinyon add {above}")
    for file in (f"{'/'.join(parts[:end])}.dvc" for end in range(1, len(parts) + 1)):
        if _is_there(root, file):
            raise PlanError(f"DVC's {file} names this already", where=path, next=f"dvc add, or rm {file}")


def _is_there(root: Root, path: str) -> bool:
    return os.path.exists(os.path.join(root, path))
