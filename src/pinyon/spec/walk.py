"""The files of a repository of DVC's that declare something: every ``dvc.yaml`` and ``*.dvc``, wherever they lie.

Left out are, as DVC does: what .dvcignore says, in a git repository what .gitignore says, repositories inside this one,
and directories that are data: what lies in an out is no part of the project.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pinyon.errors import SpecError
from pinyon.spec import files
from pinyon.spec.ignore import Pattern, hidden, patterns
from pinyon.store.place import DVC, SPEC_FILES, STORE

_NEVER = frozenset({".git", ".hg", DVC, STORE, "__pycache__"})


class Walk:
    """One walk from the root down, parents first; `leave_out` may be called while it goes on.

    ``folders`` grows meanwhile: every directory that was looked into, and every ignore file that was heeded.
    """

    def __init__(self, root: Path) -> None:
        self.folders: list[str] = []
        self._root = str(root)
        self._left_out: set[str] = set()
        top = _git_top(self._root)
        self._ignores = (".dvcignore",) if top is None else (".gitignore", ".dvcignore")
        below = os.path.relpath(self._root, top) if top else "."
        self._prefix = "" if below == "." else f"{below}/"
        self._above: list[Pattern] = []
        for depth in range(self._prefix.count("/")):
            base = "/".join(self._prefix.split("/")[:depth])
            text = _text(Path(top or "", base, ".gitignore"), ".gitignore")
            self._above += patterns(text, base) if text else []

    def leave_out(self, path: str) -> None:
        """Do not go into this directory: it is data."""
        self._left_out.add(path)

    def __iter__(self) -> Iterator[str]:
        """Files that declare something, relative to the root."""
        stack = [("", self._above)]
        while stack:
            folder, known = stack.pop()
            if folder in self._left_out:
                continue
            inner, names = self._list(folder)
            if folder and DVC in inner:
                continue  # a repository of its own
            self.folders.append(folder)
            known = self._with_ignores(folder, names, known)
            for name in names:
                declares = name == SPEC_FILES[1] or (name.endswith(DVC) and name != DVC)
                path = f"{folder}/{name}" if folder else name
                if declares and not hidden(known, self._prefix + path, folder=False):
                    yield path
            for name in reversed(inner):
                path = f"{folder}/{name}" if folder else name
                if name not in _NEVER and not hidden(known, self._prefix + path, folder=True):
                    stack.append((path, known))

    def _list(self, folder: str) -> tuple[list[str], list[str]]:
        """Directories and files in a directory, sorted; links to directories are not followed."""
        inner, names = [], []
        try:
            with os.scandir(os.path.join(self._root, folder)) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        inner.append(entry.name)
                    else:
                        names.append(entry.name)
        except OSError:
            pass  # unreadable, or gone meanwhile: nothing in it can be read
        return sorted(inner), sorted(names)

    def _with_ignores(self, folder: str, names: list[str], known: list[Pattern]) -> list[Pattern]:
        for name in self._ignores:
            if name in names:
                path = f"{folder}/{name}" if folder else name
                self.folders.append(path)
                more = patterns(_text(Path(self._root, path), path), (self._prefix + folder).rstrip("/"))
                known = [*known, *more]
        return known


def _git_top(root: str) -> str | None:
    """The git repository that a directory lies in."""
    folder = os.path.abspath(root)
    while not os.path.exists(os.path.join(folder, ".git")):
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above
    return folder


def _text(path: Path, name: str) -> str:
    try:
        raw = files.read(path, name, files.PROJECT_LIMIT)
    except SpecError:
        return ""  # a broken ignore file leaves nothing out
    return (raw or b"").decode("utf-8", "replace")
