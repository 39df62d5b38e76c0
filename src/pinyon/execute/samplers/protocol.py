"""What a sampler is asked with and what it answers; plug-ins need no more than this and `Points`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple, Protocol

from pinyon.model.experiment import Pairs, Space

Direction = Literal["maximize", "minimize"]
State = Literal["running", "complete", "failed", "pruned"]


class Trial(NamedTuple):
    """One proposal and what has become of it.

    Attributes:
        number: counts from 0 in the order of the proposals.
        value: of the objective, its mean over the seeds; None until it is known.
        points: (step, value) of the objective while it ran; of a pruned trial the last one stands for its value.
        margins: by constraint, how far its mean is on the good side; None where it has no mean.
    """

    number: int
    assignment: Pairs
    value: float | None
    state: State
    points: tuple[tuple[int, float], ...] = ()
    margins: tuple[float | None, ...] = ()


class Sampler(Protocol):
    """Proposes trials. What it proposes is a function of the space, the direction, the seed and the trials it is given, and
    of nothing else: who asks again, in another process, after a crash, gets the same answer."""

    def ask(self, trials: Sequence[Trial]) -> Pairs | None:
        """The next trial's assignment, with the names of the space in written order; None when no point is left.

        Args:
            trials: all that were proposed so far, those that still run too, in any order. Those that are no points of the
                space, because somebody has edited it meanwhile, teach nothing and are no error.
        """
        ...


Factory = Callable[[Space, Direction, int], Sampler]


def next_number(trials: Iterable[Trial]) -> int:
    """The number of the trial after these; the first is 0."""
    return max((trial.number for trial in trials), default=-1) + 1
