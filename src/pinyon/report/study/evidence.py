"""What stands beside the choice: final stages, what was reused, and what is missing or doubtful."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pinyon.errors import PlanError
from pinyon.plan.measured import leaf_of
from pinyon.report.study import words
from pinyon.report.study.blocks import Block, Bullets, Field, Heading, Row, Table, Text
from pinyon.report.study.nouns import CellView, Final, Mean, Sample, StudyView, cell_name
from pinyon.report.study.spread import mean_of, metric_of, own_interval, without_ends
from pinyon.report.study.stated import stated_of_none

_METRICS = 24  # rows of a final stage


def final_blocks(view: StudyView) -> Iterator[Block]:
    """The stages that ran on the winner, each replicate and their mean."""
    if not view.finals:
        return
    yield Heading(2, "Final stages, on the winner only", "final")
    yield Text("They played no part in choosing.")
    for stage in view.experiment.then:
        finals = [final for final in view.finals if final.stage == stage]
        metrics = [final.attempt.metrics for final in finals if final.attempt]
        known = list(dict.fromkeys(name for one in metrics for name in one))
        names = [
            name
            for name in without_ends(known, metrics)
            if any(metric_of(one, name) is not None for one in metrics)
        ]
        yield Heading(3, stage)
        if names:
            yield _final_table(finals, names[:_METRICS])
        yield Bullets(tuple(f"{_seed(final)}: {_became(final)}" for final in finals))
        if len(names) > _METRICS:
            yield Text(f"{len(names) - _METRICS} more metrics are in the runs.", tone="muted")
        if len(metrics) == 1:
            yield Text("One replicate, so no error over seeds can be estimated.", tone="muted")


def final_words(view: StudyView) -> str:
    """What the final stages measured of the objective's own metric; "" where none did."""
    target = view.experiment.objective
    if target is None:
        return ""
    parts = []
    for stage in view.experiment.then:
        finals = [final for final in view.finals if final.stage == stage]
        known = {name for one in finals if one.attempt for name in one.attempt.metrics}
        try:
            mean = _over(finals, leaf_of(known, target.metric))
        except PlanError:  # several are called so
            continue
        if mean.value is not None:
            parts.append(f"{stage} gave {target.metric} {words.with_error(mean)}")
    played = "they" if len(parts) > 1 else "it"
    return f"{', '.join(parts)}; {played} played no part in choosing." if parts else ""


def _over(finals: Sequence[Final], name: str) -> Mean:
    """The mean over replicates; of a single one with the interval that it gave itself."""
    found = mean_of(
        (metric_of(one.attempt.metrics, name) if one.attempt else None, one.run) for one in finals
    )
    only = finals[0].attempt if len(finals) == 1 else None
    return found._replace(own=own_interval(only.metrics, name)) if only else found


def _seed(final: Final) -> str:
    return final.seed or "the winner"


def _became(final: Final) -> str:
    return f"run {final.run}" if final.run else final.why


def _final_table(finals: Sequence[Final], names: Sequence[str]) -> Table:
    """A row for each metric: its number in each replicate, and for several their mean and how sure that is."""
    rows = []
    for name in names:
        fields = [Field(name), *(_measured(final, name) for final in finals)]
        if len(finals) > 1:
            mean = _over(finals, name)
            fields += [_of_all(words.with_error(mean), mean), _of_all(words.between(mean), mean)]
        rows.append(Row(tuple(fields)))
    means = ["mean ± s.e.", "how sure"] if len(finals) > 1 else []
    return Table(("metric", *map(_seed, finals), *means), tuple(rows))


def _measured(final: Final, name: str) -> Field:
    """A number of one run, with the interval that it gave itself."""
    mean = _over([final], name)
    return Field("–") if mean.value is None else Field(words.with_error(mean), (final.run,), number=True)


def _of_all(text: str, mean: Mean) -> Field:
    return Field("–") if mean.value is None else Field(text, tuple(dict.fromkeys(mean.runs)), number=True)


def reuse_blocks(view: StudyView) -> Iterator[Block]:
    """Which replicates did not need a run of their own, and whose they have."""
    rows = [
        line for phase in view.phases for cell in sorted(phase.cells, key=lambda one: one.cell.number)
        for line in _reused(cell)
    ]  # fmt: skip
    yield Heading(2, "What was reused, and why", "reused")
    yield (
        Bullets(tuple(rows))
        if rows
        else Text("Nothing: every replicate has a run of its own, made for this experiment.")
    )


def _reused(cell: CellView) -> Iterator[str]:
    """One line for replicates of a cell that have their runs for the same reason."""
    shared = [one for one in cell.samples if one.state == "shared"]
    if shared:
        theirs = dict.fromkeys(one.note.partition(", ")[0] for one in shared)
        yield (
            f"{_which(cell, shared)}: the same key{'s' * (len(shared) > 1)}, and so the same"
            f" run{'s' * (len(shared) > 1)}, as {', '.join(theirs)}"
        )
    for execution in dict.fromkeys(one.note for one in cell.samples if one.state == "reused"):
        some = [one for one in cell.samples if one.state == "reused" and one.note == execution]
        yield f"{_which(cell, some)}: made before, by execution {execution or 'unknown'}"


def _which(cell: CellView, some: Sequence[Sample]) -> str:
    name = cell_name(cell.cell)
    if len(some) == len(cell.samples):
        return f"{name} (all {words.plural(len(some), 'replicate')})" if len(some) > 1 else name
    return "; ".join(one.name for one in some)


def problem_blocks(view: StudyView) -> Iterator[Block]:
    """What failed or is missing, by name and cause; keys whose runs gave different outs."""
    yield Heading(2, "What is missing or doubtful", "problems")
    lines = list(_problems(view))
    yield (
        Bullets(tuple(lines)) if lines else Text("Nothing: every replicate has a result with its objective.")
    )


def _problems(view: StudyView) -> Iterator[str]:
    target = view.experiment.objective
    for phase in view.phases:
        for cell in sorted(phase.cells, key=lambda one: one.cell.number):
            for one in cell.samples:
                if one.attempt is None:
                    yield f"{one.name} {'failed' if one.state == 'failed' else 'has no result'}: {one.note}"
                elif target and metric_of(one.attempt.metrics, target.metric) is None:
                    found = one.attempt.metrics.get(target.metric, "not reported")
                    yield f"{one.name}, run {one.run}: {target.metric} is {found}"
        yield from _differs(phase.cells)
        for row in stated_of_none(phase.study) if phase.cells else ():
            yield f"the phase {phase.name} has no cell {row}, of which something was expected"
    for run, attempts in view.unlike:
        yield f"run {run} is not deterministic: attempts {', '.join(attempts)} left different outs under one key"
    for later in view.experiment.phases[len(view.phases) :]:
        yield f"the phase {later.name} has not begun"


def _differs(cells: Sequence[CellView]) -> Iterator[str]:
    """Cells whose recorded mean is not that of the runs shown here: they were chosen from others."""
    for cell in cells:
        recorded = cell.standing.mean if cell.standing else None
        ours = cell.objective.value
        if recorded is not None and (
            ours is None or abs(ours - recorded) > 1e-9 * max(abs(ours), abs(recorded))
        ):
            yield (
                f"{cell_name(cell.cell)}: when the winner was chosen its mean was {words.figure(recorded)}, and of the"
                f" runs shown here it is {words.figure(ours)}"
            )
