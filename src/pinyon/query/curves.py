"""Metric points of some attempts, as the curves of a report want them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from pinyon.query import points


def curves_of(
    segments: Iterable[Path], attempts: Collection[str]
) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """By attempt and metric: (step, value), by step; of a step that was told twice, what was told last. NaN is kept.

    Args:
        segments: of points, in order.
        attempts: ids; segments of others are only looked into.
    """
    found: dict[str, dict[str, dict[int, float]]] = {}
    for path in segments:
        if not points.mentions(path, attempts):
            continue
        for attempt, metric, step, value in points.read(path).points.numbers():
            if step is not None and attempt in attempts:
                found.setdefault(attempt, {}).setdefault(metric, {})[step] = value
    return {
        attempt: {metric: sorted(line.items()) for metric, line in metrics.items()}
        for attempt, metrics in found.items()
    }
