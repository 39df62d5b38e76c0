"""Data that pointers name, as it lies in the project: what it is now."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path

from pinyon.execute import tree
from pinyon.execute.protocol import StatNote
from pinyon.execute.statcache import StatCache
from pinyon.execute.unchanged import Look, glance
from pinyon.model.project import Pointer
from pinyon.spec.pointer import all_pointers, read_pointer
from pinyon.store.local import LocalStore, home_store


def open_store(root: Path, stack: ExitStack) -> tuple[LocalStore, StatCache]:
    """The store of a project and what is known of its files, for those who need neither records nor a graph."""
    store = home_store(root)
    return store, stack.enter_context(closing(StatCache(store.cache / "stat.sqlite")))


def look(root: Path, path: str, stats: StatCache) -> Look:
    """Look at a file or folder without reading any of it: as `glance`, and file by file where that tells no name.

    Raises:
        ExecuteError: absent, or nothing whose bytes can be kept.
    """
    began = time.time_ns()
    found = glance(root, path, stats)
    if found.name is not None or not found.folder:
        return found
    found = found._replace(known=_known(stats, root, found))
    if len(found.known) < len(found.files):
        return found
    named = found._replace(name=content(found, found.known).name)
    stats.learn(folder_note(named, began))
    return named


def _known(stats: StatCache, root: Path, look: Look) -> dict[str, str]:
    """Names by full path of those files of a folder that the stat cache vouches for."""
    known = stats.lookup_below(look.path)
    if not known:
        return {}
    rows = ((file, known.get(key(root, file))) for file in look.files)
    return {file.full: row[1] for file, row in rows if row is not None and row[0] == file.fingerprint}


def key(root: Path, file: tree.File) -> str:
    """A file's key in the stat cache: its path from the project on."""
    return file.full[len(str(root)) + 1 :]


def folder_note(look: Look, began: int) -> Iterator[StatNote]:
    """What the stat cache should know of a folder that has been named; nothing for a file."""
    if look.folder and look.name is not None:
        yield StatNote(look.key, look.name, look.numbers, began)


def content(look: Look, names: Mapping[str, str]) -> tree.Content:
    """The whole from the names of its files by full path."""
    if not look.folder:
        (file,) = look.files
        return tree.Content(names[file.full], file.size, file.executable)
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
