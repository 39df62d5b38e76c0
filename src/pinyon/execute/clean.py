"""What is no data and can go: files that a killed process left, old outs nobody will put back, idle workspaces."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from pinyon.execute import files
from pinyon.execute.aside import Aside
from pinyon.execute.locks import try_lock, workspace_lock

DAY = 86_400.0
_PID = re.compile(r"(\d+)-")


class Rubbish(NamedTuple):
    """One thing that can go: ``what`` is tmp, aside or work."""

    what: str
    path: str
    size: int


def clean(store: str, is_over: Callable[[str], bool], *, now: float, dry_run: bool) -> list[Rubbish]:
    """Remove it, or only tell of it.

    Args:
        store: the project's ``.pinyon``.
        is_over: whether an attempt, by id, has its outcome on record.
    """
    found = [*_temporaries(store, now), *_asides(store, is_over)]
    if not dry_run:
        for rubbish in found:
            if rubbish.what == "aside":
                Aside(store, os.path.basename(rubbish.path).removesuffix(".back"), "/").drop()
            else:
                files.remove(rubbish.path)
    return [*found, *_workspaces(store, dry_run=dry_run)]


def _temporaries(store: str, now: float) -> Iterator[Rubbish]:
    for entry in _entries(f"{store}/tmp"):
        pid = _PID.match(entry.name)
        try:
            old = now - entry.stat(follow_symlinks=False).st_mtime > DAY
        except FileNotFoundError:
            continue
        if old and not (pid and os.path.exists(f"/proc/{pid[1]}")):
            yield Rubbish("tmp", entry.path, _size(entry.path))


def _asides(store: str, is_over: Callable[[str], bool]) -> Iterator[Rubbish]:
    for entry in _entries(f"{store}/aside"):
        if is_over(entry.name.removesuffix(".back")):
            yield Rubbish("aside", entry.path, _size(entry.path))


def _workspaces(store: str, *, dry_run: bool) -> Iterator[Rubbish]:
    for entry in _entries(f"{store}/work"):
        lock = try_lock(workspace_lock(store, entry.name))
        if lock is None:
            continue
        try:
            yield Rubbish("work", entry.path, _size(entry.path))
            if not dry_run:
                files.remove(entry.path)
        finally:
            os.close(lock)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []


def _size(path: str) -> int:
    """Bytes of a file, or of all files of a folder."""
    if not os.path.isdir(path) or os.path.islink(path):
        return os.lstat(path).st_size
    return sum(
        os.lstat(os.path.join(folder, name)).st_size for folder, _, names in os.walk(path) for name in names
    )
