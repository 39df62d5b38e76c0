"""What the journals say, kept up to date in memory: a call reads what was written since the last one."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from threading import RLock
from typing import Any

from pinyon.bridges.mlflow.metrics import Latest
from pinyon.bridges.mlflow.seen import Seen, is_ours, mlflow_id
from pinyon.model.event import Event
from pinyon.model.ids import ProcessId, read_process
from pinyon.store.local import LocalStore

_STEP, _STEP_FAR = 50_000_000, 2_000_000_000  # nanoseconds: of time stamps on a local disk, and on a server's
_OF_MODELS = frozenset({"mlflow_model", "mlflow_model_metrics"})


class View:
    """Runs, logged models and loose artifacts of a store.

    Attributes:
        runs: by MLflow's id, in the order of their first records.
        latest: newest values of metrics.
        models: records of logged models, by id.
        loose: records of artifacts that belong to no run, in the order in which they were read.
        cells: records that declare cells of experiments.
        executions: bodies of ``execution`` records by id.
        others: runs that MLflow did not make, by key.
        news: how many records came in about those, and about cells.
        recent: all runs by key; those that changed last come last.
        clock: the version of the one that changed last.
        lock: held by whoever reads what `refresh` changes.
    """

    def __init__(self, store: LocalStore) -> None:
        self._store = store
        self.lock = RLock()
        self.runs: dict[str, Seen] = {}
        self.latest = Latest(store)
        self.models: dict[str, dict[tuple[float, str, int], Event]] = {}
        self.loose: dict[tuple[float, str, int], Event] = {}
        self.cells: dict[tuple[str, int], Event] = {}
        self.executions: dict[str, dict[str, Any]] = {}
        self.others: dict[str, Seen] = {}
        self.recent: dict[str, Seen] = {}
        self.clock = 0
        self.news = 0
        self._stamp: tuple[int, ...] = ()
        near = (
            not store.shared and store.cache.parent == store.place
        )  # a cache lies elsewhere for one on a network
        self._margin = _STEP if near else _STEP_FAR
        self._known: set[str] = set()
        self._growing: dict[str, tuple[int, ProcessId | None]] = {}
        self._by_attempt: dict[str, Seen] = {}
        self._early: dict[str, list[Event]] = {}  # of attempts whose intent was not read yet

    def refresh(self) -> None:
        """Read what journals have gained."""
        with self.lock:
            self._list()
            for name, (offset, process) in list(self._growing.items()):
                # Asked before its size: who dies after the question may still have written something before.
                dead = process is not None and process.alive() is False
                if self._store.journals.size(name) > offset:
                    self._read(name, offset, process)
                elif dead:
                    del self._growing[name]

    def _list(self) -> None:
        """Learn of new segments; what was listed once is not looked at again."""
        stamp = self._store.journals.stamp()
        if stamp == self._stamp:
            return
        self._stamp = stamp if _settled(stamp, self._margin) else ()
        new = set(os.listdir(self._store.root / "journals")) - self._known
        self._known |= new
        for name in sorted(new):
            if ".facts." in name:
                self._growing[name] = (0, None)
            elif ".points." in name:
                self.latest.growing[name] = (0, 0)

    def points(self) -> None:
        """Read what segments of points have gained, too."""
        with self.lock:
            self.refresh()
            writing = {name.partition(".")[0] for name in self._growing}
            for attempt in self.latest.refresh(writing):
                if run := self._by_attempt.get(attempt):
                    self._touch(run)

    def history(self, run: Seen, metric: str | None = None) -> list[tuple[str, int, float, float]]:
        """(metric, step, seconds since the epoch, value) of the points that count; of one metric or of all."""
        with self.lock:
            self.points()
            return self.latest.history(run.attempts, metric, _resumed(run))

    def run(self, run_id: str) -> Seen | None:
        """A run by MLflow's id; Pinyon's own spelling (``r-…``) will do."""
        found = self.runs.get(run_id)
        if found is None and run_id.startswith("r-"):
            return next((one for one in self.runs.values() if one.key.startswith(run_id[2:])), None)
        return found

    def told(self, kind: str, about: Iterable[str] | None = None) -> list[Event]:
        """As `pinyon.query.index.Index.told`, of records that declare cells."""
        found = [event for event in self.cells.values() if kind == event.kind]
        wanted = None if about is None else set(about)
        kept = [event for event in found if wanted is None or event.body.get("experiment") in wanted]
        return sorted(kept, key=lambda event: (event.ts, event.writer, event.seq))

    def projects(self) -> dict[str, str]:
        """As `pinyon.query.index.Index.projects`."""
        return {name: str(body.get("project") or "") for name, body in self.executions.items()}

    def _read(self, name: str, offset: int, process: ProcessId | None) -> None:
        for event, end in self._store.journals.read(name, offset):
            offset = end
            if event.kind == "opened":
                process = read_process(event.body.get("process"))
            elif event.kind == "closed":
                self._growing.pop(name, None)
                return
            else:
                self._add(event)
        self._growing[name] = (offset, process)

    def _add(self, event: Event) -> None:
        body, at = event.body, (event.ts, event.writer, event.seq)
        if event.kind == "execution":
            self.executions.setdefault(str(body.get("execution")), body)
        elif event.kind == "cells":
            self.cells[event.writer, event.seq] = event
            self.news += 1
            for run in self.others.values():
                self._touch(run)  # of which experiment each is follows from cells
        elif event.kind in _OF_MODELS and isinstance(body.get("model"), str):
            self.models.setdefault(body["model"], {})[at] = event
        elif event.kind in ("mlflow_artifact", "mlflow_unlinked"):
            self.loose[at] = event
        elif isinstance(attempt := body.get("attempt"), str):
            self._about(attempt, event)

    def _about(self, attempt: str, event: Event) -> None:
        run = self._by_attempt.get(attempt)
        if run is not None:
            run.add(event)
            self._touch(run)
            return
        key = event.body.get("key") if event.kind == "intent" else None
        if not isinstance(key, str) or len(key) < 32:
            self._early.setdefault(attempt, []).append(event)
            return
        run = self.runs.setdefault(mlflow_id(key), Seen(key))
        self._by_attempt[attempt] = run
        for one in (event, *self._early.pop(attempt, ())):
            run.add(one)
        if not is_ours(event.body.get("origin")):
            self.others[key] = run
        self._touch(run)

    def _touch(self, run: Seen) -> None:
        self.clock += 1
        run.version = self.clock
        self.recent.pop(run.key, None)
        self.recent[run.key] = run
        self.news += run.key in self.others

    def seen(self) -> Iterator[Seen]:
        """Every run with an attempt of a form that is known."""
        return (run for run in self.runs.values() if run.attempts)


def _resumed(run: Seen) -> dict[str, int]:
    """At which step each attempt went on, where it did."""
    return {
        event.body["attempt"]: event.body["step"]
        for event in run.of("resumed")
        if isinstance(event.body.get("step"), int)
    }


def _settled(stamp: tuple[int, ...], margin: int) -> bool:
    """Whether a listing with this time stamp can have missed nothing: it moves in steps, of the kernel's clock or of a
    server's."""
    return bool(stamp) and time.time_ns() - stamp[-1] > margin
