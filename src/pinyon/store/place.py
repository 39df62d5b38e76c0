"""Where a project's store and its disposable cache lie. Imported at every call: nothing heavy may come in here."""

from __future__ import annotations

import os

STORE = ".pinyon"
SPEC_FILES = ("pinyon.yaml", "dvc.yaml")
DVC = ".dvc"  # a repository of DVC's has such a directory

_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "ceph", "9p", "afs", "beegfs", "fuse.sshfs"}
)


def cache_of(store: str) -> str:
    """The cache directory of a store; on a local disk always, since sqlite is unsafe elsewhere (docs/FORMAT.md §1)."""
    if _is_local(store):
        return os.path.join(store, "cache")
    from hashlib import blake2b

    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "pinyon", blake2b(os.path.realpath(store).encode(), digest_size=8).hexdigest())


def project_around(start: str) -> str | None:
    """The directory of the project that ``start`` lies in; None when there is none.

    The nearest pinyon.yaml upwards decides; where there is none at all, the nearest directory with ``.dvc/`` in it, a
    repository of DVC's with all its dvc.yaml; else the nearest dvc.yaml.
    """
    here = os.path.abspath(start)
    for name, there in (
        (SPEC_FILES[0], os.path.isfile),
        (DVC, os.path.isdir),
        (SPEC_FILES[1], os.path.isfile),
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
        with open("/proc/self/mounts") as file:
            mounts = [line.split(" ", 3)[1:3] for line in file]
    except OSError:
        return True
    where = os.path.realpath(path)
    covering = [
        mount for mount in mounts if where == mount[0] or where.startswith(mount[0].rstrip("/") + "/")
    ]
    return not covering or max(covering, key=lambda mount: len(mount[0]))[1] not in _NETWORK
