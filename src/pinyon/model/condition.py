"""Conditions on numbers: ``class_1_accuracy >= 0.30``. One form for constraints, filters, stops, gates and alarms."""

from __future__ import annotations

import math
import operator
import re
from typing import NamedTuple

_OPERATORS = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_CLAUSE = re.compile(
    r"\s*([A-Za-z_][\w./@-]*)\s*(<=|>=|==|!=|<|>)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*"
)


class Clause(NamedTuple):
    """``metric op number``."""

    metric: str
    op: str
    number: float

    def holds(self, value: float | None) -> bool:
        """Whether a value meets it; a missing one and NaN meet nothing."""
        return value is not None and not math.isnan(value) and bool(_OPERATORS[self.op](value, self.number))

    def margin(self, value: float | None) -> float | None:
        """How far a value is on the good side of the bound, negative on the bad one; None where there is no side."""
        if value is None or math.isnan(value) or self.op in ("==", "!="):
            return None
        return value - self.number if self.op[0] == ">" else self.number - value

    def __str__(self) -> str:
        return f"{self.metric} {self.op} {self.number:g}"


def parse_clause(text: str) -> Clause:
    """One clause.

    Raises:
        ValueError: it is none; the message says what is expected.
    """
    match = _CLAUSE.fullmatch(text)
    if not match:
        raise ValueError(f"'{text}' is no condition; write METRIC OP NUMBER, as in accuracy >= 0.75")
    return Clause(match[1], match[2], float(match[3]))


def parse_all(text: str) -> tuple[Clause, ...]:
    """Clauses joined by ``and``.

    Raises:
        ValueError: one of them is none.
    """
    return tuple(parse_clause(part) for part in re.split(r"\s+and\s+", text.strip()))
