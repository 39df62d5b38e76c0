"""The code that isolated attempts run: the project's files, frozen as one tree in the store."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from pinyon.capture.files import SKIPPED
from pinyon.errors import ExecuteError
from pinyon.execute import tree
from pinyon.execute.observe import name_files
from pinyon.execute.statcache import StatCache
from pinyon.model.redact import names_secret_file
from pinyon.store.protocol import Store
from pinyon.store.tree import Row, encode

LARGEST = 100_000_000  # bytes of a file that neither git nor a stage names


class Candidate(NamedTuple):
    """A file that might belong to the bundle, and whether somebody named it (git by tracking, a stage as a dep)."""

    path: str
    named: bool


def freeze(
    top: str | os.PathLike[str],
    store: Store,
    cache: StatCache,
    exclude: Iterable[str] = (),
    extra: Iterable[str] = (),
) -> str:
    """Store the project's files and return the tree's name.

    Args:
        top: absolute path of the project.
        exclude: outs of stages; attempts get them as inputs.
        extra: source deps, which belong to it even if git ignores them.

    Raises:
        ExecuteError: a file cannot be read, or big files lie about that nobody named; they are listed.
    """
    root = os.fspath(top)
    outs = [path.rstrip("/") for path in exclude]
    paths: dict[str, bool] = {}
    for path, named in [*_project(root), *_sources(root, extra)]:
        if not any(path == out or path.startswith(f"{out}/") for out in outs):
            paths[path] = paths.get(path, False) or named
    # What nobody named and is called like a secret stays at home, as if git ignored it.
    paths = {path: named for path, named in paths.items() if named or not names_secret_file(path)}
    files = {path: _stat(root, path) for path in paths}
    _refuse_strays(file for path, file in files.items() if not paths[path])
    names = name_files(root, files.values(), cache, lambda file: store.blobs.put(Path(file.full)))
    unkept = store.blobs.unkept(
        names.values()
    )  # what the cache knows may not be in the store, or is on its way out
    for file in files.values():
        if names[file.full] in unkept:
            names[file.full] = store.blobs.put(Path(file.full))
    rows = [Row(path, names[file.full], file.size, file.executable) for path, file in files.items()]
    return store.blobs.put(encode(rows)) + "/"


def _project(root: str) -> Iterator[Candidate]:
    listed = _git_files(root)
    if not listed:  # no git, or a folder that some repository around it ignores as a whole
        yield from _walk(root, "", named=False)
    for row in listed:
        tag, _, path = row.partition(" ")
        if path and not SKIPPED.intersection(path.split("/")):
            yield from _expand(root, path, named=tag != "?")


def _git_files(root: str) -> list[str]:
    """``H path`` of each tracked and ``? path`` of each other file that git does not ignore."""
    import subprocess

    command = ["git", "-C", root, "ls-files", "-z", "-t", "--cached", "--others", "--exclude-standard"]
    try:
        answer = subprocess.run(command, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    return answer.decode("utf-8", "surrogateescape").split("\0")[:-1]


def _sources(root: str, extra: Iterable[str]) -> Iterator[Candidate]:
    for path in extra:
        inside = not os.path.isabs(path) and not path.startswith("../")
        if inside:  # what lies outside the project is where it was, for every attempt
            yield from _expand(root, path, named=True)


def _expand(root: str, path: str, *, named: bool) -> Iterator[Candidate]:
    """A file is itself, a directory (a submodule, a linked folder) all its files; what is gone is nothing."""
    full = os.path.join(root, path)
    if os.path.isdir(full):
        yield from _walk(root, f"{path.rstrip('/')}/", named=named)
    elif os.path.isfile(full):
        yield Candidate(path, named)


def _walk(root: str, prefix: str, *, named: bool) -> Iterator[Candidate]:
    for file in tree.walk(os.path.join(root, prefix), skip=SKIPPED):
        yield Candidate(prefix + file.path, named)


def _stat(root: str, path: str) -> tree.File:
    (file,) = tree.walk(os.path.join(root, path))
    return file


def _refuse_strays(files: Iterable[tree.File]) -> None:
    large = sorted(file.full for file in files if file.size > LARGEST)
    if large:
        raise ExecuteError(
            f"neither git nor a stage names these large files: {', '.join(large)}",
            why=f"each is over {LARGEST // 1_000_000} MB, and every workspace would get a copy",
            next="name them in deps, or add them to .gitignore",
        )
