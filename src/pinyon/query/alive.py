"""What an attempt is now: derived from proof of life or of death, never believed because somebody wrote it (FORMAT.md §7).

On this host the process that looks after it proves it. Of another host only records that keep coming do: an observer
counts by its own monotonic clock how long ago it saw them grow, and never compares two hosts' clocks.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple
from weakref import WeakKeyDictionary

from pinyon.model.ids import ProcessId, boot_id
from pinyon.model.outcome import FINAL, LOST, UNKNOWN, Attempt
from pinyon.model.scheduler import preempted
from pinyon.model.units import show_seconds
from pinyon.query.index import Index

HEARTBEAT = 30.0  # seconds between two records of a process that looks after attempts
TERM = 3 * HEARTBEAT  # without a record a process of another host is no longer known to live
_FILE = "alive.json"
_KEEP = HEARTBEAT / 3  # seconds between two looks of one observer that it writes down


class Verdict(NamedTuple):
    """What an attempt is now, with the evidence.

    Attributes:
        status: a recorded end, else RUNNING or SUBMITTED with proof of life, LOST with proof of death, else UNKNOWN.
        detail: of a recorded end its cause (``preempted`` is derived); of UNKNOWN how long nothing was heard.
        since: seconds since the last sign of life by this observer's clock; None where it needs none.
        why: the evidence, for people.
    """

    status: str
    detail: str = ""
    since: float | None = None
    why: str = ""


class Sight(NamedTuple):
    """What an observer saw of a process of another host. Times are of its own monotonic clock.

    Attributes:
        size: bytes of its facts at the last look.
        looked: the last look.
        first: the first look.
        alive: it lived then or later; None without any proof.
    """

    size: int
    looked: float
    first: float
    alive: float | None = None

    def then(self, size: int, now: float) -> Sight:
        """After one more look. What is new now was written at some moment after the look before."""
        return Sight(max(size, self.size), now, self.first, self.looked if size > self.size else self.alive)


class Observer:
    """One who looks at processes of other hosts, again and again; what it saw lasts from one short life to the next."""

    def __init__(self, memory: Path) -> None:
        self._memory = memory
        self._sights: dict[ProcessId, Sight] | None = None
        self._kept = float("-inf")

    def look(self, sizes: dict[ProcessId, int], wanted: Iterable[ProcessId]) -> dict[ProcessId, Sight]:
        """What is known of these processes after a look at how much all have written."""
        now = time.monotonic()
        known = self._recall(now) if self._sights is None else self._sights
        found = {}
        for process in wanted:
            size = sizes.get(process, 0)
            old = known.get(process)
            found[process] = old.then(size, now) if old and old.looked <= now else Sight(size, now, now)
        self._sights = {**{one: sight for one, sight in known.items() if one in sizes}, **found}
        if now >= self._kept + _KEEP:
            self._kept = now
            self._remember()
        return found

    def _recall(self, now: float) -> dict[ProcessId, Sight]:
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            data = json.loads(self._memory.read_text())
            if data["boot"] == boot_id():  # a monotonic clock begins anew with the machine
                found = {ProcessId(*process): Sight(*sight) for process, sight in data["seen"]}
                return {one: sight for one, sight in found.items() if sight.looked <= now}
        return {}

    def _remember(self) -> None:
        data = {"boot": boot_id(), "seen": [[list(one), list(s)] for one, s in (self._sights or {}).items()]}
        temporary = self._memory.with_name(f"{self._memory.name}.{os.getpid()}")
        with contextlib.suppress(OSError):  # then it takes longer to be sure
            temporary.write_text(json.dumps(data))
            os.replace(temporary, self._memory)


_observers: WeakKeyDictionary[Index, Observer] = WeakKeyDictionary()


def look(index: Index, attempts: Iterable[Attempt]) -> list[tuple[Attempt, Verdict]]:
    """What these attempts are now, in the same order.

    Whose process is dead may have had a last word that the caller has not read: then the journals are read once more,
    after the proof, and the attempt is given back as it is told by then.
    """
    given = list(attempts)
    lives = {one.supervisor: one.supervisor.alive() for one in given if one.supervisor and _open(one)}
    dead = [
        one.id for one in given if _open(one) and (one.supervisor is None or lives[one.supervisor] is False)
    ]
    if dead:
        index.catch_up()
        again = {a.id: a for a in index.attempts("id in (select value from json_each(?))", json.dumps(dead))}
        given = [again.get(one.id, one) for one in given]
    sights = _sights(index, [one for one, alive in lives.items() if alive is None])
    return [(one, _verdict(one, lives, sights)) for one in given]


def verdict(index: Index, attempt: Attempt) -> Verdict:
    """What one attempt is now."""
    return look(index, [attempt])[0][1]


def status(index: Index, attempt: Attempt) -> str:
    """The state of an attempt as it is now, not as it was when somebody last wrote."""
    return verdict(index, attempt).status


def _open(attempt: Attempt) -> bool:
    return attempt.state not in FINAL


def _sights(index: Index, away: list[ProcessId]) -> dict[ProcessId, Sight]:
    if not away:
        return {}
    observer = _observers.setdefault(index, Observer(index.cache / _FILE))
    return observer.look(index.heard(), away)


def _verdict(
    attempt: Attempt, lives: dict[ProcessId, bool | None], sights: dict[ProcessId, Sight]
) -> Verdict:
    process = attempt.supervisor
    if not _open(attempt):
        by = preempted(attempt.scheduler, attempt.detail, attempt.signal, attempt.exit_code)
        detail = "preempted" if by else attempt.detail
        return Verdict(attempt.state, detail, why="it is recorded" + " under a scheduler's job" * by)
    if process is None or lives[process] is False:
        who = f"process {process.pid}" if process else "nobody"
        return Verdict(
            LOST, "lost", why=f"its supervisor, {who}, is gone" if process else "nobody looks after it"
        )
    if lives[process]:
        return Verdict(attempt.state, attempt.detail, 0.0, f"process {process.pid} lives on this host")
    return _far(attempt, process, sights[process])


def _far(attempt: Attempt, process: ProcessId, sight: Sight) -> Verdict:
    """Of a process that cannot be asked."""
    if sight.alive is not None and (silent := sight.looked - sight.alive) <= TERM:
        return Verdict(attempt.state, attempt.detail, silent, f"records of {process.host} keep coming")
    silent = sight.looked - (sight.first if sight.alive is None else sight.alive)
    how = f"not heard of for {show_seconds(silent)}" if silent else "seen for the first time"
    return Verdict(UNKNOWN, how, silent, f"process {process.pid} on {process.host} cannot be asked")
