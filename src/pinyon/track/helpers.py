"""Small decisions that every training loop takes. Pure: they know of no run."""

from __future__ import annotations

import math
from typing import Any

MINIMIZE, MAXIMIZE = "minimize", "maximize"


class EarlyStopping:
    """Says when a metric has not got better for too long.

    ``stop(value)`` is True once ``patience`` values in a row were no improvement. NaN is none. An improvement is one by
    more than ``min_delta``. It has ``state_dict`` and ``load_state_dict``, so a checkpoint can hold it.

    Args:
        patience: values without improvement that are borne; at least 1.
        min_delta: how much better counts as better.
        goal: ``minimize`` or ``maximize``.
        min_steps: values before which it never stops.

    Attributes:
        best: the best value so far; None before the first that is a number.
        best_step: the how-manieth value that was, from 0; -1 before.
        stale: values since then.

    Raises:
        ValueError: a goal or a number that makes no sense.
    """

    def __init__(
        self, patience: int, min_delta: float = 0.0, goal: str = MINIMIZE, min_steps: int = 0
    ) -> None:
        if goal not in (MINIMIZE, MAXIMIZE):
            raise ValueError(f"goal is {goal!r}; it is '{MINIMIZE}' or '{MAXIMIZE}'")
        if patience < 1 or not min_delta >= 0:
            raise ValueError(f"patience {patience} must be at least 1, min_delta {min_delta} at least 0")
        self.patience, self.min_delta, self.goal, self.min_steps = patience, min_delta, goal, min_steps
        self.best: float | None = None
        self.best_step, self.stale, self.seen = -1, 0, 0

    def __call__(self, value: float) -> bool:
        """Take the next value in; whether to stop now."""
        value = float(value)
        if self._better(value):
            self.best, self.best_step, self.stale = value, self.seen, 0
        else:
            self.stale += 1
        self.seen += 1
        return self.stale >= self.patience and self.seen >= self.min_steps

    def _better(self, value: float) -> bool:
        if math.isnan(value):
            return False
        if self.best is None:
            return True
        gain = self.best - value if self.goal == MINIMIZE else value - self.best
        return gain > self.min_delta

    def state_dict(self) -> dict[str, Any]:
        """What it has seen, for a checkpoint."""
        return {"best": self.best, "best_step": self.best_step, "stale": self.stale, "seen": self.seen}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.best, self.best_step = state["best"], state["best_step"]
        self.stale, self.seen = state["stale"], state["seen"]


class NanGuard:
    """Counts values in a row that are not finite.

    Args:
        times: how many of them are too many; at least 1.
    """

    def __init__(self, times: int = 3) -> None:
        if times < 1:
            raise ValueError(f"times is {times}; at least 1")
        self.times = times
        self.bad = 0

    def __call__(self, value: float) -> bool:
        """Take the next value in; True when that was one too many."""
        self.bad = 0 if math.isfinite(value) else self.bad + 1
        return self.bad >= self.times
