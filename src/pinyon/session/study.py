"""An experiment of a project while it is carried out: what has been chosen so far, and the graph that follows from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pinyon.errors import PlanError
from pinyon.model.experiment import Cell, Experiment, Pairs
from pinyon.model.graph import Graph, Stage
from pinyon.model.project import Goal, Project
from pinyon.plan.actions import Select
from pinyon.plan.build import Need
from pinyon.plan.study import Choices, Variants, study_of
from pinyon.query.index import Index
from pinyon.spec.experiments import experiments_of


def named(project: Project, goal: Goal) -> Goal:
    """The goal, which is an experiment if that is what its one name says: its cells always run in workspaces of their own.

    Raises:
        SpecError: the experiments of the project are not well-formed.
        PlanError: phases are to be skipped of what is no experiment.
    """
    if len(goal.stages) == 1 and goal.stages[0] in project.settings.get("experiments", {}):
        return goal._replace(stages=(), experiment=goal.stages[0], isolated=True)
    if goal.skip:
        raise PlanError(
            f"--skip-phase {goal.skip[0]}: this goal is no experiment",
            next="name one experiment, as in pinyon run my-study --skip-phase first",
        )
    return goal


class Growth:
    """The graph of one experiment, which grows with each choice.

    Args:
        read: gives parameter files by path.
        imports: gives the files that a stage with ``strict_deps`` imports.
        fold: knows earlier winners.
    """

    def __init__(
        self,
        project: Project,
        goal: Goal,
        read: Callable[[Iterable[str]], Mapping[str, Any]],
        imports: Callable[[Stage], tuple[str, ...]],
        fold: Index,
    ) -> None:
        self.experiment: Experiment = experiments_of(project)[goal.experiment]
        self.params: dict[str, Any] = {}
        self._imported: dict[str, tuple[str, ...]] = {}
        self._read, self._imports = read, imports
        self._variants = Variants(project, goal, self.params, self._imported)
        self._winners: dict[str, str] = {}
        self._proposed: dict[str, tuple[Cell, ...]] = {}
        self._selected = list(fold.studies("selected", goal.experiment))
        self._recorded = recorded_winners(self._selected)

    def graph(self, *, assume: bool = False) -> Graph:
        """See `pinyon.plan.study.study_of`."""
        choices = Choices(self._winners, self._recorded, self._proposed)
        while isinstance(found := study_of(self.experiment, self._variants, choices, assume=assume), Need):
            self.params.update(self._read(found.paths))
            self._imported.update({stage.name: self._imports(stage) for stage in found.importers})
        return found

    def choose(self, phase: str, cell: str) -> None:
        """This cell is the winner of a phase."""
        self._winners[phase] = cell

    def knows(self, chosen: Select) -> bool:
        """Whether this very selection is the newest one of its phase on record."""
        newest = next((body for body in self._selected if body["phase"] == chosen.phase), None)
        return newest is not None and newest["digest"] == chosen.selection.digest


def recorded_winners(selected: Iterable[Mapping[str, Any]]) -> dict[str, Pairs]:
    """By phase, the assignment of the newest winner; the newest record comes first."""
    found: dict[str, Pairs] = {}
    for body in selected:
        if body.get("winner") and body["phase"] not in found:
            found[body["phase"]] = tuple((name, value) for name, value in body["assignment"])
    return found
