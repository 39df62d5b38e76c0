"""How to read a report, who made what it tells of, and every run with its digests."""

from __future__ import annotations

from collections.abc import Iterator

from pinyon.model.actor import actor_of
from pinyon.model.units import show_bytes, show_seconds
from pinyon.report.study.blocks import Block, Bullets, Field, Heading, Row, Table, Text
from pinyon.report.study.nouns import RunView, StudyView


def provenance_blocks(view: StudyView) -> Iterator[Block]:
    """How to read it, who made it, and every run."""
    yield Heading(2, "How to read this", "method")
    yield Bullets(tuple(_method(view)))
    yield Heading(2, "Where the numbers come from", "provenance")
    yield Text(
        f"Written by Pinyon {view.version}. Every number is that of the runs it names, and pinyon show RUN tells"
        " all of one; the exported table (--csv) has every replicate with all digits, so that anybody can choose again."
    )
    digests = tuple(
        f"{phase.name}: {phase.selection.digest}"
        for phase in view.phases
        if phase.selection and phase.selection.digest
    )
    if digests:
        yield Text("Digests of objective, constraints and rows, by phase:")
        yield Bullets(digests)
    yield Table(("execution", "runs", "by", "on", "code", "Pinyon"), tuple(_executions(view)))
    yield Table(
        ("run", "stage", "for", "attempt", "execution", "time", "key", "outs"),
        tuple(_run_row(one) for one in view.runs.values()),
    )


def _method(view: StudyView) -> Iterator[str]:
    yield "A number with ± is a mean over seeds with its standard error; intervals are 95 %, by Student's t."
    yield (
        "A number with an interval in brackets is that of a single run, which gave the interval itself, as the metrics"
        " NAME_low and NAME_high."
    )
    target = view.experiment.objective
    if target is None:
        return
    if view.seeds > 1:
        tie = f"the one with the smaller {target.prefer}" if target.prefer else "the one with the best mean"
        yield f"Cells within one standard error of the best count as equally good (≈); of them {tie} wins (★)."
    yield "Constraints hold for the mean over seeds; a missing replicate or metric makes a cell infeasible, it is never 0."
    yield (
        f"The winner was chosen by {target.metric} of the stage {view.experiment.stage}, so its own value is flattering:"
        " it is the best of many tries on the same data. Judge it by data that played no part in choosing."
    )


def _executions(view: StudyView) -> Iterator[Row]:
    runs: dict[str, list[str]] = {}
    for run, one in view.runs.items():
        runs.setdefault(one.attempt.execution, []).append(run)
    for execution, some in runs.items():
        body = view.executions.get(execution, {})
        actor, code = body.get("actor"), body.get("git")
        fields = (
            Field(execution or "–"),
            Field(str(len(some)), tuple(some), number=True),
            Field(actor_of(actor).name if actor else "–"),
            Field(str(body.get("host") or "–")),
            Field(_code(code) if isinstance(code, dict) else str(body.get("git_note") or "not recorded")),
            Field(str(body.get("pinyon") or "–")),
        )
        yield Row(fields)


def _code(git: dict[str, object]) -> str:
    return f"{git.get('commit')}{', with uncommitted changes' if git.get('dirty') else ''}"


def _run_row(one: RunView) -> Row:
    attempt = one.attempt
    outs = "; ".join(f"{out.path} {out.digest} {show_bytes(out.size)}" for out in attempt.outputs)
    fields = (
        Field(one.id, (one.id,), links=True),
        Field(attempt.stage),
        Field("; ".join(one.uses)),
        Field(attempt.id),
        Field(f"{attempt.execution}{' (before)' if one.reused else ''}"),
        Field(
            "adopted" if attempt.mode == "adopted" else show_seconds(attempt.seconds), (one.id,), number=True
        ),
        Field(attempt.key),
        Field(outs or "none"),
    )
    return Row(fields, anchor=one.id)
