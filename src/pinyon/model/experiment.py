"""What an experiment asks: phases over a stage, an objective, seeds; and what a phase declares: cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pinyon.model.condition import Comparison
from pinyon.model.project import Origin

Pairs = tuple[tuple[str, Any], ...]  # parameter names with values, in written order
SAMPLERS = ("tpe", "random", "grid")  # the built-in ones
PLUGGED_SAMPLERS = "pinyon.samplers"  # the group of entry points of all others


class Objective(NamedTuple):
    """What makes a cell better: ``metric`` is a leaf of the stage's metrics. Constraints hold for the mean over seeds.
    ``prefer`` is a metric of which less is better among cells that are as good as the best; "" for none."""

    metric: str
    goal: Literal["maximize", "minimize"]
    subject_to: tuple[Comparison, ...] = ()
    prefer: str = ""


class Choice(NamedTuple):
    """One of these values."""

    values: tuple[Any, ...]


class Range(NamedTuple):
    """A number from ``low`` to ``high``, both included; ``log`` for evenly spread magnitudes, ``step`` for a raster."""

    low: float
    high: float
    log: bool = False
    step: float | None = None
    integer: bool = False


Space = tuple[tuple[str, Choice | Range], ...]


class Expected(NamedTuple):
    """What somebody expected beforehand of the cells that set ``cells``: of metrics the lowest and the highest value, of
    the time that a replicate takes the seconds."""

    cells: Pairs
    metrics: tuple[tuple[str, tuple[float, float]], ...] = ()
    seconds: tuple[float, float] | None = None


class Phase(NamedTuple):
    """One sweep. It has a ``grid``, every combination of which is a cell, or a search ``space``, of which ``trials`` cells
    are proposed by a sampler, up to ``parallel`` at once (0: as many as there is room for).

    ``where`` are conditions on parameters: combinations that do not meet them are no cells. ``quorum`` is the part of the
    replicates that must have a result, or have been stopped early, before a winner is chosen. ``stop`` ends a cell early
    when all its clauses hold for its points.
    """

    name: str
    grid: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    space: Space = ()
    trials: int = 0
    parallel: int = 0
    sampler: str = "tpe"
    where: tuple[Comparison, ...] = ()
    quorum: float = 1.0
    stop: tuple[Comparison, ...] = ()
    expect: tuple[Expected, ...] = ()
    origin: Origin = Origin("")


class Promotion(NamedTuple):
    """What becomes of the winner: a version of ``model``, and ``alias`` points at it if every clause of ``gate`` holds.

    A clause names a metric of the experiment's stage, or of another one as ``stage.metric``. ``stretch`` are goals that are
    reported and refuse nothing. ``path`` is the out that is the model, "" where there is only one to choose.
    """

    model: str
    alias: str
    gate: tuple[Comparison, ...] = ()
    stretch: tuple[Comparison, ...] = ()
    path: str = ""
    origin: Origin = Origin("")


class Experiment(NamedTuple):
    """A question, asked in ``phases`` over ``stage`` and everything it needs.

    ``seeds`` name parameters, and the values of each replicate. ``then`` are stages that run on the winner only.
    ``fixed`` are parameters with the values that they have throughout; what a cell sets goes before.
    """

    name: str
    stage: str
    phases: tuple[Phase, ...]
    objective: Objective | None = None
    seeds: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    then: tuple[str, ...] = ()
    promote: Promotion | None = None
    fixed: Pairs = ()
    origin: Origin = Origin("")


class Cell(NamedTuple):
    """One assignment of a phase. ``id`` derives from the assignment; ``number`` counts from 1 in written order."""

    id: str
    phase: str
    number: int
    assignment: Pairs


class Measured(NamedTuple):
    """What one replicate of a cell gave. ``attempt`` is "" as long as none has succeeded; then there are no metrics, and
    ``ended`` says why none will: how it failed, or that it was stopped early; "" while one may still come."""

    attempt: str = ""
    metrics: Mapping[str, Any] = {}
    ended: str = ""


class Candidate(NamedTuple):
    """A cell with its replicates, as selection sees it."""

    cell: str
    replicates: tuple[Measured, ...]


class Standing(NamedTuple):
    """How a cell did.

    Attributes:
        why: "" for a feasible cell, else what is missing or which constraint it does not meet.
        mean: of the objective over its replicates; None where one lacks it.
        error: standard error of that mean; None with fewer than two replicates.
        margins: by constraint, as written, how far its mean is on the good side; None where it has no mean.
        prefer: mean of the metric that decides among equals.
    """

    cell: str
    feasible: bool
    why: str = ""
    mean: float | None = None
    error: float | None = None
    margins: tuple[tuple[str, float | None], ...] = ()
    prefer: float | None = None


class Selection(NamedTuple):
    """The outcome of a phase.

    Attributes:
        winner: id of a cell; "" when there is none.
        why: one sentence for a person: why this one won, or why nobody did.
        standings: best first; what is infeasible last, in written order.
        tied: cells as good as the best one within one standard error, best first.
        digest: of objective, constraints and (cell, attempt) rows: who recomputes it from the same rows gets the same.
    """

    winner: str
    why: str
    standings: tuple[Standing, ...] = ()
    tied: tuple[str, ...] = ()
    digest: str = ""


def beside(pairs: Pairs, fixed: Pairs) -> Pairs:
    """What of ``pairs`` is not in ``fixed`` just so."""
    return tuple(pair for pair in pairs if pair not in fixed)


def words(pairs: Pairs) -> str:
    """An assignment for a person: ``sigma=0.1 hidden=64``, with the shortest names that tell them apart."""
    shown = short([name for name, _ in pairs])
    return " ".join(f"{shown[name]}={_shown(value)}" for name, value in pairs)


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def short(names: Sequence[str]) -> dict[str, str]:
    """Names without what they have in front of the last dot, where that tells them apart."""
    lasts = [name.rpartition(".")[2] for name in names]
    return {name: last if lasts.count(last) == 1 else name for name, last in zip(names, lasts, strict=True)}
