"""What goes on now: open attempts with their newest numbers, and the executions that they belong to.

A reader of what grows (`pinyon.query.growth`), so a look costs what was written since the one before it. It writes nothing
but caches. Durations are never differences of two hosts' clocks, and never negative.
"""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

from pinyon.model.event import Event
from pinyon.model.ids import ProcessId, host_name
from pinyon.model.outcome import FINAL, Attempt
from pinyon.query import logs
from pinyon.query.alive import Verdict, look
from pinyon.query.growth import Growth
from pinyon.query.index import Index
from pinyon.query.pace import Pace, Progress
from pinyon.query.points import Points
from pinyon.store.local import LocalStore

SYSTEM = "system."  # how names of system metrics begin
_RECENT = 40  # values that are kept of a metric
_TURNS = frozenset({"intent", "ended", "lost", "reused", "cells"})
_GRACE = 60.0  # seconds for which something is kept of an attempt that is not known to be open
_TAIL = 400  # bytes of a log that are searched for its last line


class Metric(NamedTuple):
    """The newest value of a metric, the step that it belongs to, and the values before it, the newest last."""

    value: float
    step: int | None
    recent: Sequence[float]


class Now(NamedTuple):
    """One attempt without a recorded end. ``elapsed`` and ``silent``: seconds since it began, and since its last sign of
    life, None where nobody can tell."""

    attempt: Attempt
    verdict: Verdict
    elapsed: float
    silent: float | None
    progress: Progress | None
    metrics: dict[str, Metric]
    system: dict[str, Metric]
    line: str

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        one, progress = self.attempt, self.progress
        return {
            "attempt": one.id, "stage": one.stage, "execution": one.execution, "project": one.project,
            "status": self.verdict.status, "detail": self.verdict.detail, "why": self.verdict.why,
            "host": one.supervisor.host if one.supervisor else "", "elapsed": round(self.elapsed, 3),
            "silent": None if self.silent is None else round(self.silent, 3),
            "progress": progress._asdict() if progress else None,
            "metrics": {name: {"value": one.value, "step": one.step} for name, one in self.metrics.items()},
            "system": {name: one.value for name, one in self.system.items()},
            "line": self.line,
        }  # fmt: skip


class _Told:
    """What was read of one attempt."""

    def __init__(self) -> None:
        self.pace = Pace()
        self.metrics: dict[str, tuple[float, int | None, deque[float]]] = {}
        self.t = 0.0  # seconds since it began, by the newest point
        self.heard = self.began = 0.0  # by the clock of its supervisor: the newest record, and the first
        self.seen: float | None = None  # by our monotonic clock: when something came
        self.log: tuple[int, str] = (-1, "")
        self.touched = 0.0  # by our monotonic clock: when anything was read


class Live:
    """What goes on in a store, look by look.

    Args:
        project: whose attempts; None: the index's own, "all": everybody's.
    """

    def __init__(self, store: LocalStore, index: Index, project: str | None = None) -> None:
        self.executions: dict[
            str, dict[str, Any]
        ] = {}  # bodies of ``execution`` records of drivers that may still work
        self.turns = 0  # how often something began or ended
        self.reused: dict[str, set[str]] = {}  # by execution: recipes that nobody had to run
        self._store, self._index = store, index
        self._growth = Growth(index, store.journals, store.root / "journals")
        self._own, self._values = index.seen_by(project)
        self._told: dict[str, _Told] = {}
        self._known: dict[str, Attempt] = {}
        self._lost: dict[str, tuple[Attempt, Verdict]] = {}
        self._looked = False
        self._fresh: set[str] = set()  # of whom something came in this look
        self.gone: set[str] = set()  # whose end came in the newest look, but for the first

    def look(self) -> list[Now]:
        """Every attempt without a recorded end, in the order of their beginning as far as clocks agree."""
        gained = self._growth.look()
        self._index.catch_up()
        opened = self._open()
        now = time.monotonic()
        over = (str(one.body.get("attempt")) for one in gained.events if one.kind in ("ended", "lost"))
        self.gone = set(over) if self._looked else set()
        for event in gained.events:
            self._hear(event, now)
        for lot in gained.points:
            self._take(lot, now)
        # Of whom the index knows nothing it may yet: each file is seen at its own time where attributes are old.
        self._told = {n: told for n, told in self._told.items() if n in opened or now < told.touched + _GRACE}
        self._fresh.clear()
        self._looked = True
        asked = look(self._index, [one for name, one in opened.items() if name not in self._lost])
        for one, verdict in asked:
            if verdict.status == "LOST":
                self._lost[one.id] = (one, verdict)  # for good: the dead write no more
        self._lost = {name: pair for name, pair in self._lost.items() if name in opened}
        found = {one.id: (one, verdict) for one, verdict in asked} | self._lost
        rows = [self._now(*pair, now) for pair in found.values() if pair[0].state not in FINAL]
        return sorted(rows, key=lambda row: (row.attempt.started, row.attempt.id))

    def _open(self) -> dict[str, Attempt]:
        """Open attempts; one that runs is told in full once."""
        slim = self._index.slim(f"open and {self._own}", *self._values)
        fresh = [
            one.id
            for one in slim
            if self._known.get(one.id, one).state != "RUNNING" or one.id not in self._known
        ]
        known = {one.id: self._known[one.id] for one in slim if one.id in self._known}
        for one in self._index.attempts(*_among(fresh)) if fresh else ():
            known[one.id] = one
        self._known = known
        return known

    def _hear(self, event: Event, now: float) -> None:
        body = event.body
        self.turns += event.kind in _TURNS
        if event.kind == "execution":
            self.executions[str(body.get("execution"))] = {**body, "writer": event.writer, "ts": event.ts}
        elif event.kind == "finished":
            self.executions.pop(str(body.get("execution")), None)
        elif event.kind == "reused":
            self.reused.setdefault(str(body.get("execution")), set()).add(str(body.get("recipe")))
        names = body.get("attempts") if event.kind == "heartbeat" else [body.get("attempt")]
        for name in names if isinstance(names, list) else ():
            if isinstance(name, str) and event.kind not in ("intent", "lost"):
                told = self._touch(name, now)
                if event.kind in ("running", "heartbeat"):
                    told.began, told.heard = told.began or event.ts, event.ts
                elif event.kind == "progress":
                    told.pace.add(event, now)

    def _touch(self, name: str, now: float) -> _Told:
        """What is known of an attempt that something came of; when what a first look finds was written is not known."""
        self._fresh.add(name)
        told = self._told.setdefault(name, _Told())
        told.touched = now
        told.seen = now if self._looked else told.seen
        return told

    def _take(self, lot: Points, now: float) -> None:
        for name, t in zip(lot.attempt, lot.t, strict=True):
            told = self._told[name] if name in self._fresh else self._touch(name, now)
            told.t = max(told.t, t or 0.0)
        for name, metric, step, value in lot.numbers():
            told = self._told[name]
            old = told.metrics.get(metric)
            recent = old[2] if old else deque(maxlen=_RECENT)
            recent.append(value)
            told.metrics[metric] = (value, step, recent)

    def _now(self, attempt: Attempt, verdict: Verdict, now: float) -> Now:
        told = self._told.setdefault(attempt.id, _Told())
        size, line = told.log
        found = logs.span(self._store.url, attempt)
        if found is not None and found[2] != size:
            line = next(iter(logs.tail(self._store.url, attempt, 1, _TAIL)), "")
            told.log = (found[2], line)
            told.seen = now if size >= 0 else told.seen
        metrics: dict[str, Metric] = {}
        system: dict[str, Metric] = {}
        for name, (value, step, recent) in told.metrics.items():
            where, short = (system, name[len(SYSTEM) :]) if name.startswith(SYSTEM) else (metrics, name)
            where[short] = Metric(value, step, recent)
        silent = verdict.since if told.seen is None else now - told.seen
        return Now(
            attempt, verdict, _elapsed(attempt, told, now), silent, told.pace.now(now), metrics, system, line
        )


def _among(names: list[str]) -> tuple[str, str]:
    return "id in (select value from json_each(?))", json.dumps(names)


def _elapsed(attempt: Attempt, told: _Told, now: float) -> float:
    """Seconds since it began. By the wall clock where that can be true: it cannot be longer than its supervisor lives,
    nor shorter than what it said itself."""
    least = max(told.t, told.heard - told.began, 0.0)
    process = attempt.supervisor
    if process is None or process.host != host_name():
        return least + (now - told.seen if told.seen is not None else 0.0)
    age = _age(process)
    wall = time.time() - attempt.started
    return wall if least <= wall <= age else max(least, age)


def _age(process: ProcessId) -> float:
    """Seconds since a process of this host began, by the clock that counts from boot."""
    since_boot = time.clock_gettime(time.CLOCK_BOOTTIME)
    return max(0.0, since_boot - process.start / os.sysconf("SC_CLK_TCK"))
