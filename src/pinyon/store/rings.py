"""Where rings lie: in shared memory, else on a local disk. Imported at every call: nothing heavy may come in here."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b

from pinyon.store.place import cache_of

SHM = "/dev/shm"
RING = ".ring"
NEW = ".new"  # one that nobody has put anything into
_OLD = 86400.0  # seconds


def folders_of(store: str) -> tuple[str, str]:
    """The folder of a store's rings in shared memory, and that on disk."""
    return _folders(store, SHM, os.geteuid())


@lru_cache(maxsize=16)
def _folders(store: str, shared: str, user: int) -> tuple[str, str]:
    """Asked at the end of every attempt."""
    mark = blake2b(os.path.realpath(store).encode(errors="surrogateescape"), digest_size=8).hexdigest()
    return f"{shared}/pinyon-{user}/{mark}", f"{cache_of(store)}/rings"


def remove(path: str) -> None:
    """Take a ring away, and the folder with the last one."""
    with contextlib.suppress(OSError):
        os.unlink(path)
        os.rmdir(os.path.dirname(path))


def found(store: str) -> Iterator[str]:
    """Paths of the rings of a store on this host, in folders that are ours; whether anybody fills them or not."""
    for folder in folders_of(store):
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        if folder.startswith(SHM) and (stranger(folder) or stranger(os.path.dirname(folder))):
            continue
        yield from (f"{folder}/{name}" for name in names if name.endswith((RING, NEW)))


def forgotten() -> Iterator[str]:
    """Paths of rings in shared memory, of whatever store, that were made more than a day ago."""
    ours = f"{SHM}/pinyon-{os.geteuid()}"
    with contextlib.suppress(OSError):
        for entry in os.scandir(ours):
            if not stranger(ours) and entry.is_dir(follow_symlinks=False) and _is_old(entry.path):
                yield from (f"{entry.path}/{name}" for name in os.listdir(entry.path) if name.endswith(RING))


def _is_old(folder: str) -> bool:
    return time.time() - os.lstat(folder).st_mtime > _OLD


def stranger(folder: str) -> str:
    """Why a folder in shared memory, where everybody may make one, is not ours alone; "" if it is."""
    try:
        found = os.lstat(folder)
    except OSError as error:
        return error.strerror or str(error)
    if not stat.S_ISDIR(found.st_mode):
        return "is no folder"
    if found.st_uid != os.geteuid():
        return f"belongs to user {found.st_uid}"
    return "can be written by others" if found.st_mode & 0o022 else ""
