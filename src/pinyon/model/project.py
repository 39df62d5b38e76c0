"""What the user wrote, not yet resolved: templates that remember where they stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple


class Origin(NamedTuple):
    """A place in a file of the user's; ``line`` counts from 1, 0 means the whole file."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class StageTemplate(NamedTuple):
    """One stage as written: ``body`` has passed the schema and may hold ``${…}`` anywhere.

    ``base`` is the directory of the file it stands in, relative to the project root in posix form ("" is the root).
    ``dialect`` is ``pinyon`` or ``dvc``: a list ``cmd`` is one argument vector in the first, several shell lines in the
    second. ``lines`` maps a path of keys joined by dots (``deps.0``) to a line, for errors.
    """

    name: str
    body: Mapping[str, Any]
    origin: Origin
    base: str = ""
    dialect: str = "pinyon"
    lines: Mapping[str, int] = {}

    def at(self, *path: object) -> Origin:
        """Where a part of the body stands; the nearest enclosing part that has a line."""
        keys = [str(part) for part in path]
        while keys:
            line = self.lines.get(".".join(keys))
            if line:
                return Origin(self.origin.file, line)
            keys.pop()
        return self.origin


class Pointer(NamedTuple):
    """Data that git does not hold, told by a small file beside it: ``NAME.pinyon`` of ours, ``NAME.dvc`` of DVC's.

    ``path`` is relative to the project root, posix. ``digest`` is ``blake3:HEX`` or ``md5:HEX``, with ``/`` at the end
    for a directory, "" when the file names none; ``md5-dos2unix:HEX`` is of text whose line ends were changed first.
    ``size`` in bytes, of all files of a directory together. ``kind`` says whose file it is, and so which store may have
    the bytes.
    """

    path: str
    digest: str
    size: int | None
    origin: Origin
    kind: Literal["pinyon", "dvc"] = "pinyon"


class Project(NamedTuple):
    """A directory with ``pinyon.yaml`` or ``dvc.yaml``: templates, and the files they were read from.

    ``variables`` maps a base directory to the ``vars`` list written there. ``settings`` holds the top-level sections
    other than stages, by name, for the rooms that read them. ``pointers`` are data files that nobody's command makes.
    ``sections`` are those sections file by file, as they were written, and ``lines`` the lines of their dotted paths of
    keys, such as ``experiments.sweep.phases``. ``folders`` are the directories that were searched
    for such files, and the ignore files that said where not to search: a change in one may change the project.
    """

    root: str
    name: str
    files: tuple[str, ...]
    stages: tuple[StageTemplate, ...]
    variables: Mapping[str, tuple[Any, ...]] = {}
    settings: Mapping[str, Any] = {}
    pointers: tuple[Pointer, ...] = ()
    sections: Mapping[str, Mapping[str, Any]] = {}
    folders: tuple[str, ...] = ()
    lines: Mapping[str, Mapping[str, int]] = {}


class Goal(NamedTuple):
    """What the user asked for.

    ``stages`` empty means all of them. ``overrides`` are ``-S key=value`` pairs, typed. ``isolated`` runs attempts in
    workspaces of their own, so the user's files are not touched. ``single`` takes the named stages without what they
    need, ``downstream`` takes what needs them too, ``glob`` reads the names as patterns. ``pull`` fetches missing data.
    ``directory`` is where the user stands, relative to the root ("" is the root): names are looked up there first.
    ``experiment`` is carried out instead of stages; of its phases those in ``skip`` are left out, their recorded winners
    taken, and with ``only`` all that are not in it.
    """

    stages: tuple[str, ...] = ()
    overrides: tuple[tuple[str, Any], ...] = ()
    force: bool = False
    keep_going: bool = False
    isolated: bool = False
    single: bool = False
    downstream: bool = False
    glob: bool = False
    pull: bool = False
    directory: str = ""
    experiment: str = ""
    skip: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
