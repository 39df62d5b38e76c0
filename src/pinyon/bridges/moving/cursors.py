"""How far a mirror has come: one small database beside the store's caches. All of a step is noted at once, or none of it.

Without it nothing is lost and nothing doubled: the mirror begins anew.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import NamedTuple

_SCHEMA = """
create table if not exists segments (name text primary key, offset integer, batch integer) without rowid;
create table if not exists runs (run text primary key, held text, over text) without rowid;
"""


class Cursor(NamedTuple):
    """Of a segment of points: everything before ``offset`` is in the mirror; ``batch`` is the highest seen, or -1."""

    offset: int
    batch: int


class Known(NamedTuple):
    """Of a run: what the sink needs to go on with it, and the attempt whose end was told, "" while it goes on."""

    held: str
    over: str


class Cursors:
    """The database at a path; a damaged one is begun anew.

    Raises:
        sqlite3.OperationalError: it cannot be opened or written.

    Attributes:
        segments, runs: what is noted.
    """

    def __init__(self, path: Path) -> None:
        os.makedirs(path.parent, exist_ok=True)
        try:
            self._open(path)
        except sqlite3.OperationalError:  # the disk refuses, which says nothing about what is noted
            raise
        except sqlite3.DatabaseError:
            self._db.close()
            path.unlink()
            self._open(path)

    def _open(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript(_SCHEMA)
        self.segments = {
            name: Cursor(offset, batch)
            for name, offset, batch in self._db.execute("select name, offset, batch from segments")
        }
        self.runs = {
            run: Known(held, over) for run, held, over in self._db.execute("select run, held, over from runs")
        }

    def note(self, segments: dict[str, Cursor], runs: dict[str, Known]) -> None:
        """Note what is new.

        Raises:
            sqlite3.Error: the disk refuses; nothing is noted.
        """
        self._db.execute("begin immediate")
        self._db.executemany(
            "insert or replace into segments values (?, ?, ?)",
            [(name, *one) for name, one in segments.items()],
        )
        self._db.executemany(
            "insert or replace into runs values (?, ?, ?)", [(run, *one) for run, one in runs.items()]
        )
        self._db.execute("commit")
        self.segments.update(segments)
        self.runs.update(runs)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()
