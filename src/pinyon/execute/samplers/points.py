"""A search space as a set of points: counted where it is finite, drawn from numbers in [0, 1), and read from records."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence
from math import prod
from typing import Any

from pinyon.execute.samplers.axes import Axis, axis_of
from pinyon.model.experiment import Pairs, Space

Point = tuple[
    float, ...
]  # by axis in written order: an index where its values can be counted, else the number itself


class Points:
    """The points of a space.

    Attributes:
        axes: by name, in written order.
        size: how many points there are; None where a range without a step makes them endless.

    Raises:
        PlanError: a range or choice that holds nothing, or numbers that make no sense; it names the parameter.
    """

    def __init__(self, space: Space) -> None:
        self.axes: dict[str, Axis] = {name: axis_of(name, values) for name, values in space}
        counts = [axis.count for axis in self.axes.values()]
        finite = [count for count in counts if count is not None]
        self.size = prod(finite) if len(finite) == len(counts) else None
        self._finite = finite

    def at(self, rank: int) -> Point:
        """The point at ``rank``, from 0, of a finite space: in written order, the last name changes fastest."""
        point = []
        for count in reversed(self._finite):
            rank, index = divmod(rank, count)
            point.append(index)
        return tuple(reversed(point))

    def rank(self, point: Point) -> int:
        """Where a point of a finite space stands."""
        rank = 0
        for index, count in zip(point, self._finite, strict=True):
            rank = rank * count + int(index)
        return rank

    def unused(self, nth: int, used: Collection[Point]) -> Point:
        """The ``nth`` point of a finite space, from 0, that is not in ``used``; ``nth`` < `size` − len(used)."""
        ranks = sorted(map(self.rank, used))
        # Before the i-th used rank lie ranks[i] - i unused ones.
        return self.at(nth + bisect_left(range(len(ranks)), nth + 1, key=lambda i: ranks[i] - i))

    def from_units(self, units: Sequence[float]) -> Point:
        """The point that numbers in [0, 1) fall upon, one for each name in written order: evenly, or over magnitudes
        where a range is ``log``."""
        return tuple(axis.draw(unit) for axis, unit in zip(self.axes.values(), units, strict=True))

    def pairs(self, point: Point) -> Pairs:
        """Names with values, typed as declared."""
        return tuple(
            (name, axis.value(place)) for (name, axis), place in zip(self.axes.items(), point, strict=True)
        )

    def read(self, assignment: Pairs) -> Point | None:
        """The point that a recorded assignment names, in whatever order; None if it is none of this space."""
        values: dict[str, Any] = dict(assignment)
        if values.keys() != self.axes.keys():
            return None
        point = []
        for name, axis in self.axes.items():
            place = axis.place(values[name])
            if place is None:
                return None
            point.append(place)
        return tuple(point)
