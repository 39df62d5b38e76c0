"""Files of imported runs, and how they come into the store: many runs' at once, so that small ones share a file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from pinyon.bridges.moving.nouns import Kept
from pinyon.store import tree
from pinyon.store.local import LocalStore


class Stored(NamedTuple):
    """Bytes in the store; a folder's digest ends in ``/``, and its size is that of all its files."""

    digest: str
    size: int


def files_below(top: str, prefix: str = "") -> Iterator[Kept]:
    """The files of a run. A folder that holds a model is one thing.

    Args:
        prefix: of their names, with a slash at its end.
    """
    for folder, folders, names in os.walk(top):
        folders.sort()
        inside = os.path.relpath(folder, top).replace(os.sep, "/")
        name = prefix.rstrip("/") if inside == os.curdir else prefix + inside
        if "MLmodel" in names and name:
            folders.clear()
            yield Kept(name, folder, "model", {"format": "mlflow"})
            continue
        for file in sorted(names):
            yield Kept(f"{name}/{file}" if name else file, os.path.join(folder, file))


def store_all(store: LocalStore, paths: Iterable[str]) -> dict[str, Stored | str]:
    """What became of files and folders: by path, or why one cannot be kept."""
    found: dict[str, Stored | str] = {}
    members: dict[str, list[str]] = {}
    for path in dict.fromkeys(paths):
        try:
            members[path] = _files(path)
        except OSError as error:
            found[path] = _why(error)
    digests = _put(store, list(dict.fromkeys(file for files in members.values() for file in files)))
    for path, files in members.items():
        refused = next((why for file in files if isinstance(why := digests[file], str)), None)
        if refused is not None:
            found[path] = refused
        elif os.path.isdir(path):
            rows = [_row(path, file, digests[file]) for file in files]
            found[path] = Stored(store.blobs.put(tree.encode(rows)) + "/", sum(row.size for row in rows))
        else:
            found[path] = digests[path]
    return found


def _row(top: str, file: str, stored: Stored | str) -> tree.Row:
    assert isinstance(stored, Stored), file
    inside = os.path.relpath(file, top).replace(os.sep, "/")
    return tree.Row(inside, stored.digest, stored.size, os.access(file, os.X_OK))


def _files(path: str) -> list[str]:
    """A file, or what lies in a folder, as manifests count it (docs/FORMAT.md §2).

    Raises:
        OSError: it is not there.
    """
    if not os.path.isdir(path):
        os.stat(path)
        return [path]
    found = []
    for folder, folders, names in os.walk(path, followlinks=True):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        found += [os.path.join(folder, name) for name in sorted(names)]
    return found


def _put(store: LocalStore, files: list[str]) -> dict[str, Stored | str]:
    sizes: dict[str, int] = {}
    try:
        names = store.blobs.put_many(files)
        for file, name in zip(files, names, strict=True):
            sizes[file] = store.blobs.size(name)
        return {file: Stored(name, sizes[file]) for file, name in zip(files, names, strict=True)}
    except OSError:  # one of them cannot be read; which, and only that one
        return {file: _put_one(store, file) for file in files}


def _put_one(store: LocalStore, file: str) -> Stored | str:
    try:
        name = store.blobs.put(Path(file))
        return Stored(name, store.blobs.size(name))
    except OSError as error:
        if error.filename != file:  # the store's own disk refuses
            raise
        return _why(error)


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
