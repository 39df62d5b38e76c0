"""Pointers: small files that name data which git does not hold (docs/FORMAT.md §2)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pinyon.errors import SpecError
from pinyon.model.project import Origin, Pointer
from pinyon.spec import files
from pinyon.spec.checks import Check, SchemaError, closed, mapping, text
from pinyon.spec.checks import Path as Place
from pinyon.store.place import POINTER

LIMIT = 64_000  # bytes of a pointer file
_DIGEST = re.compile(r"blake3:[0-9a-f]{64}/?")
_SKIPPED = frozenset(
    {".git", ".hg", ".svn", ".pinyon", ".dvc", ".venv", "venv", "node_modules", "__pycache__"}
)


def read_pointer(root: Path, relpath: str) -> Pointer:
    """The pointer that the file at ``relpath`` (posix, seen from ``root``) is.

    Raises:
        SpecError: absent, or not a pointer, with the line.
    """
    raw = files.read(root / relpath, relpath, LIMIT)
    if raw is None:
        raise SpecError("there is no such pointer", where=relpath, next="pinyon add, or git checkout it")
    from pinyon.spec.yaml import load_yaml  # PyYAML is not for projects without pointers

    document = load_yaml(raw, relpath, LIMIT)
    data = document.data
    try:
        _check(data, ())
    except SchemaError as error:
        line = document.lines.get(str(error.path[0]), 0) if error.path else 0
        raise SpecError(
            error.what, where=str(Origin(relpath, line)), why=error.why, next=error.next
        ) from None
    folder, _, name = relpath.rpartition("/")
    beside = data.get("path", name.removesuffix(POINTER))
    return Pointer(
        f"{folder}/{beside}" if folder else beside, data["digest"], data["size"], Origin(relpath), "pinyon"
    )


def write_pointer(
    name: str, digest: str, size: int, count: int | None, about: Mapping[str, Any] | None = None
) -> bytes:
    """The bytes of the pointer file beside a file or folder called ``name``; ``count`` files for a folder."""
    from pinyon.spec.yaml import dump_yaml

    fields: dict[str, Any] = {"v": 1, "path": name, "digest": digest, "size": size}
    if count is not None:
        fields["files"] = count
    if about:
        fields["data"] = dict(about)
    return dump_yaml(fields)


def about_of(root: Path, relpath: str) -> dict[str, Any]:
    """What a pointer says of its data's origin; empty when it says nothing, or is no pointer."""
    raw = files.read(root / relpath, relpath, LIMIT)
    from pinyon.spec.yaml import load_yaml

    data = load_yaml(raw, relpath, LIMIT).data if raw else None
    found = data.get("data") if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}


def find_pointers(root: Path, paths: Iterable[str], outs: Iterable[str] = ()) -> tuple[Pointer, ...]:
    """Pointers beside these paths (posix, seen from ``root``) and beside directories above them; and inside them where
    they are directories, unless they are ``outs``. Costs one listing for each directory.

    Raises:
        SpecError: one of them is broken.
    """
    listing = _Listing(str(root))
    found: dict[str, None] = {}
    for path, inside in [*((path, True) for path in paths), *((path, False) for path in outs)]:
        if path.startswith(("/", "../")) or path == "..":
            continue  # what lies outside is not ours to restore
        found.update(dict.fromkeys(listing.above(path)))
        if inside:
            found.update(dict.fromkeys(listing.below("" if path == "." else path)))
    return tuple(read_pointer(root, file) for file in found)


def all_pointers(root: Path) -> list[str]:
    """Every pointer file of the project, sorted; folders that a pointer names are not searched."""
    return sorted(_Listing(str(root)).below(""))


class _Listing:
    """What lies in directories, each read once."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._known: dict[str, tuple[frozenset[str], tuple[str, ...]]] = {}

    def above(self, path: str) -> Iterator[str]:
        """Paths of the pointer files beside a path and beside what lies above it."""
        while path and path != ".":
            folder, _, name = path.rpartition("/")
            if name + POINTER in self._list(folder)[0]:
                yield path + POINTER
            path = folder

    def below(self, folder: str) -> Iterator[str]:
        """Paths of pointer files at any depth of it; none for what is no directory."""
        names, folders = self._list(folder)
        prefix = f"{folder}/" if folder else ""
        yield from (prefix + name for name in names)
        for name in folders:
            if name + POINTER not in names and name not in _SKIPPED:
                yield from self.below(prefix + name)

    def _list(self, folder: str) -> tuple[frozenset[str], tuple[str, ...]]:
        if folder not in self._known:
            names, folders = [], []
            try:
                with os.scandir(os.path.join(self._root, folder)) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            folders.append(entry.name)
                        elif entry.name.endswith(POINTER) and len(entry.name) > len(POINTER):
                            names.append(entry.name)
            except OSError:
                pass
            self._known[folder] = (frozenset(names), tuple(folders))
        return self._known[folder]


def _version(value: Any, path: Place) -> None:
    if value != 1 or isinstance(value, bool):
        raise SchemaError(path, f"v is {value!r}, and this Pinyon knows 1", next="pip install -U pinyon")


def _digest(value: Any, path: Place) -> None:
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise SchemaError(path, "digest must be blake3: and 64 hex digits, with / at the end for a folder")


def _beside(value: Any, path: Place) -> None:
    text(value, path)
    if "/" in value or value in ("", ".", "..") or "\0" in value:
        raise SchemaError(path, "path must be the name of something beside this file")


def _count(value: Any, path: Place) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise SchemaError(path, f"{path[-1]} must be a whole number of at least 0")


_fields: dict[str, Check] = {
    "v": _version, "path": _beside, "digest": _digest, "size": _count, "files": _count, "data": mapping
}  # fmt: skip
_check = closed(_fields, required=("v", "digest", "size"))
