"""Measured beside expected: durations, and metrics that count something."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pinyon.model.units import show_seconds
from pinyon.report.study import words
from pinyon.report.study.blocks import Block, Field, Heading, Row, Table, Text
from pinyon.report.study.nouns import CellView, RunView, StudyView, cell_name
from pinyon.report.study.spread import metric_mean


def duration_blocks(view: StudyView) -> Iterator[Block]:
    """Measured beside expected: by stage, and by cell with the metrics that count something."""
    times = view.times
    yield Heading(2, "Expected and measured", "expected")
    parts = [f"All distinct runs one after another: {show_seconds(times.serial)}"]
    parts += (
        [f"of which {show_seconds(times.reused)} were spent before, for something else"]
        if times.reused
        else []
    )
    yield Text(
        f"{', '.join(parts)}. Critical path, with room for everything at once: {show_seconds(times.critical)}."
    )
    if times.expected is None:
        yield Text("Nothing was expected of their durations.")
    else:
        yield Text(
            f"Expected: {show_seconds(times.expected)}, of runs that took {show_seconds(times.compared)}"
            f" ({_off(times.compared, times.expected)})."
        )
    if times.gpu:
        yield Text(f"GPU time: {times.gpu / 3600:.2f} hours. No price is known here, so no cost is given.")
    yield _stage_table(list(view.runs.values()))
    counted = _counted(view)
    rows = [
        _cell_row(cell, counted, view)
        for phase in view.phases
        for cell in sorted(phase.cells, key=lambda one: one.cell.number)
    ]
    columns = ["cell", "time", "expected", "off"]
    for name in counted:
        columns += [name, f"{name} expected"]
    if rows:
        yield Table(tuple(columns), tuple(rows))


def _stage_table(runs: Sequence[RunView]) -> Table:
    rows = []
    for stage in dict.fromkeys(one.attempt.stage for one in runs):
        some = [one for one in runs if one.attempt.stage == stage]
        known = [one for one in some if one.expected is not None]
        ids, known_ids = tuple(one.id for one in some), tuple(one.id for one in known)
        total = sum(one.attempt.seconds for one in some)
        expected = sum(one.expected or 0.0 for one in known)
        rows.append(
            Row((
                Field(stage),
                Field(str(len(some)), ids, number=True),
                Field(show_seconds(total), ids, number=True),
                Field(show_seconds(expected), known_ids, number=True) if known else Field("not stated"),
                Field(_off(sum(one.attempt.seconds for one in known), expected), known_ids, number=True)
                if known and expected
                else Field("–"),
            ))
        )  # fmt: skip
    return Table(("stage", "runs", "time, summed", "expected", "off"), tuple(rows))


def _off(measured: float, expected: float) -> str:
    return f"{measured / expected - 1:+.0%}".replace("%", " %").replace("-", "−") if expected else "–"


def _counted(view: StudyView) -> list[str]:
    """Metrics that count something: whole numbers in every replicate, or such of which somebody expected a value."""
    target = view.experiment.objective
    names = [*(c.metric for c in target.subject_to), target.prefer] if target else []
    samples = [one for phase in view.phases for cell in phase.cells for one in cell.samples if one.attempt]
    whole = [
        name
        for name in names
        if name
        and samples
        and all(isinstance(one.attempt.metrics.get(name, 0), int) for one in samples if one.attempt)
        and any(name in one.attempt.metrics for one in samples if one.attempt)
    ]
    return list(dict.fromkeys([*whole, *(name for stated in view.stated.values() for name in stated)]))


def _cell_row(cell: CellView, counted: Sequence[str], view: StudyView) -> Row:
    runs = tuple(dict.fromkeys(one.run for one in cell.samples if one.run))
    both = [
        (one.attempt.seconds, one.expected, one.run) for one in cell.samples if one.attempt and one.expected
    ]
    fields = [Field(cell_name(cell.cell))]
    took = [one.attempt.seconds for one in cell.samples if one.attempt]
    fields.append(Field(show_seconds(sum(took) / len(took)), runs, number=True) if took else Field("–"))
    if both:
        known = tuple(dict.fromkeys(run for _, _, run in both))
        measured, expected = sum(row[0] for row in both), sum(row[1] for row in both)
        fields.append(Field(show_seconds(expected / len(both)), known, number=True))
        fields.append(Field(_off(measured, expected), known, number=True))
    else:
        fields += [Field("not stated"), Field("–")]
    for name in counted:
        mean = metric_mean(cell.samples, name)
        measured_field = Field(words.with_error(mean), tuple(dict.fromkeys(mean.runs)), number=True)
        fields.append(measured_field if mean.value is not None else Field("–"))
        stated = view.stated.get(cell.cell.id, {}).get(name)
        fields.append(Field("not stated" if stated is None else words.figure(stated)))
    return Row(tuple(fields))
