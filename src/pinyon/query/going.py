"""The picture of all that goes on: executions with their stages and cells, their attempts, and what has just ended."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

from pinyon.model.ids import run_id
from pinyon.model.outcome import FINAL, LOST, SUCCEEDED, UNKNOWN, Attempt
from pinyon.query.alive import Verdict, look
from pinyon.query.cells import Member, members
from pinyon.query.index import Index
from pinyon.query.live import Live, Now
from pinyon.store.local import LocalStore

_LATELY = 60.0  # seconds for which what has ended is still shown
_MANY = 50  # of those


class Counts(NamedTuple):
    """How many of ``total`` stages or replicates there are of each kind. ``waiting`` ones may turn out to need nothing."""

    done: int
    running: int
    failed: int
    waiting: int
    total: int


class Part(NamedTuple):
    """A phase of an experiment in an execution."""

    experiment: str
    phase: str
    counts: Counts


class Work(NamedTuple):
    """One execution that goes on, or of which attempts do. ``started`` by its host's clock, for people."""

    execution: str
    state: str
    project: str
    goal: str
    actor: Any
    host: str
    started: float
    counts: Counts
    phases: list[Part]
    attempts: list[Now]


class Over(NamedTuple):
    """An attempt that ended a moment ago, ``age`` seconds."""

    attempt: Attempt
    verdict: Verdict
    cell: str
    age: float


class Picture(NamedTuple):
    """All that goes on. ``cells`` names the cell of an attempt, where it belongs to one."""

    works: list[Work]
    over: list[Over]
    cells: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        works = [
            {
                **work._asdict(),
                "counts": work.counts._asdict(),
                "phases": [{**part._asdict(), "counts": part.counts._asdict()} for part in work.phases],
                "attempts": [
                    {**one.as_dict(), "cell": self.cells.get(one.attempt.id, "")} for one in work.attempts
                ],
            }
            for work in self.works
        ]
        over = [
            {
                "attempt": one.attempt.id, "stage": one.attempt.stage, "cell": one.cell, "age": round(one.age, 3),
                "execution": one.attempt.execution, "status": one.verdict.status, "detail": one.verdict.detail,
                "seconds": one.attempt.seconds, "metrics": one.attempt.metrics,
            }
            for one in self.over
        ]  # fmt: skip
        return {"executions": works, "ended": over}


class Going:
    """Looks again and again.

    Args:
        names: only what belongs to a stage, a group of stages, an experiment, or begins with the id of a run, attempt or
            execution; all where there are none.
        project: whose; None: the project's own, "all": everybody's.
    """

    def __init__(
        self, store: LocalStore, index: Index, names: Iterable[str] = (), project: str | None = None
    ) -> None:
        self._index, self._names = index, tuple(names)
        self._own, self._values = index.seen_by(project)
        self._project = "" if project == "all" else (project or index.project)
        self._live = Live(store, index, project)
        self._before: set[str] | None = None
        self._over: dict[str, tuple[Attempt, Verdict, float]] = {}
        self._works: dict[str, tuple[Any, Work]] = {}  # with what they were made of
        self._members: tuple[int, dict[str, list[Member]]] = (-1, {})

    def look(self) -> Picture:
        """The picture now."""
        rows = self._live.look()
        by_execution: dict[str, list[Now]] = {}
        for row in rows:
            by_execution.setdefault(row.attempt.execution, []).append(row)
        for name in self._drivers():
            by_execution.setdefault(name, [])
        cells = self._cells(list(by_execution))
        works = [self._work(name, mine, cells.get(name, [])) for name, mine in by_execution.items()]
        named = {
            row.attempt.id: label
            for name, mine in by_execution.items()
            for label_of in [_labels(cells.get(name, []))]
            for row in mine
            if (label := label_of.get(row.attempt.recipe))
        }
        over = self._ended({row.attempt.id for row in rows})
        works = [chosen for work in works if (chosen := self._chosen(work, cells)) is not None]
        return Picture(sorted(works, key=lambda one: (one.started, one.execution)), over, named)

    def _drivers(self) -> list[str]:
        """Executions of this project whose drivers live."""
        found = []
        for name, body in list(self._live.executions.items()):
            process = self._index.process(body["writer"])
            if process is None or process.alive() is False:
                del self._live.executions[name]
            elif process.alive() and self._project in ("", body.get("project") or ""):
                found.append(name)
        return found

    def _cells(self, executions: list[str]) -> dict[str, list[Member]]:
        """Replicates by the execution that declared them; read again only when there are more."""
        count = self._index.count("cells")
        if count != self._members[0]:
            found: dict[str, list[Member]] = {}
            for one in members(self._index) if count else ():
                found.setdefault(one.execution, []).append(one)
            self._members = (count, found)
        return {name: self._members[1][name] for name in executions if name in self._members[1]}

    def _work(self, name: str, mine: list[Now], cells: list[Member]) -> Work:
        reused = self._live.reused.get(name, set())
        made_of = (tuple((row.attempt.id, row.verdict.status) for row in mine), self._live.turns)
        known = self._works.get(name)
        if known and known[0] == made_of:
            return known[1]._replace(attempts=mine)
        found = dict(self._index.executions("id = ?", name)).get(name, {})
        _, _, started, body = found.get("execution") or ("", 0, 0.0, self._live.executions.get(name, {}))
        state = "RUNNING" if name in self._live.executions else _state([row.verdict.status for row in mine])
        outcomes = self._index.outcomes(name)
        phases = [
            Part(*key, _counts(outcomes, reused, {one.recipe for one in group}))
            for key, group in _by_phase(cells).items()
        ]
        least = int(body.get("stages") or 0)
        counts = _counts(
            outcomes, reused, {one.recipe for one in cells}, least, int(body.get("settled") or 0)
        )
        project, host = str(body.get("project") or ""), str(body.get("host") or "")
        goal = _goal(body) or " ".join(dict.fromkeys(one.experiment for one in cells))
        work = Work(name, state, project, goal, body.get("actor"), host, started, counts, phases, mine)
        self._works[name] = (made_of, work)
        return work

    def _ended(self, opened: set[str]) -> list[Over]:
        """What was open at the look before, or by our clock a moment before the first one, and is so no more."""
        now = time.monotonic()
        if self._before is None:
            recent = f"key != '' and not open and started + took > ? and {self._own}"
            gone = self._index.newest(recent, _MANY, time.time() - _LATELY, *self._values)
            gone = [one for one in gone if one.mode != "adopted" and one.started + one.seconds <= time.time()]
            ages = {one.id: time.time() - one.started - one.seconds for one in gone}
        else:
            names = (self._before - opened) | self._live.gone
            among = f"{self._own} and id in (select value from json_each(?))"
            gone = self._index.attempts(among, *self._values, json.dumps(sorted(names))) if names else []
            ages = {}
        for one, verdict in look(self._index, gone):
            if one.state in FINAL:
                self._over[one.id] = (one, verdict, now - ages.get(one.id, 0.0))
        self._before = opened
        kept = [(name, told) for name, told in self._over.items() if now - told[2] < _LATELY]
        self._over = dict(sorted(kept, key=lambda one: one[1][2])[-_MANY:])
        labels: dict[str, dict[str, str]] = {}
        found = []
        for one, verdict, at in self._over.values():
            if one.execution not in labels:
                labels[one.execution] = _labels(self._cells([one.execution]).get(one.execution, []))
            cell = labels[one.execution].get(one.recipe, "")
            if not self._names or any(means(one, cell, name) for name in self._names):
                found.append(Over(one, verdict, cell, now - at))
        return sorted(found, key=lambda over: -over.age)

    def _chosen(self, work: Work, cells: dict[str, list[Member]]) -> Work | None:
        """As much of it as was asked for."""
        if not self._names:
            return work
        declared = {one.experiment for one in cells.get(work.execution, ())}
        if any(name in declared or work.execution.startswith(_long(name)) for name in self._names):
            return work
        mine = [row for row in work.attempts if any(means(row.attempt, "", name) for name in self._names)]
        return work._replace(attempts=mine) if mine else None


def means(attempt: Attempt, cell: str, name: str) -> bool:
    """Whether somebody who writes a name means this attempt: its stage or group of stages, or how an id begins."""
    stage = attempt.stage == name or attempt.stage.startswith(f"{name}@")
    ids = (attempt.id, run_id(attempt.key), attempt.execution)
    return stage or any(one.startswith(_long(name)) for one in ids) or cell.startswith(f"{name} ")


def _long(name: str) -> str:
    """A beginning of an id as it is; of anything else nothing begins with it."""
    return name if name[:2] in ("r-", "a-", "x-") else "\0"


def _counts(
    outcomes: list[tuple[str, str]], reused: set[str], among: set[str], least: int = 0, settled: int = 0
) -> Counts:
    """``among`` the recipes that are declared, or of all where ``least`` says how many there are at least."""
    whole = bool(least)
    done = {recipe for recipe, state in outcomes if state == SUCCEEDED} | reused
    running = {recipe for recipe, state in outcomes if state not in FINAL} - done
    failed = {recipe for recipe, state in outcomes if state in FINAL} - done - running
    if not whole:
        done, running, failed = done & among, running & among, failed & among
    known = len(done | running | failed | among)
    finished = len(done) + settled
    total = max(least, known, finished + len(running) + len(failed))
    waiting = total - finished - len(running) - len(failed)
    return Counts(finished, len(running), len(failed), waiting, total)


def _by_phase(cells: Iterable[Member]) -> dict[tuple[str, str], list[Member]]:
    found: dict[tuple[str, str], list[Member]] = {}
    for one in cells:
        found.setdefault((one.experiment, one.phase), []).append(one)
    return found


def _labels(cells: Iterable[Member]) -> dict[str, str]:
    """How to call the cell of a recipe: what it sets otherwise than others of its phase. The first phase counts."""
    found: dict[str, str] = {}
    for group in _by_phase(cells).values():
        spelled = {
            name: {json.dumps(one.overlay.get(name), default=str) for one in group}
            for name in group[0].overlay
        }
        told = [name for name, values in spelled.items() if len(values) > 1]
        for one in group:
            said = (f"{name.rpartition('.')[2]}={_value(one.overlay.get(name))}" for name in told)
            found.setdefault(one.recipe, " ".join(said) or one.cell)
    return found


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _state(statuses: list[str]) -> str:
    """What an execution is whose driver has gone or cannot be asked, by what its attempts are."""
    living = (one for one in statuses if one not in (LOST, UNKNOWN))
    return "RUNNING" if any(living) else UNKNOWN if UNKNOWN in statuses else LOST


def _goal(body: dict[str, Any]) -> str:
    goal = body.get("goal")
    stages = goal.get("stages") if isinstance(goal, dict) else None
    return " ".join(map(str, stages)) if isinstance(stages, list) else ""
