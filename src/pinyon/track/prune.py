"""The early end of a run that has no hope: a condition on its newest values (docs/FORMAT.md §5).

The training process checks the condition, leaves a word for the supervisor, and ends itself with `PRUNED`. The word, not
the exit code, makes the attempt CANCELLED with the detail ``pruned``: a launcher between the two changes codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pinyon.model.condition import Comparison, parse
from pinyon.store import words

PRUNED = 79  # exit code of a process that a condition has ended
CONDITION = "PINYON_STOP_WHEN"
_NAME = "pruned-{}"


class StopWhen(NamedTuple):
    """Clauses that must all hold. ``step`` is the step of the newest point, unless a metric is called so."""

    clauses: tuple[Comparison, ...]

    def met(self, newest: Mapping[str, Any], step: int) -> str:
        """Why to stop, for a person; "" to go on. A metric without a value, or with NaN, meets nothing."""
        values = {"step": step, **newest}
        if not all(clause.meets(values.get(clause.metric)) for clause in self.clauses):
            return ""
        held = " and ".join(map(str, self.clauses))
        names = dict.fromkeys(clause.metric for clause in self.clauses if clause.metric != "step")
        told = ", ".join(f"{name} {values[name]:.4g}" for name in names)
        return f"{held} held at step {step}{f': {told}' if told else ''}"


def stop_when(text: str) -> StopWhen | None:
    """The condition that an environment names; None for none.

    Raises:
        ValueError: it is no condition.
    """
    return StopWhen(parse(text).terms) if text.strip() else None


def leave_word(store: str, attempt: str, why: str) -> None:
    """Tell the supervisor that the attempt ends because of its condition.

    Raises:
        OSError: the store cannot be written to.
    """
    words.leave(store, _NAME.format(attempt), why)


def take_word(store: str, attempt: str) -> str:
    """What was left, once; "" where nothing was."""
    why = words.take(store, _NAME.format(attempt))
    return "" if why is None else why or "its condition held"
