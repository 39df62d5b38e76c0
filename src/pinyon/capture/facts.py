"""Who, and which code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from pinyon.model.actor import user_name

_FIELDS = {"1": 7, "2": 8, "u": 9}  # of git status --porcelain=v2, before the path


def user() -> str:
    """The user's name as the environment tells it, else the number."""
    return user_name()


class Status(NamedTuple):
    """What git says of the files below a project's directory.

    Attributes:
        commit: the one that is checked out; "" outside a repository, before the first commit, and without git.
        changed: tracked files that differ from it, or are gone, relative to the top of the repository.
        untracked: files that it neither tracks nor ignores, likewise.
        note: why git does not say, although there is a repository.
    """

    commit: str = ""
    changed: tuple[str, ...] = ()
    untracked: tuple[str, ...] = ()
    note: str = ""

    @property
    def git(self) -> dict[str, Any] | None:
        """As `execution` records it (docs/FORMAT.md §4)."""
        return {"commit": self.commit, "dirty": bool(self.changed or self.untracked)} if self.commit else None


def git(root: Path) -> dict[str, Any] | None:
    """Commit and whether files below ``root`` differ from it; None outside a repository or without git."""
    return status(root).git


def status(root: Path) -> Status:
    """What git says, in one call; neither its index nor its objects are written to.

    Git refuses to read a repository of another user's, since its configuration could name programs to run. That is not
    ours to overrule.
    """
    import subprocess  # slow to import, and needed only when something is about to run

    # All in one process: --branch says "# branch.oid COMMIT", every further row is a difference.
    command = ["git", "--no-optional-locks", "status", "--porcelain=v2", "--branch", "-z", "-uall", "--", "."]
    english = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, timeout=30, check=False, env=english)
    except (OSError, subprocess.TimeoutExpired):
        return Status()
    if done.returncode != 0 and b"dubious ownership" in done.stderr:
        return Status(note="git does not trust this repository, which belongs to another user")
    if done.returncode != 0:
        return Status()
    return _status(done.stdout.decode("utf-8", "surrogateescape").split("\0"))


def _status(rows: list[str]) -> Status:
    commit, changed, untracked = "", [], []
    left = iter(rows)
    for row in left:
        kind, _, rest = row.partition(" ")
        if row.startswith("# branch.oid "):
            commit = row.split(" ")[2]
        elif kind == "?":
            untracked.append(rest)
        elif kind in _FIELDS:
            changed.append(rest.split(" ", _FIELDS[kind])[-1])
            if kind == "2":
                changed.append(next(left, ""))  # where it was before
    return Status() if commit == "(initial)" else Status(commit, tuple(changed), tuple(untracked))
