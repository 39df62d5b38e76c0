"""Runs into another tool while they go on, point by point, as the journals grow.

A look writes what is new into the sink and then notes how far it came (`Cursors`). A mirror that was killed in between
finds in the sink more than is noted; the sink goes back to what is noted (`Live.begin`), so that no point is there twice.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from pinyon.bridges.moving.cursors import Cursor, Cursors, Known
from pinyon.bridges.moving.nouns import Curves, Live
from pinyon.bridges.moving.take import About, chosen, copied
from pinyon.model.ids import run_id
from pinyon.model.outcome import FINAL
from pinyon.query.growth import whole_batches
from pinyon.query.index import Index
from pinyon.query.points import Points, mentions
from pinyon.query.runs import RunRow
from pinyon.store import rings
from pinyon.store.local import LocalStore

_TOGETHER = 200_000  # points, after which it is noted how far this came
_CHUNK = 16 << 20  # bytes of a segment that are read at once
_AFRESH = 5  # looks after which runs are asked for even if nothing was recorded: one may have been killed


class Looked(NamedTuple):
    """What one look wrote: runs that have ended, and points. ``going``: how many runs, or else drivers, work on."""

    runs: int
    points: int
    going: int


def going(index: Index, rows: Iterable[RunRow]) -> int:
    """How many runs go on; where none does, how many drivers work, which may begin something at any time."""
    if count := sum(row.status not in FINAL for row in rows):
        return count
    unfinished = index.executions("json_extract(doc, '$.finished') is null")
    found = (index.process(told["execution"][0]) for _, told in unfinished if "execution" in told)
    return sum(process is not None and bool(process.alive()) for process in found)


class Mirror:
    """What a sink has of a store.

    Args:
        names: of runs, attempts and stages; none means all of the project.
        files: artifacts, too, when a run ends.

    Attributes:
        kept: files that were written.
        left: counts by reason what could not be.
    """

    def __init__(
        self,
        store: LocalStore,
        index: Index,
        sink: Live,
        cursors: Cursors,
        names: Sequence[str],
        *,
        files: bool,
    ) -> None:
        self._store, self._index, self._sink, self._cursors = store, index, sink, cursors
        self._names, self._files = names, files
        self._segments = dict(cursors.segments)
        self._highest: dict[
            str, int
        ] = {}  # batch, by writer: what a dead one's heirs wrote again is there already
        for name, cursor in self._segments.items():
            self._seen(name, cursor.batch)
        self._grown: set[str] = set()  # segments of which more was read than is noted
        self._touched: set[str] = set()  # runs of which more was told than is noted
        self._waits: dict[str, tuple[int, int]] = {}  # segments with points of attempts that nobody knows yet
        self._rows: dict[str, RunRow] = {}
        self._run_of: dict[str, str] = {}  # by attempt, of all that are known: whose run it is
        self._began: dict[str, float] = {}  # attempts
        self._open: set[str] = set()  # runs that the sink was told of, and not of their end
        self._over = {run: known.over for run, known in cursors.runs.items()}
        self._records = self._looks = self._points = self._noted = self.kept = 0
        self.left = Counter[str]()

    def look(self) -> Looked:
        """Write what is new.

        Raises:
            PinyonError, OSError: the sink refuses, or the store. Then this one is of no use any more: another begins where
                this one has noted that it came to.
        """
        before = self._points
        self._recover()
        fresh = self._index.catch_up()
        self._records += fresh
        # Before the points: a run that has ended by now has all of its points in the journals.
        if fresh or self._looks % _AFRESH == 0:
            self._list()
        self._looks += 1
        for row in self._rows.values():
            if row.run not in self._open and not self._is_over(row):
                self._begin(row)
        self._read()
        over = [row for row in self._rows.values() if row.status in FINAL and row.run in self._open]
        for row in over:
            self._end(row)
        self._note()
        return Looked(len(over), self._points - before, going(self._index, self._rows.values()))

    def _recover(self) -> None:
        """What the dead left in memory becomes points, before anybody can find that they have ended."""
        if next(rings.found(str(self._store.root)), None) is not None:
            from pinyon.store.recover import recover

            recover(str(self._store.root))

    def _list(self) -> None:
        self._rows = {row.run: row for row in chosen(self._index, self._names)}
        self._run_of = {name: run_id(key) for name, key, _ in self._index.keys(None)}
        self._began = dict(self._index.columns(("id", "started"), "key != ''"))

    # Runs

    def _is_over(self, row: RunRow) -> bool:
        """Whether the sink knows how it ended."""
        return row.status in FINAL and self._over.get(row.run) == row.attempt.id

    def _begin(self, row: RunRow) -> None:
        """Tell the sink of a run; where it has lost what it had, it gets all of it again."""
        known = self._cursors.runs.get(row.run)
        told = About(self._index, [row]).moved(row, Curves(), ())
        whole = self._sink.begin(told, known.held if known else "")
        self._open.add(row.run)
        self._over.pop(row.run, None)
        self._touched.add(row.run)
        if known and not whole:
            self._again(row.run)

    def _end(self, row: RunRow) -> None:
        about = About(self._index, [row])
        with copied(self._store, about.files(row) if self._files else (), self.left) as files:
            self._sink.finish(about.moved(row, Curves(), files))
        self.kept += len(files)
        self._open.discard(row.run)
        self._over[row.run] = row.attempt.id
        self._touched.add(row.run)

    # Points

    def _read(self) -> None:
        """What segments have gained."""
        for name in self._store.journals.points():
            at = self._segments.get(name, Cursor(0, -1))
            size = self._store.journals.size(name)
            if size <= at.offset or self._waits.get(name) == (size, self._records):
                continue
            for lot, end in self._lots(name, at.offset, size):
                if any(attempt not in self._run_of for attempt in lot.attempt):
                    self._waits[name] = (size, self._records)
                    break
                self._add(lot, self._highest.get(_writer(name), -1))
                batch = max((one for one in lot.batch if one is not None), default=-1)
                self._seen(name, batch)
                self._segments[name] = Cursor(end, batch)
                self._grown.add(name)
                if self._points - self._noted >= _TOGETHER:
                    self._note()

    def _lots(self, name: str, offset: int, size: int) -> Iterator[tuple[Points, int]]:
        """The whole batches of a segment between two offsets, and where each lot ends."""
        chunk = _CHUNK
        while offset < size:
            data = self._bytes(name, offset, min(chunk, size - offset))
            lot, end = whole_batches(data, offset)
            if lot is not None:
                yield lot, end
                offset, chunk = end, _CHUNK
            elif len(data) < chunk:
                return
            else:
                chunk *= 4  # one batch is larger than that

    def _bytes(self, name: str, offset: int, count: int) -> bytes:
        try:
            with open(self._store.root / "journals" / name, "rb") as file:
                file.seek(offset)
                return file.read(count)
        except OSError:
            return b""  # it hides no other; `pinyon verify` names it

    def _again(self, run: str) -> None:
        """All points of a run that were read before."""
        mine = [name for name, whose in self._run_of.items() if whose == run]
        highest: dict[str, int] = {}
        for name, cursor in self._segments.items():
            if cursor.offset and mentions(self._store.root / "journals" / name, mine):
                for lot, _ in self._lots(name, 0, cursor.offset):
                    self._add(lot, highest.get(_writer(name), -1), {run})
                    batch = max((one for one in lot.batch if one is not None), default=-1)
                    highest[_writer(name)] = max(batch, highest.get(_writer(name), -1))

    def _add(self, lot: Points, highest: int, only: Collection[str] = ()) -> None:
        for run, curves in self._by_run(lot, highest, only):
            if run not in self._open:  # its end was told before
                self._begin(self._rows[run])
            self._sink.add(run, curves)
            self._touched.add(run)
            self._points += len(curves)

    def _by_run(self, lot: Points, highest: int, only: Collection[str]) -> Iterable[tuple[str, Curves]]:
        found: dict[str, Curves] = {}
        lines = zip(lot.batch, lot.attempt, lot.step, lot.t, lot.names, lot.values, lot.objects, strict=True)
        for batch, attempt, step, t, names, values, objects in lines:
            run = self._run_of[attempt]
            known = batch is not None and batch <= highest
            if known or objects is not None or step is None or run not in (only or self._rows):
                continue
            time = math.nan if t is None else self._began[attempt] + t
            curves = found.setdefault(run, Curves())
            for metric, value in zip(names, values, strict=True):
                if value is not None:
                    curves.add(metric, step, time, value)
        return found.items()

    def _seen(self, name: str, batch: int) -> None:
        writer = _writer(name)
        self._highest[writer] = max(batch, self._highest.get(writer, -1))

    def _note(self) -> None:
        """Note how far this came."""
        runs = {run: Known(self._sink.held(run), self._over.get(run, "")) for run in self._touched}
        if runs or self._grown:
            self._cursors.note({name: self._segments[name] for name in self._grown}, runs)
        self._noted = self._points
        self._grown.clear()
        self._touched.clear()


def _writer(segment: str) -> str:
    return segment.partition(".")[0]
