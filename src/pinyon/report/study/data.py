"""The report for programs."""

from __future__ import annotations

import math
from typing import Any

from pinyon.report.study import words
from pinyon.report.study.nouns import CellView, Mean, PhaseView, StudyView


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
        "times": view.times._asdict(),
        "promoted": view.promoted.run if view.promoted else None,
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
        "constraints": [
            {"constraint": str(one.clause), "holds": one.holds, "margin": one.margin, **_mean(one.mean)}
            for one in cell.limits
        ],
        "seconds": _mean(cell.seconds),
        "replicates": [
            {"seed": dict(one.replicate.seed), "run": one.run or None, "state": one.state, "note": one.note}
            for one in cell.samples
        ],
    }


def _mean(mean: Mean) -> dict[str, Any]:
    return {"mean": _number(mean.value), "error": mean.error, "n": len(mean.values), "runs": mean.runs}


def _number(value: float | None) -> float | str | None:
    """JSON has no infinities."""
    return value if value is None or math.isfinite(value) else str(value)
