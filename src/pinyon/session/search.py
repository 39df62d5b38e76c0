"""A search phase while it is carried out: what has been proposed, here or by whoever went before, and what comes next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pinyon.model.experiment import Cell, Experiment, Pairs, Phase
from pinyon.plan.cells import cell_of, meets
from pinyon.plan.keys import digest
from pinyon.plan.phases import Tried

if TYPE_CHECKING:
    from pinyon.execute.samplers import Sampler, Trial


class Search:
    """The proposals of one phase on one base.

    Args:
        told: bodies of the ``proposed`` records of the experiment, in any order; those of other searches are left out.
    """

    def __init__(
        self, experiment: Experiment, phase: Phase, base: Pairs, told: Iterable[Mapping[str, Any]]
    ) -> None:
        self.base = base
        self._experiment, self._phase = experiment, phase
        self.digest = digest_of(experiment, phase, base)
        self.cells: list[Cell] = []
        mine = [row for row in told if (row.get("phase"), row.get("search")) == (phase.name, self.digest)]
        for row in sorted(mine, key=lambda row: int(row["trial"])):
            self._add(tuple((name, value) for name, value in row["assignment"]))
        self._sampler: Sampler | None = None

    def propose(self, room: int, trials: Sequence[Tried]) -> list[Cell]:
        """Up to ``room`` cells more, as a function of these trials and nothing else; fewer when there are no more."""
        from pinyon.execute.samplers import Trial

        sampler = self._sampler = self._sampler or self.ready()
        told = [_trial(number, one) for number, one in enumerate(trials)]
        made: list[Cell] = []
        while len(made) < room:
            asked = sampler.ask(told)
            if asked is None:
                break
            told.append(Trial(len(told), asked, None, "running"))
            made.append(self._add(asked))
        return made

    def ready(self) -> Sampler:
        """Its sampler.

        Raises:
            PlanError, ExecuteError: see `pinyon.execute.samplers.for_phase`.
        """
        from pinyon.execute.samplers import for_phase

        where = self._phase.where
        admits = (lambda pairs: meets(pairs, where)) if where else None
        return for_phase(self._experiment, self._phase, admits)

    def _add(self, assignment: Pairs) -> Cell:
        cell = cell_of(self._phase.name, len(self.cells) + 1, assignment)
        self.cells.append(cell)
        return cell


def digest_of(experiment: Experiment, phase: Phase, base: Pairs) -> str:
    """What makes a search this one: another space, aim, sampler or base is another search."""
    space = [[name, type(axis).__name__, *map(_plain, axis)] for name, axis in phase.space]
    objective = experiment.objective
    aim = [objective.metric, objective.goal] if objective else []
    return digest([experiment.name, phase.name, space, aim, phase.sampler, [list(pair) for pair in base]])


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _trial(number: int, one: Tried) -> Trial:
    from pinyon.execute.samplers import Trial

    margins = tuple(margin for _, margin in one.standing.margins)
    return Trial(number, one.cell.assignment, one.standing.mean, one.state, margins=margins)
