"""Means with their error bars, over one parameter or as ranked rows; bounds and the winner are marked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from html import escape
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

_POINT, _WINNER, _BOUND = COLOURS[0], COLOURS[2], COLOURS[3]
_ROW = 24
_DASHED = f'stroke="{_BOUND}" stroke-dasharray="5 4"'
_LARGEST = 1e150  # beyond it, the differences of an axis overflow


class Bar(NamedTuple):
    """One mean. ``place`` is its value of the parameter, or its label; ``error`` None where none can be estimated;
    ``single`` are the replicates behind it. ``tone`` ``out`` is for what cannot win, drawn hollow."""

    place: Value
    value: float
    error: float | None = None
    single: tuple[float, ...] = ()
    tone: Literal["", "winner", "out"] = ""
    tip: str = ""


class ErrorPlot(NamedTuple):
    """``bounds`` are values with their words, such as (0.3, "≥ 0.3"). Rows stand in the order given."""

    title: str
    place_label: str
    value_label: str
    bars: tuple[Bar, ...]
    bounds: tuple[tuple[float, str], ...] = ()


def error_svg(plot: ErrorPlot) -> str:
    """The plot as an ``<svg>``: over an axis when every place is a number, else as rows."""
    plot = plot._replace(bars=tuple(bar for bar in plot.bars if abs(bar.value) < _LARGEST))
    if plot.bars and all(isinstance(bar.place, float) and abs(bar.place) < _LARGEST for bar in plot.bars):
        return _upright(plot)
    return _rows(plot)


def _range(plot: ErrorPlot) -> tuple[float, float, list[float]]:
    values = [value for value, _ in plot.bounds if abs(value) < _LARGEST]
    for bar in plot.bars:
        values += [bar.value - _error(bar), bar.value + _error(bar)]
        values += [value for value in bar.single if abs(value) < _LARGEST]
    return axis_range(values)


def _error(bar: Bar) -> float:
    return bar.error if bar.error is not None and bar.error < _LARGEST else 0.0


def _upright(plot: ErrorPlot) -> str:
    """The parameter lies along the bottom; neighbours are joined by a thin line."""
    bars = sorted(plot.bars, key=lambda bar: float(bar.place))
    places = [float(bar.place) for bar in bars]
    low, high, _ = axis_range(places)
    margin = (high - low) * 0.02
    x_of = scale(low - margin, high + margin, LEFT, WIDTH - RIGHT)
    low, high, ticks = _range(plot)
    y_of = scale(low, high, HEIGHT - BOTTOM, TOP)
    bottom = HEIGHT - BOTTOM
    parts = []
    for tick in ticks:
        parts.append(_line(LEFT, y_of(tick), WIDTH - RIGHT, y_of(tick), 'class="grid"'))
        parts.append(_text(LEFT - 8, y_of(tick) + 4, shown(tick), "end"))
    parts.append(_line(LEFT, bottom, WIDTH - RIGHT, bottom, 'class="axis"'))
    last = -math.inf
    for place in dict.fromkeys(places):
        if x_of(place) - last > 36:
            last = x_of(place)
            parts.append(_line(last, bottom, last, bottom + 4, 'class="axis"'))
            parts.append(_text(last, bottom + 17, cut(shown(place), 14), "middle"))
    for value, words in plot.bounds:
        if abs(value) < _LARGEST:
            parts.append(_line(LEFT, y_of(value), WIDTH - RIGHT, y_of(value), _DASHED))
            parts.append(_text(WIDTH - RIGHT, y_of(value) - 5, words, "end"))
    if len(set(places)) == len(places) > 1:
        joined = " ".join(
            f"{x_of(place):.1f},{y_of(bar.value):.1f}" for place, bar in zip(places, bars, strict=True)
        )
        parts.append(f'<polyline points="{joined}" fill="none" stroke="{_POINT}" stroke-opacity=".35"/>')
    for place, bar in zip(places, bars, strict=True):
        parts += _mark(bar, y_of, x_of(place), upright=True)
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, cut(plot.place_label, 70), "middle"))
    middle = (TOP + bottom) / 2
    turned = f'transform="rotate(-90 14 {middle})"'
    parts.append(_text(14, middle, cut(plot.value_label, 44), "middle", turned))
    return frame(parts, HEIGHT)


def _rows(plot: ErrorPlot) -> str:
    """A row for each mean, its label on the left."""
    labels = [cut(shown(bar.place), 34) for bar in plot.bars]
    heading = cut(plot.place_label, 60)
    left = 24 + max((6.6 * len(label) for label in labels), default=40.0)
    low, high, ticks = _range(plot)
    x_of = scale(low, high, left, WIDTH - RIGHT - 8)
    top, bottom = 34, 34 + _ROW * len(labels)
    parts = [_text(8, 18, heading, "start", 'font-weight="600"')]
    last = -math.inf
    for tick in ticks:
        parts.append(_line(x_of(tick), top, x_of(tick), bottom, 'class="grid"'))
        if x_of(tick) - last > 44:
            last = x_of(tick)
            parts.append(_text(last, bottom + 17, shown(tick), "middle"))
    parts.append(_line(left, bottom, WIDTH - RIGHT - 8, bottom, 'class="axis"'))
    for value, words in plot.bounds:
        if abs(value) < _LARGEST:
            anchor = "end" if x_of(value) > (left + WIDTH) / 2 else "start"
            shift = -4 if anchor == "end" else 4
            parts.append(_line(x_of(value), top - 4, x_of(value), bottom, _DASHED))
            parts.append(_text(x_of(value) + shift, top - 6, words, anchor))
    for row, (label, bar) in enumerate(zip(labels, plot.bars, strict=True)):
        y = top + _ROW * (row + 0.5)
        weight = 'font-weight="600"' if bar.tone == "winner" else ""
        parts.append(_text(8, y + 4, label, "start", weight))
        parts += _mark(bar, x_of, y, upright=False)
    parts.append(_text((left + WIDTH - RIGHT) / 2, bottom + 36, cut(plot.value_label, 60), "middle"))
    return frame(parts, bottom + 46)


def _mark(bar: Bar, along: Callable[[float], float], across: float, *, upright: bool) -> Iterator[str]:
    """Replicates as faint dots, the error bar with its caps, the mean; a ring around the winner."""

    def at(value: float) -> tuple[float, float]:
        return (across, along(value)) if upright else (along(value), across)

    colour = {"winner": _WINNER, "out": GREY}.get(bar.tone, _POINT)
    for value in bar.single:
        if abs(value) < _LARGEST:
            x, y = at(value)
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}" fill-opacity=".35"/>'
    error = _error(bar)
    if error > 0:
        (x1, y1), (x2, y2) = at(bar.value - error), at(bar.value + error)
        style = f'stroke="{colour}" stroke-width="1.5"'
        yield _line(x1, y1, x2, y2, style)
        for x, y in ((x1, y1), (x2, y2)):
            yield _line(x - 4, y, x + 4, y, style) if upright else _line(x, y - 4, x, y + 4, style)
    x, y = at(bar.value)
    if bar.tone == "winner":
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="8" fill="none" stroke="{colour}" stroke-width="1.5"/>'
    fill = 'fill="var(--paper, #fff)"' if bar.tone == "out" else f'fill="{colour}"'
    tip = f"<title>{escape(bar.tip)}</title>"
    yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" {fill} stroke="{colour}" stroke-width="1.5">{tip}</circle>'


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {style}/>'


def _text(x: float, y: float, words: str, anchor: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(words)}</text>'
