"""What samplers have in common: no point twice, numbers drawn from the seed alone, an end where a space is used up."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from blake3 import blake3

from pinyon.execute.samplers.points import Point, Points
from pinyon.execute.samplers.protocol import Trial, next_number
from pinyon.model.canonical import canonical
from pinyon.model.experiment import Pairs, Space

_TRIES = 16  # draws before one of the points that are left is taken

Seen = Sequence[tuple[Trial, Point]]  # by number; only trials that are points of the space


def draw(seed: int, number: int, attempt: int, what: str) -> int:
    """53 random bits that depend on nothing but the arguments, on every machine and in every version."""
    return int.from_bytes(blake3(canonical([seed, number, attempt, what])).digest(8), "big") >> 11


class Distinct(ABC):
    """Asks `propose` for points until one is new. In a finite space that fails at last, and one of the points that are left
    is drawn; where none is, there are no more trials. Any function of its arguments will do for `propose`."""

    def __init__(self, space: Space, seed: int) -> None:
        self.points = Points(space)
        self.seed = seed

    def ask(self, trials: Sequence[Trial]) -> Pairs | None:
        """See `Sampler`."""
        number = next_number(trials)
        read = ((trial, self.points.read(trial.assignment)) for trial in trials)
        seen = sorted(
            ((trial, point) for trial, point in read if point is not None), key=lambda row: row[0].number
        )
        used = {point for _, point in seen}
        left = None if self.points.size is None else self.points.size - len(used)
        if left == 0:
            return None
        point = self.propose(number, 0, seen)
        attempt = 1
        while point in used and attempt < _TRIES:
            point = self.propose(number, attempt, seen)
            attempt += 1
        if left is not None and point in used:
            point = self.points.unused(draw(self.seed, number, attempt, "unused") % left, used)
        return self.points.pairs(point)

    @abstractmethod
    def propose(self, number: int, attempt: int, seen: Seen) -> Point:
        """A point for trial ``number``, another one for another ``attempt``."""

    def at_random(self, number: int, attempt: int) -> Point:
        """A point from nothing but the seed and these numbers."""
        draws = (draw(self.seed, number, attempt, name) for name in self.points.axes)
        return self.points.from_units([bits / 2**53 for bits in draws])
