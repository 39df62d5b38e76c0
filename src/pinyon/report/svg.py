"""Plots as SVG, written by hand: axes with round ticks, a legend, a tooltip on every mark."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from pinyon.report.plots import Plot, Series, Value, finite
from pinyon.report.svgparts import (
    BOTTOM,
    COLOURS,
    DASHES,
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
)
from pinyon.report.text import markup

_MOST_LABELS = 12  # on an axis of words
_MOST_DOTS = 60  # marks of a line that are drawn beside the line itself


def svg_of(plot: Plot) -> str:
    """One plot as an ``<svg>``; its legend stands in it."""
    if plot.kind == "confusion":
        return _confusion(plot)
    sides = list(dict.fromkeys(series.side for series in plot.series))
    names = list(dict.fromkeys(series.name for series in plot.series))
    words = plot.kind == "bar" or any(not finite(x) for s in plot.series for x, _ in s.points)
    x_of, ticks, step = _words_axis(plot) if words else _numbers_axis(plot)
    ys = [y for series in plot.series for _, y in series.points if isinstance(y, float) and math.isfinite(y)]
    low, high, y_ticks = axis_range([*ys, 0.0] if plot.kind == "bar" else ys)
    y_of = scale(low, high, HEIGHT - BOTTOM, TOP)
    parts = [*_grid(plot, ticks, [(y_of(t), shown(t)) for t in y_ticks])]
    for place, series in sorted(enumerate(plot.series), key=lambda pair: not pair[1].muted):
        # Colour tells the state when there are several, else the column; the other of the two is the dash.
        first, second = sides.index(series.side), names.index(series.name)
        colour, dash = (first, second) if len(sides) > 1 else (second, 0)
        style = (COLOURS[colour % len(COLOURS)], DASHES[dash % len(DASHES)])
        spots = [
            (x_of(x), y_of(y), x, y)
            for x, y in series.points
            if isinstance(y, float) and math.isfinite(y) and (words or finite(x))
        ]
        if plot.kind == "bar":
            slot = step * 0.8 / len(plot.series)
            shift = step * -0.4 + place * slot
            parts += [
                _bar(x + shift, slot, y, y_of(0.0), style[0], _tip(series, a, b)) for x, y, a, b in spots
            ]
        else:
            parts += _marks(spots, style, series, line=plot.kind == "linear")
    legend = _legend_entries(plot, sides, names)
    return frame(parts, HEIGHT + (18 * len(legend) + 6 if legend else 0), _legend(legend))


def _marks(
    spots: Sequence[tuple[float, float, Value, Value]], style: tuple[str, str], series: Series, *, line: bool
) -> Iterable[str]:
    colour, dash = style
    if line and len(spots) > 1:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _, _ in spots)
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        if series.muted:
            tip = f"<title>{markup(series.name)}</title>"
            yield f'<polyline points="{path}" fill="none" stroke="{GREY}" stroke-opacity=".5">{tip}</polyline>'
            return
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>'
    if not line or len(spots) <= _MOST_DOTS:
        for x, y, a, b in spots:
            tip = _tip(series, a, b)
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{2.5 if line else 3.5}" fill="{colour}"{tip}</circle>'


def _bar(x: float, width: float, y: float, zero: float, colour: str, tip: str) -> str:
    top, height = min(y, zero), abs(zero - y)
    return f'<rect x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"{tip}</rect>'


def _tip(series: Series, x: Value, y: Value) -> str:
    return f"><title>{markup(f'{series.side}, {series.name}: {shown(x)}, {shown(y)}')}</title>"


def _numbers_axis(plot: Plot) -> tuple[Callable[[Value], float], list[tuple[float, str]], float]:
    xs = [x for series in plot.series for x, _ in series.points if isinstance(x, float) and math.isfinite(x)]
    low, high, ticks = axis_range(xs, tight=True)
    place = scale(low, high, LEFT, WIDTH - RIGHT)
    return lambda x: place(float(x)), [(place(tick), shown(tick)) for tick in ticks], 0.0


def _words_axis(plot: Plot) -> tuple[Callable[[Value], float], list[tuple[float, str]], float]:
    words = list(dict.fromkeys(shown(x) for series in plot.series for x, _ in series.points))
    step = (WIDTH - LEFT - RIGHT) / max(len(words), 1)
    place = {word: LEFT + step * (index + 0.5) for index, word in enumerate(words)}
    labelled = words[:: math.ceil(len(words) / _MOST_LABELS)]
    return lambda x: place[shown(x)], [(place[word], word) for word in labelled], step


def _grid(plot: Plot, xs: list[tuple[float, str]], ys: list[tuple[float, str]]) -> Iterable[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    for y, text in ys:
        yield f'<line x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{markup(text)}</text>'
    for x, text in xs:
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 4}" class="axis"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 17}" text-anchor="middle">{markup(cut(text, 14))}</text>'
    yield f'<line x1="{LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}" class="axis"/>'
    yield f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 10}" text-anchor="middle">{markup(plot.x_label)}</text>'
    middle = (TOP + bottom) / 2
    yield (
        f'<text x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})">'
        f"{markup(plot.y_label)}</text>"
    )


def _legend_entries(plot: Plot, sides: list[str], names: list[str]) -> list[tuple[str, str, str]]:
    entries = []
    for series in plot.series:
        if series.muted:
            continue
        first, second = sides.index(series.side), names.index(series.name)
        colour, dash = (first, second) if len(sides) > 1 else (second, 0)
        text = series.side if len(names) == 1 else series.name
        text = f"{series.side}: {series.name}" if len(sides) > 1 and len(names) > 1 else text
        entries.append((text, COLOURS[colour % len(COLOURS)], DASHES[dash % len(DASHES)]))
    others = len(plot.series) - len(entries)
    if others:
        entries.append((f"{others} others", GREY, ""))
    return entries if len(entries) > 1 else []


def _legend(entries: list[tuple[str, str, str]]) -> Iterable[str]:
    for row, (text, colour, dash) in enumerate(entries):
        y = HEIGHT + 8 + 18 * row
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        yield f'<line x1="{LEFT}" x2="{LEFT + 26}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="3"{dashes}/>'
        yield f'<text x="{LEFT + 34}" y="{y + 4}">{markup(cut(text, 64))}</text>'


def _confusion(plot: Plot) -> str:
    """A square of counts for each side, rows what it was, columns what it was taken for."""
    labels = sorted({shown(value) for series in plot.series for pair in series.points for value in pair})
    cell = min(48.0, (HEIGHT - 100) / max(len(labels), 1))
    size = cell * len(labels)
    parts: list[str] = []
    for place, series in enumerate(plot.series):
        counts = Counter((shown(actual), shown(taken)) for actual, taken in series.points)
        most = max(counts.values())
        top = 40 + place * (size + 92)
        parts.append(f'<text x="{LEFT + 40}" y="{top - 20}">{markup(cut(series.side, 60))}</text>')
        for row, actual in enumerate(labels):
            y = top + row * cell
            text = markup(cut(actual, 12))
            parts.append(f'<text x="{LEFT + 34}" y="{y + cell / 2 + 4:.1f}" text-anchor="end">{text}</text>')
            for column, taken in enumerate(labels):
                count, x = counts[actual, taken], LEFT + 40 + column * cell
                dark = ' fill="#fff"' if count > most / 2 else ""
                parts.append(
                    f'<rect x="{x:.1f}" y="{y:.1f}" width="{cell:.1f}" height="{cell:.1f}" fill="#2563eb"'
                    f' fill-opacity="{0.06 + 0.94 * count / most:.2f}"/>'
                    f'<text x="{x + cell / 2:.1f}" y="{y + cell / 2 + 4:.1f}" text-anchor="middle"{dark}>{count}</text>'
                )
        for column, taken in enumerate(labels):
            x = LEFT + 40 + (column + 0.5) * cell
            text = markup(cut(taken, 8))
            parts.append(f'<text x="{x:.1f}" y="{top + size + 16:.1f}" text-anchor="middle">{text}</text>')
        axis = markup(f"{plot.y_label or series.name} →   ({plot.x_label} ↓)")
        parts.append(f'<text x="{LEFT + 40}" y="{top + size + 34:.1f}">{axis}</text>')
    return frame(parts, round(40 + len(plot.series) * (size + 92)), ())
