"""Estimates in words: before a run how long it will take, after it what took much longer or much less."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pinyon.model.outcome import SUCCEEDED, Attempt
from pinyon.model.units import show_seconds
from pinyon.plan.estimate import Expected, critical_path, makespan

_SHOWN = 5  # stages by name
_FAR_OFF = 0.5  # of the estimate
_SHORT = 1.0  # seconds that nobody plans for
_NOISE = 10.0  # seconds that nobody calls wrong


def figures(expected: Expected) -> dict[str, Any]:
    """For ``--json``: seconds one after another, on the critical path and with so many slots, where they come from, and
    the stages whose time is unknown and so in none of the sums."""
    seconds, found = expected.seconds, expected.estimates
    return {
        "serial_seconds": sum(seconds.values()),
        "critical_path_seconds": critical_path(expected.graph, seconds),
        "slots": expected.slots,
        "seconds": makespan(expected.graph, dict.fromkeys(expected.recipes, 0.0) | seconds, expected.slots),
        "from_past": sum(found[recipe].source == "past" for recipe in seconds),
        "declared": sum(found[recipe].source == "declared" for recipe in seconds),
        "unknown": expected.unknown,
        "stages": {
            _name(expected, recipe): [value, found[recipe].source] for recipe, value in seconds.items()
        },
    }


def sentence(expected: Expected) -> str:
    """``estimate: ~3 hours prepare + 6 hours train = ~9 h; critical path ~6 h (2 from past runs)``; "" if nothing
    runs, or nothing is known of what does."""
    found = figures(expected)
    if found["serial_seconds"] < _SHORT:
        return ""  # nothing is known, or it is over before it is read
    text = f"estimate: ~{' + '.join(_parts(expected))}"
    if len(expected.seconds) > 1:
        text += f" = ~{show_seconds(found['serial_seconds'])}"
        text += f"; critical path ~{show_seconds(found['critical_path_seconds'])}"
        text += f"; with -j {expected.slots} ~{show_seconds(found['seconds'])}" if expected.slots > 1 else ""
    sources = {"from past runs": found["from_past"], "declared": found["declared"]}
    text += f" ({', '.join(f'{count} {how}' for how, count in sources.items() if count)})"
    return text + (f"; not counted, for unknown: {_some(expected.unknown)}" if expected.unknown else "")


def _parts(expected: Expected) -> list[str]:
    """The longest stages in the graph's order, and how many more there are."""
    seconds = expected.seconds
    largest = set(sorted(seconds, key=lambda recipe: -seconds[recipe])[:_SHOWN])
    parts = [
        f"{about(value)} {_name(expected, recipe)}" for recipe, value in seconds.items() if recipe in largest
    ]
    return [*parts, f"… {len(seconds) - _SHOWN} more"] if len(seconds) > _SHOWN else parts


def _name(expected: Expected, recipe: str) -> str:
    return expected.graph.tasks[recipe].stage.name


def about(seconds: float) -> str:
    """A duration in one unit, as people estimate: ``40 secs``, ``10 mins``, ``1.5 hours``, ``2 days``."""
    if seconds < 1:
        return f"{seconds:.1f} secs"
    for size, unit, below in ((1, "sec", 90), (60, "min", 90), (3600, "hour", 48)):
        if round(seconds / size) < below:
            return _plural(seconds / size, unit, whole=size < 3600)
    return _plural(seconds / 86400, "day", whole=False)


def _plural(number: float, unit: str, *, whole: bool) -> str:
    rounded = round(number) if whole else round(number * 2) / 2
    return f"{rounded:g} {unit}{'s' * (rounded != 1)}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f", … {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def surprises(attempts: Iterable[Attempt]) -> list[str]:
    """A line for each attempt that took much longer than estimated or much less, the worst first."""
    off = [
        (abs(attempt.seconds - (attempt.estimate or 0.0)), attempt)
        for attempt in attempts
        if far_off(attempt)
    ]
    off.sort(key=lambda pair: -pair[0])
    lines = [_surprise(attempt) for _, attempt in off[:_SHOWN]]
    return [*lines, f"… {len(off) - _SHOWN} more were off"] if len(off) > _SHOWN else lines


def far_off(attempt: Attempt) -> bool:
    """Whether the estimate of an attempt that succeeded was off by more than half of it, and by more than noise."""
    if attempt.state != SUCCEEDED or attempt.estimate is None:
        return False
    off = abs(attempt.seconds - attempt.estimate)
    return off > _NOISE and off > _FAR_OFF * attempt.estimate


def _surprise(attempt: Attempt) -> str:
    estimate = attempt.estimate or 0.0
    percent = (
        f": {(attempt.seconds - estimate) / estimate:+.0%}".replace("%", " %").replace("-", "−")
        if estimate
        else ""
    )
    return (
        f"{attempt.stage} took {show_seconds(attempt.seconds)}, estimated {show_seconds(estimate)}{percent}"
    )
