"""Which cell wins a phase: decided from the metrics of its replicates and from nothing else, never from measured time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pinyon.model.experiment import Candidate, Objective, Selection, Standing
from pinyon.plan.chosen import nobody, won
from pinyon.plan.keys import digest
from pinyon.plan.measured import Judged, judge, ruler_of


def select(objective: Objective, candidates: Sequence[Candidate]) -> Selection:
    """The winner among ``candidates``, which are all cells of a phase in written order.

    The mean over a cell's replicates counts. A cell that lacks a result, or one of the metrics of the objective and its
    constraints, is infeasible, and so is one whose means do not meet the constraints. Among those within one standard
    error of the best one (with several replicates; else equal to it) the smallest ``prefer`` wins, then the better mean,
    then what is written first; without ``prefer`` it is the better mean, then what is written first. A cell that lacks
    ``prefer`` stands behind those that have it.

    Raises:
        PlanError: a metric's name fits several leaves.
    """
    ruler = ruler_of(objective, candidates)
    judged = [judge(ruler, candidate, place) for place, candidate in enumerate(candidates)]
    sign = -1.0 if objective.goal == "maximize" else 1.0

    def rank(one: Judged) -> tuple[Any, ...]:
        return (sign * one.mean, *_prefer(one.standing), one.place)

    feasible = sorted((one for one in judged if one.standing.feasible), key=rank)
    tied = [one for one in feasible if _as_good(one, feasible[0])]
    winner = min(tied, key=lambda one: (_prefer(one.standing), rank(one))) if tied else None
    why = won(objective, winner, tied, judged) if winner else nobody(objective, judged)
    return Selection(
        winner=winner.standing.cell if winner else "",
        why=why,
        standings=tuple(
            one.standing for one in (*feasible, *(one for one in judged if not one.standing.feasible))
        ),
        tied=tuple(one.standing.cell for one in tied),
        digest=digest_of(objective, candidates),
    )


def _prefer(standing: Standing) -> tuple[bool, float]:
    """The smaller is preferred; equal for all where nothing is asked for."""
    return (standing.prefer is None, standing.prefer or 0.0)


def _as_good(one: Judged, best: Judged) -> bool:
    error = best.standing.error
    return one.mean == best.mean or (error is not None and abs(best.mean - one.mean) <= error)


def digest_of(objective: Objective, candidates: Sequence[Candidate]) -> str:
    """blake3 over canonical JSON of the objective with its constraints, and of the attempts behind every cell.

    The order of candidates and of replicates makes no difference. 64 hex digits.
    """
    rows = sorted([one.cell, sorted(replicate.attempt for replicate in one.replicates)] for one in candidates)
    return digest(
        {
            "metric": objective.metric,
            "goal": objective.goal,
            "subject_to": [list(clause) for clause in objective.subject_to],
            "prefer": objective.prefer,
            "rows": rows,
        }
    )
