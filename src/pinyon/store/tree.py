"""Manifests: the blob that stands for a directory (docs/FORMAT.md §2). Pure; walking is `execute`'s."""

from __future__ import annotations

import json
from collections.abc import Iterable
from operator import itemgetter
from typing import Any, NamedTuple

from pinyon.errors import CorruptError, PlanError

_HEADER = b"pinyon-tree 1\n"
_EXECUTABLE = ',"x"'
_quoted = json.JSONEncoder(ensure_ascii=False).encode


class Row(NamedTuple):
    """One file of a directory: posix path relative to it, name, size in bytes."""

    path: str
    name: str
    size: int
    executable: bool = False


def encode(rows: Iterable[Row]) -> bytes:
    """The manifest's bytes, the same for every order of rows."""
    # Canonical JSON row by row, a third of the time of `canonical`: text and whole numbers have one form, and sorting by
    # code points is sorting by the bytes of their UTF-8.
    table = [
        f"[{_quoted(path)},{_quoted(name)},{size}{_EXECUTABLE if executable else ''}]"
        for path, name, size, executable in sorted(rows, key=itemgetter(0))
    ]
    try:
        return _HEADER + f"[{','.join(table)}]\n".encode()
    except UnicodeEncodeError as error:
        raise PlanError("a path in this folder is not UTF-8", next="rename the file") from error


def decode(data: bytes) -> list[Row]:
    """Rows of a manifest.

    Raises:
        CorruptError: not a manifest, or one with a path that would leave its directory.
    """
    if not data.startswith(_HEADER):
        raise CorruptError("this blob is not a directory's manifest", next="pinyon verify")
    try:
        table = json.loads(data[len(_HEADER) :])
        if not isinstance(table, list):
            raise TypeError("not a list")
        rows = [_row(item) for item in table]
    except (ValueError, TypeError, RecursionError) as error:
        raise CorruptError("this manifest is unreadable", next="pinyon verify") from error
    for row in rows:
        parts = row.path.split("/")
        if "\0" in row.path or "" in parts or "." in parts or ".." in parts:
            raise CorruptError(
                f"the manifest names '{row.path}'", why="such a path could lie outside the directory"
            )
    if len({row.path for row in rows}) < len(rows):
        raise CorruptError("the manifest names a path twice", next="pinyon verify")
    return rows


def _row(item: Any) -> Row:
    path, name, size, *marks = item
    if not (isinstance(path, str) and isinstance(name, str) and type(size) is int):
        raise TypeError("not [text, text, number]")
    return Row(path, name, size, bool(marks))
