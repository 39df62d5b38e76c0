"""Who, and which code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pinyon.model.actor import user_name


def user() -> str:
    """The user's name as the environment tells it, else the number."""
    return user_name()


def git(root: Path) -> dict[str, Any] | None:
    """Commit and whether files below ``root`` differ from it; None outside a repository or without git."""
    return code(root)[0]


def code(root: Path) -> tuple[dict[str, Any] | None, str]:
    """What `git` says, and, where it cannot although there is a repository, why not.

    Git refuses to read a repository of another user's, since its configuration could name programs to run. That is not
    ours to overrule.
    """
    import subprocess  # slow to import, and needed only when something is about to run

    # Both in one process: --branch says "# branch.oid COMMIT", every further line is a difference.
    command = ["git", "status", "--porcelain=v2", "--branch", "--", "."]
    english = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, cwd=root, capture_output=True, text=True, timeout=30, check=False, env=english
        )
    except (OSError, subprocess.TimeoutExpired):
        return None, ""
    if done.returncode != 0 and "dubious ownership" in done.stderr:
        return None, "git does not trust this repository, which belongs to another user"
    facts = dict(line[2:].split(" ", 1) for line in done.stdout.splitlines() if line.startswith("# "))
    commit = facts.get("branch.oid", "(initial)")
    if done.returncode != 0 or commit == "(initial)":
        return None, ""
    found = {"commit": commit, "dirty": any(not line.startswith("# ") for line in done.stdout.splitlines())}
    return found, ""
