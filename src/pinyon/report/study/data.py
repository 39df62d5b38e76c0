"""The report for programs."""

from __future__ import annotations

import math
from typing import Any

from pinyon.report.models import change_dict
from pinyon.report.study import words
from pinyon.report.study.nouns import CellView, Limit, Mean, PhaseView, Promoted, Stated, StudyView, Target
from pinyon.report.study.ranking import Placed, ranked


def study_json(view: StudyView) -> dict[str, Any]:
    """What `pinyon report --json` prints; means carry their runs, and of every run there are its attempt and outs."""
    target = view.experiment.objective
    return {
        "experiment": view.experiment.name,
        "stage": view.experiment.stage,
        "objective": target and {**target._asdict(), "subject_to": list(map(str, target.subject_to))},
        "winner": view.winner.cell.id if view.winner else None,
        "why": view.why,
        "counts": view.counts._asdict(),
        "times": {
            name: value._asdict() if isinstance(value, Stated) else value
            for name, value in view.times._asdict().items()
        },
        "promoted": view.promoted.run if view.promoted else None,
        "targets": [_target(one) for one in view.targets],
        "promotion": _promotion(view.promotion) if view.promotion else None,
        "leaderboard": [_placed(one) for one in ranked(view)],
        "phases": [_phase(phase, view) for phase in view.phases],
        "final": [
            {
                "stage": one.stage,
                "seed": one.seed,
                "run": one.run,
                "metrics": one.attempt.metrics if one.attempt else {},
            }
            for one in view.finals
        ],
        "runs": {
            run: {
                "attempt": one.attempt.id,
                "stage": one.attempt.stage,
                "execution": one.attempt.execution,
                "key": one.attempt.key,
                "outs": {out.path: out.digest for out in one.attempt.outputs},
            }
            for run, one in view.runs.items()
        },
    }


def _phase(phase: PhaseView, view: StudyView) -> dict[str, Any]:
    return {
        "name": phase.name,
        "base": dict(phase.study.base),
        "skipped": phase.study.skipped,
        "winner": phase.winner.cell.id if phase.winner else None,
        "conclusion": words.conclusion(phase, view),
        "digest": phase.selection.digest if phase.selection else "",
        "cells": [_cell(cell) for cell in phase.cells],
    }


def _cell(cell: CellView) -> dict[str, Any]:
    return {
        "cell": cell.cell.id,
        "number": cell.cell.number,
        "assignment": dict(cell.cell.assignment),
        "rank": cell.rank or None,
        "verdict": cell.verdict,
        "why": cell.why,
        "objective": _mean(cell.objective),
        "constraints": [_limit(one) for one in cell.limits],
        "seconds": _mean(cell.seconds),
        "stated": {"metrics": dict(cell.stated.metrics), "seconds": cell.stated.seconds},
        "replicates": [
            {"seed": dict(one.replicate.seed), "run": one.run or None, "state": one.state, "note": one.note}
            for one in cell.samples
        ],
    }


def _placed(row: Placed) -> dict[str, Any]:
    """A line of the leaderboard, with all cells that have these runs."""
    best = row.best
    return {
        "rank": row.place or None,
        "cells": [
            {"phase": one.cell.phase, "number": one.cell.number, "cell": one.cell.id} for one in row.cells
        ],
        "sets": dict(row.sets),
        "verdict": best.verdict,
        "won": [one.cell.phase for one in row.cells if one.verdict == "winner"],
        "why": best.why,
        "objective": _mean(best.objective),
        "constraints": [_limit(one) for one in best.limits],
    }


def _target(row: Target) -> dict[str, Any]:
    return {
        "metric": row.metric,
        "target": str(row.gate.clause) if row.gate else None,
        "met": row.gate.holds if row.gate else None,
        "stretch": str(row.stretch.clause) if row.stretch else None,
        "stretch_met": row.stretch.holds if row.stretch else None,
        "value": _number(row.checked.value),
        "interval": _ends(row.own),
        "run": row.checked.source or None,
        "why": row.why,
    }


def _promotion(found: Promoted) -> dict[str, Any]:
    """``change`` is the one that made the name point at the winner, ``since`` the one that took it away."""
    return {
        "model": found.asked.model,
        "alias": found.asked.alias,
        "state": found.state,
        "version": found.version.number if found.version else None,
        "names": found.names,
        "points_at": found.now,
        "change": change_dict(found.change) if found.change else None,
        "since": change_dict(found.since) if found.since else None,
        "changes": [change_dict(one) for one in found.changes],
    }


def _limit(one: Limit) -> dict[str, Any]:
    return {"constraint": str(one.clause), "holds": one.holds, "margin": one.margin, **_mean(one.mean)}


def _mean(mean: Mean) -> dict[str, Any]:
    numbers = {"mean": _number(mean.value), "error": mean.error, "interval": _ends(mean.own)}
    return {**numbers, "n": len(mean.values), "runs": mean.runs}


def _ends(own: tuple[float, float] | None) -> list[float | str | None] | None:
    return None if own is None else [_number(end) for end in own]


def _number(value: float | None) -> float | str | None:
    """JSON has no infinities."""
    return value if value is None or math.isfinite(value) else str(value)
