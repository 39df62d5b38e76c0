"""Facts in a directory: hash-chained JSON lines, one writer per file (docs/FORMAT.md §3)."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import pinyon
from pinyon.errors import StoreError
from pinyon.model.actor import Actor, current_actor, user_name
from pinyon.model.event import Event
from pinyon.model.ids import new_id, this_process
from pinyon.store import redacted
from pinyon.store.disk import fsync
from pinyon.store.lines import decode, encode
from pinyon.store.points import verify_points
from pinyon.store.protocol import Damage

_SEGMENT = re.compile(r"(?P<writer>[A-Za-z0-9-]+)\.facts\.(?P<number>\d+)\.jsonl$")
_POINTS = re.compile(r"[A-Za-z0-9-]+\.points\.\d+\.jsonl$")
_FIELDS: dict[str, Any] = {
    "writer": str,
    "seq": int,
    "kind": str,
    "ts": (int, float),
    "prev": str,
    "body": dict,
}


def _record(line: bytes) -> dict[str, Any] | None:
    """The record of one line; None when its crc, its JSON or (in a format we know) its shape is wrong."""
    record = decode(line)
    if record is None or not isinstance(record.get("v"), int):
        return None
    if record["v"] == 1 and not all(isinstance(record.get(name), kind) for name, kind in _FIELDS.items()):
        return None
    return record


def chain(line: bytes) -> str:
    """What the next record carries as ``prev``."""
    return blake2b(line, digest_size=16).hexdigest()


class LocalJournalWriter:
    """See `pinyon.store.protocol.JournalWriter`. ``flush`` may be called from another thread than ``append``."""

    def __init__(
        self, directory: Path, user: str = "", actor: Actor | None = None, project: str = ""
    ) -> None:
        self._directory = directory
        who = (actor or current_actor()).as_dict()
        self._opened = {
            "user": user or user_name(),
            "pinyon": pinyon.__version__,
            "actor": who,
            "project": project,
        }
        self._process = this_process()
        self._writer = new_id("w")
        self._seq = 0
        self._number = -1
        self._prev = chain(b"")
        self._fd = -1
        self._retired = True
        self._unsynced: OSError | None = None
        self._ts = self._told = 0.0  # of the newest record, by the wall clock and the monotonic one

    @property
    def writer(self) -> str:
        """See `pinyon.store.protocol.JournalWriter.writer`."""
        return self._writer

    def append(self, kind: str, body: dict[str, Any]) -> Event:
        """See `pinyon.store.protocol.JournalWriter.append`."""
        self.begin()
        return self._write(kind, redacted.body(kind, body))

    def begin(self) -> None:
        """Have a segment that can be written to; its ``opened`` is on disk before any other record.

        Raises:
            StoreError: in a forked child.
        """
        if self._process.pid != os.getpid():
            raise StoreError(
                "a forked child must open its own journal", where=self._writer, next="open_writer()"
            )
        if self._retired:
            self._open()

    def _open(self) -> None:
        number = self._number + 1
        path = self._directory / f"{self._writer}.facts.{number}.jsonl"
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o664)
        old, self._fd, self._number, self._retired = self._fd, fd, number, False
        if old >= 0:
            self._leave(old)
        self._write("opened", {"process": list(self._process), **self._opened})

    def _leave(self, fd: int) -> None:
        """Sync and close a retired segment: the next flush answers for its records too."""
        try:
            os.fdatasync(fd)
        except OSError as error:
            self._unsynced = self._unsynced or error
        finally:
            os.close(fd)

    def _write(self, kind: str, body: dict[str, Any]) -> Event:
        ts = self._now()
        record = {
            "v": 1,
            "writer": self._writer,
            "seq": self._seq,
            "kind": kind,
            "ts": ts,
            "prev": self._prev,
            "body": body,
        }
        line = encode(record)
        try:
            if os.write(self._fd, line + b"\n") != len(line) + 1:
                raise OSError(28, os.strerror(28), self._writer)
        except OSError:
            # What is on disk now is unknown; nothing may be appended behind it.
            self._retired = True
            raise
        event = Event(self._writer, self._seq, kind, ts, body)
        self._seq += 1
        self._prev = chain(line)
        return event

    def _now(self) -> float:
        """The wall clock's time; where that was set back, what it would be by now, so that records stay in their order."""
        wall, steady = time.time(), time.monotonic()
        if wall < self._ts:
            wall = self._ts + steady - self._told
        self._ts, self._told = round(wall, 6), steady
        return self._ts

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


class LocalJournals:
    """Facts under ``root/journals``."""

    def __init__(self, root: Path) -> None:
        self._dir = root / "journals"

    def open_writer(
        self, *, user: str = "", actor: Actor | None = None, project: str = ""
    ) -> LocalJournalWriter:
        """See `pinyon.store.protocol.Journals.open_writer`."""
        return LocalJournalWriter(self._dir, user, actor, project)

    def segments(self) -> list[str]:
        """See `pinyon.store.protocol.Journals.segments`."""
        return self._named(_SEGMENT)

    def points(self) -> list[str]:
        """See `pinyon.store.protocol.Journals.points`."""
        return self._named(_POINTS)

    def _named(self, pattern: re.Pattern[str]) -> list[str]:
        try:
            return sorted(name for name in os.listdir(self._dir) if pattern.match(name))
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

    def read(
        self, segment: str, offset: int = 0, rotten: Callable[[int], object] | None = None
    ) -> Iterator[tuple[Event, int]]:
        """See `pinyon.store.protocol.Journals.read`."""
        for line, end in _lines(self._dir / segment, offset):
            record = _record(line)
            if record is not None and record["v"] == 1:
                yield Event(*(record[field] for field in Event._fields)), end
            elif record is None and rotten is not None:
                rotten(end)

    def verify(self, segment: str) -> Iterator[Damage]:
        """See `pinyon.store.protocol.Journals.verify`. The chain of later segments begins with the earlier one's end."""
        path = self._dir / segment
        if _POINTS.match(segment):
            yield from verify_points(path)
            return
        name = _SEGMENT.match(segment)
        assert name is not None, segment
        offset, size = 0, self.size(segment)
        try:
            expected = self._handed_over(name["writer"], int(name["number"]))
            if expected is None:
                yield Damage(str(path), 0, "the segment before this one is missing")
            for line, end in _lines(path, 0):
                record = _record(line)
                fault = _fault(record, name["writer"], expected)
                if fault:
                    yield Damage(str(path), offset, fault)
                expected, offset = _Expected.after(line, record), end
        except OSError as error:
            yield Damage(str(path), offset, f"cannot be read: {error.strerror}")
            return
        if offset < size:
            what = f"{size - offset} bytes of a record that was never finished"
            yield Damage(str(path), offset, what, torn=True)

    def _handed_over(self, writer: str, number: int) -> _Expected | None:
        """With what segment ``number`` must begin; None when the segment before it is gone."""
        if number == 0:
            return _Expected(0, chain(b""))
        before = self._dir / f"{writer}.facts.{number - 1}.jsonl"
        if not before.exists():
            return None
        last = None
        for line, _ in _lines(before, 0):
            last = line
        # A segment whose very first write failed holds no record; what it was to begin with is what we begin with.
        return _Expected.after(last, _record(last)) if last else self._handed_over(writer, number - 1)


class _Expected(NamedTuple):
    """Seq and chain of the next record; None where damage hides them."""

    seq: int | None = None
    prev: str | None = None

    @classmethod
    def after(cls, line: bytes, record: dict[str, Any] | None) -> _Expected:
        """What follows a line."""
        return cls(record["seq"] + 1, chain(line)) if record and record["v"] == 1 else cls()


def _fault(record: dict[str, Any] | None, writer: str, expected: _Expected | None) -> str:
    """What is wrong with a record in its place; empty when nothing is."""
    if record is None:
        return "this line is not what was written (crc)"
    if record["v"] != 1:
        return ""
    if record["writer"] != writer:
        return f"a record of {record['writer']} stands in a file of {writer}"
    if expected is None:
        return ""
    if expected.seq is not None and record["seq"] != expected.seq:
        return f"record {record['seq']} stands where {expected.seq} belongs"
    if expected.prev is not None and record["prev"] != expected.prev:
        return "the record before this one is not the one that was written (chain)"
    return ""


def _lines(path: Path, offset: int) -> Iterator[tuple[bytes, int]]:
    """Whole lines from an offset on, without their line feed, each with the offset behind it."""
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                return
            offset += len(line)
            yield line[:-1], offset
