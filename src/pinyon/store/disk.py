"""What blobs, refs, journals, outs and other stores share about disks."""

from __future__ import annotations

import os


def fsync(path: str | os.PathLike[str]) -> None:
    """Make a file's bytes, or a directory's entries, power-durable."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def rename(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Rename, also where the answer gets lost on the network, and the client that asks again finds nothing to rename.

    Raises:
        OSError: it was not renamed.
    """
    before = os.lstat(source)
    try:
        os.rename(source, target)
    except FileNotFoundError:
        if not is_at(target, before):
            raise


def is_at(path: str | os.PathLike[str], file: os.stat_result) -> bool:
    """Whether this very file (or directory) lies at a path."""
    try:
        return os.path.samestat(os.lstat(path), file)
    except OSError:
        return False


def link_new(source: str, fd: int, target: str | os.PathLike[str]) -> bool:
    """Give a file that is open as ``fd`` a second name that nobody has; False where somebody has it."""
    try:
        os.link(source, target)
    except OSError as error:
        # Over a network the answer can get lost although the link was made. The link count would tell, but a client may
        # believe in an old one for a while.
        if is_at(target, os.fstat(fd)):
            return True
        if isinstance(error, FileExistsError):
            return False
        raise
    return True
