"""What a report says, computed from what came out. Pure."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pinyon
from pinyon.errors import PlanError
from pinyon.model.experiment import Cell, Expected, Experiment, Selection
from pinyon.model.ids import run_id
from pinyon.model.registry import Model
from pinyon.model.study import PhaseStudy, Replicate, StudyResult
from pinyon.plan.measured import leaf_of
from pinyon.plan.phases import median
from pinyon.report.study.nouns import (
    CellView,
    Counts,
    Curves,
    Final,
    Limit,
    PhaseView,
    RunView,
    Sample,
    StudyView,
    plain,
)  # fmt: skip
from pinyon.report.study.spread import mean_of, metric_mean
from pinyon.report.study.stated import stated_of
from pinyon.report.study.targets import promotion_of, targets_of
from pinyon.report.study.timing import times_of

_NONE: Mapping[str, Any] = MappingProxyType({})


def study_view(
    result: StudyResult,
    curves: Curves = _NONE,
    *,
    executions: Mapping[str, Mapping[str, Any]] = _NONE,
    summaries: Mapping[str, Mapping[str, Any]] = _NONE,
    model: Model | None = None,
) -> StudyView:
    """Everything that the report of an experiment says.

    Args:
        result: the study and what came out of it.
        curves: by attempt and metric, (step, value); may be empty.
        executions: by id, the body of the record that an execution begins with: who, where, which code, and which goal.
            Where some are known to have carried out this experiment, theirs count as run, all others as reused.
        summaries: by attempt, the values that its script told at the end; a target may be about one.
        model: the one that the experiment promotes its winner to, as it is now; None as long as there is none.
    """
    study = result.study
    result = result._replace(reused=_reused(result, executions))
    samples = _samples(result)
    phases = tuple(
        _phase(number, phase, samples, study.experiment, result.selections.get(phase.phase.name))
        for number, phase in enumerate(study.phases, 1)
    )
    winner, why = _winner(study.experiment, phases)
    finals = tuple(_finals(result))
    flat = [sample for rows in samples.values() for sample in rows]
    runs = _runs(result, flat, finals)
    taken = _promoted(result, winner)
    targets = targets_of(result, taken, summaries)
    return StudyView(
        study.experiment, phases, winner, why, _counts(study.cells, flat), times_of(phases, finals, runs),
        finals, taken, runs, curves, tuple(_unlike(result)), executions, targets,
        promotion_of(study.experiment, taken, targets, model), pinyon.__version__,
    )  # fmt: skip


def _reused(result: StudyResult, executions: Mapping[str, Mapping[str, Any]]) -> frozenset[str]:
    """Recipes whose attempts were made for something else: a study may be carried out by several executions."""
    name = result.study.experiment.name
    own = {one for one, body in executions.items() if (body.get("goal") or {}).get("experiment") == name}
    if not own:
        return result.reused
    return frozenset(recipe for recipe, attempt in result.attempts.items() if attempt.execution not in own)


def _samples(result: StudyResult) -> dict[tuple[str, str], tuple[Sample, ...]]:
    """By phase and cell, its replicates. The first that names a run has it; later ones share it."""
    ran = {run_id(one.key) for recipe, one in result.attempts.items() if recipe not in result.reused}
    seen: dict[str, Sample] = {}
    found = {}
    for phase in result.study.phases:
        leaves = _leaves(result, phase)
        for cell, replicates in phase.cells:
            rows = [_sample(result, cell, replicate, ran, seen) for replicate in replicates]
            found[phase.phase.name, cell.id] = tuple(_named(row, leaves) for row in rows)
    return found


def _leaves(result: StudyResult, phase: PhaseStudy) -> dict[str, str]:
    """Metrics that the objective calls by the end of their name, with the whole name, as selection looks them up."""
    objective = result.study.experiment.objective
    if objective is None:
        return {}
    attempts = (result.attempts.get(one.recipe) for _, replicates in phase.cells for one in replicates)
    known = {name for attempt in attempts if attempt for name in attempt.metrics}
    names = {objective.metric, objective.prefer, *(clause.metric for clause in objective.subject_to)} - {""}
    found: dict[str, str] = {}
    for name in names - known:
        with contextlib.suppress(PlanError):  # several fit; selection has refused it, so there is no value
            leaf = leaf_of(known, name)
            found |= {name + end: leaf + end for end in ("", "_low", "_high")}
    return found


def _named(sample: Sample, leaves: Mapping[str, str]) -> Sample:
    """With its metrics under the names that the objective uses, too."""
    if sample.attempt is None or not leaves:
        return sample
    metrics = sample.attempt.metrics
    more = {name: metrics[leaf] for name, leaf in leaves.items() if leaf in metrics}
    return sample._replace(attempt=sample.attempt._replace(metrics=metrics | more))


def _sample(
    result: StudyResult, cell: Cell, replicate: Replicate, ran: set[str], seen: dict[str, Sample]
) -> Sample:
    attempt = result.attempts.get(replicate.recipe)
    if attempt is None:
        why = result.failed.get(replicate.recipe)
        first = seen.get(replicate.recipe)
        note = "it has not run" if why is None else why or "no cause is known"
        note = f"the same run as {first.name}: {note}" if first else note
        sample = Sample(cell, replicate, "", "missing" if why is None else "failed", note)
        seen.setdefault(replicate.recipe, sample)
        return sample
    run = run_id(attempt.key)
    sample = Sample(
        cell, replicate, run, "run", "", attempt, result.expected.get(replicate.recipe, attempt.estimate)
    )
    if run in seen:
        return sample._replace(state="shared", note=seen[run].name)
    if run not in ran:
        sample = sample._replace(state="reused", note=attempt.execution)
    seen[run] = sample
    return sample


def _phase(
    number: int,
    phase: PhaseStudy,
    samples: Mapping[tuple[str, str], tuple[Sample, ...]],
    experiment: Experiment,
    selection: Selection | None,
) -> PhaseView:
    order = {one.cell: place for place, one in enumerate(selection.standings)} if selection else {}
    cells = sorted(
        (cell for cell, _ in phase.cells), key=lambda cell: (order.get(cell.id, len(order)), cell.number)
    )
    varied = tuple(dict.fromkeys(name for cell, _ in phase.cells for name, _ in cell.assignment))
    views: list[CellView] = []
    for cell in cells:
        stated = stated_of(phase, cell)
        view = _cell(cell, samples[phase.phase.name, cell.id], experiment, selection, stated)
        views.append(view._replace(rank=len(views) + 1) if view.verdict != "out" else view)
    return PhaseView(number, phase, tuple(views), selection, varied)


def _cell(
    cell: Cell,
    samples: tuple[Sample, ...],
    experiment: Experiment,
    selection: Selection | None,
    stated: Expected,
) -> CellView:
    standing = next((one for one in selection.standings if one.cell == cell.id), None) if selection else None
    objective = experiment.objective
    limits = []
    for clause in objective.subject_to if objective else ():
        mean = metric_mean(samples, clause.metric)
        limits.append(Limit(clause, mean, clause.margin(mean.value), clause.meets(mean.value)))
    verdict, why = "", ""
    if selection and cell.id == selection.winner:
        verdict = "winner"
    elif standing is None or not standing.feasible:
        verdict = "out"
        why = standing.why if standing else "nothing was chosen in this phase yet"
    elif selection and cell.id in selection.tied:
        verdict = "tied"
    return CellView(
        cell, samples, 0, verdict, why,  # type: ignore[arg-type]  # one of the four, as mypy cannot see
        metric_mean(samples, objective.metric) if objective else mean_of(()), tuple(limits),
        metric_mean(samples, objective.prefer) if objective and objective.prefer else None,
        mean_of((None if one.attempt is None else one.attempt.seconds, one.run) for one in samples),
        mean_of((one.expected, one.run) for one in samples if one.attempt is not None), stated, standing,
    )  # fmt: skip


def _winner(experiment: Experiment, phases: Sequence[PhaseView]) -> tuple[CellView | None, str]:
    """The last phase's winner, and in one sentence why; else why there is none."""
    if experiment.objective is None:
        return None, "the experiment states no objective"
    for phase in phases:
        if phase.selection is None and not phase.study.skipped:
            return None, f"nothing has been chosen in the phase {phase.name} yet"
        if phase.selection is not None and not phase.selection.winner:
            return None, f"in the phase {phase.name}: {phase.selection.why or 'no cell is feasible'}"
        if phase.selection is not None and phase.winner is None:
            return (
                None,
                f"the phase {phase.name} has no cell {phase.selection.winner} any more, which was chosen",
            )
    missing = [phase.name for phase in experiment.phases[len(phases) :]]
    if missing or not phases:
        return None, f"the phase {missing[0]} has not begun" if missing else "it has no phase"
    decided = [phase for phase in phases if phase.winner and phase.selection]
    if not decided:
        return None, "every phase was skipped"
    return decided[-1].winner, decided[-1].selection.why if decided[-1].selection else ""


def _promoted(result: StudyResult, winner: CellView | None) -> Sample | None:
    """The replicate that promotion takes."""
    taken = median(result)
    return next((one for one in winner.samples if one.replicate == taken), None) if winner else None


def _counts(cells: int, samples: Sequence[Sample]) -> Counts:
    behind: dict[str, str] = {}
    for sample in samples:
        behind.setdefault(sample.run or sample.replicate.recipe, sample.state)
    states = list(behind.values())
    return Counts(
        cells,
        len(samples),
        len(states),
        *(states.count(one) for one in ("run", "reused", "failed", "missing")),
    )


def _finals(result: StudyResult) -> Iterator[Final]:
    for replicate, recipes in result.study.final:
        seed = ", ".join(f"{name}={plain(value)}" for name, value in replicate.seed)
        for stage, recipe in zip(result.study.experiment.then, recipes, strict=False):
            attempt = result.attempts.get(recipe)
            run = run_id(attempt.key) if attempt else ""
            yield Final(
                stage, seed, run, attempt, "" if attempt else result.failed.get(recipe, "it has not run")
            )


def _runs(result: StudyResult, samples: Sequence[Sample], finals: Sequence[Final]) -> dict[str, RunView]:
    """Every run that has a result, in the order in which the report meets them; what only fed others comes last."""
    uses: dict[str, list[str]] = {}
    for sample in samples:
        if sample.run:
            uses.setdefault(sample.run, []).append(sample.name)
    for final in finals:
        if final.run:
            uses.setdefault(final.run, []).append(", ".join(filter(None, ("winner", final.seed))))
    by_run: dict[str, RunView] = {}
    for recipe, attempt in result.attempts.items():
        run = run_id(attempt.key)
        known = by_run.get(run)
        reused = recipe in result.reused and (known is None or known.reused)
        expected = result.expected.get(recipe, attempt.estimate)
        by_run[run] = RunView(run, attempt, expected, reused, tuple(uses.get(run, ("upstream",))))
    order = {run: place for place, run in enumerate(uses)}
    return {run: by_run[run] for run in sorted(by_run, key=lambda run: order.get(run, len(order)))}


def _unlike(result: StudyResult) -> Iterator[tuple[str, tuple[str, ...]]]:
    by_key: dict[str, dict[frozenset[tuple[str, str]], str]] = {}
    for attempt in result.attempts.values():
        outs = frozenset((out.path, out.digest) for out in attempt.outputs)
        by_key.setdefault(attempt.key, {}).setdefault(outs, attempt.id)
    for key, found in by_key.items():
        if len(found) > 1:
            yield run_id(key), tuple(found.values())
