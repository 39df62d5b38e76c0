"""The exported table: a row for each replicate, with all that is needed to choose the winner again."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from typing import Any

from pinyon.report.study.nouns import CellView, PhaseView, Sample, StudyView, plain


def study_table(view: StudyView) -> str:
    """CSV with a header, its lines ended by CRLF; numbers with all their digits, NaN and infinities as text, empty where
    nothing is known.

    Columns: the rule (``objective``, ``goal``, ``subject_to`` with " and " between constraints, ``prefer``), the place
    (``phase``, ``phase_number``, ``cell``, ``cell_number``), ``param:NAME`` and ``seed:NAME``, ``metric:NAME``, what
    became of it (``state``, ``note``, ``winner`` true or false), and where from (``run``, ``attempt``, ``key``,
    ``recipe``, ``execution``, ``seconds``, ``expected_seconds``, ``outs`` as PATH=DIGEST).
    """
    rows = [_row(phase, cell, sample, view) for phase, cell, sample in _samples(view)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    order = sorted(names, key=lambda name: (_GROUPS.index(_group(name)), names.index(name)))
    text = io.StringIO()
    writer = csv.DictWriter(
        text, order or list(_RULE), restval="", lineterminator="\r\n"
    )  # RFC 4180; and what holds either is quoted
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


_RULE = ("objective", "goal", "subject_to", "prefer")
_GROUPS = ("rule", "param", "seed", "metric", "from")


def _group(name: str) -> str:
    kind, colon, _ = name.partition(":")
    return kind if colon else "rule" if name in _FIRST else "from"


_FIRST = frozenset(("experiment", "stage", *_RULE, "phase", "phase_number", "cell", "cell_number"))


def _samples(view: StudyView) -> Iterator[tuple[PhaseView, CellView, Sample]]:
    for phase in view.phases:
        for cell in sorted(phase.cells, key=lambda one: one.cell.number):
            for sample in cell.samples:
                yield phase, cell, sample


def _row(phase: PhaseView, cell: CellView, sample: Sample, view: StudyView) -> dict[str, str]:
    target, attempt = view.experiment.objective, sample.attempt
    row: dict[str, Any] = {"experiment": view.experiment.name, "stage": view.experiment.stage}
    rule = (
        (target.metric, target.goal, " and ".join(map(str, target.subject_to)), target.prefer)
        if target
        else ("",) * 4
    )
    row |= dict(zip(_RULE, rule, strict=True))
    row |= {
        "phase": phase.name,
        "phase_number": phase.number,
        "cell": cell.cell.id,
        "cell_number": cell.cell.number,
    }
    row |= {f"param:{name}": value for name, value in (*phase.study.base, *cell.cell.assignment)}
    row |= {f"seed:{name}": value for name, value in sample.replicate.seed}
    row |= {f"metric:{name}": value for name, value in attempt.metrics.items()} if attempt else {}
    row |= {"state": sample.state, "note": sample.note, "winner": cell.verdict == "winner", "run": sample.run}
    row |= {"recipe": sample.replicate.recipe}
    if attempt:
        row |= {
            "attempt": attempt.id,
            "key": attempt.key,
            "execution": attempt.execution,
            "seconds": attempt.seconds,
        }
        row |= {"outs": " ".join(f"{out.path}={out.digest}" for out in attempt.outputs)}
    row |= {"expected_seconds": sample.expected} if sample.expected is not None else {}
    return {name: _exact(value) for name, value in row.items()}


def _exact(value: Any) -> str:
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else str(value)
    return plain(value)
