"""What every SVG plot is made of: the frame, axes with round ticks, colours, words that fit."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from pinyon.report.plots import Value

WIDTH, HEIGHT = 560, 340
LEFT, RIGHT, TOP, BOTTOM = 74, 16, 14, 48
COLOURS = ("#2563eb", "#d97706", "#059669", "#dc2626", "#7c3aed", "#0891b2", "#be185d", "#65a30d")
DASHES = ("", "6 4", "2 3", "8 3 2 3")
GREY = "#8b93a1"  # told from the background in light and in dark


def axis_range(values: Sequence[float], *, tight: bool = False) -> tuple[float, float, list[float]]:
    """Lowest and highest value of an axis, and its ticks: multiples of 1, 2 or 5 times a power of ten."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # equal, but for rounding
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


def scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """From values to places of an axis."""
    return lambda value: start + (value - low) / (high - low) * (end - start)


def frame(parts: Iterable[str], height: int, legend: Iterable[str] = ()) -> str:
    """The ``<svg>`` around its parts."""
    body = "\n".join([*parts, *legend])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        f' font-family="system-ui, sans-serif" font-size="12" role="img">\n{body}\n</svg>'
    )


def shown(value: Value) -> str:
    """A value on an axis or in a tooltip."""
    if isinstance(value, str):
        return value
    return f"{value:.6g}" if abs(value) < 1e6 or not math.isfinite(value) else f"{value:.3g}"


def cut(text: str, most: int) -> str:
    """A text that fits."""
    return text if len(text) <= most else text[: most - 1] + "…"
