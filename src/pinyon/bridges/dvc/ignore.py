""".dvcignore: files of a folder that DVC leaves out of its digest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pinyon.spec.ignore import Pattern, hidden, patterns

_ALWAYS = ".git\n.hg/\n.dvc/\n"


class Ignored:
    """Whether DVC would not see a file of a project: the .dvcignore at the root, and any in a folder above it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._patterns: dict[str, list[Pattern]] = {}
        self._folders = {"": False}

    def __call__(self, path: str) -> bool:
        """``path`` is a file's, posix, relative to the root."""
        folder = path.rpartition("/")[0]
        return self._folder(folder) or hidden(self._above(folder), path, folder=False)

    def _folder(self, folder: str) -> bool:
        if folder not in self._folders:
            above = folder.rpartition("/")[0]
            self._folders[folder] = self._folder(above) or hidden(self._above(above), folder, folder=True)
        return self._folders[folder]

    def _above(self, folder: str) -> Iterator[Pattern]:
        """The patterns that hold in a folder, those of the root first."""
        if folder:
            yield from self._above(folder.rpartition("/")[0])
        if folder not in self._patterns:
            try:
                text = (self._root / folder / ".dvcignore").read_text()
            except (OSError, UnicodeDecodeError):
                text = ""
            self._patterns[folder] = patterns(text if folder else _ALWAYS + text, folder)
        yield from self._patterns[folder]
