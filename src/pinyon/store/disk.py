"""The one thing about disks that blobs, refs and journals share."""

from __future__ import annotations

import os


def fsync(path: str | os.PathLike[str]) -> None:
    """Make a file's bytes, or a directory's entries, power-durable."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
