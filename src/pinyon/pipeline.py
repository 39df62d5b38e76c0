"""The whole story: from a project and a goal to outputs that verify.

`plan` and `run` call the same `decide`; only what performs the actions differs. Read this file first.
"""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from pathlib import Path

from pinyon.execute.local import LocalTarget
from pinyon.execute.locks import DriverLock
from pinyon.execute.machine import machine_for
from pinyon.loop import Loop
from pinyon.model.graph import Stage
from pinyon.model.project import Goal
from pinyon.plan import admit
from pinyon.plan.state import Machine
from pinyon.report.plan import Plan, Result
from pinyon.report.told import Tell
from pinyon.session import open_session
from pinyon.session.begin import begin, check
from pinyon.session.end import end
from pinyon.session.foresee import foresee


def plan(
    start: Path, goal: Goal, adhoc: Stage | None = None, *,
    jobs: int = 1, machine: Machine | None = None, lasting: bool = False, why: bool = False,
) -> Plan:  # fmt: skip
    """What `run` would do, and why; performs nothing.

    Args:
        lasting: what `pinyon.tick` would do.
        why: compare the environment with that of the newest execution, too.

    Raises:
        SpecError, PlanError: the files make no plan for this goal, or not on this machine.
    """
    with ExitStack() as stack:
        session = open_session(start, goal, stack, adhoc)
        changes = session.drift() if why else ()
        return foresee(session, jobs=jobs, machine=machine, lasting=lasting)._replace(environment=changes)


def run(
    start: Path, goal: Goal, *,
    jobs: int = 1, tell: Tell = lambda _: None, remember: str = "", adhoc: Stage | None = None,
    machine: Machine | None = None,
) -> Result:  # fmt: skip
    """Carry the goal out.

    Args:
        adhoc: a stage that stands in no file, instead of those that do.
        jobs: attempts at once.
        machine: what they share; this machine if nothing else is said.
        tell: called with everything worth telling a person.
        remember: if nothing had to be done, the question as text, so that asking it again is cheap.

    Raises:
        SpecError, PlanError: the files make no plan for this goal; nothing on disk has changed.
        StageFailedError: a stage failed; with ``goal.keep_going`` everything that does not need it was done.
        WorkspaceLockedError: another driver works here in place.
        KeyboardInterrupt: after a clean stop; children have ended and the records say so.
    """
    with ExitStack() as stack:
        session = open_session(start, goal, stack, adhoc)
        root, store, _, state = session.records
        wanted = check(session)
        machine = machine or machine_for(session.graph)
        if admit.too_large(session.graph, admit.whole(machine, jobs)):
            # What would have to run is refused; the rest may have been made elsewhere.
            plan(start, goal, adhoc, machine=machine)
        store.prepare(session.project.name)
        unlocked = session.graph.goal.isolated or bool(adhoc and adhoc.adhoc.nonce)
        stack.enter_context(nullcontext() if unlocked else DriverLock(str(store.place)))
        state.refresh()  # what the holder before us wrote until we had the lock
        target = LocalTarget(root, store, session.project.name)
        stack.callback(target.close)
        driver = begin(session, target, wanted, tell, jobs=jobs, machine=machine)
        loop = Loop(session, driver, tell, jobs)
        result = loop.run()
        target.close()
        end(session, driver, loop.done.answers, result, tell, remember)
        return result
