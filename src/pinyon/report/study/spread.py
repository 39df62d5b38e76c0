"""Means, their errors, and whether a difference is more than chance gives."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pinyon.plan import measured
from pinyon.plan.measured import number_of
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


def metric_of(metrics: Mapping[str, Any], leaf: str) -> float | None:
    """A metric as a number, infinities too; None where it is missing, NaN or text."""
    found = number_of(metrics.get(leaf))
    return None if found is None or math.isnan(found) else found


def mean_of(pairs: Iterable[tuple[float | None, str]]) -> Mean:
    """The mean of (number, run) of every replicate; without one of the numbers there is none."""
    rows = list(pairs)
    known = [(value, run) for value, run in rows if value is not None]
    values, runs = tuple(value for value, _ in known), tuple(run for _, run in known)
    if not rows or len(known) < len(rows):
        return Mean(None, None, values, runs, len(rows))
    value, error = measured.mean_of(values)
    return Mean(None if math.isnan(value) else value, error, values, runs, len(rows))


def metric_mean(samples: Sequence[Sample], leaf: str) -> Mean:
    """The mean of a metric over replicates; of a single one with the interval that it gave itself."""
    found = mean_of(
        (None if sample.attempt is None else metric_of(sample.attempt.metrics, leaf), sample.run)
        for sample in samples
    )
    only = samples[0].attempt if len(samples) == 1 and found.value is not None else None
    return found._replace(own=own_interval(only.metrics, leaf)) if only else found


def own_interval(metrics: Mapping[str, Any], leaf: str) -> tuple[float, float] | None:
    """The interval that a run gave a number of its own: its metrics ``LEAF_low`` and ``LEAF_high``."""
    low, high = metric_of(metrics, f"{leaf}_low"), metric_of(metrics, f"{leaf}_high")
    return (low, high) if low is not None and high is not None and low <= high else None


def without_ends(names: Iterable[str], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Metrics but for those that are the ends of another one's interval, wherever that one stands in a row."""
    known = list(names)
    ends = {
        f"{name}_{end}"
        for name in known
        if all(own_interval(row, name) for row in rows if metric_of(row, name) is not None)
        and any(own_interval(row, name) for row in rows)
        for end in ("low", "high")
    }
    return [name for name in known if name not in ends]


def interval(mean: Mean) -> tuple[float, float] | None:
    """The 95 % interval of a mean; None where no error can be estimated."""
    if mean.value is None or mean.error is None or not math.isfinite(mean.value):
        return None
    half = t95(len(mean.values) - 1) * mean.error
    return mean.value - half, mean.value + half


def difference(ours: Sequence[Sample], theirs: Sequence[Sample], leaf: str) -> Difference | None:
    """How much our mean is above theirs: over pairs where the seeds are the same, else of two independent means. None where
    one of them has no finite mean."""
    first, second = metric_mean(ours, leaf), metric_mean(theirs, leaf)
    if not all(one.value is not None and math.isfinite(one.value) for one in (first, second)):
        return None
    if [sample.replicate.seed for sample in ours] == [sample.replicate.seed for sample in theirs]:
        pairs = zip(first.values, second.values, strict=True)
        value, error = measured.mean_of([one - two for one, two in pairs])
        return Difference(value, error, len(ours), True) if math.isfinite(value) else None
    errors = (first.error, second.error)
    joint = math.hypot(*(e for e in errors if e is not None)) if None not in errors else None
    return Difference((first.value or 0.0) - (second.value or 0.0), joint, min(len(ours), len(theirs)), False)
