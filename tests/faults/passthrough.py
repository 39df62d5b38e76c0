"""A directory shown through FUSE as an NFS client shows one: what it saw last is believed for a while.

``python passthrough.py SOURCE MOUNT SECONDS [LOST]``: attributes, names and missing names are believed for SECONDS. Every
LOST-th link and rename is done, but its answer gets lost, and the request that is sent again finds it done: EEXIST, ENOENT.
Ends when it is unmounted. Locks are those of the directory itself, so they hold over all its mounts.
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import sys
from typing import Any

from mfusepy import FUSE, FuseOSError, Operations

KEPT = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_ino")


class Passthrough(Operations):  # type: ignore[misc]
    """Hands everything on to the directory."""

    use_ns = True

    def __init__(self, source: str, lost: int) -> None:
        self._source, self._lost = source, lost
        self._answers = itertools.count(1)

    def _at(self, path: str) -> str:
        return self._source + path

    def _answer(self, again: int) -> int:
        """Of a link or rename that has been done; ``again`` is what asking once more would give."""
        if self._lost and next(self._answers) % self._lost == 0:
            raise FuseOSError(again)
        return 0

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        found = os.lstat(self._at(path)) if fh is None else os.fstat(fh)
        times = {f"st_{name}time": getattr(found, f"st_{name}time_ns") for name in "amc"}
        return {name: getattr(found, name) for name in KEPT} | times

    def readdir(self, path: str, fh: int) -> list[tuple[str, dict[str, int], int]]:
        with os.scandir(self._at(path)) as entries:  # what has no inode is not shown
            found = [(entry.name, {"st_ino": entry.inode()}, 0) for entry in entries]
        return [(".", {"st_ino": 1}, 0), ("..", {"st_ino": 1}, 0), *found]

    def readlink(self, path: str) -> str:
        return os.readlink(self._at(path))

    def symlink(self, target: str, source: str) -> int:
        os.symlink(source, self._at(target))
        return 0

    def create(self, path: str, mode: int, flags: int) -> int:
        return os.open(self._at(path), flags | os.O_CREAT, mode)

    def open(self, path: str, flags: int) -> int:
        return os.open(self._at(path), flags)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        return os.pwrite(fh, data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        os.truncate(self._at(path) if fh is None else fh, length)
        return 0

    def flock(self, path: str, fh: int, op: int) -> int:
        fcntl.flock(fh, op)
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        os.fsync(fh)
        return 0

    def release(self, path: str, fh: int) -> int:
        os.close(fh)
        return 0

    def mkdir(self, path: str, mode: int) -> int:
        os.mkdir(self._at(path), mode)
        return 0

    def rmdir(self, path: str) -> int:
        os.rmdir(self._at(path))
        return 0

    def unlink(self, path: str) -> int:
        os.unlink(self._at(path))
        return 0

    def rename(self, old: str, new: str) -> int:
        os.rename(self._at(old), self._at(new))
        return self._answer(errno.ENOENT)

    def link(self, target: str, source: str) -> int:
        os.link(self._at(source), self._at(target))
        return self._answer(errno.EEXIST)

    def chmod(self, path: str, mode: int) -> int:
        os.chmod(self._at(path), mode)
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        os.chown(self._at(path), uid, gid)
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        os.utime(self._at(path), ns=times)
        return 0


if __name__ == "__main__":
    os.umask(0)  # the kernel has taken the caller's into account
    seconds, lost = float(sys.argv[3]), int(sys.argv[4])
    FUSE(
        Passthrough(sys.argv[1], lost),
        sys.argv[2],
        foreground=True,
        use_ino=True,
        hard_remove=True,
        attr_timeout=seconds,
        ac_attr_timeout=seconds,
        entry_timeout=seconds,
        negative_timeout=0 if lost else seconds,
    )
