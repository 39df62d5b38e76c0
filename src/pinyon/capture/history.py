"""Files by name in the history of a git repository."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path


def versions(root: Path, suffix: str, *, all_commits: bool = False) -> list[bytes] | None:
    """The bytes of every file whose name ends in ``suffix`` at every branch, tag, stash and HEAD, or in every commit.

    Gives None where git cannot tell, though there may be a history. [] outside a repository.
    """
    inside = _git(root, "rev-parse", "--git-dir")
    if inside is None:
        return None if _has_repository(root) else []
    how = ["--all"] if all_commits else ["--no-walk", "--all"]
    listed = _git(root, "rev-list", "--objects", *how, *_head(root))
    if listed is None:
        return None
    names = {line.partition(b" ")[0] for line in _paths(listed, suffix)}
    if not names:
        return []
    found = _git(root, "cat-file", "--batch", input=b"".join(name + b"\n" for name in sorted(names)))
    return None if found is None else list(_contents(found))


def _paths(listed: bytes, suffix: str) -> Iterator[bytes]:
    end = suffix.encode()
    return (line for line in listed.splitlines() if line.endswith(end) and b" " in line)


def _head(root: Path) -> list[str]:
    """HEAD, which may stand on no branch; nothing before the first commit."""
    return ["HEAD"] if _git(root, "rev-parse", "--verify", "-q", "HEAD") is not None else []


def _contents(batch: bytes) -> Iterator[bytes]:
    """Objects as ``git cat-file --batch`` writes them: a line ``NAME TYPE SIZE``, the bytes, a line feed."""
    at = 0
    while at < len(batch):
        end = batch.index(b"\n", at)
        header, at = batch[at:end].split(b" "), end + 1
        if len(header) == 3:
            size = int(header[2])
            yield batch[at : at + size]
            at += size + 1


def _has_repository(root: Path) -> bool:
    return any((folder / ".git").exists() for folder in (root, *root.parents))


def _git(root: Path, *arguments: str, input: bytes | None = None) -> bytes | None:  # noqa: A002 - subprocess's word
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, input=input, check=False)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None
