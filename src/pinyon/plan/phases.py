"""The phases of an experiment, as `decide` sees them: when a winner can be selected, and when nothing is left to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple, Protocol

from pinyon.model.experiment import Candidate, Cell, Measured, Objective, Pairs, Selection, Standing, words
from pinyon.model.outcome import PRUNED, Attempt, Output
from pinyon.model.study import PhaseStudy, Replicate, Study, StudyResult
from pinyon.plan.actions import Propose, Reason, Select, Verdict
from pinyon.plan.measured import metric_of
from pinyon.plan.select import select


class Known(Protocol):
    """What is settled; a part of `pinyon.plan.decide.Settled`."""

    outputs: dict[str, tuple[Output, ...]]
    results: dict[str, Attempt]
    failed: dict[str, Reason]
    verdicts: dict[str, Verdict]

    def given_up(self, recipe: str) -> bool:
        """Whether a task has failed for good, or needs one that has."""
        ...


def pending(study: Study) -> PhaseStudy | None:
    """The phase that is being worked on: the first one without a winner."""
    if study.experiment.objective is None:
        return None
    return next((one for one in study.phases if not one.winner and not one.skipped), None)


def step(study: Study, done: Known, slots: int) -> Select | Propose | None:
    """What follows from what is settled; None as long as cells are at work, and at the end.

    Args:
        slots: attempts that may run at once.
    """
    phase = pending(study)
    if phase is None or study.experiment.objective is None:
        return None
    recipes = _recipes(phase)
    if phase.open:
        room = (phase.phase.parallel or slots) - sum(map(_is_running(done), phase.cells))
        room = min(room, phase.phase.trials - len(phase.cells))
        return Propose(phase.phase.name, room) if room > 0 else None
    if not recipes or any(recipe not in done.outputs and not done.given_up(recipe) for recipe in recipes):
        return None
    finished = sum(recipe in done.outputs or _was_stopped(done, recipe) for recipe in recipes)
    if finished / len(recipes) < phase.phase.quorum:
        return None
    selection = selected(study.experiment.objective, phase, done.results, ended_in(done.verdicts))
    made_by = {recipe: done.results[recipe].id for recipe in recipes if recipe in done.results}
    return Select(phase.phase.name, selection, made_by)


def selected(
    objective: Objective, phase: PhaseStudy, results: Mapping[str, Attempt], ended: Mapping[str, str]
) -> Selection:
    """The winner among the cells of a phase, with its sentence in words for a person.

    Args:
        results: by recipe, the attempt that counts.
        ended: by recipe, why there will be no result.

    Raises:
        PlanError: a metric's name fits several leaves.
    """
    selection = select(objective, candidates(phase, results, ended))
    for cell, _ in phase.cells:  # people know a cell by what it sets
        selection = selection._replace(why=selection.why.replace(cell.id, words(cell.assignment)))
    if not selection.winner and (unread := _unread(phase, results)):
        selection = selection._replace(why=f"{selection.why}; {unread}")
    return selection


class Tried(NamedTuple):
    """A cell of a search, as its sampler hears of it."""

    cell: Cell
    state: Literal["running", "complete", "failed", "pruned"]
    standing: Standing


def tried(study: Study, phase: PhaseStudy, done: Known) -> list[Tried]:
    """The cells of a search in the order of their proposals; what lacks a number has failed."""
    objective = study.experiment.objective
    assert objective is not None, "nothing is searched without an objective"
    found = {
        one.cell: one
        for one in select(objective, candidates(phase, done.results, ended_in(done.verdicts))).standings
    }
    return [
        Tried(
            row[0],
            _state(done, row, found[row[0].id]),
            found[row[0].id],
        )
        for row in phase.cells
    ]


def _state(
    done: Known, row: tuple[Cell, tuple[Replicate, ...]], standing: Standing
) -> Literal["running", "complete", "failed", "pruned"]:
    if _is_running(done)(row):
        return "running"
    if any(_was_stopped(done, replicate.recipe) for replicate in row[1]):
        return "pruned"
    return "failed" if standing.mean is None else "complete"


def _unread(phase: PhaseStudy, results: Mapping[str, Attempt]) -> str:
    """The first metrics that could not be read, if any: why a number may be missing."""
    for recipe in _recipes(phase):
        for file, why in results[recipe].unread if recipe in results else ():
            return f"{file} of {results[recipe].id} was not read: {why}"
    return ""


def _is_running(done: Known) -> Callable[[tuple[Cell, tuple[Replicate, ...]]], bool]:
    return lambda row: any(r.recipe not in done.outputs and not done.given_up(r.recipe) for r in row[1])


def stuck(study: Study, done: Known) -> bool:
    """Whether something that has failed is in the way of the goal."""
    phase = pending(study)
    recipes = _recipes(phase) if phase else [r.recipe for r, _ in study.final]
    recipes += [recipe for _, then in study.final for recipe in then if recipe]
    if study.experiment.objective is None:
        recipes = [recipe for one in study.phases for recipe in _recipes(one)]
    return any(done.given_up(recipe) and not _was_stopped(done, recipe) for recipe in recipes)


def candidates(
    phase: PhaseStudy, results: Mapping[str, Attempt], ended: Mapping[str, str]
) -> list[Candidate]:
    """The cells of a phase with what their replicates gave; see `selected`."""

    def measured(recipe: str) -> Measured:
        if attempt := results.get(recipe):
            return Measured(attempt.id, attempt.metrics)
        return Measured(ended=ended.get(recipe, ""))

    return [
        Candidate(cell.id, tuple(measured(replicate.recipe) for replicate in replicates))
        for cell, replicates in phase.cells
    ]


def ended_in(verdicts: Mapping[str, Verdict]) -> dict[str, str]:
    """By recipe, why a task that was given up has no result."""
    return {recipe: one.reason.text for recipe, one in verdicts.items() if one.kind == "stop"}


def _was_stopped(done: Known, recipe: str) -> bool:
    """Whether a cell was ended early because it was hopeless: that is a result, not a failure."""
    reason = done.failed.get(recipe)
    return reason is not None and reason.about is not None and reason.about.detail == PRUNED


def result_of(
    study: Study, done: Known, selections: Mapping[str, Selection], expected: Mapping[str, float]
) -> StudyResult:
    """What has come out of an experiment so far."""
    reused = frozenset(recipe for recipe, verdict in done.verdicts.items() if verdict.kind == "reuse")
    failed = {recipe: reason.text for recipe, reason in done.failed.items()}
    return StudyResult(study, dict(done.results), reused, dict(selections), failed, expected)


def median(result: StudyResult) -> Replicate | None:
    """The winner's replicate with the median objective, the lower of two: the one that is promoted and applied. None as
    long as not all phases have a winner, or its results lack the metric."""
    objective = result.study.experiment.objective
    if objective is None or not result.study.complete:
        return None
    return middle([replicate for replicate, _ in result.study.final], result.attempts, objective.metric)


def middle(replicates: Iterable[Replicate], attempts: Mapping[str, Attempt], metric: str) -> Replicate | None:
    """The replicate with the median of a metric, the lower of two; None where no result has it."""
    rows = []
    for place, replicate in enumerate(replicates):
        attempt = attempts.get(replicate.recipe)
        value = metric_of(attempt.metrics, metric) if attempt else None
        if value is not None:
            rows.append((value, place, replicate))
    rows.sort(key=lambda row: row[:2])
    return rows[(len(rows) - 1) // 2][2] if rows else None


def _recipes(phase: PhaseStudy) -> list[str]:
    return [replicate.recipe for _, replicates in phase.cells for replicate in replicates]


def cells_body(study: Study, phase: PhaseStudy) -> dict[str, Any]:
    """What a ``cells`` record says, but for its execution (docs/FORMAT.md §4)."""
    rows = [
        {
            "cell": cell.id,
            "number": cell.number,
            "assignment": _rows(cell.assignment),
            "replicates": [{"seed": _rows(r.seed), "recipe": r.recipe} for r in replicates],
        }
        for cell, replicates in phase.cells
    ]
    return {
        "experiment": study.experiment.name,
        "phase": phase.phase.name,
        "base": _rows(phase.base),
        "cells": rows,
    }


def selected_body(study: Study, chosen: Select) -> dict[str, Any]:
    """What a ``selected`` record says, but for its execution."""
    phase = next(one for one in study.phases if one.phase.name == chosen.phase)
    objective, selection = study.experiment.objective, chosen.selection
    assert objective is not None, "nothing is selected without an objective"
    rows = [
        {"cell": cell.id, "seed": _rows(r.seed), "attempt": chosen.attempts.get(r.recipe)}
        for cell, replicates in phase.cells
        for r in replicates
    ]
    winner = next((cell for cell, _ in phase.cells if cell.id == selection.winner), None)
    return {
        "experiment": study.experiment.name,
        "phase": chosen.phase,
        "digest": selection.digest,
        "objective": objective._asdict() | {"subject_to": [str(clause) for clause in objective.subject_to]},
        "rows": rows,
        "winner": winner.id if winner else None,
        "assignment": _rows(winner.assignment) if winner else None,
        "why": selection.why,
    }


def _rows(pairs: Pairs) -> list[list[Any]]:
    return [list(pair) for pair in pairs]
