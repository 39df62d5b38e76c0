"""md5 as DVC takes it: of a file its bytes, of a folder a list of its files. Nothing is hashed twice."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from pinyon.bridges.dvc.ignore import Ignored
from pinyon.execute import tree
from pinyon.execute.observe import name_files
from pinyon.execute.statcache import StatCache

_CHUNK = 1 << 20  # DVC 2 looks at text in pieces of this size: what is text is decided for each anew
_LOOKED_AT = 512  # bytes of a piece by which text is told from other data
_TEXT = bytes(range(32, 127)) + b"\n\r\t\f\b"


class Digest(NamedTuple):
    """What lies at a path, as dvc.lock tells it. ``nfiles`` is None for a file; ``files`` are (path, md5) of a folder."""

    md5: str
    size: int
    nfiles: int | None = None
    executable: bool = False
    files: tuple[tuple[str, str], ...] = ()


def md5_of(path: str | os.PathLike[str], *, legacy: bool = False) -> str:
    """md5 of a file's bytes in hex; ``legacy`` as DVC 2 took it, with ``\\r\\n`` in text as ``\\n``."""
    hasher = hashlib.md5(usedforsecurity=False)
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            hasher.update(chunk.replace(b"\r\n", b"\n") if legacy and _is_text(chunk[:_LOOKED_AT]) else chunk)
    return hasher.hexdigest()


def _is_text(block: bytes) -> bool:
    return b"\0" not in block and len(block.translate(None, _TEXT)) <= 0.3 * len(block)


def md5_of_listing(files: Iterable[tuple[str, str]]) -> str:
    """The digest of a folder with these (path, md5), ``.dir`` at its end."""
    return hashlib.md5(listing(files), usedforsecurity=False).hexdigest() + ".dir"


def listing(files: Iterable[tuple[str, str]]) -> bytes:
    """What stands in DVC's cache for a folder."""
    rows = [{"md5": md5, "relpath": path} for path, md5 in sorted(files)]
    return json.dumps(rows).encode()


class Hashes:
    """Digests of what lies in a project.

    Args:
        root: what paths are relative to.
        cache: the directory of disposable files; it gets a stat cache for each of the two kinds of md5.
    """

    def __init__(self, root: Path, cache: Path) -> None:
        self._root = root
        self._stats = (StatCache(cache / "md5.sqlite"), StatCache(cache / "md5-dos2unix.sqlite"))
        self._ignored = Ignored(root)
        self._known: dict[tuple[str, bool], Digest | None] = {}

    def close(self) -> None:
        """Write down what was learnt."""
        for stats in self._stats:
            stats.close()

    def of(self, path: str, *, legacy: bool = False) -> Digest | None:
        """The digest of what lies at one path; None when nothing does."""
        self.learn([path], legacy=legacy)
        return self._known[path, legacy]

    def learn(self, paths: Iterable[str], *, legacy: bool = False) -> None:
        """Take the digests of these paths at one go.

        Raises:
            ExecuteError: something there cannot be read.
        """
        found: dict[str, list[tree.File] | None] = {}
        for path in paths:
            if (path, legacy) not in self._known:
                found[path] = self._walk(path)
        files = [file for some in found.values() for file in some or ()]
        namer: Callable[[tree.File], str] = lambda file: md5_of(file.full, legacy=legacy)  # noqa: E731
        names = name_files(str(self._root), files, self._stats[legacy], namer)
        for path, some in found.items():
            self._known[path, legacy] = None if some is None else self._digest(path, some, names)

    def _walk(self, path: str) -> list[tree.File] | None:
        full = os.path.join(self._root, path)
        try:
            files = list(tree.walk(full, skip=()))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return [file for file in files if not file.path or not self._ignored(f"{path}/{file.path}")]

    def _digest(self, path: str, files: list[tree.File], names: dict[str, str]) -> Digest:
        if not os.path.isdir(os.path.join(self._root, path)):
            (file,) = files
            return Digest(names[file.full], file.size, None, bool(file.mode & 0o111))
        rows = tuple((file.path, names[file.full]) for file in files)
        return Digest(md5_of_listing(rows), sum(file.size for file in files), len(rows), False, rows)
