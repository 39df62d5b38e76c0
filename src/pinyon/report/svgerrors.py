"""Means with their error bars, over one parameter or as ranked rows; bounds and the winner are marked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from pinyon.report.plots import Value
from pinyon.report.svgparts import (
    BOTTOM,
    COLOURS,
    GREY,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    axis_range,
    cut,
    frame,
    scale,
    shown,
)  # fmt: skip
from pinyon.report.text import markup

_POINT, _WINNER, _BOUND = COLOURS[0], COLOURS[2], COLOURS[3]
_ROW = 24
_APART = 40  # of two labels on an axis
_MAGNITUDES = 50  # from largest to smallest, from where on an axis is logarithmic
_DASHED = f'stroke="{_BOUND}" stroke-dasharray="5 4"'
_LARGEST = 1e150  # beyond it, the differences of an axis overflow


class Bar(NamedTuple):
    """One mean. ``place`` is its value of the parameter, or its label; ``value`` None where there is none, which is a
    cross at the axis; ``error`` None where none can be estimated; ``single`` are the replicates behind it. ``tone``
    ``out`` is for what cannot win, drawn hollow. ``ends`` of a bar that reaches not as far up as down go before."""

    place: Value
    value: float | None
    error: float | None = None
    single: tuple[float, ...] = ()
    tone: Literal["", "winner", "out"] = ""
    tip: str = ""
    ends: tuple[float, float] | None = None


class ErrorPlot(NamedTuple):
    """``bounds`` are values with their words, such as (0.3, "≥ 0.3"). Rows stand in the order given."""

    title: str
    place_label: str
    value_label: str
    bars: tuple[Bar, ...]
    bounds: tuple[tuple[float, str], ...] = ()


def error_svg(plot: ErrorPlot) -> str:
    """The plot as an ``<svg>``: over an axis when every place is a number, else as rows."""
    plot = plot._replace(
        bars=tuple(bar for bar in plot.bars if bar.value is None or abs(bar.value) < _LARGEST),
        bounds=tuple(bound for bound in plot.bounds if abs(bound[0]) < _LARGEST),
    )
    if plot.bars and all(isinstance(bar.place, float) and abs(bar.place) < _LARGEST for bar in plot.bars):
        return _upright(plot)
    return _rows(plot)


def _range(plot: ErrorPlot) -> tuple[float, float, list[float]]:
    values = [value for value, _ in plot.bounds]
    for bar in plot.bars:
        values += [bar.value, *_ends(bar.value, bar)] if bar.value is not None else []
        values += [value for value in bar.single if abs(value) < _LARGEST]
    return axis_range(values)


def _ends(value: float, bar: Bar) -> tuple[float, float]:
    """Where the bar of a mean begins and ends: at the mean itself where there is none to draw."""
    if bar.ends is not None and all(abs(end) < _LARGEST for end in bar.ends):
        return bar.ends
    error = bar.error if bar.error is not None and bar.error < _LARGEST else 0.0
    return value - error, value + error


def _places(plot: ErrorPlot) -> tuple[Callable[[float], float], str]:
    """Where values of the parameter lie, and what its axis is called: by magnitude where they span several."""
    places = [float(bar.place) for bar in plot.bars]
    name = cut(plot.place_label, 60)
    if min(places) > 0 and max(places) / min(places) >= _MAGNITUDES:
        low, high, _ = axis_range([math.log10(place) for place in places])
        along = scale(low, high, LEFT, WIDTH - RIGHT)
        return lambda place: along(math.log10(place)), f"{name} (log)"
    low, high, _ = axis_range(places)
    margin = (high - low) * 0.05
    return scale(low - margin, high + margin, LEFT, WIDTH - RIGHT), name


def _upright(plot: ErrorPlot) -> str:
    """The parameter lies along the bottom; neighbours are joined by a thin line."""
    bars = sorted(plot.bars, key=lambda bar: float(bar.place))
    x_of, name = _places(plot)
    low, high, ticks = _range(plot)
    bottom, end = HEIGHT - BOTTOM, WIDTH - RIGHT
    y_of = scale(low, high, bottom, TOP)
    parts = []
    for tick in ticks:
        parts.append(_line(LEFT, y_of(tick), end, y_of(tick), 'class="grid"'))
        parts.append(_text(LEFT - 8, y_of(tick) + 4, shown(tick), "end"))
    parts.append(_line(LEFT, bottom, end, bottom, 'class="axis"'))
    last = -math.inf
    for place in dict.fromkeys(float(bar.place) for bar in bars):
        if x_of(place) - last > _APART:
            last = x_of(place)
            parts.append(_line(last, bottom, last, bottom + 4, 'class="axis"'))
            parts.append(_text(last, bottom + 17, cut(shown(place), 14), "middle"))
    for value, words in plot.bounds:
        parts.append(_line(LEFT, y_of(value), end, y_of(value), _DASHED))
        parts.append(_text(end, y_of(value) + (15 if y_of(value) < TOP + 15 else -5), words, "end"))
    spots = [(x_of(float(bar.place)), y_of(bar.value)) for bar in bars if bar.value is not None]
    if len({x for x, _ in spots}) == len(spots) > 1:
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        parts.append(f'<polyline points="{joined}" fill="none" stroke="{_POINT}" stroke-opacity=".35"/>')
    for bar in bars:
        parts += _mark(bar, y_of, bottom, x_of(float(bar.place)), upright=True)
    parts.append(_text((LEFT + end) / 2, HEIGHT - 10, name, "middle"))
    middle = (TOP + bottom) / 2
    turned = f'transform="rotate(-90 14 {middle})"'
    parts.append(_text(14, middle, cut(plot.value_label, 44), "middle", turned))
    return frame(parts, HEIGHT)


def _rows(plot: ErrorPlot) -> str:
    """A row for each mean, its label on the left."""
    labels = [cut(shown(bar.place), 34) for bar in plot.bars]
    left = 24 + max((6.8 * len(label) for label in labels), default=40.0)
    end = WIDTH - RIGHT - 8
    low, high, ticks = _range(plot)
    x_of = scale(low, high, left, end)
    top, bottom = 38, 38 + _ROW * len(labels)
    parts = [_text(8, 13, cut(plot.place_label, 76), "start", 'font-weight="600"')]
    last = -math.inf
    for tick in ticks:
        parts.append(_line(x_of(tick), top, x_of(tick), bottom, 'class="grid"'))
        if x_of(tick) - last > _APART:
            last = x_of(tick)
            parts.append(_text(last, bottom + 17, shown(tick), "middle"))
    parts.append(_line(left, bottom, end, bottom, 'class="axis"'))
    for value, words in plot.bounds:
        parts.append(_line(x_of(value), top - 4, x_of(value), bottom, _DASHED))
        parts.append(_text(x_of(value), top - 8, words, "end" if x_of(value) > (left + end) / 2 else "start"))
    for row, (label, bar) in enumerate(zip(labels, plot.bars, strict=True)):
        y = top + _ROW * (row + 0.5)
        parts.append(_text(8, y + 4, label, "start", 'font-weight="600"' if bar.tone == "winner" else ""))
        parts += _mark(bar, x_of, left, y, upright=False)
    parts.append(_text((left + end) / 2, bottom + 36, cut(plot.value_label, 60), "middle"))
    return frame(parts, bottom + 46)


def _mark(
    bar: Bar, along: Callable[[float], float], axis: float, across: float, *, upright: bool
) -> Iterator[str]:
    """Replicates as faint dots, the error bar with its caps, the mean; a ring around the winner. A cross on the ``axis``
    for what has no mean."""

    def at(place: float) -> tuple[float, float]:
        return (across, place) if upright else (place, across)

    colour = {"winner": _WINNER, "out": GREY}.get(bar.tone, _POINT)
    tip = f"<title>{markup(bar.tip)}</title>"
    for value in bar.single:
        if abs(value) < _LARGEST:
            x, y = at(along(value))
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}" fill-opacity=".4"/>'
    style = f'stroke="{colour}" stroke-width="1.5"'
    if bar.value is None:
        x, y = at(axis - 8 if upright else axis + 8)
        path = f"M{x - 4:.1f},{y - 4:.1f}l8,8m0,-8l-8,8"
        yield f'<path d="{path}" fill="none" stroke="{GREY}" stroke-width="2">{tip}</path>'
        return
    low, high = _ends(bar.value, bar)
    if low < high:
        (x1, y1), (x2, y2) = at(along(low)), at(along(high))
        yield _line(x1, y1, x2, y2, style)
        for x, y in ((x1, y1), (x2, y2)):
            yield _line(x - 4, y, x + 4, y, style) if upright else _line(x, y - 4, x, y + 4, style)
    x, y = at(along(bar.value))
    if bar.tone == "winner":
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="8" fill="none" {style}/>'
    fill = "var(--card, #fff)" if bar.tone == "out" else colour
    yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{fill}" {style}>{tip}</circle>'


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {style}/>'


def _text(x: float, y: float, words: str, anchor: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{markup(words)}</text>'
