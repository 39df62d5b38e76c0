"""A curve as text, for a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # of a Braille cell, by column and row


def plot(xs: Sequence[float], ys: Sequence[float], width: int = 72, height: int = 14) -> list[str]:
    """Lines of a chart of finite values; of the points of one column of dots the smallest and largest are joined.

    Args:
        width, height: of the area without its labels, in characters.
    """
    found = [(x, y) for x, y in zip(xs, ys, strict=True) if math.isfinite(x) and math.isfinite(y)]
    if not found:
        return []
    left, right = min(x for x, _ in found), max(x for x, _ in found)
    low, high = min(y for _, y in found), max(y for _, y in found)
    columns: dict[int, tuple[int, int]] = {}
    for x, y in found:
        at, up = _at(x, left, right, 2 * width), _at(y, low, high, 4 * height)
        known = columns.get(at, (up, up))
        columns[at] = (min(known[0], up), max(known[1], up))
    cells = [[0] * width for _ in range(height)]
    for at, (bottom, top) in columns.items():
        for up in range(bottom, top + 1):
            row, dot = divmod(4 * height - 1 - up, 4)
            cells[row][at // 2] |= _DOTS[at % 2][dot]
    labels = [f"{high:.4g}", *[""] * (height - 2), f"{low:.4g}"]
    room = max(map(len, labels))
    rows = [
        f"{label:>{room}} ┤{''.join(chr(0x2800 + cell) for cell in row)}".rstrip("\u2800")
        for label, row in zip(labels, cells, strict=True)
    ]
    ends = f"{left:.6g}", f"{right:.6g}"
    return [*rows, f"{'':{room}} {ends[0]}{ends[1]:>{max(width + 1 - len(ends[0]), 1)}}"]


def _at(value: float, low: float, high: float, size: int) -> int:
    """Where a value lies among ``size`` dots; halves keep differences finite."""
    span = high / 2 - low / 2
    return min(int((value / 2 - low / 2) / span * size), size - 1) if span else 0
