"""The samplers that learn nothing: every point in written order, or points at random."""

from __future__ import annotations

from collections.abc import Sequence

from pinyon.errors import PlanError
from pinyon.execute.samplers.distinct import Distinct, Seen
from pinyon.execute.samplers.points import Point, Points
from pinyon.execute.samplers.protocol import Direction, Trial
from pinyon.model.experiment import Pairs, Space


class Random(Distinct):
    """Points at random, none of them twice."""

    def __init__(self, space: Space, goal: Direction, seed: int) -> None:  # noqa: ARG002 - as all factories
        super().__init__(space, seed)

    def propose(self, number: int, attempt: int, seen: Seen) -> Point:  # noqa: ARG002 - it learns nothing
        """Drawn evenly, or evenly over magnitudes."""
        return self.at_random(number, attempt)


class Grid:
    """Every point in written order, the last name fastest.

    Raises:
        PlanError: a range without a step, of which there is no next point.
    """

    def __init__(self, space: Space, goal: Direction, seed: int) -> None:  # noqa: ARG002 - as all factories
        self.points = Points(space)
        for name, axis in self.points.axes.items():
            if axis.count is None:
                raise PlanError(
                    f"the grid sampler cannot walk {name}",
                    why="a range without a step has endless values",
                    next="give it a step, list values, or take `sampler: random`",
                )

    def ask(self, trials: Sequence[Trial]) -> Pairs | None:
        """The first point that no trial has; None after the last."""
        used = {point for trial in trials if (point := self.points.read(trial.assignment)) is not None}
        if len(used) == self.points.size:
            return None
        return self.points.pairs(self.points.unused(0, used))
