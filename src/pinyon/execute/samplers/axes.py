"""One parameter of a search space: its values in order, and how a number in [0, 1) becomes one of them.

A *place* is where a value stands on its axis: an index from 0 where the values can be counted, else the value itself.
Records are JSON in which 1 and 1.0 are one number, so a value is read by what it is worth and written as declared.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, Protocol

from pinyon.errors import PlanError
from pinyon.model.canonical import canonical
from pinyon.model.experiment import Choice, Range

_PLAIN = (str, int, float)
_EXACT = 2**53  # up to here a float tells every whole number from the next


class Axis(Protocol):
    """The values of one parameter."""

    @property
    def count(self) -> int | None:
        """How many there are; None for a range without a step."""

    def value(self, place: float) -> Any:
        """The value at a place."""

    def place(self, value: Any) -> float | None:
        """Where a value stands; None if it is none of these."""

    def draw(self, unit: float) -> float:
        """The place that a number in [0, 1) falls upon."""


def axis_of(name: str, values: Choice | Range) -> Axis:
    """The axis of a parameter.

    Raises:
        PlanError: there is nothing to choose from, or the range's numbers make no sense.
    """
    if isinstance(values, Choice):
        if not values.values:
            raise PlanError(f"{name} has nothing to choose from", next="list at least one value")
        return Listed(values.values)
    _check(name, values)
    low, high = values.low, values.high
    if values.step is not None:
        return Raster(name, low, high, values.step, values.integer)
    if values.integer:
        return Magnitudes(int(low), int(high)) if values.log else Raster(name, low, high, 1, True)
    if low == high:
        return Listed((float(low),))
    return Continuum(float(low), float(high), values.log)


def _check(name: str, values: Range) -> None:
    low, high, step = values.low, values.high, values.step
    said = f"the range of {name}, {low} to {high},"
    if not (math.isfinite(low) and math.isfinite(high) and math.isfinite(high - low)):
        raise PlanError(f"{said} has no finite width", next="give both ends as finite numbers")
    if low > high:
        raise PlanError(f"{said} is upside down", next="write the smaller number first")
    if values.log and low <= 0:
        raise PlanError(
            f"{said} is log and does not begin above 0", next="begin it above 0, or leave out log"
        )
    if step is not None and values.log:
        raise PlanError(
            f"{said} is log and has a step", why="magnitudes have no raster", next="keep one of them"
        )
    if step is not None and not (math.isfinite(step) and step > 0):
        raise PlanError(f"{said} has the step {step}", next="give a step above 0")
    if values.integer:
        if any(number is not None and number != int(number) for number in (low, high, step)):
            raise PlanError(f"{said} is of whole numbers and says a fraction", next="write whole numbers")
        if max(abs(low), abs(high)) > _EXACT:
            raise PlanError(f"{said} goes beyond 2^53", why="whole numbers are not exact there")


class Listed:
    """Values as they were written; of equal ones the first."""

    def __init__(self, values: tuple[Any, ...]) -> None:
        first: dict[bytes, Any] = {}
        for value in values:
            first.setdefault(canonical(value), value)
        self._values = tuple(first.values())
        self._places = {encoded: place for place, encoded in enumerate(first)}
        # What most records hold is found without being encoded. The type belongs to it: for Python, True equals 1.
        self._plain = {(type(v), v): place for place, v in enumerate(self._values) if isinstance(v, _PLAIN)}
        self.count = len(self._values)

    def value(self, place: float) -> Any:
        """The value at an index."""
        return self._values[int(place)]

    def place(self, value: Any) -> int | None:
        """The index of what has the same canonical form."""
        found = self._plain.get((type(value), value)) if isinstance(value, _PLAIN) else None
        if found is not None:
            return found
        try:
            return self._places.get(canonical(value))
        except PlanError:
            return None

    def draw(self, unit: float) -> int:
        """Each alike."""
        return min(int(unit * self.count), self.count - 1)


class Raster:
    """From ``low`` in steps to the last that is not above ``high``; each value is the float that its decimals mean."""

    def __init__(self, name: str, low: float, high: float, step: float, integer: bool) -> None:
        exact = [Fraction(str(number)) for number in (low, high, step)]
        # Over one denominator, so that a value is one true division, which Python rounds once.
        self._unit = math.lcm(exact[0].denominator, exact[2].denominator)
        self._low, self._step = int(exact[0] * self._unit), int(exact[2] * self._unit)
        self._first, self._width, self._integer = float(low), float(step), integer
        self.count = (exact[1] - exact[0]) // exact[2] + 1
        last = self.count - 1
        if self.count > _EXACT or (
            last and (self.value(0) == self.value(1) or self.value(last - 1) == self.value(last))
        ):
            raise PlanError(
                f"the step of {name}, {step}, is too small for its range", next="give a larger step"
            )

    def value(self, place: float) -> int | float:
        """The value at an index; an int where whole numbers were declared."""
        over = self._low + int(place) * self._step
        return over // self._unit if self._integer else over / self._unit

    def place(self, value: Any) -> int | None:
        """The index of a value that is on the raster exactly."""
        if not (_is_number(value) and self._first <= value <= self.value(self.count - 1)):
            return None
        place = round((value - self._first) / self._width)
        return place if self.value(place) == value else None

    def draw(self, unit: float) -> int:
        """Each alike."""
        return min(int(unit * self.count), self.count - 1)


class Magnitudes:
    """Whole numbers, evenly spread over their magnitudes."""

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high, self.count = low, high, high - low + 1

    def value(self, place: float) -> int:
        """The number at an index."""
        return self.low + int(place)

    def place(self, value: Any) -> int | None:
        """The index of a whole number within the bounds."""
        inside = _is_number(value) and self.low <= value <= self.high
        return int(value) - self.low if inside and value == int(value) else None

    def draw(self, unit: float) -> int:
        """Half a number is added at both ends, so that they come as often as their neighbours."""
        exact = _between(math.log(self.low - 0.5), math.log(self.high + 0.5), unit)
        return min(max(round(math.exp(exact)), self.low), self.high) - self.low


class Continuum:
    """Every number from ``low`` to ``high``."""

    count = None

    def __init__(self, low: float, high: float, log: bool) -> None:
        self.low, self.high, self.log = low, high, log

    def value(self, place: float) -> float:
        """The number itself."""
        return place

    def place(self, value: Any) -> float | None:
        """The number, where it is within the bounds."""
        return float(value) if _is_number(value) and self.low <= value <= self.high else None

    def draw(self, unit: float) -> float:
        """Evenly, or evenly over magnitudes."""
        if not self.log:
            return min(max(_between(self.low, self.high, unit), self.low), self.high)
        number = math.exp(_between(math.log(self.low), math.log(self.high), unit))
        return min(max(number, self.low), self.high)


def _between(low: float, high: float, unit: float) -> float:
    return low * (1 - unit) + high * unit


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
