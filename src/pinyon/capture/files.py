"""Which files of a project may be its code, and which of them are left out when code is kept."""

from __future__ import annotations

import os
import stat as stat_
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from pinyon.model import redact
from pinyon.store.redacted import spans

SKIPPED = frozenset(
    {
        ".git", ".hg", ".svn", ".pinyon", ".dvc", "__pycache__", ".venv", "venv", "node_modules",
        ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox", ".ipynb_checkpoints",
    }
)  # fmt: skip
LARGE = 10_000_000  # bytes of a file that git does not track, from which on it is data
_SCANNED = 10_000_000  # bytes of a file that are looked through for secrets
_CROWD = 2_000  # entries of a folder, from which on it holds data
_MANY = 5_000  # files that are code where nobody says which are
# Without git nothing tells code from data but its name.
_CODE = (
    ".py", ".pyi", ".ipynb", ".sh", ".bash", ".r", ".jl", ".lua", ".js", ".ts", ".c", ".cc", ".cpp", ".cu", ".cuh", ".h",
    ".hpp", ".rs", ".go", ".java", ".scala", ".pl", ".m", ".sql", ".yaml", ".yml", ".toml", ".json", ".cfg", ".ini",
    ".md", ".rst", ".txt", ".lock", ".dvc", ".pinyon", ".mk", ".cmake", ".slurm", ".sbatch", ".jinja", ".j2",
)  # fmt: skip
_NAMED = frozenset({"makefile", "dockerfile", "justfile", "snakefile", "pipfile", "procfile", "rakefile"})

Stamp = tuple[int, int, int, int, int]  # mtime_ns, size, inode, ctime_ns, mode


class Kept(NamedTuple):
    """What is known of a file: how it looked, the name of its bytes, and why it is left out ("" where it is not)."""

    stamp: Stamp
    name: str
    why: str


def stamp_of(full: str) -> Stamp | None:
    """How a plain file looks; None where there is none."""
    try:
        info = os.stat(full)
    except OSError:
        return None
    if not stat_.S_ISREG(info.st_mode):
        return None
    return info.st_mtime_ns, info.st_size, info.st_ino, info.st_ctime_ns, info.st_mode


def walk(root: str, made: Collection[str]) -> Iterator[str]:
    """What looks like code below ``root``, where no git says what is; at most so many files that data cannot hide there.

    Args:
        made: paths that stages make.
    """
    outs = frozenset(made)
    todo, count = [""], 0
    while todo and count < _MANY:
        prefix = todo.pop()
        try:
            with os.scandir(os.path.join(root, prefix)) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            continue
        if len(found) > _CROWD:
            continue
        for entry in found:
            path = prefix + entry.name
            if path in outs or entry.name in SKIPPED:
                continue
            if entry.is_dir(follow_symlinks=False):
                if not entry.name.startswith("."):
                    todo.append(f"{path}/")
            elif _is_code(entry.name):
                count += 1
                yield path


def _is_code(name: str) -> bool:
    lower = name.lower()
    return lower.endswith(_CODE) or lower in _NAMED


def refusal(path: str, size: int, *, tracked: bool, values: Sequence[str]) -> str:
    """Why a file is left out, as far as its name and its size tell; "" where they do not."""
    if redact.names_secret_file(path):
        return "secret file"
    if redact.spans(path, values):
        return "secret in its name"
    if not tracked and size > LARGE:
        return "large"
    try:
        path.encode()
    except UnicodeEncodeError:
        return "name is not UTF-8"
    return ""


def holds_secret(data: bytes) -> bool:
    """Whether bytes hold what looks like a secret, or one that this process was started with."""
    return bool(spans(data[:_SCANNED]))
