"""Measured beside expected: what somebody stated of cells, and durations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pinyon.model.units import show_seconds
from pinyon.report.study import words
from pinyon.report.study.blocks import Block, Bullets, Field, Heading, Row, Table, Text
from pinyon.report.study.nouns import CellView, RunView, StudyView, cell_name
from pinyon.report.study.spread import metric_mean
from pinyon.report.study.stated import side, stated_metrics, without_effect
from pinyon.report.study.timing import behind_of


def stated_blocks(view: StudyView) -> Iterator[Block]:
    """What somebody expected of cells beforehand, each value beside what was measured."""
    cells = [cell for phase in view.phases for cell in sorted(phase.cells, key=lambda one: one.cell.number)]
    cells = [cell for cell in cells if cell.stated.metrics or cell.stated.seconds]
    if not cells:
        return
    yield Heading(2, "Stated beforehand and measured", "stated")
    yield Text("It decided nothing: no cell won or lost by it.")
    names = stated_metrics(view.phases)
    lines = [line for name in names for line in _summary(name, cells)]
    lines += [
        f"{one.parameter} does not change {one.metric}: {words.plural(one.values, 'value')}, equal in"
        f" {'each of ' * (one.sets > 1)}{words.plural(one.sets, 'set')} of cells that differ in nothing else."
        for one in without_effect(view.phases)
    ]
    if lines:
        yield Bullets(tuple(lines))
    timed = any(cell.stated.seconds for cell in cells)
    behind = behind_of(view.runs) if timed else {}
    rows = []
    for cell in cells:
        fields = [Field(cell_name(cell.cell)), Field(words.assignment(cell.cell.assignment))]
        fields += [_stated_time(cell, view, behind)] if timed else []
        rows.append(Row((*fields, *(_stated_metric(cell, name) for name in names))))
    yield Table(("cell", "sets", *(["time, with all it needs"] if timed else []), *names), tuple(rows))


def _summary(name: str, cells: Sequence[CellView]) -> Iterator[str]:
    """How many of the values stated of a metric were met."""
    rows = [
        (between, metric_mean(cell.samples, name).value) for cell in cells for between in _between(cell, name)
    ]
    sides = [side(value, *between) for between, value in rows if value is not None]
    if sides:
        found = ", ".join(f"{sides.count(one)} {one}" for one in ("within", "above", "below") if one in sides)
        yield f"{name}: of {words.plural(len(sides), 'cell')} with a stated value, {found}."


def _between(cell: CellView, name: str) -> tuple[tuple[float, float], ...]:
    return tuple(between for metric, between in cell.stated.metrics if metric == name)


def _stated_metric(cell: CellView, name: str) -> Field:
    mean = metric_mean(cell.samples, name)
    runs = tuple(dict.fromkeys(mean.runs))
    for low, high in _between(cell, name):
        text = f"stated {words.span(low, high)}"
        if mean.value is None:
            return Field(f"{text} · not measured")
        return Field(
            f"{text} · measured {words.figure(mean.value)}{_apart(mean.value, low, high)}", runs, number=True
        )
    return Field("–")


def _stated_time(cell: CellView, view: StudyView, behind: Mapping[str, frozenset[str]]) -> Field:
    """Of a replicate with all that it needs, as if nothing were shared."""
    between, samples = cell.stated.seconds, [one for one in cell.samples if one.run]
    if between is None:
        return Field("–")
    text = f"stated {_hours(*between)}"
    if not samples:
        return Field(f"{text} · not measured")
    mean = sum(view.runs[run].attempt.seconds for one in samples for run in behind[one.run]) / len(samples)
    runs = tuple(dict.fromkeys(one.run for one in samples))
    return Field(f"{text} · measured {show_seconds(mean)}{_apart(mean, *between)}", runs, number=True)


def _apart(value: float, low: float, high: float) -> str:
    """How far a value is from the one that was stated, or on which side of those."""
    if low == high:
        return f" ({_off(value, low)})" if low > 0 and value != low else ""
    return f": {side(value, low, high)}"


def _hours(low: float, high: float) -> str:
    return show_seconds(low) if low == high else f"{show_seconds(low)} to {show_seconds(high)}"


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
                f"estimated {show_seconds(times.expected)} ({_off(times.compared, times.expected)})",
            )
        )
    for found, what in ((times.stated, "replicate"), (times.distinct, "distinct run")):
        if found:
            text = f"{words.plural(found.replicates, what)} with a stated time, and all they need"
            rows.append((text, found.seconds, found.runs, f"stated {_hours(found.low, found.high)}"))
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
                Field(_off(sum(one.attempt.seconds for one in known), expected), known_ids, number=True)
                if known and expected
                else Field("–"),
            ))
        )  # fmt: skip
    return Table(("stage", "runs", "time, summed", "expected", "off"), tuple(rows))


def _off(measured: float, expected: float) -> str:
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
        fields.append(Field(_off(measured, expected), known, number=True))
    else:
        fields += [Field("no estimate"), Field("–")]
    return Row(tuple(fields))
