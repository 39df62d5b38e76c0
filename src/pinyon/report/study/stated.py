"""What somebody expected of cells beforehand, beside what was measured. It decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pinyon.model.experiment import Cell, Expected, words
from pinyon.model.study import PhaseStudy
from pinyon.report.study.nouns import CellView, PhaseView
from pinyon.report.study.spread import metric_mean

Side = Literal["within", "above", "below"]


def stated_of(phase: PhaseStudy, cell: Cell) -> Expected:
    """All that the phase states of a cell; of two rows that state the same, the later one counts."""
    setting = {**dict(phase.base), **dict(cell.assignment)}
    rows = [row for row in phase.phase.expect if _meets(setting, row)]
    metrics = {name: between for row in rows for name, between in row.metrics}
    seconds = next((row.seconds for row in reversed(rows) if row.seconds), None)
    return Expected(cell.assignment, tuple(metrics.items()), seconds)


def stated_of_none(phase: PhaseStudy) -> Iterator[str]:
    """Rows that no cell of the phase meets, by what they set."""
    settings = [{**dict(phase.base), **dict(cell.assignment)} for cell, _ in phase.cells]
    for row in phase.phase.expect:
        if not any(_meets(setting, row) for setting in settings):
            yield words(row.cells)


def _meets(setting: Mapping[str, Any], row: Expected) -> bool:
    return all(name in setting and _same(setting[name], value) for name, value in row.cells)


def _same(one: Any, other: Any) -> bool:
    """As values of parameters: 1 is 1.0, and neither is true."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def side(value: float, low: float, high: float) -> Side:
    """How a measured value lies to what was stated."""
    return "below" if value < low else "above" if value > high else "within"


def stated_metrics(phases: Iterable[PhaseView]) -> list[str]:
    """Metrics of which somebody stated a value, as they are first named."""
    return list(
        dict.fromkeys(name for phase in phases for cell in phase.cells for name, _ in cell.stated.metrics)
    )


class NoEffect(NamedTuple):
    """A parameter that leaves a metric as it is, though different values were stated for it. ``values`` are how many it
    takes, ``sets`` how many sets of cells that differ in nothing else."""

    parameter: str
    metric: str
    values: int
    sets: int


def without_effect(phases: Iterable[PhaseView]) -> Iterator[NoEffect]:
    """Every such parameter of a phase. Only sets count whose cells all have a mean; one that differs speaks against it."""
    for phase in phases:
        for metric in stated_metrics([phase]):
            for name in phase.varied:
                sets = [cells for cells in _sets(phase, name) if _known(cells, metric)]
                differ = any(
                    len({dict(cell.stated.metrics).get(metric) for cell in cells} - {None}) > 1
                    for cells in sets
                )
                if differ and all(_equal(cells, metric) for cells in sets):
                    values = len({repr(dict(cell.cell.assignment)[name]) for cells in sets for cell in cells})
                    yield NoEffect(name, metric, values, len(sets))


def _sets(phase: PhaseView, name: str) -> list[list[CellView]]:
    """Cells that differ in this parameter and in nothing else, where there are two at least."""
    found: dict[str, list[CellView]] = {}
    for cell in phase.cells:
        if name in dict(cell.cell.assignment):
            found.setdefault(repr([pair for pair in cell.cell.assignment if pair[0] != name]), []).append(
                cell
            )
    return [cells for cells in found.values() if len(cells) > 1]


def _known(cells: Sequence[CellView], metric: str) -> bool:
    return all(metric_mean(cell.samples, metric).value is not None for cell in cells)


def _equal(cells: Sequence[CellView], metric: str) -> bool:
    return len({metric_mean(cell.samples, metric).values for cell in cells}) == 1
