"""Every distinct cell of all phases once, best first."""

from __future__ import annotations

from typing import NamedTuple

from pinyon.model.experiment import Pairs
from pinyon.report.study.nouns import CellView, StudyView


class Placed(NamedTuple):
    """A cell with its twins of other phases, which have the same runs. ``place`` counts from 1; 0 is for what cannot win.
    ``sets`` is all that they set, winners of earlier phases included."""

    place: int
    cells: tuple[CellView, ...]
    sets: Pairs

    @property
    def best(self) -> CellView:
        """Of the twins, whose numbers are the same, one that could win if there is any."""
        return next((cell for cell in self.cells if cell.rank), self.cells[0])


def ranked(view: StudyView) -> tuple[Placed, ...]:
    """All distinct cells by their objective: those that can win, then all others, those without a mean last."""
    fixed = dict(view.experiment.fixed)
    twins: dict[tuple[str, ...], list[CellView]] = {}
    sets: dict[tuple[str, ...], dict[str, object]] = {}
    for phase in view.phases:
        for cell in sorted(phase.cells, key=lambda one: one.cell.number):
            runs = tuple(one.run or one.replicate.recipe for one in cell.samples)
            twins.setdefault(runs, []).append(cell)
            pairs = (*phase.study.base, *cell.cell.assignment)
            own = {name: value for name, value in pairs if name not in fixed or name in phase.varied}
            sets.setdefault(runs, {}).update(own)
    rows = [Placed(0, tuple(cells), tuple(sets[runs].items())) for runs, cells in twins.items()]
    target = view.experiment.objective
    sign = -1 if target and target.goal == "maximize" else 1
    rows.sort(key=lambda row: _order(row.best, sign))
    # Those that can win stand first, so their places are those of all.
    return tuple(row._replace(place=at if row.best.rank else 0) for at, row in enumerate(rows, 1))


def _order(cell: CellView, sign: int) -> tuple[bool, bool, float]:
    value = cell.objective.value
    return not cell.rank, value is None, 0.0 if value is None else sign * value
