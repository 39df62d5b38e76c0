"""Points of a Halton sequence: a search that learns nothing, and covers the space more evenly than chance does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

from pinyon.execute.samplers import Direction, Points, Trial
from pinyon.model.experiment import Pairs, Space


def primes() -> Iterator[int]:
    """2, 3, 5, …"""
    for number in count(2):
        if all(number % divisor for divisor in range(2, number)):
            yield number


def radical_inverse(number: int, base: int) -> float:
    """The digits of a number, mirrored at the point: 6 is 110 in base 2, and becomes 0.011."""
    inverse, scale = 0.0, 1.0
    while number:
        number, digit = divmod(number, base)
        scale /= base
        inverse += digit * scale
    return inverse


class Halton:
    """The n-th trial is the n-th point, so it does not matter who asks, or when. A point may come twice where the space is
    small; its run is then reused."""

    def __init__(self, space: Space, goal: Direction, seed: int) -> None:  # noqa: ARG002 - it learns nothing
        self.points = Points(space)
        self.skip = 1 + seed % 1000  # another phase, another piece of the sequence

    def ask(self, trials: Sequence[Trial]) -> Pairs | None:
        """The next point; there is always one."""
        number = self.skip + max((trial.number for trial in trials), default=-1) + 1
        bases = zip(primes(), self.points.axes, strict=False)
        return self.points.pairs(self.points.from_units([radical_inverse(number, base) for base, _ in bases]))
