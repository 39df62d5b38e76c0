"""Whoever appends facts, wherever they lie: numbers, chain and ``opened`` (docs/FORMAT.md §3)."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from typing import Any

import pinyon
from pinyon.errors import StoreError
from pinyon.model.actor import Actor, current_actor, user_name
from pinyon.model.event import Event
from pinyon.model.ids import new_id, this_process
from pinyon.store import redacted
from pinyon.store.facts import chain
from pinyon.store.lines import encode


class FactsWriter(ABC):
    """See `pinyon.store.protocol.JournalWriter`. How a segment is begun and where a line goes is for others to say."""

    def __init__(self, user: str = "", actor: Actor | None = None, project: str = "") -> None:
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
        self._retired = True
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
        """Have a segment that can be written to; its ``opened`` is stored before any other record.

        Raises:
            StoreError: in a forked child.
        """
        if self._process.pid != os.getpid():
            raise StoreError(
                "a forked child must open its own journal", where=self._writer, next="open_writer()"
            )
        if self._retired:
            self._open()

    @abstractmethod
    def _begin_segment(self, name: str) -> None:
        """A segment of this name, empty, is what `_emit` writes to from now on."""

    @abstractmethod
    def _emit(self, data: bytes) -> None:
        """Write a whole line.

        Raises:
            OSError, StoreError: it may or may not be there.
        """

    def _open(self) -> None:
        number = self._number + 1
        self._begin_segment(f"{self._writer}.facts.{number}.jsonl")
        self._number, self._retired = number, False
        self._write("opened", {"process": list(self._process), **self._opened})

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
            self._emit(line + b"\n")
        except (OSError, StoreError):
            # What is stored now is unknown; nothing may be appended behind it.
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
