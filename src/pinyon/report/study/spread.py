"""Means, their errors, and whether a difference is more than chance gives."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pinyon.report.study.nouns import Mean, Sample

# Two-sided 95 % of Student's t for 1 to 30 degrees of freedom.
_T95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


class Difference(NamedTuple):
    """How much one cell is above another. ``error`` None where it cannot be told; ``paired`` over equal seeds."""

    value: float
    error: float | None
    n: int
    paired: bool

    @property
    def beyond_noise(self) -> bool:
        """Whether the 95 % interval leaves out 0."""
        return self.error is not None and abs(self.value) > t95(self.n - 1) * self.error


def t95(freedom: int) -> float:
    """Student's t of a two-sided 95 % interval, right to three digits; ``freedom`` from 1."""
    return _T95[freedom - 1] if freedom <= len(_T95) else 1.96 + 2.46 / freedom


def number_of(metrics: Mapping[str, Any], name: str) -> float | None:
    """A metric as a number; None where it is missing, text, or not finite."""
    value = metrics.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:  # an integer beyond all floats
        return None
    return number if math.isfinite(number) else None


def mean_of(pairs: Iterable[tuple[float | None, str]]) -> Mean:
    """The mean of (number, run) of every replicate; without one of the numbers there is none."""
    rows = list(pairs)
    known = [(value, run) for value, run in rows if value is not None]
    values, runs = tuple(value for value, _ in known), tuple(run for _, run in known)
    if not rows or len(known) < len(rows):
        return Mean(None, None, values, runs, len(rows))
    value, error = _moments(values)
    return Mean(value, error, values, runs, len(rows))


def metric_mean(samples: Sequence[Sample], name: str) -> Mean:
    """The mean of a metric over replicates."""
    return mean_of(
        (None if sample.attempt is None else number_of(sample.attempt.metrics, name), sample.run)
        for sample in samples
    )


def _moments(values: Sequence[float]) -> tuple[float | None, float | None]:
    n = len(values)
    mean = sum(value / n for value in values)
    if n < 2 or not math.isfinite(mean):
        return (mean if math.isfinite(mean) else None), None
    largest = max(abs(value - mean) for value in values)
    if largest == 0 or not math.isfinite(largest):
        return mean, 0.0 if largest == 0 else None
    squares = sum(((value - mean) / largest) ** 2 for value in values)  # scaled, so that no square overflows
    return mean, largest * math.sqrt(squares / (n - 1) / n)


def interval(mean: Mean) -> tuple[float, float] | None:
    """The 95 % interval of a mean; None where no error can be estimated."""
    if mean.value is None or mean.error is None:
        return None
    half = t95(len(mean.values) - 1) * mean.error
    return mean.value - half, mean.value + half


def difference(ours: Sequence[Sample], theirs: Sequence[Sample], metric: str) -> Difference | None:
    """How much our mean is above theirs: over pairs where the seeds are the same, else of two independent means."""
    first, second = metric_mean(ours, metric), metric_mean(theirs, metric)
    if first.value is None or second.value is None:
        return None
    if [sample.replicate.seed for sample in ours] == [sample.replicate.seed for sample in theirs]:
        pairs = zip(first.values, second.values, strict=True)
        value, error = _moments([one - two for one, two in pairs])
        return None if value is None else Difference(value, error, len(ours), True)
    errors = (first.error, second.error)
    joint = math.hypot(*(e for e in errors if e is not None)) if None not in errors else None
    return Difference(first.value - second.value, joint, min(len(ours), len(theirs)), False)
