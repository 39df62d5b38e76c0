"""What one process has to write: facts, and points out of its ring. One thread at a time (`pinyon.track.sink`)."""

from __future__ import annotations

import itertools
import os
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pinyon.model.event import Event
    from pinyon.store.journal import LocalJournalWriter
    from pinyon.store.points import PointsWriter
    from pinyon.store.ring import Ring
    from pinyon.store.ringfile import Made

_OFTEN = 5.0  # seconds between two records of how many points were dropped


class Records:
    """The journal, the segments and the ring of one process. Everything that writes raises OSError when the disk refuses,
    and is tried again by the next call.

    Args:
        once: says something to people the first time.

    Attributes:
        facts: (kind, body) of those that wait.
        newest: the newest value of each metric.
    """

    def __init__(self, store: str, attempt: str, project: str, once: Callable[[str, str], None]) -> None:
        self._store, self._attempt, self._project, self._once = store, attempt, project, once
        self.facts: deque[tuple[str, dict[str, Any]]] = deque()
        self.newest: dict[str, Any] = {}
        self._writer: LocalJournalWriter | None = None
        self._points: PointsWriter | None = None
        self._made: Made | None = None
        self._tell_dropped_at = 0.0

    def make_ring(self) -> Ring:
        """Where points will wait; that it is there becomes a fact."""
        from pinyon.model.ids import this_process
        from pinyon.store.ring import About
        from pinyon.store.ringfile import make

        about = About(list(this_process()), os.path.realpath(self._store), self._attempt, self._project)
        made = self._made = make(self._journal().writer, about)
        why = {"why": made.why} if made.why else {}
        self.facts.append(("tracked", {"attempt": self._attempt, "ring": made.path or None, **why}))
        if made.why:
            self._once(
                "memory", f"points wait in memory, and kill -9 loses up to 250 ms of them ({made.why})"
            )
        return made.ring

    def append(self, kind: str, body: dict[str, Any]) -> Event:
        """Write a fact about the attempt."""
        return self._journal().append(kind, {"attempt": self._attempt, **body})

    def write(self, *, ending: bool = False) -> None:
        """Write all that waits."""
        self.write_facts()
        if self._made is not None:
            self._write_points(self._made)
            self._count_dropped(self._made, ending)

    def write_facts(self) -> None:
        """Write the facts that wait."""
        while self.facts:
            self._write_fact()

    def write_object(self, t: float, step: int, objects: dict[str, Any]) -> None:
        """Write what is no number, after everything that waits (docs/FORMAT.md §5, "Objects")."""
        self.write()
        self._stream().write_object(t, step, objects, self._attempt)

    def sync(self) -> None:
        """Make everything that was written power-durable."""
        if self._points is not None:
            self._points.sync()
        self.sync_facts()

    def sync_facts(self) -> None:
        """The same for facts; this one may be called while another thread writes."""
        if self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        """End the journal. A ring that still has points stays where the next one finds it."""
        made = self._made
        if made is not None:
            from pinyon.store.rings import remove

            if left := made.ring.waiting() + made.ring.dropped:
                self._once("lost", f"{left} points could not be written{self._kept()}")
            if made.path and not self._kept():
                remove(made.path)
            made.ring.close()
        if self._points is not None:
            self._points.close()
        if self._writer is not None:
            self._writer.close()

    def _kept(self) -> str:
        """Where points are that the disk has refused to the end; "" if they are lost."""
        made = self._made
        if (
            made is None
            or not made.path
            or not made.ring.filled
            or not os.path.isdir(f"{self._store}/journals")
        ):
            return ""
        return f"; the next pinyon here takes them from {made.path}"

    def left(self) -> str:
        """What has not been written, for people."""
        waiting = self._made.ring.waiting() if self._made is not None else 0
        return f"{waiting} points and {len(self.facts)} records are not written{self._kept()}"

    def _write_fact(self) -> None:
        """Write the oldest fact; it stays in the queue if the disk refuses it. Summaries in a row become one."""
        kind, body = self.facts[0]
        count = 1
        if kind == "summary":
            body = {**body, "values": dict(body["values"])}
            for other, more in itertools.islice(list(self.facts), 1, None):
                if other != kind:
                    break
                body["values"].update(more["values"])
                count += 1
        try:
            self._journal().append(kind, body)
        except (TypeError, ValueError) as error:
            self._once("fact", f"{kind} cannot be written as JSON ({error}); it is left out")
        for _ in range(count):
            self.facts.popleft()

    def _write_points(self, made: Made) -> None:
        """Write what waits; the batch in hand first, with the very points that it had before."""
        from pinyon.store.ring import RingError

        ring, stream, end = made.ring, self._stream(), made.ring.end
        while ring.start < end:
            try:
                points, after = ring.take()
            except RingError as error:
                self._once("ring", f"{made.path or 'a ring'} is damaged ({error}); what was in it is lost")
                ring.skip()
                return
            if points:
                ring.hold(stream.next, after)
                stream.write(points, self._attempt)
            ring.done(after)
            for point in points:
                self.newest.update(point.values)

    def _count_dropped(self, made: Made, ending: bool) -> None:
        count = made.ring.dropped
        if count > made.ring.told and (ending or time.monotonic() >= self._tell_dropped_at):
            self._tell_dropped_at = time.monotonic() + _OFTEN
            self.append("dropped", {"writer": self._journal().writer, "points": count})
            made.ring.told = count

    def _journal(self) -> LocalJournalWriter:
        if self._writer is None:
            from pinyon.store.journal import LocalJournalWriter

            self._writer = LocalJournalWriter(Path(self._store) / "journals", project=self._project)
        return self._writer

    def _stream(self) -> PointsWriter:
        if self._points is None:
            journal = self._journal()
            journal.begin()  # so that whoever reads the points can tell whose they are, and whether he lives
            from pinyon.store.points import PointsWriter

            self._points = PointsWriter(f"{self._store}/journals", journal.writer)
        return self._points
