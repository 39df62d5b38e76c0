"""The best of a phase, or of a whole experiment, chosen once more from what is on record. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pinyon.errors import NoWinnerError
from pinyon.model.experiment import Cell, Objective, Pairs, Phase, Selection, short
from pinyon.model.ids import run_id
from pinyon.model.outcome import Attempt
from pinyon.model.study import PhaseStudy, Replicate, StudyResult
from pinyon.plan.measured import leaf_of, number_of
from pinyon.plan.overlay import over, split
from pinyon.plan.phases import middle, selected
from pinyon.report.study.nouns import Mean, cell_name
from pinyon.report.study.spread import mean_of, metric_of


class Ranked(NamedTuple):
    """A cell.

    Attributes:
        rank: from 1; 0 for what cannot win, for the reason ``why``.
        means: of the metrics that decide, as the objective calls them.
        pairs: all that it sets but its seed.
        typical, attempt: the replicate with the median objective, and its result; None where there is none.
    """

    rank: int
    cell: Cell
    why: str
    means: Mapping[str, Mean]
    pairs: Pairs
    attempts: tuple[Attempt, ...]
    typical: Replicate | None = None
    attempt: Attempt | None = None

    @property
    def name(self) -> str:
        """Such as ``architecture/3``."""
        return cell_name(self.cell)

    @property
    def run(self) -> str:
        """The run of ``attempt``; "" for none."""
        return run_id(self.attempt.key) if self.attempt else ""


class Choice(NamedTuple):
    """Cells, best first. ``phase`` is "" where all phases are meant. ``winner`` is None where nobody is feasible."""

    experiment: str
    phase: str
    objective: Objective
    selection: Selection
    rows: tuple[Ranked, ...]
    winner: Ranked | None
    tied: tuple[str, ...]

    def refusal(self) -> NoWinnerError:
        """What is wrong where there is no winner."""
        where = f"phase '{self.phase}'" if self.phase else "all phases"
        return NoWinnerError(
            f"nobody wins {where} of experiment '{self.experiment}'",
            why=self.selection.why,
            next=f"pinyon report {self.experiment}, or loosen --subject-to",
            result=self,
        )

    def as_dict(self) -> dict[str, Any]:
        """What `pinyon select --json` prints. ``digest`` is that of the ``selected`` record of a phase chosen alike."""
        objective = self.objective
        return {
            "experiment": self.experiment,
            "phase": self.phase or None,
            "objective": objective._asdict() | {"subject_to": list(map(str, objective.subject_to))},
            "winner": winner_fields(self) if self.winner else None,
            "why": self.selection.why,
            "tied": list(self.tied),
            "digest": self.selection.digest if self.phase else None,
            "ranking": [_row(one) for one in self.rows],
        }


def choice_of(
    result: StudyResult, ended: Mapping[str, str], objective: Objective, phase: PhaseStudy | None
) -> Choice:
    """The choice by ``objective`` among the cells of one phase, or of all: there a cell whose runs are those of another one
    counts once, under its last name, which sets the most.

    Args:
        ended: by recipe, why there will be no result.

    Raises:
        PlanError: a metric's name fits several leaves.
    """
    phases = [phase] if phase else result.study.phases
    rows = [(one, cell, replicates) for one in phases for cell, replicates in one.cells]
    if not phase:
        rows = list({tuple(r.recipe for r in row[2]): row for row in rows}.values())
        # Cells of different phases may set the same on different bases.
        rows = [(one, cell._replace(id=f"#{n:06}"), made) for n, (one, cell, made) in enumerate(rows)]
    pool = PhaseStudy(phase.phase if phase else Phase(""), (), tuple(row[1:] for row in rows))
    selection = selected(objective, pool, result.attempts, ended)
    known = {row[1].id: row for row in rows}
    leaves = _leaves(objective, [result.attempts.get(r.recipe) for row in rows for r in row[2]])
    found = [
        _ranked(result, rank if one.feasible else 0, one.why, known[one.cell], leaves, objective)
        for rank, one in enumerate(selection.standings, 1)
    ]
    by_id = {one.cell.id: one for one in found}
    return Choice(
        result.study.experiment.name, phase.phase.name if phase else "", objective, selection, tuple(found),
        by_id.get(selection.winner), tuple(by_id[cell].name for cell in selection.tied),
    )  # fmt: skip


def _leaves(objective: Objective, attempts: Iterable[Attempt | None]) -> dict[str, str]:
    """The metrics that decide, each with the leaf that it means, as selection looks them up."""
    known = {name for attempt in attempts if attempt for name in attempt.metrics}
    wanted = (objective.metric, *(clause.metric for clause in objective.subject_to), objective.prefer)
    return {name: leaf_of(known, name) for name in wanted if name}


def _ranked(
    result: StudyResult,
    rank: int,
    why: str,
    row: tuple[PhaseStudy, Cell, tuple[Replicate, ...]],
    leaves: Mapping[str, str],
    objective: Objective,
) -> Ranked:
    phase, cell, replicates = row
    made = [result.attempts.get(one.recipe) for one in replicates]
    means = {
        name: mean_of((metric_of(one.metrics, leaf), one.id) if one else (None, "") for one in made)
        for name, leaf in leaves.items()
    }
    typical = middle(replicates, result.attempts, leaves[objective.metric])
    attempt = result.attempts.get(typical.recipe) if typical else None
    attempts = tuple(one for one in made if one)
    return Ranked(rank, cell, why, means, over(phase.base, cell.assignment), attempts, typical, attempt)


def _row(one: Ranked) -> dict[str, Any]:
    return {
        "rank": one.rank or None,
        "phase": one.cell.phase,
        "name": one.name,
        "assignment": dict(one.cell.assignment),
        "metrics": {
            name: {"mean": mean.value if mean.value is None else _finite(mean.value), "error": mean.error}
            for name, mean in one.means.items()
        },
        "run": one.run or None,
        "why": one.why,
    }


def winner_fields(choice: Choice) -> dict[str, Any]:
    """The winner as one flat mapping for other programs.

    Beside what identifies it, every parameter that it sets stands under its own name and under its last part, and every
    metric under its name; dots and all else but letters, digits and ``_`` become ``_``. Of equal names an earlier one of
    this list counts; ``params`` and ``metrics`` have all under their full names.
    """
    won = choice.winner
    assert won is not None, "nobody asks for the fields of nobody"
    params = {split(name)[1]: value for name, value in won.pairs}
    metrics = {name: one.value for name, one in won.means.items()} | _metrics(won.attempts)
    shortened = short(list(params))
    fields: dict[str, Any] = {
        "run_id": won.run,
        "run_name": won.name,
        "experiment": choice.experiment,
        "phase": won.cell.phase,
        "seeds": len(won.attempts),
        "standard_error": won.means[choice.objective.metric].error,
        "run_seed": dict(won.typical.seed) if won.typical else {},
        "subject_to": list(map(str, choice.objective.subject_to)),
        "params": params,
        "metrics": {name: _finite(value) for name, value in metrics.items()},
        "why": choice.selection.why,
        "tied": list(choice.tied),
    }
    for rows in (params, {shortened[name]: value for name, value in params.items()}, fields["metrics"]):
        for name, value in rows.items():
            fields.setdefault(re.sub(r"\W", "_", name), value)
    return fields


def _metrics(attempts: Sequence[Attempt]) -> dict[str, Any]:
    """What all runs say alike, and of numbers the mean; without what a run lacks."""
    found = {}
    for name in attempts[0].metrics if attempts else ():
        values = [one.metrics.get(name) for one in attempts]
        numbers = [number_of(value) for value in values]
        if all(value == values[0] for value in values):
            found[name] = values[0]
        elif None not in numbers:
            found[name] = mean_of((number, "") for number in numbers).value
    return found


def _finite(value: Any) -> Any:
    """As it is recorded: JSON has no NaN and no infinities."""
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
