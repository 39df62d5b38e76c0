"""What `run` does after its goal is reached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pinyon.errors import GateError
from pinyon.execute.driver import Driver
from pinyon.model.actor import current_actor
from pinyon.model.outcome import Attempt
from pinyon.plan.imports import recorded, stale, words
from pinyon.report.plan import Result
from pinyon.report.told import Tell, Told
from pinyon.session.opened import Session

if TYPE_CHECKING:
    from pinyon.model.graph import Graph
    from pinyon.model.study import StudyResult


def end(
    session: Session,
    driver: Driver,
    answers: Mapping[str, Attempt],
    result: Result,
    tell: Tell,
    question: str,
) -> None:
    """Name imports that changed unnoticed, write what others read, promote what an experiment has found, and remember that
    there was nothing to do.

    Args:
        answers: the attempts, by recipe, whose outs were taken.
        question: the call as text, so that asking it again is cheap; "" to remember nothing.

    Raises:
        GateError: a gate refuses the winner; its ``result`` is this one.
    """
    imported = recorded(answers)
    driver.look(imported)
    changed = stale(answers, driver.files)
    for line in words(session.graph, changed):
        tell(Told("note", text=line))
    session.records.fold.catch_up()
    if session.project.settings.get("dvc", {}).get("lock") and not session.graph.goal.isolated:
        session.write_locks()
    if result.counts:
        from pinyon.query.compact import compact_if_worthwhile  # of no use where nothing ran

        compact_if_worthwhile(session.records.store, actor=str(current_actor()))
    execution = driver.execution if result.counts else ""  # one that nobody recorded is none
    promote(session, result.graph, result.study, execution, tell, result)
    if question and not result.counts and not changed:
        session.remember(question, result.as_dict(), imported)


def promote(
    session: Session, graph: Graph, study: StudyResult | None, execution: str, tell: Tell, result: object
) -> None:
    """See `pinyon.session.promotion.promote_winner`; nothing where nothing is to be promoted."""
    if study is None or study.study.experiment.promote is None:
        return
    from pinyon.session.promotion import promote_winner  # of no use to others

    try:
        promote_winner(session, graph, study, execution, tell)
    except GateError as error:
        error.result = result
        raise
