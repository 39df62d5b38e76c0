"""What a phase declares: the cells of its grid, and the replicates under its seeds."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from pinyon.errors import PlanError
from pinyon.model.condition import Comparison
from pinyon.model.experiment import Cell, Pairs, Phase
from pinyon.plan.keys import digest
from pinyon.plan.measured import number_of

_ID_DIGITS = 12  # hex digits: two of 100,000 cells are called alike with a chance of 1 in 50,000


def cells_of(phase: Phase) -> tuple[Cell, ...]:
    """The cells of a grid, the last parameter changing fastest, without those that ``where`` leaves out.

    They are numbered from 1 over those that remain. A search has none before its sampler proposes them.

    Raises:
        PlanError: no cell remains; it says which condition left out the last ones.
    """
    if not phase.grid:
        return ()
    names = [name for name, _ in phase.grid]
    combinations = itertools.product(*(values for _, values in phase.grid))
    assignments: list[Pairs] = [tuple(zip(names, values, strict=True)) for values in combinations]
    for clause in phase.where:
        met = [assignment for assignment in assignments if meets(assignment, (clause,))]
        if not met:
            raise _none_left(phase, clause, len(assignments))
        assignments = met
    return tuple(cell_of(phase.name, number, assignment) for number, assignment in enumerate(assignments, 1))


def cell_of(phase: str, number: int, assignment: Pairs) -> Cell:
    """A cell with the id that follows from its assignment, in whatever order that is written; ``1`` equals ``1.0``.

    Raises:
        PlanError: a value has no canonical form, as NaN.
    """
    return Cell(f"c-{digest(dict(assignment))[:_ID_DIGITS]}", phase, number, assignment)


def replicates(seeds: Iterable[tuple[str, Iterable[Any]]]) -> tuple[Pairs, ...]:
    """Every combination of the seeds, the last parameter changing fastest; one that sets nothing where there are none."""
    axes = [[(name, value) for value in values] for name, values in seeds]
    return tuple(itertools.product(*axes))


def meets(assignment: Pairs, where: Iterable[Comparison]) -> bool:
    """Whether an assignment meets all conditions on its parameters; what is no number meets none."""
    values = dict(assignment)
    return all(clause.meets(number_of(values.get(clause.metric))) for clause in where)


def _none_left(phase: Phase, clause: Comparison, count: int) -> PlanError:
    values = next((values for name, values in phase.grid if name == clause.metric), ())
    shown = f"{clause.metric} is {', '.join(map(str, values[:6]))}{', …' if len(values) > 6 else ''}"
    return PlanError(
        f"phase '{phase.name}' has no cells: {clause} leaves out the last {count}",
        where=str(phase.origin),
        why=shown if values else f"the grid does not vary {clause.metric}",
        next="loosen this condition of where, or add values to the grid",
    )
