"""What somebody stated of cells beforehand, value by value beside what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pinyon.model.units import show_seconds
from pinyon.report.study import words
from pinyon.report.study.blocks import Block, Bullets, Field, Heading, Row, Table, Text
from pinyon.report.study.durations import hours, off
from pinyon.report.study.nouns import CellView, PhaseView, StudyView
from pinyon.report.study.spread import metric_mean
from pinyon.report.study.stated import side, stated_metrics, without_effect
from pinyon.report.study.timing import behind_of


def stated_blocks(view: StudyView) -> Iterator[Block]:
    """What somebody expected of cells beforehand, each value beside what was measured."""
    cells = [cell for phase in view.phases for cell in sorted(phase.cells, key=lambda one: one.cell.number)]
    cells = [cell for cell in cells if _any(cell)]
    if not cells:
        return
    yield Heading(2, "Stated beforehand and measured", "stated")
    yield Text("It decided nothing: no cell won or lost by it.")
    lines = [line for name in stated_metrics(view.phases) for line in _summary(name, cells)]
    lines += [
        f"{one.parameter} does not change {one.metric}: {words.plural(one.values, 'value')}, equal in"
        f" {'each of ' * (one.sets > 1)}{words.plural(one.sets, 'set')} of cells that differ in nothing else."
        for one in without_effect(view.phases)
    ]
    if lines:
        yield Bullets(tuple(lines))
    behind = behind_of(view.runs)
    for phase in view.phases:
        table = _table(phase, view, behind)
        if table.rows:
            yield Heading(3, phase.name)
            yield table


def _table(phase: PhaseView, view: StudyView, behind: Mapping[str, frozenset[str]]) -> Table:
    """The cells of a phase of which something was stated."""
    cells = [cell for cell in sorted(phase.cells, key=lambda one: one.cell.number) if _any(cell)]
    names, timed = stated_metrics([phase]), any(cell.stated.seconds for cell in cells)
    rows = []
    for cell in cells:
        setting = dict(cell.cell.assignment)
        fields = [Field(str(cell.cell.number))]
        fields += [Field(words.value(setting[one]) if one in setting else "–") for one in phase.varied]
        fields += [_time(cell, view, behind)] if timed else []
        rows.append(Row((*fields, *(_metric(cell, name) for name in names))))
    times = ["time, with all it needs"] if timed else []
    return Table(("cell", *words.short(phase.varied).values(), *times, *names), tuple(rows))


def _any(cell: CellView) -> bool:
    return bool(cell.stated.metrics or cell.stated.seconds)


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


def _metric(cell: CellView, name: str) -> Field:
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


def _time(cell: CellView, view: StudyView, behind: Mapping[str, frozenset[str]]) -> Field:
    """Of a replicate with all that it needs, as if nothing were shared."""
    between, samples = cell.stated.seconds, [one for one in cell.samples if one.run]
    if between is None:
        return Field("–")
    text = f"stated {hours(*between)}"
    if not samples:
        return Field(f"{text} · not measured")
    mean = sum(view.runs[run].attempt.seconds for one in samples for run in behind[one.run]) / len(samples)
    runs = tuple(dict.fromkeys(one.run for one in samples))
    return Field(f"{text} · measured {show_seconds(mean)}{_apart(mean, *between)}", runs, number=True)


def _apart(value: float, low: float, high: float) -> str:
    """How far a value is from the one that was stated, or on which side of those."""
    if low == high:
        return f" ({off(value, low)})" if low > 0 and value != low else ""
    return f": {side(value, low, high)}"
