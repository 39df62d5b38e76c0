"""`pinyon tick`: one fold → decide → perform under a lease, without waiting for what it starts.

Nobody needs to be awake: cron, CI or a supervisor's last act may call it, any number of times, at the same time. What it
starts, a supervisor carries on alone; what has ended meanwhile, the next call finds in the journals. A call that finds
nothing to do writes nothing but caches.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pinyon import pipeline
from pinyon.errors import WorkspaceLockedError
from pinyon.execute.driver import Driver
from pinyon.execute.local import LocalTarget
from pinyon.execute.locks import DriverLock
from pinyon.execute.machine import machine_for
from pinyon.loop import Loop
from pinyon.model.actor import current_actor
from pinyon.model.graph import Graph
from pinyon.model.project import Goal
from pinyon.plan.actions import Action, Repair, Reuse, Run, Stop, Verdict, Wait
from pinyon.plan.decide import decide
from pinyon.report.living import remember_tick, tick_lease
from pinyon.report.told import Tell, Told
from pinyon.session import Session, open_session
from pinyon.session.begin import begin, check
from pinyon.session.end import promote
from pinyon.session.foresee import foresee
from pinyon.store.lease import Lease, Observer

_PATIENCE = 10.0  # seconds to wait for another call that is at work


class Tick(NamedTuple):
    """What a call did, and how things stand.

    Attributes:
        state: ``done``; ``going``: attempts run, or can start when one has ended; ``failed``: nothing more can be done;
            ``busy``: another driver is at work here, and this call did nothing.
        started, reused, repaired: names of stages, in order.
        waiting: attempts that are at work.
        failed: stages that failed, or need one that did.
        holder: who is at work, when busy.
    """

    state: Literal["done", "going", "failed", "busy"]
    started: tuple[str, ...] = ()
    reused: tuple[str, ...] = ()
    repaired: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    holder: str = ""


def tick(start: Path, goal: Goal, *, jobs: int = 1, chain: bool = False, tell: Tell = lambda _: None) -> Tick:
    """Start what can start, put back what was made before, clean up after what was lost, and return.

    Stages that do not need a failed one go on. A key that has failed is not tried again beyond its ``retry``; `pinyon run`
    does that. A stage that would always run runs once per key here.

    Args:
        jobs: attempts at once, those of earlier calls included.
        chain: the supervisor calls this again as its last act, so that one call goes all the way.

    Raises:
        SpecError, PlanError: the files make no plan for this goal; nothing on disk has changed.
        GateError: everything is done, and a gate refuses the winner.
        LeaseLostError: this process was stopped for so long that another call took over.
    """
    goal = goal._replace(keep_going=True)
    first = pipeline.plan(start, goal, lasting=True)
    with ExitStack() as stack:
        if _work(first.actions, jobs):
            done = _perform(start, goal, jobs, chain, tell, stack)
        else:
            done = _stand(first.graph, first.verdicts, first.actions)
        remember_tick(start, {**done._asdict(), "ts": time.time(), "actor": current_actor().as_dict()})
        if done.state == "done" and first.study:
            _promote(start, goal, tell)
    return done


def _promote(start: Path, goal: Goal, tell: Tell) -> None:
    """What `run` does at the end of an experiment; it happens once, whichever call comes to it."""
    with ExitStack() as stack:
        session = open_session(start, goal, stack)
        plan = foresee(session, jobs=1, machine=None, lasting=True)
        promote(session, plan.graph, plan.study, "", tell, None)


def _work(actions: list[Action], jobs: int) -> bool:
    """Whether anything of it could be done now."""
    running = sum(len(action.attempts) for action in actions if isinstance(action, Wait))
    wanted = Reuse | Repair | Run if running < jobs else Repair
    return any(isinstance(action, wanted) for action in actions)


def _perform(start: Path, goal: Goal, jobs: int, chain: bool, tell: Tell, stack: ExitStack) -> Tick:
    session = open_session(start, goal, stack)
    root, store, fold, state = session.records
    wanted, machine = check(session), machine_for(session.graph)
    store.prepare(session.project.name)
    observer = Observer(store, tick_lease(fold.project or root.name), memory=store.cache / "lease-tick")
    lease = observer.wait(_PATIENCE)
    if lease is None:
        holder = observer.holder()
        return Tick("busy", holder=f"process {holder.process.pid} on {holder.process.host}" if holder else "")
    stack.enter_context(lease)
    if not session.graph.goal.isolated:
        try:
            stack.enter_context(DriverLock(str(store.place)))
        except WorkspaceLockedError as error:
            return Tick("busy", holder=f"{error.where}, {error.why}")
    state.refresh()  # what was written until we had the lease
    words = _words(root, goal, jobs) if chain else []
    target = LocalTarget(root, store, session.project.name, detached=True, after=words)
    stack.callback(target.leave)
    adopted = [
        a for a in state.open() if state.ours(a) and a.supervisor and a.supervisor.alive() is not False
    ]
    free = max(0, jobs - len(adopted))
    driver = begin(session, target, wanted, tell, jobs=free, machine=machine, lasting=True)
    return _Round(session, driver, lease, tell, free).go(may_start=len(adopted) < jobs)


def _words(root: Path, goal: Goal, jobs: int) -> list[str]:
    """The same call again, for the supervisor's last act."""
    flags = ["--isolated"] if goal.isolated else []
    pinyon = [sys.executable, "-P", "-m", "pinyon.cli", "-C", str(root)]
    return [*pinyon, "tick", "--chain", "-j", str(jobs), *flags, "--", *goal.stages]


class _Round(Loop):
    """decide → perform, as long as there is something else to do than to wait."""

    def __init__(self, session: Session, driver: Driver, lease: Lease, tell: Tell, jobs: int) -> None:
        super().__init__(session, driver, self._hear_of, jobs)
        self._lease, self._passed_on = lease, tell
        self._did: dict[str, list[str]] = {"run": [], "reuse": [], "repair": []}

    def _hear_of(self, told: Told) -> None:
        if told.kind in self._did:
            self._did[told.kind].append(told.stage)
        self._passed_on(told)

    def go(self, *, may_start: bool) -> Tick:
        """Do what can be done now; the execution's record ends with how things stand."""
        state = "FAILED"
        try:
            actions = self._next()
            while any(not isinstance(action, Wait | Stop) for action in actions):
                self._lease.check()
                self.perform([action for action in actions if not isinstance(action, Wait | Stop)])
                actions = self._next()
            stand = _stand(self.graph, self.done.verdicts, actions)
            if not may_start:
                stand = stand._replace(state="going")
            state = {"done": "SUCCEEDED", "failed": "FAILED"}.get(stand.state, "SUBMITTED")
        finally:
            counts = {"started": len(self._did["run"]), "reused": len(self._did["reuse"])}
            self.driver.finish(state, {name: count for name, count in counts.items() if count})
        return stand._replace(
            started=tuple(self._did["run"]),
            reused=tuple(self._did["reuse"]),
            repaired=tuple(self._did["repair"]),
        )

    def _next(self) -> list[Action]:
        return decide(self.graph, self.state, self.look_around(), self.done)


def _stand(graph: Graph, verdicts: Mapping[str, Verdict], actions: list[Action]) -> Tick:
    """How things stand when this is what `decide` says."""
    waiting = [name for action in actions if isinstance(action, Wait) for name in action.attempts]
    failed = [
        graph.tasks[recipe].stage.name for recipe, verdict in verdicts.items() if verdict.kind == "stop"
    ]
    going = waiting or any(not isinstance(action, Stop) for action in actions)
    return Tick(
        "going" if going else "failed" if failed else "done", waiting=tuple(waiting), failed=tuple(failed)
    )


def as_dict(done: Tick) -> dict[str, Any]:
    """For ``--json``."""
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in done._asdict().items()
    }
