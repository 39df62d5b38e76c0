"""Where a project's place, its home store and its disposable cache lie. Imported at every call: nothing heavy may come
in here."""

from __future__ import annotations

import os
import stat

STORE = ".pinyon"
HOME = "home"  # a file in the place: where the home store lies, if not there (docs/FORMAT.md §1)
SPEC_FILES = ("pinyon.yaml", "dvc.yaml")
POINTER = ".pinyon"  # how the name of a pointer ends (docs/FORMAT.md §2)
DVC = ".dvc"  # a repository of DVC's has such a directory
_STORE_FILES = (f"{STORE}/format.json", f"{STORE}/{HOME}")

# File systems that other machines may have mounted, too. Behind FUSE (fuse, fuse.sshfs, …) may be anything.
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "ceph", "9p", "afs", "beegfs"}
)
_FUSE = "fuse"
_MOUNTS = "/proc/self/mounts"


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

    from pinyon.model.ids import host_name

    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    whose = os.path.realpath(store)
    if not _is_local(base):  # then at least no other host has the same one open
        whose += f"\0{host_name()}"
    return os.path.join(base, "pinyon", blake2b(whose.encode(), digest_size=8).hexdigest())


def make_cache(folder: str) -> None:
    """Make the directory of a cache; in a project's place, git is told to leave it alone even before there is a store."""
    os.makedirs(folder, exist_ok=True)
    ignore = os.path.join(folder, ".gitignore")
    if os.path.basename(os.path.dirname(folder)) == STORE and not os.path.exists(ignore):
        with open(ignore, "w", encoding="utf-8") as file:
            file.write("*\n")


def repository_around(folder: str) -> str | None:
    """The git repository that a directory lies in; None where there is none."""
    while not os.path.exists(f"{folder}/.git"):
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above
    return folder


def project_around(start: str) -> str | None:
    """The directory of the project that ``start`` lies in; None when there is none.

    The nearest pinyon.yaml upwards decides; where there is none at all, the nearest directory with ``.dvc/`` in it, a
    repository of DVC's with all its dvc.yaml; else the nearest dvc.yaml; without any of them, the nearest directory in
    which `pinyon run -- CMD` has left a store.
    """
    here = os.path.abspath(start)
    for name, there in (
        (SPEC_FILES[0], os.path.isfile),
        (DVC, os.path.isdir),
        (SPEC_FILES[1], os.path.isfile),
        *((name, os.path.isfile) for name in _STORE_FILES),
    ):
        folder = here
        while not there(os.path.join(folder, name)):
            above = os.path.dirname(folder)
            if above == folder:
                break
            folder = above
        else:
            return folder
    return None


def place_in(root: str, directory: str) -> str:
    """Where a directory of a project lies, relative to its root in posix form; "" is the root."""
    place = os.path.relpath(os.path.abspath(directory), root)
    return "" if place == "." else place.replace(os.sep, "/")


def _is_local(path: str) -> bool:
    try:
        with open(_MOUNTS) as file:
            mounts = [line.split(" ", 3)[1:3] for line in file]
    except OSError:
        return True
    where = os.path.realpath(path)
    covering = [
        mount for mount in mounts if where == mount[0] or where.startswith(mount[0].rstrip("/") + "/")
    ]
    kind = max(covering, key=lambda mount: len(mount[0]))[1] if covering else ""
    return kind not in _NETWORK and kind.partition(".")[0] != _FUSE
