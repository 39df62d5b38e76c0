"""Which bytes a path held when it last looked like this: the reason that nothing is hashed twice."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from pinyon.execute.tree import Fingerprint
from pinyon.store.place import make_cache

if TYPE_CHECKING:
    from pinyon.execute.protocol import StatNote  # which brings all of the graph


_SETTLED = 50_000_000  # ns between the last change and the hashing, below which a second change could hide
_SETTLED_COARSE = 2_000_000_000  # the same on a file system that counts whole seconds
_CHUNK = 500  # paths per query; sqlite's limit is 999 in old versions
_TABLE = """create table if not exists files
    (path text primary key, mtime integer, size integer, inode integer, ctime integer, name text, hashed integer)
    without rowid"""


class StatCache:
    """A table of `StatNote` in sqlite, written in batches.

    Disposable: when it is damaged or locked it is as if it were empty.

    Args:
        path: of the file, on a local disk; made when something is learnt.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        self._connection: sqlite3.Connection | None = None
        self._learnt: list[StatNote] = []

    def lookup_many(self, stats: Mapping[str, Fingerprint]) -> dict[str, str]:
        """Names of those files that still look as they did when they were hashed, and had come to rest by then."""
        paths = list(stats)
        found: dict[str, str] = {}
        for begin in range(0, len(paths), _CHUNK):
            some = paths[begin : begin + _CHUNK]
            marks = ",".join("?" * len(some))
            rows = self._settled(f"path in ({marks})", some)
            found.update((path, name) for path, stat, name in rows if stat == tuple(stats[path]))
        return found

    def lookup_below(self, folder: str) -> dict[str, tuple[Fingerprint, str]]:
        """What is known of all that lies in a folder, at any depth, by path: how each file looked when it was hashed and
        had come to rest, and its name. One query, where `lookup_many` needs one for every few hundred files."""
        rows = self._settled("path > ? and path < ?", [f"{folder}/", f"{folder}0"])  # 0 comes after /
        return {path: (stat, name) for path, stat, name in rows}

    def _settled(self, where: str, values: Sequence[str]) -> list[tuple[str, Fingerprint, str]]:
        """Path, stat and name of rows whose file had come to rest when it was hashed."""
        self._write()
        if self._connection is None and not os.path.exists(self._path):
            return []
        try:
            rows = self._open().execute(f"select * from files where {where}", values).fetchall()
        except (sqlite3.Error, OSError):
            self._discard()
            return []
        return [
            (path, (mtime, size, inode, ctime), name)
            for path, mtime, size, inode, ctime, name, hashed in rows
            if mtime <= hashed - (_SETTLED if mtime % 1_000_000_000 else _SETTLED_COARSE)
        ]

    def learn(self, notes: Iterable[StatNote]) -> None:
        """Remember, on disk at the next look-up or `close`: single rows would cost more than hashing a small file."""
        self._learnt += notes

    def _write(self) -> None:
        notes, self._learnt = self._learnt, []
        for _ in range(2 if notes else 0):  # the second time with a new file, if the old one was damaged
            rows = ((note.path, *note.stat, note.name, note.hashed_ns) for note in notes)
            try:
                with self._open() as connection:
                    connection.executemany("insert or replace into files values (?,?,?,?,?,?,?)", rows)
                return
            except (sqlite3.OperationalError, OSError):
                return  # locked, or the disk is full: what is not remembered is hashed again
            except sqlite3.Error:
                self._discard()

    def close(self) -> None:
        """Write what was learnt, and let go of the file."""
        self._write()
        self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            make_cache(os.path.dirname(os.path.abspath(self._path)))
            if not os.path.exists(self._path):  # sqlite itself would let nobody but the owner write
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666))
            self._connection = sqlite3.connect(self._path, timeout=1.0, check_same_thread=False)
            self._connection.execute("pragma synchronous = off")
            self._connection.execute(_TABLE)
        return self._connection

    def _discard(self) -> None:
        self._disconnect()
        with contextlib.suppress(OSError):
            os.unlink(self._path)
