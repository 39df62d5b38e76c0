"""Facts in a directory: hash-chained JSON lines, one writer per file (docs/FORMAT.md §3)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from pinyon.model.actor import Actor
from pinyon.store.disk import fsync
from pinyon.store.facts import Facts
from pinyon.store.writer import FactsWriter


class LocalJournalWriter(FactsWriter):
    """See `pinyon.store.protocol.JournalWriter`. ``flush`` may be called from another thread than ``append``."""

    def __init__(
        self, directory: Path, user: str = "", actor: Actor | None = None, project: str = ""
    ) -> None:
        super().__init__(user, actor, project)
        self._directory = directory
        self._fd = -1
        self._unsynced: OSError | None = None

    def _begin_segment(self, name: str) -> None:
        path = self._directory / name
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o664)
        old, self._fd = self._fd, fd
        if old >= 0:
            self._leave(old)

    def _emit(self, data: bytes) -> None:
        if os.write(self._fd, data) != len(data):
            raise OSError(28, os.strerror(28), self._writer)

    def _leave(self, fd: int) -> None:
        """Sync and close a retired segment: the next flush answers for its records too."""
        try:
            os.fdatasync(fd)
        except OSError as error:
            self._unsynced = self._unsynced or error
        finally:
            os.close(fd)

    def flush(self) -> None:
        """See `pinyon.store.protocol.JournalWriter.flush`."""
        if self._unsynced is not None:
            # The kernel tells a failed fsync once and then forgets the pages: a second try would succeed and lie.
            raise OSError(self._unsynced.errno, self._unsynced.strerror, self._writer)
        if self._fd < 0:
            return
        try:
            os.fdatasync(self._fd)
            fsync(self._directory)
        except OSError as error:
            self._retired = True
            self._unsynced = error
            raise

    def close(self) -> None:
        """See `pinyon.store.protocol.JournalWriter.close`."""
        if self._fd < 0:
            return
        try:
            self.append("closed", {})
            self.flush()
        finally:
            os.close(self._fd)
            self._fd = -1
            self._retired = True


class LocalJournals(Facts):
    """Facts under ``root/journals``."""

    def __init__(self, root: Path) -> None:
        self._dir = root / "journals"

    def open_writer(
        self, *, user: str = "", actor: Actor | None = None, project: str = ""
    ) -> LocalJournalWriter:
        """See `pinyon.store.protocol.Journals.open_writer`."""
        return LocalJournalWriter(self._dir, user, actor, project)

    def _all(self) -> list[str]:
        try:
            return os.listdir(self._dir)
        except FileNotFoundError:
            return []

    def stamp(self) -> tuple[int, ...]:
        """See `pinyon.store.protocol.Journals.stamp`."""
        try:
            stat = os.stat(self._dir)
        except FileNotFoundError:
            return ()
        return (stat.st_ino, stat.st_mtime_ns)

    def size(self, segment: str) -> int:
        """Bytes of a segment now; 0 when it is gone."""
        try:
            return os.stat(
                f"{self._dir}/{segment}"
            ).st_size  # asked very often: a Path costs more than the answer
        except FileNotFoundError:
            return 0

    def _where(self, segment: str) -> str:
        return f"{self._dir}/{segment}"

    def _raw(self, segment: str, offset: int) -> Iterator[bytes]:
        with contextlib.suppress(FileNotFoundError), open(f"{self._dir}/{segment}", "rb") as file:
            file.seek(offset)
            yield from file
