"""`plan`: what `run` would do, by the same `decide`, with every effect imagined instead of performed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinyon.execute.machine import machine_for
from pinyon.execute.observe import observe
from pinyon.execute.virtual import imagine
from pinyon.model.event import Event
from pinyon.plan import admit
from pinyon.plan.actions import Action, Look, Repair, Reuse, Select
from pinyon.plan.check import first_look, refuse_absent
from pinyon.plan.decide import Settled, decide, forecast
from pinyon.plan.estimate import expect
from pinyon.plan.imports import explained, recorded, stale
from pinyon.plan.state import Machine, Seen
from pinyon.report.plan import Plan
from pinyon.session import arrivals
from pinyon.session.opened import Session

if TYPE_CHECKING:
    from pinyon.model.experiment import Selection


def foresee(session: Session, *, jobs: int, machine: Machine | None, lasting: bool) -> Plan:
    """What would be done, and why. The session is of no use afterwards: it takes for true what was imagined.

    Raises:
        PlanError: a source is nowhere, or a stage that has to run asks for more than the machine has.
    """
    root, store, _, state = session.records
    graph, done = session.graph, Settled()
    files = observe(root, first_look(graph), session.stats)
    wanted, coming = arrivals.expected(session, files)
    files |= coming
    refuse_absent(graph, files)
    files |= arrivals.adopt(session, files, dry=True)
    first: list[Action] = []  # those that what follows takes as done
    selections: dict[str, Selection] = {}
    while True:
        opened = list(state.open())
        alive = frozenset(a.id for a in opened if a.supervisor and a.supervisor.alive() is not False)
        foreign = frozenset(a.id for a in opened if not state.ours(a))
        seen = Seen(files=files, alive=alive, foreign=foreign, lasting=lasting)
        actions = decide(graph, state, seen, done)
        pretend = [action for action in actions if isinstance(action, Look | Reuse | Repair)]
        chosen = next((action for action in actions if isinstance(action, Select)), None)
        if not pretend and chosen and session.growth and chosen.phase not in selections:
            selections[chosen.phase] = chosen.selection
            if chosen.selection.winner:
                session.growth.choose(chosen.phase, chosen.selection.winner)
                graph, done = session.growth.graph(assume=True), Settled()
                continue
        if not pretend:
            break
        first += [action for action in pretend if not isinstance(action, Look)]
        for action in pretend:
            match action:
                case Look(paths, made, label):
                    found = imagine(root, store.blobs, paths, made, session.stats)
                    files |= {path + label: name for path, name in found.items()}
                case Reuse(_, _, restored, _):
                    files |= {output.path: output.digest for output in restored}
                case Repair(attempt, reason):
                    state.apply(Event("", 0, "lost", 0.0, {"attempt": attempt.id, "reason": reason.text}))
    verdicts = forecast(graph, state, done)
    admit.refuse_too_large(graph, admit.whole(machine or machine_for(graph), jobs), verdicts)
    changed = stale(done.answers, observe(root, recorded(done.answers), session.stats))
    verdicts = explained(graph, verdicts, changed)
    expected = expect(graph, state, actions, verdicts, jobs)
    growth = session.growth
    study = growth.result(graph, done, selections, expected.seconds) if growth else None
    return Plan(graph, [*first, *actions], verdicts, expected, wanted, study)
