"""A condition over numbers, for a duration: the one shape of gates, alerts, early stops and selection constraints.

``accuracy >= 0.75`` · ``gpu_utilization < 5`` · ``class_1_accuracy >= 0.30 and n_parameters <= 150000``. With a duration
the condition must hold without a break that long before it *fires*; with hysteresis it stays fired until the value has
come back beyond the clear value. A missing value or NaN never satisfies a comparison: no data is not a pass.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_TERM = re.compile(r"\s*([^\s<>=!]+)\s*(<=|>=|==|!=|<|>)\s*([-+]?[\w.+-]+)\s*")


class Comparison(NamedTuple):
    """``metric op number``."""

    metric: str
    op: str
    number: float

    def holds(self, values: Mapping[str, float | None]) -> bool:
        """Whether it holds; a missing value, NaN included, satisfies nothing, not even ``!=``."""
        return self.meets(values.get(self.metric))

    def meets(self, value: float | None) -> bool:
        """The same for the metric's own value."""
        return value is not None and not math.isnan(value) and _OPERATORS[self.op](value, self.number)

    def margin(self, value: float | None) -> float | None:
        """How far a value is on the good side of the bound, negative on the bad one; None where there is no side."""
        if value is None or math.isnan(value) or self.op in ("==", "!="):
            return None
        return value - self.number if self.op[0] == ">" else self.number - value

    def __str__(self) -> str:
        return f"{self.metric} {self.op} {_show(self.number)}"


class Condition(NamedTuple):
    """Comparisons that must all hold, without a break, for ``duration`` seconds.

    ``clear`` (hysteresis) are the comparisons that end a fired condition; empty means: as soon as one term fails.
    """

    terms: tuple[Comparison, ...]
    duration: float = 0.0
    clear: tuple[Comparison, ...] = ()

    def holds(self, values: Mapping[str, float | None]) -> bool:
        """Whether every term holds for these values now, the duration aside."""
        return all(term.holds(values) for term in self.terms)

    def __str__(self) -> str:
        text = " and ".join(str(term) for term in self.terms)
        return f"{text} for {_show(self.duration)} s" if self.duration else text


class Watch(NamedTuple):
    """What must be remembered between looks: since when the condition holds, and whether it has fired."""

    since: float | None = None
    fired: bool = False

    def step(self, condition: Condition, values: Mapping[str, float | None], now: float) -> Watch:
        """The next watch after a look at time ``now`` (seconds on one monotonic clock).

        Pure: feeding the same looks gives the same answer, so a missed look catches up and never fires twice.
        """
        if self.fired and condition.clear:
            cleared = all(term.holds(values) for term in condition.clear)
            return Watch() if cleared else self
        if not condition.holds(values):
            return Watch()
        since = now if self.since is None else self.since
        return Watch(since, now - since >= condition.duration)


def parse(text: str, *, duration: float = 0.0, clear: str = "") -> Condition:
    """Read ``metric op number [and …]``.

    Raises:
        ValueError: not of that form; the message shows the form.
    """
    return Condition(_terms(text), duration, _terms(clear) if clear else ())


def _terms(text: str) -> tuple[Comparison, ...]:
    terms = []
    for part in re.split(r"\s+and\s+", text):
        match = _TERM.fullmatch(part)
        if match is None:
            raise ValueError(f"'{part.strip()}' is not a condition; write for example: accuracy >= 0.75")
        try:
            number = float(match[3])
        except ValueError:
            raise ValueError(f"'{match[3]}' in '{part.strip()}' is not a number") from None
        if math.isnan(number):
            raise ValueError(f"'{part.strip()}' compares with NaN, which nothing satisfies")
        terms.append(Comparison(match[1], match[2], number))
    return tuple(terms)


def _show(number: float) -> str:
    """All digits, and no ``.0``: what is shown can be parsed again and means the same."""
    return repr(float(number)).removesuffix(".0")
