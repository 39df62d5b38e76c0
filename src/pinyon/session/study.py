"""An experiment of a project while it is carried out: what has been chosen so far, and the graph that follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pinyon.errors import PlanError, SpecError, UnknownGoalError
from pinyon.model.experiment import Cell, Experiment, Pairs, Phase, Selection
from pinyon.model.graph import Graph
from pinyon.model.project import Goal, Project
from pinyon.model.study import Study, StudyResult
from pinyon.plan.actions import Select
from pinyon.plan.build import Need
from pinyon.plan.interpolate import nearest
from pinyon.plan.phases import Known, cells_body, pending, result_of, selected_body, tried
from pinyon.plan.study import Choices, Variants, cell_words, labels, study_of
from pinyon.query.index import Index
from pinyon.session.reading import Reading
from pinyon.session.search import Search
from pinyon.spec.experiments import experiments_of
from pinyon.spec.load import find_root, load_project

if TYPE_CHECKING:
    from pinyon.report.plan import Plan


def named(project: Project, goal: Goal) -> Goal:
    """The goal, which is an experiment if that is what its one name says: its cells always run in workspaces of their own.

    Raises:
        SpecError: an experiment and a stage have one name.
        PlanError: phases are to be skipped of what is no experiment.
    """
    if len(goal.stages) == 1 and goal.stages[0] in project.settings.get("experiments", {}):
        twin = next((one for one in project.stages if one.name == goal.stages[0]), None)
        if twin is not None:
            raise SpecError(
                f"an experiment and a stage are both called '{twin.name}'",
                where=str(twin.origin),
                next="rename one of them",
            )
        return goal._replace(stages=(), experiment=goal.stages[0], isolated=True)
    if goal.skip or goal.only:
        option = f"--skip-phase {goal.skip[0]}" if goal.skip else f"--phase {goal.only[0]}"
        raise PlanError(
            f"{option}: this goal is no experiment",
            next="name one experiment, as in pinyon run my-study --skip-phase first",
        )
    return goal


class Growth:
    """The graph of one experiment, which grows with each choice.

    Args:
        reading: of parameter files, and of what else is needed.
        fold: knows earlier winners.
    """

    def __init__(self, project: Project, goal: Goal, reading: Reading, fold: Index) -> None:
        self.experiment: Experiment = experiments_of(project)[goal.experiment]
        self._reading = reading
        self._variants = Variants(project, goal, reading.params, reading.imported, reading.heard)
        self._winners: dict[str, str] = {}
        self._searches: dict[str, Search] = {}
        self._exhausted: set[str] = set()
        self._declared: dict[str, int] = {}  # phase → its cells that are on record
        self._told = list(fold.studies("proposed", goal.experiment))
        self._overrides = [list(pair) for pair in goal.overrides]
        self._fixed = [list(pair) for pair in sorted(self.experiment.fixed, key=lambda pair: pair[0])]
        # What won under other values of -S, or of what the experiment sets, is another question's answer.
        asked = (self._overrides, self._fixed)
        told = fold.studies("selected", goal.experiment)
        self._selected = [one for one in told if (one.get("overrides", []), one.get("set", [])) == asked]
        self._recorded = recorded_winners(self._selected)

    def graph(self, *, assume: bool = False) -> Graph:
        """See `pinyon.plan.study.study_of`."""
        choices = Choices(self._winners, self._recorded, self._proposed, self._exhausted)
        while isinstance(found := study_of(self.experiment, self._variants, choices, assume=assume), Need):
            self._reading.answer(found)
        return found

    def ready(self) -> None:
        """Make the samplers of all searches, so that what one lacks is told before anything runs.

        Raises:
            PlanError, ExecuteError: see `pinyon.execute.samplers.for_phase`.
        """
        for phase in self.experiment.phases:
            if phase.space:
                Search(self.experiment, phase, (), ()).ready()

    def choose(self, phase: str, cell: str) -> None:
        """This cell is the winner of a phase."""
        self._winners[phase] = cell

    def propose(self, graph: Graph, done: Known, name: str, room: int) -> list[dict[str, Any]]:
        """Up to ``room`` cells more for a search phase, fewer when its sampler has no more; gives what ``proposed`` records
        say of them."""
        study = _study(graph)
        phase = next(one for one in study.phases if one.phase.name == name)
        search = self._search(phase.phase, phase.base)
        made = search.propose(room, tried(study, phase, done))
        if len(made) < room:
            self._exhausted.add(name)
        about = {"experiment": self.experiment.name, "phase": name, "search": search.digest}
        return [
            {**about, "trial": trial, "assignment": [list(pair) for pair in cell.assignment]}
            for trial, cell in enumerate(made, len(phase.cells))
        ]

    def _proposed(self, phase: Phase, base: Pairs) -> tuple[Cell, ...]:
        return tuple(self._search(phase, base).cells)

    def _search(self, phase: Phase, base: Pairs) -> Search:
        if phase.name not in self._searches or self._searches[phase.name].base != base:
            self._searches[phase.name] = Search(self.experiment, phase, base, self._told)
        return self._searches[phase.name]

    def result(
        self, graph: Graph, done: Known, selections: Mapping[str, Selection], expected: Mapping[str, float]
    ) -> StudyResult:
        """What has come out so far."""
        return result_of(_study(graph), done, selections, expected)

    def labels(self, graph: Graph) -> dict[str, str]:
        """See `pinyon.plan.study.labels`."""
        return labels(graph)

    def cell(self, graph: Graph, cell: str) -> str:
        """What a cell sets, for a person."""
        return cell_words(graph, cell)

    def undeclared(self, graph: Graph) -> dict[str, Any] | None:
        """What a ``cells`` record has to say of the phase that is being worked on, so that its runs can be found; None if
        an earlier call has given it."""
        study = _study(graph)
        phase = pending(study)
        known = self._declared.get(phase.phase.name, 0) if phase else 0
        if phase is None or known == len(phase.cells):
            return None
        self._declared[phase.phase.name] = len(phase.cells)
        return cells_body(study, phase._replace(cells=phase.cells[known:]))

    def selected(self, graph: Graph, chosen: Select) -> dict[str, Any]:
        """What a ``selected`` record says."""
        fixed = {"set": self._fixed} if self._fixed else {}
        return selected_body(_study(graph), chosen) | {"overrides": self._overrides, **fixed}

    def knows(self, chosen: Select) -> bool:
        """Whether this very selection is the newest one of its phase on record."""
        newest = next((body for body in self._selected if body.get("phase") == chosen.phase), None)
        return newest is not None and newest.get("digest") == chosen.selection.digest


def _study(graph: Graph) -> Study:
    assert graph.study is not None, "an experiment's graph has a study"
    return graph.study


def recorded_winners(selected: Iterable[Mapping[str, Any]]) -> dict[str, Pairs]:
    """By phase, the assignment of the newest winner; the newest record comes first."""
    found: dict[str, Pairs] = {}
    for body in selected:
        phase, assignment = body.get("phase"), body.get("assignment")
        if phase and assignment and phase not in found:
            found[phase] = tuple((name, value) for name, value in assignment)
    return found


def study_result(start: Path, experiment: str) -> StudyResult:
    """How an experiment stands, from what is on record; nothing runs and nothing is written but caches.

    Raises:
        PlanError: there is no such experiment, with the nearest name.
    """
    found = study_plan(start, experiment).study
    assert found is not None, "an experiment's plan has a study"
    return found


def study_plan(start: Path, experiment: str) -> Plan:
    """The same with a verdict for every task.

    Raises:
        PlanError: there is no such experiment, with the nearest name.
    """
    from pinyon.session.foresee import foresee
    from pinyon.session.opened import open_session

    with ExitStack() as stack:
        project = load_project(find_root(start))
        known = list(project.settings.get("experiments", {}))
        if experiment not in known:
            raise UnknownGoalError(
                f"there is no experiment '{experiment}'", why=nearest(experiment, known), next="pinyon plan"
            )
        session = open_session(start, Goal((experiment,)), stack)
        # What has failed counts as it did for who chose the winners; nobody tries it again here.
        return foresee(session, jobs=1, machine=None, lasting=True)
