"""The small files beside data: ``.gitignore``, and how one is written whole. Imported at every `pinyon add`: nothing heavy
may come in here."""

from __future__ import annotations

import os
import re

from pinyon.store.disk import fsync
from pinyon.store.place import repository_around

_SPECIAL = re.compile(r"([\\*?\[\]])")

Root = str | os.PathLike[str]


def repository(root: Root) -> str | None:
    """The git repository around the project; None where there is none."""
    return repository_around(os.fspath(root))


def is_ignored(root: Root, path: str) -> bool:
    """Whether `ignore` would change nothing."""
    return repository(root) is None or _line(path) in _lines(_ignoring(root, path))


def ignore(root: Root, path: str) -> None:
    """Add the data to the ``.gitignore`` of its folder; nothing outside a repository, or when it stands there."""
    if is_ignored(root, path):
        return
    file = _ignoring(root, path)
    lines = _lines(file)
    # A file without a line feed at its end would swallow the new line.
    write_whole(
        file, "".join(f"{line}\n" for line in [*lines, _line(path)]).encode("utf-8", "surrogateescape")
    )


def _ignoring(root: Root, path: str) -> str:
    return os.path.join(root, os.path.dirname(path), ".gitignore")


def _line(path: str) -> str:
    name = _SPECIAL.sub(r"\\\1", os.path.basename(path))
    return f"/{name[:-1]}\\ " if name.endswith(" ") else f"/{name}"


def _lines(file: str) -> list[str]:
    try:
        with open(file, encoding="utf-8", errors="surrogateescape", newline="\n") as stream:
            text = stream.read()
    except FileNotFoundError:
        return []
    return text.removesuffix("\n").split("\n") if text else []


def write_whole(path: str, data: bytes) -> None:
    """Write a file so that it is there old or new, never half, and survives loss of power."""
    temporary = f"{os.path.dirname(path)}/.{os.urandom(6).hex()}.pinyon-new"
    try:
        with open(temporary, "xb") as file:
            file.write(data)
        fsync(temporary)
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
    fsync(os.path.dirname(path))
