"""What `decide` answers with: actions for the loop, verdicts for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

from pinyon.model.graph import Task
from pinyon.model.outcome import Attempt, Output

if TYPE_CHECKING:
    from pinyon.model.experiment import Selection

VerdictKind = Literal["unchanged", "reuse", "run", "wait", "stop"]


class Reason(NamedTuple):
    """Why, for a person: one headline, and the single facts behind it; ``about`` is the attempt it
    speaks of: the one that is reused, or the last one, which did not succeed."""

    text: str
    details: tuple[str, ...] = ()
    about: Attempt | None = None

    def __str__(self) -> str:
        return self.text


class Verdict(NamedTuple):
    """What becomes of one task, and why."""

    kind: VerdictKind
    reason: Reason


class Look(NamedTuple):
    """These paths must be looked at before anything can be said about the tasks that need them.

    ``made`` are the outs that such a path lies in or around, for those who must imagine it: isolated, it lies nowhere.
    With a ``label``, only who has these outs finds that there: what is seen is kept under path and label.
    """

    paths: tuple[str, ...]
    made: tuple[Output, ...] = ()
    label: str = ""


class Reuse(NamedTuple):
    """Take the outputs of ``attempt``; ``restore`` are those that the workspace lacks or has otherwise."""

    task: Task
    attempt: Attempt
    restore: tuple[Output, ...]
    reason: Reason


class Run(NamedTuple):
    """Start an attempt at ``key`` with this epoch; ``uses`` are the outs of other tasks that it reads, ``devices`` the GPUs
    that are its own meanwhile. ``known`` are the attempts at the key that it was decided from: if there are others by
    now, or one of them has ended, it has to be decided again."""

    task: Task
    key: str
    epoch: int
    reason: Reason
    deps: tuple[tuple[str, str], ...]
    uses: tuple[Output, ...] = ()
    devices: tuple[str, ...] = ()
    known: tuple[Attempt, ...] = ()


class Repair(NamedTuple):
    """An attempt that nobody will finish: clean up after it and record it as lost."""

    attempt: Attempt
    reason: Reason


class Wait(NamedTuple):
    """Nothing to do until one of these attempts says something. ``adopted`` ones belong to another execution."""

    attempts: tuple[str, ...]
    adopted: bool = False


class Stop(NamedTuple):
    """Nothing more can be done: these tasks failed, or need one that did."""

    failed: tuple[str, ...]
    reason: Reason


class Select(NamedTuple):
    """A phase is done: this is its winner, or why there is none. ``attempts`` are those that it was chosen from, by
    recipe."""

    phase: str
    selection: Selection
    attempts: Mapping[str, str]


class Propose(NamedTuple):
    """A search phase has room for so many cells more."""

    phase: str
    room: int


Action = Look | Reuse | Run | Repair | Wait | Stop | Select | Propose
