"""Where a project's place, its home store and its disposable cache lie. Imported at every call: nothing heavy may come
in here."""

from __future__ import annotations

import os
import stat

STORE = ".pinyon"
HOME = "home"  # a file in the place: where the home store lies, if not there (docs/FORMAT.md §1)
SPEC_FILES = ("pinyon.yaml", "dvc.yaml")

_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "ceph", "9p", "afs", "beegfs", "fuse.sshfs"}
)


def home_of(root: str) -> str:
    """The directory of the home store of the project in ``root``: its ``.pinyon``, or what ``.pinyon/home`` says.

    Raises:
        StoreError: that file names no directory.
    """
    place = os.path.join(root, STORE)
    path = os.path.join(place, HOME)
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read().strip()
    except (FileNotFoundError, NotADirectoryError):
        return place
    except ValueError:
        text = ""
    if not text or "\n" in text or "\0" in text:
        from pinyon.errors import StoreError  # not needed by the short cut for calls with nothing to do

        raise StoreError(
            "this file does not say where the home store lies",
            where=path,
            why="it must hold the path of a directory, in one line",
            next="write the path into it, or remove it to keep the store in this project",
        )
    return os.path.normpath(
        os.path.join(os.path.realpath(root), text)
    )  # the same home by whatever way one comes


def share_with_group(*folders: str) -> None:
    """Let the group write to what this process and its children make, if one of these directories lets it, too.

    Several members of a group work in such a directory. New directories inherit its group where it has the setgid bit.
    Nobody's file is ever changed for this: what counts is how a file is made (docs/FORMAT.md §13).
    """
    for folder in folders:
        try:
            writable = os.stat(folder).st_mode & stat.S_IWGRP
        except OSError:
            continue
        if writable:
            mask = os.umask(0o077)
            os.umask(mask & ~0o070)
            return


def cache_of(store: str) -> str:
    """The cache directory of a place; on a local disk always, since sqlite is unsafe elsewhere (docs/FORMAT.md §1)."""
    if _is_local(store):
        return os.path.join(store, "cache")
    from hashlib import blake2b

    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "pinyon", blake2b(os.path.realpath(store).encode(), digest_size=8).hexdigest())


def project_around(start: str) -> str | None:
    """The directory of the project that ``start`` lies in; None when there is none.

    The nearest pinyon.yaml upwards decides; where there is none at all, the nearest dvc.yaml.
    """
    here = os.path.abspath(start)
    for name in SPEC_FILES:
        folder = here
        while not os.path.isfile(os.path.join(folder, name)):
            above = os.path.dirname(folder)
            if above == folder:
                break
            folder = above
        else:
            return folder
    return None


def _is_local(path: str) -> bool:
    try:
        with open("/proc/self/mounts") as file:
            mounts = [line.split(" ", 3)[1:3] for line in file]
    except OSError:
        return True
    where = os.path.realpath(path)
    covering = [
        mount for mount in mounts if where == mount[0] or where.startswith(mount[0].rstrip("/") + "/")
    ]
    return not covering or max(covering, key=lambda mount: len(mount[0]))[1] not in _NETWORK
