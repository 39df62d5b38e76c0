"""The report, block by block."""

from __future__ import annotations

from collections.abc import Iterator

from pinyon.model.units import show_seconds
from pinyon.plan.measured import INFEASIBLE
from pinyon.report.study import words
from pinyon.report.study.blocks import Block, Bullets, Document, Field, Heading, Row, Table, Text, Tone
from pinyon.report.study.durations import duration_blocks
from pinyon.report.study.evidence import final_blocks, problem_blocks, reuse_blocks
from pinyon.report.study.nouns import CellView, Limit, Mean, PhaseView, StudyView, cell_name
from pinyon.report.study.pictures import curves_picture, phase_picture
from pinyon.report.study.provenance import provenance_blocks

_RANKED = 50  # cells of the overall table; the exported one has all


def document(view: StudyView) -> Document:
    """Everything in the order in which it is read."""
    blocks = [*_head(view)]
    for phase in view.phases:
        blocks += _phase(phase, view)
    blocks += _ranking(view)
    blocks += final_blocks(view)
    curves = curves_picture(view)
    if curves:
        blocks += [Heading(2, "Learning curves", "curves"), curves]
    for part in (reuse_blocks, duration_blocks, problem_blocks, provenance_blocks):
        blocks += part(view)
    origins = {
        run: f"{run}: {', '.join(f'{out.path} {out.digest}' for out in one.attempt.outputs) or f'key {one.attempt.key}'}"
        for run, one in view.runs.items()
    }
    return Document(f"Experiment {view.experiment.name}", tuple(blocks), origins)


def _head(view: StudyView) -> Iterator[Block]:
    yield Heading(1, f"Experiment {view.experiment.name}")
    lead = "Winner: " if view.winner else ""
    yield Text(words.winner(view), lead, "strong" if view.winner else "bad")
    if view.deciding:
        yield Text(words.sureness(view.deciding, view), "How sure: ")
    yield Text(words.objective(view), f"Stage {view.experiment.stage}. ")
    yield Text(words.counts(view), "Counted: ")
    times = view.times
    text = f"all runs one after another {show_seconds(times.serial)}, critical path {show_seconds(times.critical)}"
    text += f", {times.gpu / 3600:.2f} GPU hours" if times.gpu else ""
    yield Text(f"{text}.", "Measured: ")
    if view.winner and view.promoted:
        metric = view.experiment.objective.metric if view.experiment.objective else ""
        yield Text(
            f"{view.promoted.name}, the replicate with the median {metric}; run {view.promoted.run}.",
            "Candidate for promotion: ",
        )


def _phase(phase: PhaseView, view: StudyView) -> Iterator[Block]:
    earlier = view.phases[: phase.number - 1]
    yield Heading(2, f"Phase {phase.number}: {phase.name}", f"phase-{phase.number}")
    yield Text(words.asked(phase, view))
    yield Text(words.stood_on(phase, earlier))
    lines = [*words.conclusion(phase, view), words.against_before(phase, earlier, view)]
    if any(lines):
        yield Text(" ".join(filter(None, lines)), "Outcome: ")
    if not phase.cells:
        yield Text("It has no cells.", tone="muted")
        return
    yield _table(phase, view)
    out = [cell for cell in phase.cells if cell.verdict == "out"]
    if out and phase.selection is not None:
        yield Text(f"{words.plural(len(out), 'cell')} cannot win:")
        yield Bullets(tuple(f"{cell_name(cell.cell)}: {_why_out(cell, view)}" for cell in out))
    picture = phase_picture(phase, view)
    if picture:
        yield picture


def _why_out(cell: CellView, view: StudyView) -> str:
    return words.readable(cell.why, view).removeprefix(INFEASIBLE) or "it is not feasible"


def _ranking(view: StudyView) -> Iterator[Block]:
    """All cells of all phases by their objective, those that cannot win last."""
    target = view.experiment.objective
    if target is None or len(view.phases) < 2:
        return
    sign = -1 if target.goal == "maximize" else 1
    cells = [cell for phase in view.phases for cell in phase.cells]
    cells.sort(
        key=lambda cell: (
            cell.verdict == "out",
            cell.objective.value is None,
            sign * (cell.objective.value or 0.0),
        )
    )
    yield Heading(2, "All cells", "cells")
    best = next((cell for cell in cells if cell.rank and cell.objective.value is not None), None)
    if best and view.winner and best.objective.value != view.winner.objective.value:
        how = words.compared(view.winner, best, target)
        yield Text(
            f"The best mean of all is that of {cell_name(best.cell)}. The winner against it: {how}.",
            tone="muted",
        )
    shown = [cell._replace(rank=place if cell.rank else 0) for place, cell in enumerate(cells[:_RANKED], 1)]
    yield Table(
        ("rank", "cell", "assignment", "n", f"{target.metric} ± s.e.", "runs"),
        tuple(_ranked(cell, view) for cell in shown),
    )
    if len(cells) > _RANKED:
        yield Text(f"{len(cells) - _RANKED} more stand in the exported table.", tone="muted")


def _ranked(cell: CellView, view: StudyView) -> Row:
    fields = (
        Field(_rank(cell)),
        Field(cell_name(cell.cell) + _mark(cell)),
        Field(words.assignment(cell.cell.assignment)),
        Field(_finished(cell)),
        _mean(cell.objective),
        _runs(cell),
    )
    won = view.winner is not None and cell.cell == view.winner.cell
    return Row(fields, "strong" if won else "muted" if cell.verdict == "out" else "")


def _table(phase: PhaseView, view: StudyView) -> Table:
    """The cells of a phase with their numbers; every parameter that it varies has a column."""
    target = view.experiment.objective
    names = words.short(phase.varied)
    columns = ["rank", "cell", *names.values(), "n", f"{target.metric} ± s.e." if target else "objective"]
    columns += [str(clause) for clause in target.subject_to] if target else []
    prefer = target.prefer if target and target.prefer not in [c.metric for c in target.subject_to] else ""
    columns += [prefer] if prefer else []
    columns += ["time (expected)", "runs"]
    rows = []
    for cell in phase.cells:
        setting = dict(cell.cell.assignment)
        fields = [Field(_rank(cell)), Field(f"{cell.cell.number}{_mark(cell)}")]
        fields += [Field(words.value(setting[one]) if one in setting else "–") for one in phase.varied]
        fields += [Field(_finished(cell)), _mean(cell.objective), *map(_limit, cell.limits)]
        fields += [_mean(cell.prefer)] if prefer and cell.prefer else []
        fields += [_time(cell), _runs(cell)]
        rows.append(
            Row(
                tuple(fields),
                "strong" if cell.verdict == "winner" else "muted" if cell.verdict == "out" else "",
            )
        )
    return Table(tuple(columns), tuple(rows))


def _rank(cell: CellView) -> str:
    return str(cell.rank) if cell.rank else "–"


def _runs(cell: CellView) -> Field:
    runs = tuple(dict.fromkeys(one.run for one in cell.samples if one.run))
    return Field(" ".join(runs) or "–", runs, links=bool(runs))


def _mark(cell: CellView) -> str:
    return {"winner": " ★", "tied": " ≈"}.get(cell.verdict, "")


def _finished(cell: CellView) -> str:
    done = sum(one.attempt is not None for one in cell.samples)
    return str(done) if done == len(cell.samples) else f"{done} of {len(cell.samples)}"


def _mean(mean: Mean) -> Field:
    known = tuple(dict.fromkeys(mean.runs))
    if mean.value is None:
        return Field("–" if not mean.values else f"– ({len(mean.values)} of {mean.of})", known)
    return Field(words.with_error(mean), known, number=True)


def _limit(limit: Limit) -> Field:
    if limit.mean.value is None:
        return Field("missing ✗", tone="bad")
    margin = "" if limit.margin is None else f" ({words.signed(limit.margin)})"
    text = f"{words.figure(limit.mean.value)}{margin} {'✓' if limit.holds else '✗'}"
    tone: Tone = "good" if limit.holds else "bad"
    return Field(text, tuple(dict.fromkeys(limit.mean.runs)), number=True, tone=tone)


def _time(cell: CellView) -> Field:
    """Of the replicates that have a result, and in brackets what was expected of them."""
    took, expected = cell.seconds.values, cell.expected.values
    if not took:
        return Field("–")
    text = show_seconds(sum(took) / len(took))
    text += f" ({show_seconds(sum(expected) / len(expected))})" if len(expected) == len(took) else ""
    return Field(text, tuple(dict.fromkeys(cell.seconds.runs)), number=True)
