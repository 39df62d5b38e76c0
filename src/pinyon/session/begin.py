"""What `run` and `tick` do before their first decision."""

from __future__ import annotations

from pinyon.execute.driver import Driver
from pinyon.execute.local import LocalTarget
from pinyon.execute.observe import observe
from pinyon.plan.check import first_look, refuse_absent, sources
from pinyon.plan.state import Machine
from pinyon.report.told import Tell
from pinyon.session import arrivals
from pinyon.session.opened import Session


def check(session: Session) -> arrivals.Pointers:
    """Refuse what cannot begin; nothing has been written. Gives the data to be fetched.

    Raises:
        PlanError: a source is nowhere.
    """
    files = observe(session.records.root, sources(session.graph), session.stats)
    wanted, coming = arrivals.expected(session, files)
    refuse_absent(session.graph, files | coming)
    if session.growth:
        session.growth.ready()
    return wanted


def begin(
    session: Session, target: LocalTarget, wanted: arrivals.Pointers, tell: Tell, *,
    jobs: int, machine: Machine, lasting: bool = False,
) -> Driver:  # fmt: skip
    """Fetch, freeze and adopt; the driver has had its first look. The caller holds whatever lock is needed.

    Args:
        wanted: as `check` gave it.
        lasting: one call of many (`pinyon tick`).
    """
    root, store, _, state = session.records
    arrivals.fetch(session, wanted, tell)
    driver = Driver(
        root, store, target, session.graph, session.stats,
        jobs=jobs, machine=machine, ledger=state, imports=session.imports,
        frozen=session.freeze() if session.graph.goal.isolated else None,
        project=session.project.name, shared=store.shared, lasting=lasting, cache=str(store.cache),
    )  # fmt: skip
    driver.look(first_look(session.graph))
    arrivals.adopt(session, driver.files, tell)
    return driver
