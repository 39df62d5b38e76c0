"""Moving, copying and removing what may be a file, a directory or a link, without shutil's import."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable

from pinyon.store.copying import copy_bytes
from pinyon.store.disk import rename


def remove(path: str) -> None:
    """Remove whatever lies there; nothing is fine too."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):
        if not os.path.isdir(path) or os.path.islink(path):
            raise
        _remove_folder(path)


def _remove_folder(path: str) -> None:
    try:
        names = os.listdir(path)
    except PermissionError:
        os.chmod(path, 0o700)  # a command may have locked its own directory
        names = os.listdir(path)
    if names and not os.access(path, os.W_OK):
        os.chmod(path, 0o700)
    for name in names:
        remove(f"{path}/{name}")
    os.rmdir(path)


def copy(source: str, target: str) -> None:
    """Copy bytes, modes, times and links as they are; ``target`` must not exist."""
    stat = os.lstat(source)
    if os.path.islink(source):
        os.symlink(os.readlink(source), target)
        return
    if os.path.isdir(source):
        os.mkdir(target)
        for name in os.listdir(source):
            copy(f"{source}/{name}", f"{target}/{name}")
    else:
        _copy_file(source, target)
    os.chmod(target, stat.st_mode & 0o7777)
    os.utime(target, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def _copy_file(source: str, target: str) -> None:
    with open(source, "rb", buffering=0) as reader, open(target, "xb", buffering=0) as writer:
        copy_bytes(reader.fileno(), writer.fileno())


def copy_whole(source: str, target: str) -> None:
    """Copy so that ``target`` appears complete or not at all."""
    part = f"{target}.part"
    remove(part)
    copy(source, part)
    rename(part, target)


def move(source: str, target: str) -> None:
    """Rename, or across file systems copy whole and remove; ``target`` must not exist."""
    try:
        rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy_whole(source, target)
        remove(source)


def make_parents(paths: Iterable[str]) -> None:
    """Make the directories that these paths lie in."""
    for folder in {os.path.dirname(path) for path in paths}:
        if folder and not os.path.isdir(folder):
            os.makedirs(folder, exist_ok=True)
