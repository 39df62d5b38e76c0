"""Plots as SVG, written by hand: axes with round ticks, a legend, a tooltip on every mark."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from html import escape

from pinyon.report.plots import Plot, Series, Value, finite

WIDTH, HEIGHT = 560, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 14, 48
_COLOURS = ("#2563eb", "#d97706", "#059669", "#dc2626", "#7c3aed", "#0891b2", "#be185d", "#65a30d")
_DASHES = ("", "6 4", "2 3", "8 3 2 3")
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
    low, high, y_ticks = _range([*ys, 0.0] if plot.kind == "bar" else ys)
    y_of = _scale(low, high, HEIGHT - _BOTTOM, _TOP)
    parts = [*_grid(plot, ticks, [(y_of(t), _text(t)) for t in y_ticks])]
    for place, series in enumerate(plot.series):
        # Colour tells the state when there are several, else the column; the other of the two is the dash.
        first, second = sides.index(series.side), names.index(series.name)
        colour, dash = (first, second) if len(sides) > 1 else (second, 0)
        style = (_COLOURS[colour % len(_COLOURS)], _DASHES[dash % len(_DASHES)])
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
    return _svg(parts, HEIGHT + _legend_height(plot), _legend(plot, sides, names))


def _marks(
    spots: Sequence[tuple[float, float, Value, Value]], style: tuple[str, str], series: Series, *, line: bool
) -> Iterable[str]:
    colour, dash = style
    if line and len(spots) > 1:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _, _ in spots)
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>'
    if not line or len(spots) <= _MOST_DOTS:
        for x, y, a, b in spots:
            tip = _tip(series, a, b)
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{2.5 if line else 3.5}" fill="{colour}"{tip}</circle>'


def _bar(x: float, width: float, y: float, zero: float, colour: str, tip: str) -> str:
    top, height = min(y, zero), abs(zero - y)
    return f'<rect x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"{tip}</rect>'


def _tip(series: Series, x: Value, y: Value) -> str:
    return f"><title>{escape(f'{series.side}, {series.name}: {_text(x)}, {_text(y)}')}</title>"


def _numbers_axis(plot: Plot) -> tuple[Callable[[Value], float], list[tuple[float, str]], float]:
    xs = [x for series in plot.series for x, _ in series.points if isinstance(x, float) and math.isfinite(x)]
    low, high, ticks = _range(xs, tight=True)
    scale = _scale(low, high, _LEFT, WIDTH - _RIGHT)
    return lambda x: scale(float(x)), [(scale(tick), _text(tick)) for tick in ticks], 0.0


def _words_axis(plot: Plot) -> tuple[Callable[[Value], float], list[tuple[float, str]], float]:
    words = list(dict.fromkeys(_text(x) for series in plot.series for x, _ in series.points))
    step = (WIDTH - _LEFT - _RIGHT) / max(len(words), 1)
    place = {word: _LEFT + step * (index + 0.5) for index, word in enumerate(words)}
    shown = words[:: math.ceil(len(words) / _MOST_LABELS)]
    return lambda x: place[_text(x)], [(place[word], word) for word in shown], step


def _range(values: Sequence[float], *, tight: bool = False) -> tuple[float, float, list[float]]:
    """Lowest and highest value of an axis, and its ticks: multiples of 1, 2 or 5 times a power of ten."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    if low == high:
        low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough)) if rough > 0 else 1.0
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step), math.ceil(high / step)
    if tight:
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    else:
        low, high = first * step, last * step
    return low, high, [round(index * step, 12) for index in range(first, last + 1)]


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    return lambda value: start + (value - low) / (high - low) * (end - start)


def _grid(plot: Plot, xs: list[tuple[float, str]], ys: list[tuple[float, str]]) -> Iterable[str]:
    right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM
    for y, text in ys:
        yield f'<line x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(text)}</text>'
    for x, text in xs:
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 4}" class="axis"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 17}" text-anchor="middle">{escape(_cut(text, 14))}</text>'
    yield f'<line x1="{_LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}" class="axis"/>'
    yield f'<text x="{(_LEFT + right) / 2}" y="{HEIGHT - 10}" text-anchor="middle">{escape(plot.x_label)}</text>'
    middle = (_TOP + bottom) / 2
    yield (
        f'<text x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})">'
        f"{escape(plot.y_label)}</text>"
    )


def _legend_entries(plot: Plot, sides: list[str], names: list[str]) -> list[tuple[str, str, str]]:
    entries = []
    for series in plot.series:
        first, second = sides.index(series.side), names.index(series.name)
        colour, dash = (first, second) if len(sides) > 1 else (second, 0)
        text = series.side if len(names) == 1 else series.name
        text = f"{series.side}: {series.name}" if len(sides) > 1 and len(names) > 1 else text
        entries.append((text, _COLOURS[colour % len(_COLOURS)], _DASHES[dash % len(_DASHES)]))
    return entries if len(entries) > 1 else []


def _legend_height(plot: Plot) -> int:
    return 18 * len(plot.series) + 6 if len(plot.series) > 1 else 0


def _legend(plot: Plot, sides: list[str], names: list[str]) -> Iterable[str]:
    for row, (text, colour, dash) in enumerate(_legend_entries(plot, sides, names)):
        y = HEIGHT + 8 + 18 * row
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        yield f'<line x1="{_LEFT}" x2="{_LEFT + 26}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="3"{dashes}/>'
        yield f'<text x="{_LEFT + 34}" y="{y + 4}">{escape(_cut(text, 64))}</text>'


def _confusion(plot: Plot) -> str:
    """A square of counts for each side, rows what it was, columns what it was taken for."""
    labels = sorted({_text(value) for series in plot.series for pair in series.points for value in pair})
    cell = min(48.0, (HEIGHT - 100) / max(len(labels), 1))
    size = cell * len(labels)
    parts: list[str] = []
    for place, series in enumerate(plot.series):
        counts = Counter((_text(actual), _text(taken)) for actual, taken in series.points)
        most = max(counts.values())
        top = 40 + place * (size + 92)
        parts.append(f'<text x="{_LEFT + 40}" y="{top - 20}">{escape(_cut(series.side, 60))}</text>')
        for row, actual in enumerate(labels):
            y = top + row * cell
            text = escape(_cut(actual, 12))
            parts.append(f'<text x="{_LEFT + 34}" y="{y + cell / 2 + 4:.1f}" text-anchor="end">{text}</text>')
            for column, taken in enumerate(labels):
                count, x = counts[actual, taken], _LEFT + 40 + column * cell
                dark = ' fill="#fff"' if count > most / 2 else ""
                parts.append(
                    f'<rect x="{x:.1f}" y="{y:.1f}" width="{cell:.1f}" height="{cell:.1f}" fill="#2563eb"'
                    f' fill-opacity="{0.06 + 0.94 * count / most:.2f}"/>'
                    f'<text x="{x + cell / 2:.1f}" y="{y + cell / 2 + 4:.1f}" text-anchor="middle"{dark}>{count}</text>'
                )
        for column, taken in enumerate(labels):
            x = _LEFT + 40 + (column + 0.5) * cell
            text = escape(_cut(taken, 8))
            parts.append(f'<text x="{x:.1f}" y="{top + size + 16:.1f}" text-anchor="middle">{text}</text>')
        axis = escape(f"{plot.y_label or series.name} →   ({plot.x_label} ↓)")
        parts.append(f'<text x="{_LEFT + 40}" y="{top + size + 34:.1f}">{axis}</text>')
    return _svg(parts, round(40 + len(plot.series) * (size + 92)), ())


def _svg(parts: Iterable[str], height: int, legend: Iterable[str]) -> str:
    body = "\n".join([*parts, *legend])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        f' font-family="system-ui, sans-serif" font-size="12" role="img">\n{body}\n</svg>'
    )


def _text(value: Value) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.6g}" if abs(value) < 1e6 or not math.isfinite(value) else f"{value:.3g}"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
