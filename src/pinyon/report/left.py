"""How long an execution will still take: asked after every event, computed at most once a second."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

from pinyon.plan.estimate import Estimate, Expected, remaining

_FRESH = 1.0  # seconds; a schedule of a thousand tasks takes a millisecond


class TimeLeft:
    """Knows what was expected, and what runs since when."""

    def __init__(self) -> None:
        self._expected: Expected | None = None
        self._began: dict[str, float] = {}  # recipe → monotonic clock
        self._answer: float | None = None
        self._at = 0.0

    @property
    def begun(self) -> bool:
        """Whether it knows what to expect."""
        return self._expected is not None

    def begin(self, expected: Expected) -> None:
        """Something is about to run, for the first time; this is all that will."""
        self._expected, self._at = expected, -_FRESH

    @property
    def estimates(self) -> Mapping[str, Estimate]:
        """What was expected of each task, by recipe."""
        return self._expected.estimates if self._expected else {}

    def started(self, recipe: str) -> None:
        """An attempt of this task runs."""
        self._began[recipe] = time.monotonic()

    def ended(self, recipe: str) -> None:
        """And has ended."""
        self._began.pop(recipe, None)

    def seconds(self, finished: Collection[str]) -> float | None:
        """Seconds from now until the end; None before the beginning, and while something is left of unknown length.

        Args:
            finished: recipes of tasks that need no more time.
        """
        if self._expected is None:
            return None
        now = time.monotonic()
        if now >= self._at + _FRESH:
            running = {recipe: now - began for recipe, began in self._began.items()}
            self._answer, self._at = remaining(self._expected, finished, running), now
        return None if self._answer is None else max(0.0, self._answer - (now - self._at))
