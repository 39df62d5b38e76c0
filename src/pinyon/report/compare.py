"""Runs, or groups of them, side by side: which parameters differ, and how sure it is that a metric does. Pure."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

Goal = Literal["maximize", "minimize"]
Verdict = Literal["better", "worse", "same", "unclear", ""]
_SURE = 0.95


class Member(NamedTuple):
    """One run, or attempt. ``params`` are leaves by dotted name."""

    run: str
    params: Mapping[str, Any]
    metrics: Mapping[str, Any]


class Side(NamedTuple):
    """What is compared: one run, or several that differ in their seeds or in what nobody asked about."""

    name: str
    members: tuple[Member, ...]


class Spread(NamedTuple):
    """A metric over the ``n`` runs of a side that have it as a finite number. ``half`` is half of the 95 % interval of the
    mean, by Student's t; None with fewer than two. ``text`` is the value where it is no number, "NaN" included; runs
    that disagree have "…"."""

    mean: float | None
    half: float | None
    n: int
    text: str = ""


class Metric(NamedTuple):
    """One metric over all sides. ``verdicts`` compare each with the first; "" for the first, and without a direction."""

    name: str
    goal: Goal | None
    spreads: tuple[Spread, ...]
    verdicts: tuple[Verdict, ...]


class Param(NamedTuple):
    """One parameter: for each side its distinct values, none where no run of it has the parameter."""

    name: str
    values: tuple[tuple[Any, ...], ...]


class Comparison(NamedTuple):
    """The outcome, in the order in which names appear."""

    sides: tuple[Side, ...]
    params: tuple[Param, ...]
    metrics: tuple[Metric, ...]

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "sides": [{"name": side.name, "runs": [one.run for one in side.members]} for side in self.sides],
            "params": {one.name: [list(values) for values in one.values] for one in self.params},
            "metrics": {
                one.name: {
                    "goal": one.goal,
                    "sides": [
                        {**spread._asdict(), "verdict": verdict}
                        for spread, verdict in zip(one.spreads, one.verdicts, strict=True)
                    ],
                }
                for one in self.metrics
            },
        }


def compare(
    sides: Sequence[Side], goal_of: Callable[[str], Goal | None], *, unchanged: bool = False
) -> Comparison:
    """Compare sides, the later ones with the first.

    Args:
        goal_of: the direction in which a metric is better; None where it is unknown.
        unchanged: what is equal on all sides, too.
    """
    params = [
        Param(
            name,
            tuple(_distinct([m.params[name] for m in side.members if name in m.params]) for side in sides),
        )
        for name in _names(sides, lambda member: member.params)
    ]
    metrics = [_metric(name, sides, goal_of(name)) for name in _names(sides, lambda member: member.metrics)]
    return Comparison(
        tuple(sides),
        tuple(one for one in params if unchanged or len({_set(values) for values in one.values}) > 1),
        tuple(one for one in metrics if unchanged or len({_seen(spread) for spread in one.spreads}) > 1),
    )


def _names(sides: Sequence[Side], of: Callable[[Member], Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for side in sides for member in side.members for name in of(member)))


def _distinct(values: Sequence[Any]) -> tuple[Any, ...]:
    return tuple({_key(value): value for value in values}.values())


def _key(value: Any) -> str:
    """Equal for what means the same: 1 and 1.0 do, 1 and true do not."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and not (isinstance(value, float) and not math.isfinite(value)) and value == int(value):
        return str(int(value))
    return json.dumps(value, sort_keys=True, default=str)


def _set(values: tuple[Any, ...]) -> tuple[str, ...]:
    return tuple(sorted(map(_key, values)))


def _seen(spread: Spread) -> tuple[Any, ...]:
    return (spread.mean, spread.text, spread.half if spread.n > 1 else None)


def _metric(name: str, sides: Sequence[Side], goal: Goal | None) -> Metric:
    spreads = tuple(spread([m.metrics[name] for m in side.members if name in m.metrics]) for side in sides)
    verdicts: list[Verdict] = ["", *(_verdict(spreads[0], one, goal) for one in spreads[1:])]
    return Metric(name, goal, spreads, tuple(verdicts))


def spread(values: Sequence[Any]) -> Spread:
    """Mean and interval of the finite numbers among some values."""
    numbers = [number for value in values if (number := _finite(value)) is not None]
    if not numbers:
        texts = _distinct(values)
        text = "" if not texts else str(texts[0]) if len(texts) == 1 else "…"
        return Spread(None, None, 0, text)
    mean = _mean(numbers)
    if len(numbers) < 2:
        return Spread(mean, None, 1)
    # Scaled, so that huge numbers do not overflow when squared.
    largest = max(abs(number - mean) for number in numbers)
    if not 0 < largest < math.inf:
        return Spread(mean, largest if largest == 0 else None, len(numbers))
    deviation = largest * math.sqrt(
        sum(((number - mean) / largest) ** 2 for number in numbers) / (len(numbers) - 1)
    )
    return Spread(mean, t_quantile(len(numbers) - 1) * deviation / math.sqrt(len(numbers)), len(numbers))


def _mean(numbers: Sequence[float]) -> float:
    try:
        return statistics.fmean(numbers)
    except OverflowError:
        return sum(number / len(numbers) for number in numbers)


def _finite(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _verdict(first: Spread, other: Spread, goal: Goal | None) -> Verdict:
    if goal is None or first.mean is None or other.mean is None:
        return ""
    if first.mean == other.mean:
        return "same"
    if (
        first.half is not None
        and other.half is not None
        and abs(first.mean - other.mean) <= first.half + other.half
    ):
        return "unclear"  # the intervals overlap
    return "better" if (other.mean > first.mean) == (goal == "maximize") else "worse"


def t_quantile(degrees: int, sure: float = _SURE) -> float:
    """The t with which Student's distribution of so many degrees of freedom has ``sure`` between -t and t.

    By bisection of the closed form that the distribution has for whole degrees (Abramowitz and Stegun, 26.7.3 and 26.7.4).
    """
    low, high = 0.0, 1.0
    while _within(high, degrees) < sure:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, degrees) < sure else (low, middle)
    return high


def _within(t: float, degrees: int) -> float:
    """The probability of being between -t and t."""
    angle = math.atan(t / math.sqrt(degrees))
    cosine, sine = math.cos(angle), math.sin(angle)
    odd = degrees % 2
    term = cosine if odd else 1.0
    total = term if degrees > 1 else 0.0
    for k in range(2 + odd, degrees - 1, 2):
        term *= (k - 1) / k * cosine**2
        total += term
    return 2 / math.pi * (angle + sine * total) if odd else sine * total
