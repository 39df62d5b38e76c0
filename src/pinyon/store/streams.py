"""What only grows: segments of journals, and logs, as bytes that are copied from store to store (docs/FORMAT.md §15)."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path

from pinyon.store.copying import write_all
from pinyon.store.disk import fsync
from pinyon.store.facts import POINTS, SEGMENT

JOURNALS, LOGS = "journals/", "logs/"
_LOG = re.compile(r"logs/[A-Za-z0-9-]+/[A-Za-z0-9-]+\.log")  # no part can lead out of the store


def is_stream(place: str) -> bool:
    """Whether this is the place of a segment (``journals/SEGMENT``) or a log (``logs/EXECUTION/LANE.log``)."""
    if place.startswith(JOURNALS):
        name = place[len(JOURNALS) :]
        return bool(SEGMENT.fullmatch(name) or POINTS.fullmatch(name))
    return _LOG.fullmatch(place) is not None


class LocalStreams:
    """Those of the store in a directory."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)

    def sizes(self) -> dict[str, int]:
        """Bytes of every stream now, by place."""
        found = {}
        for place in self._places():
            with contextlib.suppress(FileNotFoundError):
                found[place] = os.stat(f"{self._root}/{place}").st_size
        return found

    def _places(self) -> Iterator[str]:
        folders = ["journals", *(f"logs/{name}" for name in _listing(f"{self._root}/logs"))]
        for folder in folders:
            yield from filter(is_stream, (f"{folder}/{name}" for name in _listing(f"{self._root}/{folder}")))

    def size(self, stream: str) -> int:
        """Bytes of one stream now; 0 when there is none."""
        try:
            return os.stat(f"{self._root}/{stream}").st_size
        except FileNotFoundError:
            return 0

    def read(self, stream: str, start: int, end: int) -> bytes:
        """Some bytes, cut to what is there."""
        with open(f"{self._root}/{stream}", "rb") as file:
            file.seek(start)
            return file.read(max(0, end - start))

    def extend(self, stream: str, at: int, data: bytes) -> bool:
        """Append what another store has, durably, if there are ``at`` bytes now; False, and nothing changes, if not."""
        path = Path(self._root, stream)
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o664)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)  # of two pulls at once one comes later
            if os.fstat(fd).st_size != at:
                return False
            write_all(fd, data)
            os.fdatasync(fd)
        finally:
            os.close(fd)
        if not at:
            fsync(path.parent)
            fsync(path.parent.parent)
        return True


def _listing(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
