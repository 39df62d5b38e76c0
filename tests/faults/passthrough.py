"""A directory shown through FUSE as an NFS client shows one: what it saw last is believed for a while.

``python passthrough.py SOURCE MOUNT SECONDS LOST``. Attributes, listings and missing names are believed for SECONDS, or
until this mount itself changes them, or tries to. To open a file is to ask for its attributes; once a directory has been
asked, what was missing in it is no longer believed. The kernel believes nothing of its own: no more is old than that.

Every LOST-th link and rename (0: none) is done, but its answer gets lost, and the request that is sent again finds it
done: EEXIST, ENOENT. Locks are those of the directory, so they hold over all its mounts. It ends when it is unmounted and
nobody has a file open.
"""

from __future__ import annotations

import errno
import fcntl
import functools
import itertools
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from mfusepy import FUSE, FuseOSError, Operations

KEPT = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_ino")


class Passthrough(Operations):  # type: ignore[misc]
    """Hands everything on to the directory."""

    use_ns = True

    def __init__(self, source: str, seconds: float, lost: int) -> None:
        self._source, self._seconds, self._lost = source, seconds, lost
        self._answers = itertools.count(1)
        self._believed: dict[tuple[str, str], tuple[float, Any]] = {}  # None for what is missing
        self._missing: dict[str, set[str]] = {}  # of this, by directory

    def _at(self, path: str) -> str:
        return self._source + path

    def _believe(self, what: str, path: str, ask: Callable[[], Any]) -> Any:
        then, answer = self._believed.get((what, path), (float("-inf"), None))
        now = time.monotonic()
        if now - then >= self._seconds:
            try:
                answer = ask()
            except FileNotFoundError:
                answer = None
            self._believed[what, path] = (now, answer)
            for name in self._missing.pop(path, ()):
                self._believed.pop(("attributes", name), None)
            if answer is None:
                self._missing.setdefault(os.path.dirname(path), set()).add(path)
        if answer is None:
            raise FuseOSError(errno.ENOENT)
        return answer

    def _change(self, act: Callable[..., Any], *values: Any, names: tuple[str, ...]) -> Any:
        """Change something; whatever comes of it, nothing old is believed of these names and of where they lie."""
        try:
            return act(*values)
        finally:
            for one in {*names, *map(os.path.dirname, names)}:
                self._believed.pop(("attributes", one), None)
                self._believed.pop(("listing", one), None)

    def _answer(self, again: int) -> int:
        """Of a link or rename that has been done; ``again`` is what asking once more would give."""
        if self._lost and next(self._answers) % self._lost == 0:
            raise FuseOSError(again)
        return 0

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        return self._believe("attributes", path, lambda: attributes(self._at(path) if fh is None else fh))

    def readdir(self, path: str, fh: int) -> list[tuple[str, dict[str, int], int]]:
        return self._believe("listing", path, lambda: listing(self._at(path)))

    def readlink(self, path: str) -> str:
        return os.readlink(self._at(path))

    def symlink(self, target: str, source: str) -> int:
        self._change(os.symlink, source, self._at(target), names=(target,))
        return 0

    def create(self, path: str, mode: int, flags: int) -> int:
        return self._change(os.open, self._at(path), flags | os.O_CREAT, mode, names=(path,))

    def open(self, path: str, flags: int) -> int:
        self._believed.pop(("attributes", path), None)
        return os.open(self._at(path), flags)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        done = os.pwrite(fh, data, offset)
        self._believed.pop(("attributes", path), None)
        return done

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        self._change(os.truncate, self._at(path) if fh is None else fh, length, names=(path,))
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
        self._change(os.mkdir, self._at(path), mode, names=(path,))
        return 0

    def rmdir(self, path: str) -> int:
        self._change(os.rmdir, self._at(path), names=(path,))
        return 0

    def unlink(self, path: str) -> int:
        self._change(os.unlink, self._at(path), names=(path,))
        return 0

    def rename(self, old: str, new: str) -> int:
        self._change(os.rename, self._at(old), self._at(new), names=(old, new))
        return self._answer(errno.ENOENT)

    def link(self, target: str, source: str) -> int:
        self._change(os.link, self._at(source), self._at(target), names=(source, target))
        return self._answer(errno.EEXIST)

    def chmod(self, path: str, mode: int) -> int:
        self._change(os.chmod, self._at(path), mode, names=(path,))
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        self._change(os.chown, self._at(path), uid, gid, names=(path,))
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        self._change(functools.partial(os.utime, ns=times), self._at(path), names=(path,))
        return 0


def attributes(file: str | int) -> dict[str, Any]:
    found = os.stat(file, follow_symlinks=False) if isinstance(file, str) else os.fstat(file)
    times = {f"st_{name}time": getattr(found, f"st_{name}time_ns") for name in "amc"}
    return {name: getattr(found, name) for name in KEPT} | times


def listing(folder: str) -> list[tuple[str, dict[str, int], int]]:
    with os.scandir(folder) as entries:  # what has no inode is not shown
        return [(name, {"st_ino": 1}, 0) for name in (".", "..")] + [
            (entry.name, {"st_ino": entry.inode()}, 0) for entry in entries
        ]


if __name__ == "__main__":
    os.umask(0)  # the kernel has taken the caller's into account
    FUSE(
        Passthrough(sys.argv[1], float(sys.argv[3]), int(sys.argv[4])),
        sys.argv[2],
        foreground=True,
        use_ino=True,
        hard_remove=True,
        attr_timeout=0,
        entry_timeout=0,
        negative_timeout=0,
    )
