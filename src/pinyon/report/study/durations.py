"""Durations beside what was expected of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pinyon.model.units import show_seconds
from pinyon.report.study import words
from pinyon.report.study.blocks import Block, Field, Heading, Row, Table, Text
from pinyon.report.study.nouns import CellView, RunView, StudyView, cell_name


def duration_blocks(view: StudyView) -> Iterator[Block]:
    """How long it took beside what was expected: in all, by stage, and by cell."""
    times = view.times
    yield Heading(2, "Expected and measured durations", "expected")
    yield _sums(view)
    if times.gpu:
        yield Text(f"GPU time: {times.gpu / 3600:.2f} hours. No price is known here, so no cost is given.")
    yield _stage_table(list(view.runs.values()))
    rows = [
        _cell_row(cell)
        for phase in view.phases
        for cell in sorted(phase.cells, key=lambda one: one.cell.number)
    ]
    if rows:
        yield Table(("cell", "time", "expected", "off"), tuple(rows))


def _sums(view: StudyView) -> Table:
    """Sums beside each other: of all runs, of the longest chain, and of what somebody stated of the cells."""
    times, runs = view.times, tuple(view.runs)
    rows = [
        (
            f"{words.plural(len(runs), 'distinct run')} of all stages, one after another",
            times.serial,
            runs,
            "",
        ),
        ("critical path: room for everything at once", times.critical, runs, ""),
    ]
    if times.reused:
        old = tuple(one.id for one in view.runs.values() if one.reused)
        rows.append(("spent before, for something else", times.reused, old, ""))
    if times.expected is not None:
        some = tuple(one.id for one in view.runs.values() if one.expected is not None)
        rows.append(
            (
                f"the {words.plural(len(some), 'run')} with an estimate",
                times.compared,
                some,
                f"estimated {show_seconds(times.expected)} ({off(times.compared, times.expected)})",
            )
        )
    for found, what in ((times.stated, "replicate"), (times.distinct, "distinct run")):
        if found:
            text = f"{words.plural(found.replicates, what)} with a stated time, and all they need"
            rows.append((text, found.seconds, found.runs, f"stated {hours(found.low, found.high)}"))
    return Table(
        ("sum of times", "measured", "beside it"),
        tuple(
            Row(
                (
                    Field(what),
                    Field(show_seconds(seconds) if some else "–", some, number=bool(some)),
                    Field(beside or "–"),
                )
            )
            for what, seconds, some, beside in rows
        ),
    )


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
                Field(show_seconds(expected), known_ids, number=True) if known else Field("no estimate"),
                Field(off(sum(one.attempt.seconds for one in known), expected), known_ids, number=True)
                if known and expected
                else Field("–"),
            ))
        )  # fmt: skip
    return Table(("stage", "runs", "time, summed", "expected", "off"), tuple(rows))


def off(measured: float, expected: float) -> str:
    """How far a measured value is from the expected one, in percent of it."""
    return f"{measured / expected - 1:+.0%}".replace("%", " %").replace("-", "−") if expected else "–"


def _cell_row(cell: CellView) -> Row:
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
        fields.append(Field(off(measured, expected), known, number=True))
    else:
        fields += [Field("no estimate"), Field("–")]
    return Row(tuple(fields))


def hours(low: float, high: float) -> str:
    """``1 h to 1 h 30 min``; one duration where both are the same."""
    return show_seconds(low) if low == high else f"{show_seconds(low)} to {show_seconds(high)}"
