"""The early end of a run that has no hope: a condition on its newest values (docs/FORMAT.md §5).

The training process checks the condition, leaves a word for the supervisor, and ends itself with `PRUNED`. The word, not
the exit code, makes the attempt CANCELLED with the detail ``pruned``: a launcher between the two changes codes.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from pinyon.model.condition import Comparison, parse

PRUNED = 79  # exit code of a process that a condition has ended
CONDITION = "PINYON_STOP_WHEN"
_NAME = "tmp/pruned-{}"


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
    path = os.path.join(store, _NAME.format(attempt))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(why)
    os.replace(temporary, path)


def take_word(store: str, attempt: str) -> str:
    """What was left, once; "" where nothing was."""
    path = os.path.join(store, _NAME.format(attempt))
    try:
        with open(path, encoding="utf-8") as file:
            why = file.read()
    except OSError:
        return ""
    with contextlib.suppress(OSError):
        os.unlink(path)
    return why or "its condition held"
