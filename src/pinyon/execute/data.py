"""Data that pointers name, as it lies in the project: what it is now, and the small files around it."""

from __future__ import annotations

import marshal
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

from pinyon.errors import ExecuteError
from pinyon.execute import tree
from pinyon.execute.protocol import StatNote
from pinyon.execute.statcache import Fingerprint, StatCache
from pinyon.model.project import Pointer
from pinyon.spec.pointer import all_pointers, read_pointer
from pinyon.store.disk import fsync
from pinyon.store.local import LocalStore, home_store
from pinyon.store.names import name_of

_SPECIAL = re.compile(r"([\\*?\[\]])")


class Look(NamedTuple):
    """One path, looked at.

    ``known`` are names by full path that the stat cache vouches for. ``name`` is that of the whole; None: something of it
    must be hashed first. ``numbers`` stand for every file of a folder together.
    """

    path: str
    folder: bool
    files: tuple[tree.File, ...]
    known: Mapping[str, str]
    name: str | None
    numbers: Fingerprint

    @property
    def size(self) -> int:
        """Bytes in all."""
        return self.numbers[1]


def open_store(root: Path, stack: ExitStack) -> tuple[LocalStore, StatCache]:
    """The store of a project and what is known of its files, for those who need neither records nor a graph."""
    store = home_store(root)
    return store, stack.enter_context(closing(StatCache(store.cache / "stat.sqlite")))


def look(root: Path, path: str, stats: StatCache) -> Look:
    """Look at a file or folder without reading any of it.

    Raises:
        ExecuteError: absent, or nothing whose bytes can be kept.
    """
    full, began = os.path.join(root, path), time.time_ns()
    try:
        folder, files = os.path.isdir(full), tuple(tree.walk(full))
    except (FileNotFoundError, NotADirectoryError):
        raise ExecuteError("there is no such file or folder", where=path) from None
    except PermissionError as error:
        raise ExecuteError("this cannot be read", where=str(error.filename), next="check its owner") from None
    numbers = _numbers(files) if folder else tree.fingerprint(files[0].stat)
    whole = _key_of(path, folder=folder)
    if whole in (found := stats.lookup_many({whole: numbers})):
        return Look(path, folder, files, {}, found[whole], numbers)
    known = found_in(stats, root, files) if folder else {}
    unnamed = Look(path, folder, files, known, None, numbers)
    if not folder or len(known) < len(files):
        return unnamed
    named = unnamed._replace(name=content(unnamed, known).name)
    stats.learn(folder_note(named, began))
    return named


def found_in(stats: StatCache, root: Path, files: tuple[tree.File, ...]) -> dict[str, str]:
    """Names by full path of those files that the stat cache vouches for."""
    by_key = {key(root, file): file for file in files}
    found = stats.lookup_many({name: tree.fingerprint(file.stat) for name, file in by_key.items()})
    return {by_key[name].full: digest for name, digest in found.items()}


def key(root: Path, file: tree.File) -> str:
    """A file's key in the stat cache: its path from the project on."""
    return file.full[len(str(root)) + 1 :]


def _key_of(path: str, *, folder: bool) -> str:
    return f"{path}/" if folder else path


def _numbers(files: tuple[tree.File, ...]) -> Fingerprint:
    """One fingerprint for a whole folder: newest mtime, bytes in all, a digest of everything, newest ctime."""
    rows = [
        (path, stat.st_mtime_ns, stat.st_size, stat.st_ino, stat.st_ctime_ns, stat.st_mode & 0o100)
        for path, _, stat in files
    ]
    rows.sort()
    digest = int(name_of(marshal.dumps(rows, 2))[-14:], 16)  # 56 bits: sqlite's integers have 63
    mtime, ctime = max((row[1] for row in rows), default=0), max((row[4] for row in rows), default=0)
    return (mtime, sum(row[2] for row in rows), digest, ctime)


def folder_note(look: Look, began: int) -> Iterator[StatNote]:
    """What the stat cache should know of a folder that has been named; nothing for a file."""
    if look.folder and look.name is not None:
        yield StatNote(_key_of(look.path, folder=True), look.name, look.numbers, began)


def content(look: Look, names: Mapping[str, str]) -> tree.Content:
    """The whole from the names of its files by full path."""
    if not look.folder:
        (file,) = look.files
        return tree.Content(names[file.full], file.stat.st_size, file.executable)
    return tree.combine((file, names[file.full]) for file in look.files)


def state(root: Path, pointer: Pointer, stats: StatCache, *, reading: bool = False) -> str:
    """``same``, ``absent``, ``changed``; without ``reading``, ``unknown`` where only hashing would tell."""
    if not os.path.lexists(root / pointer.path):
        return "absent"
    found = look(root, pointer.path, stats)
    name = found.name
    if name is None and found.size != pointer.size:
        return "changed"
    if name is None and reading:
        known = found.known
        fresh = {file.full: known.get(file.full) or tree.name_file(file) for file in found.files}
        name = content(found, fresh).name
    if name is None:
        return "unknown"
    return "same" if name == pointer.digest else "changed"


def differing(root: Path, stats: StatCache, *, reading: bool = False) -> list[tuple[Pointer, str]]:
    """Every pointer of the project whose data is not (known to be) what it says, and its `state`; absent data is not
    listed: the next run fetches what it needs.

    Raises:
        SpecError: a pointer is broken.
    """
    found = [read_pointer(root, file) for file in all_pointers(root)]
    states = [(pointer, state(root, pointer, stats, reading=reading)) for pointer in found]
    return [(pointer, what) for pointer, what in states if what not in ("same", "absent")]


# -- small files beside the data --------------------------------------------------------------------------------------


def repository(root: Path) -> str | None:
    """The git repository around the project; None where there is none."""
    folder = str(root)
    while not os.path.exists(f"{folder}/.git"):
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above
    return folder


def is_ignored(root: Path, path: str) -> bool:
    """Whether `ignore` would change nothing."""
    return repository(root) is None or _line(path) in _lines(_ignoring(root, path))


def ignore(root: Path, path: str) -> None:
    """Add the data to the ``.gitignore`` of its folder; nothing outside a repository, or when it stands there."""
    if is_ignored(root, path):
        return
    file = _ignoring(root, path)
    lines = _lines(file)
    # A file without a line feed at its end would swallow the new line.
    write_whole(
        file, "".join(f"{line}\n" for line in [*lines, _line(path)]).encode("utf-8", "surrogateescape")
    )


def _ignoring(root: Path, path: str) -> str:
    return os.path.join(root, os.path.dirname(path), ".gitignore")


def _line(path: str) -> str:
    name = _SPECIAL.sub(r"\\\1", os.path.basename(path))
    return f"/{name[:-1]}\\ " if name.endswith(" ") else f"/{name}"


def _lines(file: str) -> list[str]:
    try:
        with open(file, encoding="utf-8", errors="surrogateescape", newline="\n") as stream:
            text = stream.read()
    except FileNotFoundError:
        return []
    return text.removesuffix("\n").split("\n") if text else []


def write_whole(path: str, data: bytes) -> None:
    """Write a file so that it is there old or new, never half, and survives loss of power."""
    temporary = f"{os.path.dirname(path)}/.{os.urandom(6).hex()}.pinyon-new"
    try:
        with open(temporary, "xb") as file:
            file.write(data)
        fsync(temporary)
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
    fsync(os.path.dirname(path))
