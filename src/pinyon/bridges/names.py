"""What a number of another tool's is called among those of a run: as the script says, unless two would be one.

A name must not depend on when a file was noticed, or runs of one script could not be compared. So the first file of a
tool gives its names as they are, "first" by when the files were begun, and only further ones get something in front.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable

_MOMENT = re.compile(r"\d{10}\.\d+")  # a folder that `add_hparams` names by the time


class Prefixes:
    """What stands before the names of a file, one after the other in the order in which they were begun."""

    def __init__(self) -> None:
        self._folder = ""  # of the first event file
        self._runs: dict[str, str] = {}  # W&B's id → prefix

    def of_folder(self, folder: str) -> str:
        """For an event file in this folder: its path seen from the first one's, or from where the two part."""
        self._folder = self._folder or folder
        start = self._folder
        if folder != start and not folder.startswith(start + os.sep):
            start = os.path.commonpath([folder, start])
        path = os.path.relpath(folder, start)
        parts = [part for part in path.split(os.sep) if part != os.curdir and not _MOMENT.fullmatch(part)]
        return "".join(f"{part}/" for part in parts)

    def of_run(self, run: str, label: str) -> str:
        """For a run of W&B's: nothing for the first, then its name, or its number where it has none of its own."""
        if run not in self._runs:
            label = (
                f"{label}/" if label and label + "/" not in self._runs.values() else f"{len(self._runs) + 1}/"
            )
            self._runs[run] = label if self._runs else ""
        return self._runs[run]


class Names:
    """Names that two of (Pinyon, W&B, TensorBoard) use: who came first keeps them, the other's get the tool's in front.

    Args:
        logged: names that the script has logged to Pinyon itself until now.
        before: names in points that an earlier process wrote for the same files.
    """

    def __init__(self, logged: Callable[[], set[str]], before: set[str]) -> None:
        self._logged, self._before = logged, before
        self._known: dict[tuple[str, str], str] = {}
        self._owner: dict[str, str] = {}
        self.renamed: dict[str, str] = {}

    def of(self, tool: str, names: list[str]) -> list[str]:
        """What these names of a tool are called here."""
        known = self._known
        if any((tool, name) not in known for name in names):
            logged = self._logged()
            for name in names:
                if (tool, name) not in known:
                    known[tool, name] = self._decide(tool, name, logged)
        return [known[tool, name] for name in names]

    def _decide(self, tool: str, name: str, logged: set[str]) -> str:
        other = f"{tool}/{name}"
        if other in self._before:
            taken = True
        elif name in self._before and name not in self._owner:
            taken = False
        else:
            taken = name in logged or self._owner.get(name, tool) != tool
        if taken:
            self.renamed[name] = other
            return other
        self._owner[name] = tool
        return name
