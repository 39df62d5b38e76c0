"""What blobs, refs, journals and other stores share about disks."""

from __future__ import annotations

import os


def fsync(path: str | os.PathLike[str]) -> None:
    """Make a file's bytes, or a directory's entries, power-durable."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def link_new(source: str, fd: int, target: str | os.PathLike[str]) -> bool:
    """Give a file that is open as ``fd``, and has one name so far, a second one that nobody has; False where somebody has
    it."""
    try:
        os.link(source, target)
    except OSError as error:
        # Over a network the answer can get lost although the link was made; the link count knows.
        if os.fstat(fd).st_nlink == 2:
            return True
        if isinstance(error, FileExistsError):
            return False
        raise
    return True
