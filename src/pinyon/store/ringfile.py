"""How a ring is made: at the first place that has room for it, else in memory of one's own."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import stat
from typing import NamedTuple

from pinyon.store.ring import HEAD, SIZE, About, Ring
from pinyon.store.rings import NEW, RING, SHM, folders_of, stranger

_SMALL = 1 << 20  # bytes for points where shared memory is short, as in containers
_SHARE = 8  # the part of the free room that a ring may take
_POPULATE = getattr(mmap, "MAP_POPULATE", 0)


class Made(NamedTuple):
    """A ring, and where it lies; "" and ``why`` where it would die with the process."""

    ring: Ring
    path: str
    why: str = ""


def make(writer: str, about: About) -> Made:
    """A ring for a process, at the first place that has room for it. It is held by flock as long as the process lives."""
    reasons = []
    disk = folders_of(about.store)[1]
    try:
        folder = _shared(about.store)
        return _at(folder, writer, about, _fitting(folder))
    except (OSError, ValueError) as error:
        reasons.append(f"{SHM}: {_reason(error)}")
    try:
        os.makedirs(disk, exist_ok=True)
        return _at(disk, writer, about, SIZE)
    except (OSError, ValueError) as error:
        reasons.append(f"{disk}: {_reason(error)}")
    ring = Ring(mmap.mmap(-1, HEAD + SIZE))
    ring.begin(about)
    return Made(ring, "", "; ".join(reasons))


def _shared(store: str) -> str:
    """The folder in shared memory, made if it is not there.

    Raises:
        OSError: there is none that only we can write to.
    """
    if not os.stat(SHM).st_mode & stat.S_ISVTX and os.geteuid() != os.stat(SHM).st_uid:
        raise OSError(errno.EPERM, "anybody can take away what others put there")
    folder = folders_of(store)[0]
    for one in (os.path.dirname(folder), folder):
        with contextlib.suppress(FileExistsError):
            os.mkdir(one, 0o700)
        if why := stranger(one):
            raise OSError(errno.EPERM, f"{one} {why}")
    return folder


def _fitting(folder: str) -> int:
    """How large a ring may be that leaves others their room.

    Raises:
        OSError: none fits.
    """
    room = os.statvfs(folder)
    free = room.f_bavail * room.f_frsize // _SHARE
    for size in (SIZE, _SMALL):
        if size + HEAD <= free:
            return size
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _at(folder: str, writer: str, about: About, size: int) -> Made:
    """A ring there. Nobody finds it before it is whole and held, so one that is not held has lost its process."""
    path = f"{folder}/{writer}{RING}"
    new = f"{folder}/{writer}{NEW}"
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        fd = os.open(new, flags, 0o600)
    except FileNotFoundError:  # who removed the last ring has removed the folder
        os.mkdir(folder, 0o700)
        fd = os.open(new, flags, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.posix_fallocate(fd, 0, HEAD + size)  # or a full disk would be a SIGBUS
        ring = Ring(mmap.mmap(fd, HEAD + size, mmap.MAP_SHARED | _POPULATE))  # has a descriptor of its own
        ring.begin(about)
        os.rename(new, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise
    finally:
        os.close(fd)
    return Made(ring, path)


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
