"""A ring of points in mapped memory, which outlives the process that fills it (docs/FORMAT.md §5).

`Ring.put` is what `log` costs: it packs numbers into memory that the kernel keeps, and asks no disk for anything.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple
from zlib import crc32

from pinyon.store.points import Point

MAGIC = b"pinyonR1"
SIZE = 4 << 20  # bytes for points
BATCH = 1_000  # points that are taken out at once, and
_BYTES = 512 << 10  # the most that they may have here: whoever is killed at it has little to do again
HEAD = 1 << 16  # bytes before the points
_ABOUT, _KINDS, _DATA = 128, 4096, HEAD  # where its parts begin
_SIZE, _HEAD, _TAIL, _BATCH, _AFTER, _DROPPED, _TOLD = range(1, 8)  # words of 8 bytes behind the magic
_PART = struct.Struct("=II")  # length and crc of what follows
_FRAME = struct.Struct("=II")  # crc of what follows the crc, and size of the record, this frame included
_START = struct.Struct("=IIIdq")  # the frame, kind, t, step; then the values
_CRC = struct.Struct("=I").pack
_ODD = 0xFFFFFFFF  # the kind of a record that holds JSON
_NAMES = 1_000  # of metrics in a record of JSON
_LETTERS = {float: "d", int: "q"}
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode

Kind = tuple[Any, ...]  # the names of some values and, after them, their types


class RingError(ValueError):
    """A ring is not what was written; the message is the reason."""


class About(NamedTuple):
    """Whose points a ring holds, and whose process fills it: [host, boot, pid, start]."""

    process: list[Any]
    store: str
    attempt: str
    project: str


class Portion(NamedTuple):
    """Some points of a ring, oldest first, and where it goes on behind them."""

    points: list[Point]
    after: int


class Ring:
    """One ring. Any thread and any handler of a signal may `put`; only one at a time may take out.

    Attributes:
        kinds: what packs the values of a kind. A kind that is in here has plain numbers only.
        alarm: called when much waits in the ring; it must be quick, and nothing that a handler of a signal may not do.
    """

    def __init__(self, memory: mmap.mmap) -> None:
        self.alarm: Callable[[], object] = lambda: None
        self._memory = memory
        self._words = memoryview(memory)[: _ABOUT // 8 * 8].cast("Q")
        self.kinds: dict[Kind, Callable[..., bytes]] = {}
        self._known: list[tuple[list[str], struct.Struct]] = []
        self._free = _KINDS  # where the next kind will stand
        self._lock, self._busy = threading.RLock(), False
        self._late: deque[bytes] = deque()
        self._count = 0
        self._base = self._at = self._limit = 0

    def begin(self, about: About) -> None:
        """Make new memory a ring."""
        if len(said := _encode(about._asdict()).encode()) > _KINDS - _ABOUT - _PART.size:
            raise RingError("the names of store, attempt and project are too long")
        _put_part(self._memory, _ABOUT, said)
        self._words[_SIZE] = len(self._memory) - _DATA
        self._memory[:8] = MAGIC
        self._at = _DATA
        self._base = -_DATA
        self._room()

    def restore(self) -> None:
        """Learn what another process has left here.

        Raises:
            RingError: they make no sense.
        """
        size, head, tail, after = (self._words[word] for word in (_SIZE, _HEAD, _TAIL, _AFTER))
        if size != len(self._memory) - _DATA or not (tail <= head <= tail + size and after <= head):
            raise RingError("its head, its tail and its size do not fit together")
        while self._free < _DATA - _PART.size and _PART.unpack_from(self._memory, self._free)[0]:
            said = _part(self._memory, self._free, _DATA)
            try:
                names, letters = json.loads(said)
                self._known.append((list(map(str, names)), _layout(letters)))
            except (ValueError, TypeError, struct.error) as error:
                raise RingError(f"a kind of points is not described: {error}") from None
            self._free += _PART.size + len(said)

    # Into it

    def put(self, t: float, step: int, values: dict[str, Any], kind: Kind) -> bool:
        """Take a point; False where there is no room for it. It survives the death of the process from now on.

        Args:
            kind: names and types of ``values``.

        Raises:
            TypeError, ValueError: a value has no JSON.
        """
        pack = self.kinds.get(kind) or self._define(kind, values)
        if pack is None:
            return self._put_odd(t, step, values)
        try:
            body = pack(t, step, *values.values())
        except struct.error:  # an integer of more than 64 bits
            return self._put_odd(t, step, values)
        return self._append(_CRC(crc32(body)) + body)

    def _put_odd(self, t: float, step: int, values: dict[str, Any]) -> bool:
        """Values that no kind describes, as JSON; very many of them in several records."""
        rows = list(values.items())
        for first in range(0, max(len(rows), 1), _NAMES):
            said = _encode([t, step, dict(rows[first : first + _NAMES])]).encode(errors="backslashreplace")
            body = struct.pack("=II", _FRAME.size + 4 + len(said), _ODD) + said
            if not self._append(_CRC(crc32(body)) + body):
                return False
        return True

    def _append(self, record: bytes) -> bool:
        with self._lock:
            if self._busy:  # in the handler of a signal, which came while this thread was in here
                self._late.append(record)
                return True
            self._busy = True
            try:
                end = self._at + len(record)
                if end > self._limit:
                    if not self._turn(len(record)):
                        return False
                    end = self._at + len(record)
                self._memory[self._at : end] = record
                self._at = end
                self._words[_HEAD] = end + self._base  # only now does the record count
            finally:
                self._busy = False
        while self._late:
            self._append(self._late.popleft())
        return True

    def _turn(self, size: int) -> bool:
        """Find room for a record: here, or at the beginning again."""
        if 2 * self.filled > self._words[_SIZE]:
            self.alarm()
        self._room(size)
        if self._at + size <= self._limit:
            return True
        left = len(self._memory) - self._at
        if size <= left or left > self._unused or size > self._unused - left:
            return False
        self._memory[self._at : self._at + min(left, _FRAME.size)] = bytes(min(left, _FRAME.size))
        self._base += self._at + left - _DATA
        self._at = _DATA
        self._words[_HEAD] = self._at + self._base
        self._room(size)
        return True

    @property
    def _unused(self) -> int:
        return self._words[_SIZE] - self.filled

    def _room(self, least: int = 0) -> None:
        """Up to where to write until the next look: a quarter, but at least one record."""
        some = min(self._unused, max(self._words[_SIZE] // 4, least))
        self._limit = min(len(self._memory), self._at + some)

    def _define(self, kind: Kind, values: dict[str, Any]) -> Callable[..., bytes] | None:
        """Describe a kind in the ring; None where it cannot be, or where there is no room for more of them."""
        names, types = list(values), kind[len(values) :]
        if not all(type(name) is str for name in names) or not all(one in _LETTERS for one in types):
            return None
        letters = "".join(_LETTERS[one] for one in types)
        said = _encode([names, letters]).encode(errors="backslashreplace")
        with self._lock:
            if self._busy or self._free + _PART.size + len(said) > _DATA:
                return None
            number, layout = len(self._known), _layout(letters)
            _put_part(self._memory, self._free, said)
            self._free += _PART.size + len(said)
            self._known.append((names, layout))
            body = struct.Struct("=IIdq" + letters)
            self.kinds[kind] = partial(body.pack, layout.size, number)
        return self.kinds[kind]

    def drop(self) -> int:
        """Count a point that found no room; how many there are by now."""
        with self._lock:
            self._words[_DROPPED] += 1
            return self._words[_DROPPED]

    # Out of it

    @property
    def filled(self) -> int:
        """Bytes that wait."""
        return self._words[_HEAD] - self._words[_TAIL]

    @property
    def end(self) -> int:
        """Where the newest point ends."""
        return self._words[_HEAD]

    @property
    def start(self) -> int:
        """Where the oldest point that waits begins."""
        return self._words[_TAIL]

    def waiting(self) -> int:
        """How many points wait, as far as they can be read."""
        count = 0
        with contextlib.suppress(RingError):
            for point, _ in self._records(self._words[_TAIL], self._words[_HEAD]):
                count += point is not None
        return count

    @property
    def dropped(self) -> int:
        """How many points found no room."""
        return self._words[_DROPPED]

    @property
    def told(self) -> int:
        """How many of those stand in a record."""
        return self._words[_TOLD]

    @told.setter
    def told(self, count: int) -> None:
        self._words[_TOLD] = count

    @property
    def in_hand(self) -> tuple[int, int] | None:
        """The batch that is being written: number of its flush, and the ring's tail after it."""
        return (
            (self._words[_BATCH], self._words[_AFTER]) if self._words[_AFTER] > self._words[_TAIL] else None
        )

    def take(self, most: int = BATCH) -> Portion:
        """The oldest points; those of the batch in hand, if there is one.

        Raises:
            RingError: they are not what was written.
        """
        held = self.in_hand
        at, end = self._words[_TAIL], held[1] if held else self._words[_HEAD]
        begin, points = at, list[Point]()
        try:
            for point, after in self._records(at, end):
                at = after
                if point is not None:
                    points.append(point)
                if not held and (len(points) >= most or at - begin > _BYTES):
                    break
        except RingError:
            if not points:
                raise  # else who comes again will see it
        return Portion(points, at)

    def hold(self, flush: int, after: int) -> None:
        """These points are about to be written as the batch of that number."""
        self._words[_BATCH] = flush
        self._words[_AFTER] = after

    def done(self, after: int) -> None:
        """They are written: their room is free."""
        self._words[_TAIL] = after

    def skip(self) -> None:
        """Give up what waits, which cannot be read."""
        self._words[_TAIL] = self._words[_HEAD]

    def unjam(self) -> None:
        """Undo what a handler of a signal that raised in the middle of `put` has left; not to be called by a handler."""
        with self._lock:
            self._busy = False

    def _records(self, at: int, end: int) -> Iterator[tuple[Point | None, int]]:
        """Each point with where it ends; None for room that is left out at the end of the memory."""
        size = self._words[_SIZE]
        whole = memoryview(self._memory)
        try:
            while at < end:
                here = at % size
                left = min(size - here, end - at)
                data = whole[_DATA + here : _DATA + here + left]
                length = _FRAME.unpack_from(data)[1] if left >= _FRAME.size else 0
                if not length:
                    if here + left != size:
                        raise RingError(f"a record at byte {at} has no length")
                    at += left
                    yield None, at
                    continue
                if not _START.size - 16 <= length <= left:
                    raise RingError(f"a record at byte {at} has {length} bytes")
                point = self._point(data[:length], at)
                at += length
                yield point, at
        finally:
            whole.release()

    def _point(self, data: memoryview, at: int) -> Point:
        crc, _, number = struct.unpack_from("=III", data)
        if crc32(data[4:]) != crc:
            raise RingError(f"a record at byte {at} is not what was written (crc)")
        self._count += 1
        if number == _ODD:
            return Point(self._count - 1, *_json(bytes(data[12:])))
        if number >= len(self._known):
            raise RingError(f"a record at byte {at} is of a kind that is not described")
        names, layout = self._known[number]
        if layout.size != len(data):
            raise RingError(f"a record at byte {at} has {len(data)} bytes, its kind {layout.size}")
        _, _, _, t, step, *values = layout.unpack(data)
        return Point(self._count - 1, t, step, dict(zip(names, values)))

    def close(self) -> None:
        """Let go of the memory, which stays where it is."""
        self._words.release()
        with contextlib.suppress(BufferError):  # somebody is reading
            self._memory.close()


def reopen(memory: mmap.mmap) -> tuple[Ring, About]:
    """A ring that another process has left. The memory is the caller's while this raises.

    Raises:
        RingError: it is none, or not what was written.
    """
    if len(memory) <= _DATA or memory[:8] != MAGIC:
        raise RingError("it does not begin as a ring does")
    about = _about(_part(memory, _ABOUT, _KINDS))
    ring = Ring(memory)
    try:
        ring.restore()
    except RingError:
        ring._words.release()
        raise
    return ring, about


def _layout(letters: str) -> struct.Struct:
    return struct.Struct("=IIIdq" + letters)


def _put_part(memory: mmap.mmap, at: int, said: bytes) -> None:
    memory[at : at + _PART.size + len(said)] = _PART.pack(len(said), crc32(said)) + said


def _part(memory: mmap.mmap, at: int, most: int) -> bytes:
    length, crc = _PART.unpack_from(memory, at)
    said = memory[at + _PART.size : at + _PART.size + length]
    if at + _PART.size + length > most or crc32(said) != crc:
        raise RingError(f"what stands at byte {at} of its head is not what was written (crc)")
    return said


def _about(said: bytes) -> About:
    try:
        told = json.loads(said)
        return About(list(told["process"]), str(told["store"]), str(told["attempt"]), str(told["project"]))
    except (ValueError, KeyError, TypeError):
        raise RingError("its head does not say whose it is") from None


def _json(said: bytes) -> tuple[float, int, dict[str, Any]]:
    try:
        t, step, values = json.loads(said)
        return float(t), int(step), dict(values)
    except (ValueError, TypeError):
        raise RingError("a record of JSON is none") from None
