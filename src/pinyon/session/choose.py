"""`pinyon select`: the rule that chooses winners, asked once more over what is on record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pinyon.errors import NoWinnerError, PlanError
from pinyon.model.condition import Comparison
from pinyon.model.experiment import Experiment
from pinyon.model.study import PhaseStudy, StudyResult
from pinyon.plan.interpolate import nearest
from pinyon.plan.phases import ended_in
from pinyon.report.choice import Choice, choice_of
from pinyon.session.study import study_plan
from pinyon.spec.checks import SchemaError
from pinyon.spec.conditions import clauses_of


def choose(start: Path, experiment: str, phase: str = "", subject_to: Sequence[str] = ()) -> Choice:
    """The best cell of a phase, or of all phases; nothing runs and nothing is written but caches.

    Args:
        phase: its name, or its number from 1; "" for all.
        subject_to: conditions in the place of the experiment's own, which hold if there are none.

    Raises:
        PlanError: no such experiment or phase, no objective, or what is no condition.
        NoWinnerError: a phase is not finished.
    """
    clauses = _clauses(subject_to)
    plan = study_plan(start, experiment)
    assert plan.study is not None, "an experiment's plan has a study"
    asked = plan.study.study.experiment
    if asked.objective is None:
        raise PlanError(
            f"experiment '{experiment}' has no objective",
            where=str(asked.origin), why="nothing says which cell is the best",
            next="add objective: {maximize: METRIC}, or minimize",
        )  # fmt: skip
    objective = asked.objective._replace(subject_to=clauses) if subject_to else asked.objective
    name = _phase(asked, phase) if phase else ""
    for one in asked.phases:
        if name in ("", one.name) and one.name not in plan.study.selections:
            raise _unfinished(plan.study, one.name)
    return choice_of(plan.study, ended_in(plan.verdicts), objective, _study(plan.study, name))


def _clauses(texts: Sequence[str]) -> tuple[Comparison, ...]:
    try:
        return clauses_of(list(texts), ("--subject-to",))
    except SchemaError as error:
        raise PlanError(error.what, why=error.why, next=error.next) from None


def _phase(experiment: Experiment, said: str) -> str:
    names = [phase.name for phase in experiment.phases]
    if said in names:
        return said
    if said.isdecimal() and 1 <= int(said) <= len(names):
        return names[int(said) - 1]
    raise PlanError(
        f"experiment '{experiment.name}' has no phase '{said}'",
        where=str(experiment.origin), why=nearest(said, names), next=f"pinyon plan {experiment.name}",
    )  # fmt: skip


def _study(result: StudyResult, name: str) -> PhaseStudy | None:
    return next((one for one in result.study.phases if one.phase.name == name), None)


def _unfinished(result: StudyResult, name: str) -> NoWinnerError:
    experiment = result.study.experiment.name
    what = f"phase '{name}' of experiment '{experiment}' is not finished"
    for before, selection in result.selections.items():
        if not selection.winner:
            next = f"pinyon select {experiment} --phase {before} --subject-to CONDITION"
            return NoWinnerError(what, why=f"phase '{before}' has no winner: {selection.why}", next=next)
    phase = _study(result, name)
    recipes = {r.recipe for _, replicates in phase.cells for r in replicates} if phase else set()
    failed = [result.failed[recipe] for recipe in sorted(recipes & result.failed.keys())]
    why = f"{len(failed)} of {len(recipes)} runs failed: {failed[0]}" if failed else ""
    next = f"pinyon run {experiment}"
    return NoWinnerError(what, why=why or "only finished cells can be compared", next=next)
