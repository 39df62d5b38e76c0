"""A short cut for the commonest call: nothing has changed since "nothing to do" was the answer (docs/FORMAT.md §10).

Written only after a call that found nothing to do, it holds the stat of every file that decided so. Imported at every call
of the command line: nothing heavy may come in here.
"""

from __future__ import annotations

import marshal
import os
import zlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import pinyon
from pinyon.store.place import make_cache

# A file changed within one step of the kernel's clock after it was looked at can look the same.
_RACY_NS = 50_000_000

Stat = tuple[int, int, int, int] | None


def check(cache: str, question: str, root: str) -> dict[str, Any] | None:
    """The summary that was true then and still is; None when anything moved or nothing was recorded.

    Args:
        cache: the project's cache directory.
        question: what was asked, as text.
    """
    path = _path(cache, question)
    try:
        with open(path, "rb") as file:
            data = marshal.load(
                file
            )  # our own cache: numbers, text, lists; marshal reads 2,000 rows in 0.3 ms
    except (OSError, ValueError, EOFError, TypeError):
        return None
    if not isinstance(data, dict) or data.get("of") != [pinyon.__version__, root, question]:
        return None
    stat = os.stat
    try:
        for name, expected in data["stats"]:
            try:
                found = stat(name)
            except OSError:
                if expected is not None:
                    return None
                continue
            if expected != (found.st_mtime_ns, found.st_size, found.st_ino, found.st_ctime_ns):
                return None
    except (KeyError, ValueError):
        return None
    summary = data.get("summary")
    return summary if isinstance(summary, dict) else None


class Facts(NamedTuple):
    """What "nothing to do" was decided by.

    Attributes:
        since: wall clock in ns before the first of these paths was looked at.
        there: paths that existed; of a directory everything in it counts.
        others: paths that may be absent; of a directory only its own time stamp counts.
    """

    since: int
    there: Iterable[str]
    others: Iterable[str]


def record(cache: str, question: str, root: str, facts: Facts, summary: dict[str, Any]) -> bool:
    """Remember that nothing is to be done while these paths stay as they are.

    Gives False, and remembers nothing, when one of them may have changed since it was looked at: then what lies there
    now is not what was decided by.
    """
    stats: list[tuple[str, Stat]] = []
    newest = facts.since - _RACY_NS
    for entry in facts.others:
        found = _stat(entry)
        if found is not None and max(found[0], found[3]) > newest:
            return False
        stats.append((entry, found))
    for entry in (entry for name in facts.there for entry in _expand(name)):
        found = _stat(entry)
        if found is None or max(found[0], found[3]) > newest:
            return False
        stats.append((entry, found))
    data = {"of": [pinyon.__version__, root, question], "stats": stats, "summary": summary}
    path = _path(cache, question)
    temporary = f"{path}.{os.getpid()}"
    make_cache(os.path.dirname(path))
    with open(temporary, "wb") as file:
        marshal.dump(data, file)
    os.replace(temporary, path)
    return True


def _path(cache: str, question: str) -> str:
    # Two questions may share a name: the file says which one it answers.
    return f"{cache}/noop-{zlib.crc32(question.encode()):08x}"


def _expand(name: str) -> Iterable[str]:
    yield name
    if os.path.isdir(name):
        for folder, folders, names in os.walk(name, followlinks=True):
            yield from (os.path.join(folder, entry) for entry in (*folders, *names))


def _stat(name: str) -> Stat:
    try:
        found = os.stat(name)
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino, found.st_ctime_ns)
