"""Metric points of some attempts, as the curves of a report want them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from pathlib import Path

from pinyon.query import points

_HEAD = 4096  # bytes: the first point of a segment tells whose it is


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
        if not _mentions(path, attempts):
            continue
        told = points.read(path).points
        for attempt, metric, step, value in zip(
            told.attempt, told.metric, told.step, told.value, strict=True
        ):
            if step is not None and attempt in attempts:
                found.setdefault(attempt, {}).setdefault(metric, {})[step] = value
    return {
        attempt: {metric: sorted(line.items()) for metric, line in metrics.items()}
        for attempt, metrics in found.items()
    }


def _mentions(path: Path, attempts: Collection[str]) -> bool:
    """Whether a segment may hold points of these: it has one writer, whose points are all of one attempt."""
    with open(path, "rb") as file:
        first = file.read(_HEAD).partition(b"\n")[0]
    try:
        return json.loads(first).get("attempt") in attempts
    except (ValueError, AttributeError, RecursionError):
        return True  # torn, damaged or longer: the reader knows what to make of it
