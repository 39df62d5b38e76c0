"""decide → perform: from the first decision of an execution to its last."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from pinyon.errors import NoWinnerError, StageFailedError, TargetError
from pinyon.execute.driver import Driver
from pinyon.model.graph import Graph
from pinyon.model.outcome import Attempt
from pinyon.plan.actions import Action, Look, Propose, Repair, Reuse, Run, Select, Stop, Wait
from pinyon.plan.decide import Settled, decide
from pinyon.plan.estimate import look_ahead
from pinyon.plan.state import Seen
from pinyon.report.estimate import surprises
from pinyon.report.left import TimeLeft
from pinyon.report.plan import Result
from pinyon.report.told import Standing, Tell, Told
from pinyon.session import Session

if TYPE_CHECKING:
    from pinyon.model.experiment import Selection
    from pinyon.session.study import Growth

_PATIENCE = 0.5  # seconds between two looks at another execution's attempts


class Loop:
    """decide → perform, until there is nothing left to do."""

    def __init__(self, session: Session, driver: Driver, tell: Tell, jobs: int) -> None:
        self.session, self.state = session, session.records.state
        self.driver, self.tell, self.jobs = driver, tell, jobs
        self.grow(session.growth.graph() if session.growth else session.graph)
        self.selections: dict[str, Selection] = {}
        self.done = Settled()
        self.counts: Counter[str] = Counter()
        self.awaited: tuple[str, ...] = ()
        self.ended: dict[str, Attempt] = {}
        self.left = TimeLeft()
        self.sharing = any(any(task.stage.resources[:4]) for task in session.graph.tasks.values())

    def grow(self, graph: Graph) -> None:
        """The graph is this one, which has all tasks of the one before."""
        growth = self.session.growth
        self.graph, self.cells = graph, growth.labels(graph) if growth else {}
        self.driver.grow(graph)

    def run(self) -> Result:
        """Carry everything out; the execution's end is recorded however it comes."""
        state = "FAILED"
        try:
            while actions := decide(self.graph, self.state, self.look_around(), self.done):
                left = self.left.seconds(self.done.outputs)
                # What an experiment will have in the end is known only over assumed winners.
                total = max(len(self.graph.tasks), len(self.session.graph.tasks))
                standing = Standing(len(self.done.outputs), total, left)
                self.tell(Told("standing", standing=standing))
                self.driver.settled = len(self.done.outputs)
                self.perform(actions)
            assert self.graph.study or self.done.outputs.keys() == self.graph.tasks.keys(), (
                "a goal is reached when every task has its outs"
            )
            state = "SUCCEEDED"
        except KeyboardInterrupt:
            state = "CANCELLED"
            self._stop()
            raise
        finally:
            self.driver.finish(state, self.counts)
            for line in surprises(self.ended.values()):
                self.tell(Told("note", text=line))
        return self._result()

    def _result(self) -> Result:
        growth = self.session.growth
        study = growth.result(self.graph, self.done, self.selections, {}) if growth else None
        return Result(self.driver.execution, self.graph, self.done.verdicts, self.counts, study)

    def look_around(self) -> Seen:
        """What lives and what lies here now."""
        if self.sharing:
            self.state.refresh(own=False)  # what others have started takes its part of the machine
        mourned: set[str] = set()
        while True:
            opened = self.state.open()
            seen = self.driver.seen(opened)
            dead = {attempt.id for attempt in opened} - seen.alive - seen.foreign
            if dead <= mourned:
                return seen
            # The dead may have written their last record just before: read once more, now that they cannot write. Who
            # dies meanwhile was not dead when that began.
            mourned = dead
            self._read_up()

    def perform(self, actions: list[Action]) -> None:
        """The only place with effects."""
        runs, growth = [action for action in actions if isinstance(action, Run)], self.session.growth
        if runs:
            if growth:
                self._declare(growth)
            self._start(runs)
        for action in actions:
            match action:
                case Look():
                    self.driver.look(*action)
                case Reuse(task, attempt, _, reason):
                    if self.driver.reuse(action):
                        self.counts["reused"] += 1
                        self.tell(Told("reuse", task.stage.name, reason.text, attempt))
                case Repair(attempt, reason):
                    self.tell(Told("repair", attempt.stage, reason.text, attempt))
                    self.driver.repair(action)
                case Select() if growth:
                    self._select(growth, action)
                case Propose(phase, room) if growth:
                    self._propose(growth, phase, room)
                case Wait(attempts, adopted) if len(actions) == 1:
                    self._wait(attempts, adopted)
                case Stop(failed, reason):
                    names = ", ".join(failed[:5]) + (", …" if len(failed) > 5 else "")
                    what = f"stage{'s' * (len(failed) > 1)} {names} failed"
                    hint = f"pinyon logs {failed[0]}"
                    raise StageFailedError(what, why=reason.text, next=hint, result=self._result())

    def _propose(self, growth: Growth, phase: str, room: int) -> None:
        """Ask the sampler of a search for more cells; they are on record before any of them begins."""
        for body in growth.propose(self.graph, self.done, phase, room):
            self.driver.record("proposed", body)
        self.grow(growth.graph())

    def _declare(self, growth: Growth) -> None:
        if body := growth.undeclared(self.graph):
            self.driver.record("cells", body)

    def _select(self, growth: Growth, chosen: Select) -> None:
        """Record a phase's winner, and go on from it."""
        selection, name = chosen.selection, growth.experiment.name
        self.selections[chosen.phase] = selection
        news = self.driver.recording or not growth.knows(chosen)
        if news:
            self._declare(growth)
            self.driver.record("selected", growth.selected(self.graph, chosen))
        if not selection.winner:
            raise NoWinnerError(
                f"phase '{chosen.phase}' of experiment '{name}' has no winner",
                why=selection.why, next=f"pinyon report {name}", result=self._result(),
            )  # fmt: skip
        if news:
            text = f"{growth.cell(self.graph, selection.winner)}: {selection.why}"
            self.tell(Told("select", chosen.phase, text))
        growth.choose(chosen.phase, selection.winner)
        self.grow(growth.graph())
        self.left = TimeLeft()

    def _start(self, runs: list[Run]) -> None:
        if not self.left.begun:
            seen = self.driver.seen(self.state.open())
            self.left.begin(look_ahead(self.graph, self.state, seen, self.jobs))
        try:
            started = self.driver.start(runs, self.left.estimates)
        except TargetError:
            return  # `_hear` is told too, after the last words of the supervisor
        for run, name in started:
            self.left.started(run.task.recipe)
            attempt, cell = self.state.attempt(name), self.cells.get(run.task.recipe, "")
            self.tell(Told("run", run.task.stage.name, run.reason.text, attempt, cell=cell))

    def _wait(self, attempts: tuple[str, ...], adopted: bool) -> None:
        if not adopted:
            alone = len(attempts) <= self.driver.running  # those of others wake nobody up
            self._hear(60.0 if alone else _PATIENCE)
            return
        if attempts != self.awaited:
            self.awaited = attempts
            self.tell(Told("wait", text=f"another execution is at work on it: {attempts[0]}"))
        time.sleep(_PATIENCE)
        self.state.refresh()

    def _hear(self, timeout: float) -> None:
        try:
            events = self.driver.wait(timeout)
        except TargetError as error:
            self.driver.supervisor_lost()
            self.tell(Told("note", text=str(error)))
            return
        if not events:  # silence may be a wake-up that got lost; the journal is what counts
            self._read_up()
        for event in events:
            if event.kind in ("running", "ended"):
                attempt = self.state.attempt(event.body["attempt"])
                assert attempt is not None, event
                if event.kind == "ended":
                    self._end(attempt)
                else:
                    self.tell(Told("running", attempt.stage, attempt.message, attempt))

    def _read_up(self) -> None:
        """Take in everything that stands in the journals, the ends of our own attempts included."""
        self.state.refresh()
        for attempt in self.driver.reconcile():
            self._end(attempt)

    def _end(self, attempt: Attempt) -> None:
        if attempt.id in self.ended:
            return  # the journal was quicker than the message
        self.ended[attempt.id] = attempt
        cell = self.cells.get(attempt.recipe, "")
        self.tell(Told("ended", attempt.stage, attempt.message, attempt, cell=cell))
        self.counts[attempt.state.lower()] += 1
        self.left.ended(attempt.recipe)

    def _stop(self) -> None:
        self.tell(Told("note", text="stopping: the children get SIGTERM, and SIGKILL if they do not heed it"))
        with suppress(TargetError):  # then they are gone already
            self.driver.cancel()
        while self.driver.running and self.driver.supervised:
            self._hear(1.0)
