"""The report, block by block."""

from __future__ import annotations

from collections.abc import Iterator

from pinyon.model.units import show_seconds
from pinyon.report.study import words
from pinyon.report.study.beforehand import stated_blocks
from pinyon.report.study.blocks import Block, Bullets, Document, Heading, Text
from pinyon.report.study.cells import leaderboard_blocks, phase_table, why_out
from pinyon.report.study.durations import duration_blocks
from pinyon.report.study.evidence import final_blocks, final_words, problem_blocks, reuse_blocks
from pinyon.report.study.nouns import PhaseView, StudyView, cell_name
from pinyon.report.study.pictures import curves_picture, phase_picture
from pinyon.report.study.promotion import promotion_blocks, promotion_words, target_blocks, target_words
from pinyon.report.study.provenance import provenance_blocks


def document(view: StudyView) -> Document:
    """Everything in the order in which it is read."""
    blocks = [*_head(view)]
    for part in (leaderboard_blocks, target_blocks, promotion_blocks):
        blocks += part(view)
    for phase in view.phases:
        blocks += _phase(phase, view)
    blocks += final_blocks(view)
    curves = curves_picture(view)
    if curves:
        blocks += [Heading(2, "Learning curves", "curves"), curves]
    for part in (stated_blocks, reuse_blocks, duration_blocks, problem_blocks, provenance_blocks):
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
    if after := final_words(view):
        yield Text(after, "Afterwards: ")
    if view.targets:
        yield Text(target_words(view), "Targets: ", "" if all(one.met for one in view.targets) else "bad")
    if view.promotion:
        yield Text(promotion_words(view.promotion, view), "Promotion: ")
    yield Text(words.objective(view), f"Stage {view.experiment.stage}. ")
    yield Text(words.counts(view), "Counted: ")
    times = view.times
    text = f"all runs one after another {show_seconds(times.serial)}, critical path {show_seconds(times.critical)}"
    text += f", {times.gpu / 3600:.2f} GPU hours" if times.gpu else ""
    yield Text(f"{text}.", "Measured: ")
    if view.winner and view.promoted and not view.promotion:
        metric = view.experiment.objective.metric if view.experiment.objective else ""
        yield Text(
            f"{view.promoted.name}, the replicate with the median {metric}; run {view.promoted.run}.",
            "Candidate for promotion: ",
        )


def _phase(phase: PhaseView, view: StudyView) -> Iterator[Block]:
    earlier = view.phases[: phase.number - 1]
    yield Heading(2, f"Phase {phase.number}: {phase.name}", f"phase-{phase.number}")
    yield Text(words.asked(phase, view))
    yield Text(words.stood_on(phase, earlier, view.experiment.fixed))
    lines = [*words.conclusion(phase, view), words.against_before(phase, earlier, view)]
    if any(lines):
        yield Text(" ".join(filter(None, lines)), "Outcome: ")
    if not phase.cells:
        yield Text("It has no cells.", tone="muted")
        return
    yield phase_table(phase, view)
    out = [cell for cell in phase.cells if cell.verdict == "out"]
    if out and phase.selection is not None:
        yield Text(f"{words.plural(len(out), 'cell')} cannot win:")
        yield Bullets(tuple(f"{cell_name(cell.cell)}: {why_out(cell, view)}" for cell in out))
    picture = phase_picture(phase, view)
    if picture:
        yield picture
