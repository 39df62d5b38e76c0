"""The driver's eyes: what lies in the project, by name, hashing only what nobody knows yet."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable

from pinyon.errors import ExecuteError
from pinyon.execute import tree
from pinyon.execute.protocol import StatNote
from pinyon.execute.statcache import StatCache

ABSENT = "absent"
_LARGE = 8 << 20  # bytes; hashing such files is worth a thread
_THREADS = 4

Namer = Callable[[tree.File], str]


def observe(top: str | os.PathLike[str], paths: Iterable[str], cache: StatCache) -> dict[str, str]:
    """The name of what lies at each path, or `ABSENT`.

    Args:
        top: absolute path of the project; ``paths`` are relative to it (or absolute).
        cache: is asked first, and learns what had to be hashed.

    Raises:
        ExecuteError: something is there and cannot be read; it is named.
    """
    root, paths = os.fspath(top), list(paths)
    found = {path: _find(root, path) for path in paths}
    files = [file for some in found.values() if some is not None for file in some]
    names = name_files(root, files, cache, tree.name_file)
    return {path: ABSENT if some is None else _name(root, path, some, names) for path, some in found.items()}


def _find(root: str, path: str) -> list[tree.File] | None:
    full = os.path.join(root, path)
    try:
        return list(tree.walk(full))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unreadable(error, full) from error


def _name(root: str, path: str, files: list[tree.File], names: dict[str, str]) -> str:
    if not os.path.isdir(os.path.join(root, path)):
        return names[files[0].full]
    return tree.combine((file, names[file.full]) for file in files).name


def name_files(root: str, files: Iterable[tree.File], cache: StatCache, hash_file: Namer) -> dict[str, str]:
    """Names by full path: from the cache, else by ``hash_file`` (which may store the file), which is then learnt.

    Raises:
        ExecuteError: a file cannot be read; it is named.
    """
    by_key = {_key(root, file.full): file for file in files}
    known = cache.lookup_many({key: file.fingerprint for key, file in by_key.items()})
    unknown = [(key, file) for key, file in by_key.items() if key not in known]
    large = [item for item in unknown if item[1].size >= _LARGE]
    learnt = [_hash(key, file, hash_file) for key, file in unknown if file.size < _LARGE]
    if large:
        from concurrent.futures import ThreadPoolExecutor  # 16 ms that small files need not pay

        with ThreadPoolExecutor(_THREADS) as pool:
            learnt += pool.map(lambda item: _hash(item[0], item[1], hash_file), large)
    cache.learn(learnt)
    known.update((one.path, one.name) for one in learnt)
    return {file.full: known[key] for key, file in by_key.items()}


def _key(root: str, full: str) -> str:
    # Relative, so that a copied or renamed project keeps its cache; inodes tell the copies apart.
    prefix = root.rstrip("/") + "/"
    return full.removeprefix(prefix)


def _hash(key: str, file: tree.File, hash_file: Namer) -> StatNote:
    began = time.time_ns()
    try:
        return StatNote(key, hash_file(file), file.fingerprint, began)
    except OSError as error:
        raise _unreadable(error, file.full) from error


def _unreadable(error: OSError, path: str) -> ExecuteError:
    return ExecuteError(
        f"this cannot be read: {error.strerror or error}",
        where=str(error.filename or path),
        why="its bytes belong to the key",
        next="make it readable, or take it out of deps",
    )
