"""The pictures of a report, as data: a phase's cells with their errors, and learning curves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pinyon.report.plots import Plot, Series, Value
from pinyon.report.study.blocks import Picture
from pinyon.report.study.nouns import CellView, Mean, PhaseView, StudyView, cell_name
from pinyon.report.study.words import figure, short, value, with_error
from pinyon.report.svgerrors import Bar, ErrorPlot
from pinyon.report.svgparts import cut
from pinyon.report.text import clean

_ROWS = 24  # cells of a ranked plot; more are drawn over each parameter
_POINTS = 200  # of a curve
_CURVES = 60  # of one plot
_METRICS = 4  # plots of curves
_SKETCH = 40  # characters of a sketched axis
_LARGEST = 1e150  # beyond it nothing is drawn


def phase_picture(phase: PhaseView, view: StudyView) -> Picture | None:
    """The objective of every cell, and each constrained metric with its bound; None where there is nothing to draw."""
    target = view.experiment.objective
    if target is None:
        return None
    means = [(target.metric, [(cell, cell.objective) for cell in phase.cells])]
    for place, clause in enumerate(target.subject_to):
        if clause.metric not in [name for name, _ in means]:
            means.append((clause.metric, [(cell, cell.limits[place].mean) for cell in phase.cells]))
    plots = [plot for name, rows in means for plot in _plots(name, rows, phase, view)]
    if not plots:
        return None
    own = any(mean.own for _, rows in means for _, mean in rows)
    bars = "the interval that the run itself gave" if own else "± one standard error"
    caption = f"Dots: the means; bars: {bars}; faint: replicates. Ringed: the winner; hollow: cannot win."
    caption += " Dashed: the bound." if any(plot.bounds for plot in plots) else ""
    caption += " Crossed: no mean, for a replicate lacks it." if _lacking(plots) else ""
    drawn = [row for row in means[0][1] if row[1].value is not None]
    return Picture(tuple(plots), caption, tuple(_sketch(drawn[:_ROWS], target.metric)))


def _lacking(plots: list[ErrorPlot]) -> bool:
    return any(bar.value is None for plot in plots for bar in plot.bars)


def _plots(
    metric: str, rows: list[tuple[CellView, Mean]], phase: PhaseView, view: StudyView
) -> Iterator[ErrorPlot]:
    """One plot over the only parameter, ranked rows for several, or one plot for each where rows would be too many."""
    if all(mean.value is None for _, mean in rows):
        return
    target = view.experiment.objective
    marks = tuple(
        (c.number, f"{str(c).removeprefix(c.metric).strip()}")
        for c in (target.subject_to if target else ())
        if c.metric == metric
    )
    numeric = [name for name in phase.varied if all(isinstance(_of(cell, name), float) for cell, _ in rows)]
    over = numeric if len(phase.varied) == 1 or len(rows) > _ROWS else []
    for name in over:
        bars = tuple(_bar(cell, mean, _of(cell, name)) for cell, mean in rows)
        yield ErrorPlot(f"{metric} over {name}", name, metric, bars, marks)
    if not over:
        names = short(phase.varied)
        bars = tuple(_bar(cell, mean, _label(cell)) for cell, mean in rows[:_ROWS])
        heading = " · ".join(["#", *(names[name] for name in phase.varied)])
        best = "" if len(rows) <= _ROWS else f", the best {_ROWS} of {len(rows)}"
        yield ErrorPlot(f"{metric}{best}", heading, metric, bars, marks)


def _label(cell: CellView) -> str:
    return " · ".join([str(cell.cell.number), *(value(one) for _, one in cell.cell.assignment)])


def _of(cell: CellView, name: str) -> Value:
    """Its value of a parameter: a number that can be drawn, else text."""
    found = dict(cell.cell.assignment).get(name)
    if isinstance(found, (int, float)) and not isinstance(found, bool) and abs(found) < _LARGEST:
        return float(found)
    return value(found)


def _bar(cell: CellView, mean: Mean, place: Value) -> Bar:
    tone: Literal["", "winner", "out"] = "" if cell.verdict == "tied" else cell.verdict
    tip = f"{cell_name(cell.cell)}: {with_error(mean)} ({', '.join(dict.fromkeys(mean.runs))})"
    return Bar(place, mean.value, mean.error, mean.values, tone, tip, mean.own)


def _sketch(rows: list[tuple[CellView, Mean]], metric: str) -> Iterator[str]:
    """Error bars in characters, for pages that cannot hold a drawing."""
    ends = [
        mean.own or (mean.value - (mean.error or 0.0), mean.value + (mean.error or 0.0))
        for _, mean in rows
        if mean.value is not None
    ]
    values = [
        mean.value for _, mean in rows if mean.value is not None
    ]  # an own interval may leave its number out
    low = min([*values, *(a for a, _ in ends)], default=0.0)
    high = max([*values, *(b for _, b in ends)], default=0.0)
    if not 0 < high - low < _LARGEST:
        return
    labels = [clean(cut(_label(cell), 34)) for cell, _ in rows]
    width = max(map(len, labels))
    for label, (cell, mean), (first, last) in zip(labels, rows, ends, strict=True):
        a, b, at = (round((x - low) / (high - low) * _SKETCH) for x in (first, last, mean.value or 0.0))
        line = " " * a + "├" + "─" * (b - a - 1) + "┤" * (b > a)
        mark = {"winner": "★", "out": "○"}.get(cell.verdict, "●")
        line = line.ljust(_SKETCH + 1)
        yield f"{label.ljust(width)} │{line[:at]}{mark}{line[at + 1 :]}│"
    first_end, last_end = figure(low), figure(high)
    name = clean(cut(metric, 24)).center(_SKETCH - len(first_end) - len(last_end) + 1)
    yield f"{' ' * width}  {first_end}{name}{last_end}"


def curves_picture(view: StudyView) -> Picture | None:
    """Learning curves of the last phase's winner in colour, of all others in grey; None without points."""
    won = [one.attempt.id for one in view.winner.samples if one.attempt] if view.winner else []
    ours = [run.attempt.id for run in view.runs.values() if run.uses != ("upstream",)]
    order = [*won, *(one for one in ours if one not in won)]
    metrics = list(dict.fromkeys(name for one in order for name in view.curves.get(one, {})))
    target = view.experiment.objective
    metrics.sort(key=lambda name: target is None or name != target.metric)
    names = {
        one.attempt.id: one.name
        for phase in view.phases
        for cell in phase.cells
        for one in cell.samples
        if one.attempt
    }
    plots = []
    for metric in metrics[:_METRICS]:
        having = [one for one in order if view.curves.get(one, {}).get(metric)][:_CURVES]
        series = tuple(
            Series("", names.get(one, one), _thinned(view.curves[one][metric]), muted=one not in won)
            for one in having
        )
        if any(line.points for line in series):
            plots.append(Plot(metric, "linear", "step", metric, series))
    if not plots:
        return None
    left = len(metrics) - _METRICS
    caption = "In colour: the winner's replicates; grey: all others." if won else "All runs."
    caption += f" {left} more metrics are not drawn." if left > 0 else ""
    return Picture(tuple(plots), caption)


def _thinned(points: list[tuple[int, float]]) -> tuple[tuple[Value, Value], ...]:
    """At most so many points, the last one among them."""
    step = -(-len(points) // _POINTS)
    kept = points[::-step][::-1] if step > 1 else points
    return tuple((float(x), float(y)) for x, y in kept if abs(y) < _LARGEST)
