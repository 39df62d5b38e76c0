"""Files as git has them at a revision, without touching the work tree."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

_PATIENCE = 60.0  # seconds for one call of git


class Tracked(NamedTuple):
    """One file of a revision: the id of its blob in git, its size in bytes, and whether it is executable."""

    oid: str
    size: int
    executable: bool = False


def commit_of(root: Path, revision: str) -> str | None:
    """The commit that a revision (a branch, a tag, ``HEAD~2``, …) means; None when git knows none, or is not there."""
    answer = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    return answer.decode().strip() if answer is not None else None


def files_of(root: Path, commit: str) -> dict[str, Tracked]:
    """Every plain file below ``root`` at a commit, by its path relative to ``root``."""
    found: dict[str, Tracked] = {}
    for row in (_git(root, "ls-tree", "-r", "-l", "-z", commit) or b"").split(b"\0"):
        about, tab, path = row.partition(b"\t")
        if tab and about.startswith(b"100"):  # neither links nor submodules
            mode, _, oid, size = about.decode().split()
            found[path.decode(errors="surrogateescape")] = Tracked(oid, int(size), mode == "100755")
    return found


def names(root: Path) -> list[str]:
    """Branches and tags, and HEAD; nothing outside a repository."""
    answer = _git(root, "for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/tags")
    return ["HEAD", *answer.decode(errors="replace").split()] if answer is not None else []


def is_ignored(root: Path, path: str) -> bool:
    """Whether git ignores a path."""
    return _git(root, "check-ignore", "-q", path) is not None


def complaint(root: Path) -> str:
    """Why git does not work here, in its own words (English); "" when it does; "no git" when it is not installed."""
    command = ["git", "rev-parse", "--show-toplevel"]
    try:
        done = subprocess.run(
            command,
            cwd=root,
            env={**os.environ, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "no git"
    return done.stderr if done.returncode else ""


def extract(root: Path, files: Mapping[str, Tracked], into: Path) -> None:
    """Write files of a revision below a directory."""
    if not files:
        return
    asked = "".join(f"{file.oid}\n" for file in files.values()).encode()
    answer = _git(root, "cat-file", "--batch", stdin=asked) or b""
    place = 0
    for path in files:
        head, _, _ = answer[place : place + 200].partition(b"\n")
        if not head or head.endswith(b"missing"):
            return  # a partial clone; what is not here counts as absent
        place += len(head) + 1
        size = int(head.split()[2])
        target = into / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(answer[place : place + size])
        if files[path].executable:
            target.chmod(target.stat().st_mode | 0o111)
        place += size + 1


def _git(root: Path, *words: str, stdin: bytes = b"") -> bytes | None:
    command = ["git", *words]
    try:
        done = subprocess.run(
            command, cwd=root, input=stdin, capture_output=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
