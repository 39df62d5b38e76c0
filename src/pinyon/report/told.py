"""News of an execution, while it happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pinyon.model.outcome import Attempt


class Standing(NamedTuple):
    """How far a goal is: tasks that need no more thought, all tasks, and the seconds left if they can be estimated."""

    done: int
    total: int
    left: float | None = None


class Told(NamedTuple):
    """Something worth telling a person. ``kind``: run, running, ended, reuse, adopt, repair, select, promote, wait,
    fetch, note or standing. ``cell`` says what the stage is given in an experiment."""

    kind: str
    stage: str = ""
    text: str = ""
    attempt: Attempt | None = None
    standing: Standing | None = None
    cell: str = ""


Tell = Callable[[Told], None]
