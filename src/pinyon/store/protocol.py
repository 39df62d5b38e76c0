"""What a store is: three primitives behind one protocol (docs/FORMAT.md §2, §3, §6).

`pinyon.testing.store` holds the contract suite that every backend passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from pinyon.model.actor import Actor
from pinyon.model.event import Event

Tell = Callable[[int], None]


def quiet(_: int) -> None:
    """Tells nobody."""


class RefVersion(NamedTuple):
    """One immutable version of a ref; ``version`` counts from 1."""

    name: str
    version: int
    value: Any
    actor: str
    ts: float


class Damage(NamedTuple):
    """One thing that `verify` found: file and byte offset, and what is wrong there. ``torn`` is the harmless kind, a
    last line that a killed writer left half."""

    file: str
    offset: int
    what: str
    torn: bool = False


class Blobs(Protocol):
    """Immutable bytes by digest."""

    def put(self, source: Path | bytes, *, tell: Tell = quiet) -> str:
        """Store a file's or the given bytes and return the name (``blake3:HEX``). Idempotent; process-durable on
        return. The source is never linked, so that later writes to it cannot reach the store. A condemned blob is
        condemned no more. ``tell`` is called with bytes read since the last call."""
        ...

    def put_many(self, sources: Iterable[str], *, tell: Tell = quiet) -> list[str]:
        """The same for many files by path; their names in order. Cheaper for small ones."""
        ...

    def has(self, name: str) -> bool:
        """Whether the bytes are here (not whether they are sound: that is `get`'s and `verify`'s)."""
        ...

    def missing(self, names: Iterable[str]) -> set[str]:
        """Those of many names that are not here; cheaper than `has` for each."""
        ...

    def unkept(self, names: Iterable[str]) -> set[str]:
        """Those that nobody may rely on without putting them: not here, or condemned."""
        ...

    def size(self, name: str) -> int:
        """How many bytes it has.

        Raises:
            MissingBlobError: not here.
        """
        ...

    def read(self, name: str) -> bytes:
        """All bytes, verified.

        Raises:
            MissingBlobError: not here.
            CorruptError: here, but different.
        """
        ...

    def copy_out(self, name: str, target: Path, *, executable: bool = False, link: bool = False) -> bool:
        """Write the bytes to ``target`` (replaced atomically, a new inode, writable), verified on the way. Same errors.

        With ``link`` it may be a read-only hard link to the stored bytes instead, and True says that it is: whoever asks
        for that calls `set_aside` if it was written to all the same.
        """
        ...

    def flush(self, names: Iterable[str]) -> None:
        """Make these blobs power-durable.

        Raises:
            MissingBlobError: one is not here.
        """
        ...

    def names(self) -> Iterator[str]:
        """Every blob here, once."""
        ...

    def verify(self, name: str) -> Damage | None:
        """Hash one blob again."""
        ...

    def set_aside(self, name: str) -> bool:
        """Take a blob whose bytes differ from its name out of the way, so that it counts as missing and can be put
        again; True if it was. Sound ones stay."""
        ...

    def condemn(self, names: Iterable[str]) -> None:
        """Mark blobs that nothing refers to. They are read as ever; those marked already keep their time."""
        ...

    def spare(self, names: Iterable[str]) -> None:
        """Take the mark away."""
        ...

    def condemned(self) -> dict[str, float]:
        """Every mark, and when it was set (seconds since the epoch)."""
        ...

    def delete(self, names: Iterable[str], before: float) -> dict[str, int]:
        """Delete those of these blobs that are condemned, were so before that moment, and were written before it; gives
        their sizes. What was put again meanwhile stays, however that falls together in time."""
        ...


class Refs(Protocol):
    """Names with numbered versions, changed by compare-and-swap only."""

    def get(self, name: str) -> RefVersion | None:
        """The newest version; None when there is none."""
        ...

    def history(self, name: str) -> list[RefVersion]:
        """All versions, oldest first."""
        ...

    def set(self, name: str, value: Any, *, expect: int, actor: str = "") -> RefVersion:
        """Write version ``expect + 1``; ``expect`` 0 makes the ref. Power-durable on return.

        Raises:
            RefConflictError: that version exists already.
        """
        ...

    def names(self, prefix: str = "") -> list[str]:
        """All refs whose name begins so, sorted."""
        ...

    def verify(self) -> Iterator[Damage]:
        """Unreadable versions and gaps."""
        ...


class JournalWriter(Protocol):
    """The one writer of one stream of facts. Not thread-safe; a forked child must open its own."""

    @property
    def writer(self) -> str:
        """This writer's id."""
        ...

    def append(self, kind: str, body: dict[str, Any]) -> Event:
        """Write one record; process-durable on return. After a failed write the next one goes to a new segment."""
        ...

    def flush(self) -> None:
        """Make all records power-durable (fdatasync). A failure retires the segment; since what it held can never be
        vouched for again, flush raises from then on, while append goes on: open a new writer to flush again."""
        ...

    def close(self) -> None:
        """Append ``closed``, flush, and end."""
        ...


class Journals(Protocol):
    """All facts of the store."""

    def open_writer(self, *, user: str = "", actor: Actor | None = None, project: str = "") -> JournalWriter:
        """A new writer; its first segment appears with the first record.

        Every record of it is ``actor``'s doing (default: who calls us) for ``project``: `pinyon.store.authors` reads it.
        """
        ...

    def segments(self) -> list[str]:
        """Names of all fact segments, sorted."""
        ...

    def points(self) -> list[str]:
        """Names of all segments of points, sorted; of the rest of this protocol only `size` and `verify` take them."""
        ...

    def stamp(self) -> tuple[int, ...]:
        """Changes whenever a segment appears; cheap (one stat)."""
        ...

    def size(self, segment: str) -> int:
        """Bytes of a segment now; 0 when it is gone."""
        ...

    def read(
        self, segment: str, offset: int = 0, rotten: Callable[[int], object] | None = None
    ) -> Iterator[tuple[Event, int]]:
        """Sound records from a byte offset on, each with the offset after it. Stops quietly before a torn last line;
        skips damage elsewhere (`verify` reports both), and calls ``rotten`` with the offset after it. The chain is not
        checked here."""
        ...

    def verify(self, segment: str) -> Iterator[Damage]:
        """Check crc, seq and chain of a segment of facts, or the batches of one of points."""
        ...


class Store(Protocol):
    """Holds the three primitives."""

    @property
    def blobs(self) -> Blobs:
        """Its bytes."""
        ...

    @property
    def refs(self) -> Refs:
        """Its names."""
        ...

    @property
    def journals(self) -> Journals:
        """Its records."""
        ...

    @property
    def url(self) -> str:
        """Where it is, for messages."""
        ...
