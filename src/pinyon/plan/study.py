"""From an experiment to a graph: every replicate of every cell is the stage and all that it needs, under an overlay.

Cells share tasks by recipe: what a cell does not change is one vertex for all of them. A phase stands on the winners of
those before it, so the graph grows: without ``assume`` it ends with the first phase that has no winner yet.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from pinyon.errors import PinyonError, PlanError, UnknownGoalError
from pinyon.model.canonical import canonical
from pinyon.model.experiment import Cell, Experiment, Pairs, Phase, beside, words
from pinyon.model.flags import Heard
from pinyon.model.graph import Graph, Stage, Task
from pinyon.model.project import Goal, Origin, Project
from pinyon.model.study import PhaseStudy, Replicate, Study
from pinyon.plan import overlay
from pinyon.plan.build import Need, build
from pinyon.plan.cells import cells_of, replicates
from pinyon.plan.handed import in_files
from pinyon.plan.interpolate import get_path, nearest
from pinyon.plan.overlay import over
from pinyon.plan.paths import touch
from pinyon.plan.promotion import model_path, refuse_unmeasured

Closure = Callable[[Pairs], "Graph | Need"]


class Choices(NamedTuple):
    """What is known of phases beside what their experiment says.

    Attributes:
        winners: by phase, the cell that this execution has selected.
        recorded: by phase, the winner's assignment that an earlier execution has recorded.
        proposed: the cells that a sampler has proposed so far for a search phase, given what earlier winners set.
        exhausted: search phases that get no more proposals.
    """

    winners: Mapping[str, str] = {}
    recorded: Mapping[str, Pairs] = {}
    proposed: Callable[[Phase, Pairs], tuple[Cell, ...]] = lambda _, __: ()
    exhausted: Collection[str] = ()


_NOTHING = Choices()


class Variants:
    """Graphs of a project under overlays, each built once.

    Args:
        goal: its stages are ignored.
        read: parameter files by path; may grow between calls.
        imported, heard: see `pinyon.plan.build.build`; may grow, too.
    """

    def __init__(
        self,
        project: Project,
        goal: Goal,
        read: Mapping[str, Any],
        imported: Mapping[str, tuple[str, ...]],
        heard: Mapping[str, Heard],
    ) -> None:
        self.project, self.goal = project, goal
        self._read, self._imported, self._heard = read, imported, heard
        self._known: dict[tuple[tuple[str, ...], str], Graph] = {}

    def closure(self, stages: tuple[str, ...], pairs: Pairs) -> Graph | Need:
        """These stages and all that they need; every task knows what of the overlay it reads from its files."""
        key = (stages, repr(pairs))
        found = self._known.get(key)
        if found is None:
            goal = self.goal._replace(stages=stages, overrides=(*self.goal.overrides, *pairs))
            built = build(self.project, goal, self._read, self._imported, self._heard)
            if isinstance(built, Need):
                return built
            filed, _ = overlay.parted(self._read, pairs)
            tasks = {r: task._replace(overlay=laid(task.stage, filed)) for r, task in built.tasks.items()}
            found = self._known[key] = built._replace(tasks=tasks)
        return found

    def value(self, key: str, pairs: Pairs = ()) -> Any:
        """What a parameter is under an overlay over ``-S``; None if it is nowhere or its file was not read."""
        file, name = overlay.split(key)
        content = self._base(pairs).get(file)
        found, value = get_path(content, name) if content is not None else (False, None)
        return value if found else dict(pairs).get(key)

    def _base(self, pairs: Pairs = ()) -> Mapping[str, Any]:
        return overlay.apply(self._read, overlay.parted(self._read, (*self.goal.overrides, *pairs))[0])

    def check(self, pairs: Pairs, said: str, where: Origin) -> Need | None:
        """Refuse a parameter that is not there, or a value of another kind than it has; None if all is well.

        Raises:
            PlanError: with the nearest name.
        """
        absent = tuple(file for file in overlay.files_of(pairs) if file not in self._read)
        if absent:
            return Need(absent)
        base = self._base()
        for pair in in_files(self.project, base, pairs):  # the others are for commands: `build` knows those
            try:
                overlay.apply(base, [pair], said)
            except PlanError as error:
                raise PlanError(error.what, where=str(where), why=error.why, next=error.next) from None
        return None


def laid(stage: Stage, pairs: overlay.Overrides) -> Pairs:
    """What of an overlay stands in the files that a stage is given: parameters that it declares, and no others."""
    found = []
    for key, value in pairs:
        file, name = overlay.split(key)
        if any(row.file == file and (not row.name or _related(row.name, name)) for row in stage.params):
            found.append((key, value))
    return tuple(found)


def _related(one: str, other: str) -> bool:
    return overlay.within(one, other) or overlay.within(other, one)


def study_of(
    experiment: Experiment, variants: Variants, choices: Choices = _NOTHING, *, assume: bool = False
) -> Graph | Need:
    """The graph of an experiment as far as its winners are known.

    Args:
        assume: go on beyond the first phase without a winner, over the recorded one, else the cell that is equal to the
            base, else the first; and say so in the study.

    Raises:
        PlanError: no such stage, a parameter that is not there or that nothing reads, too many cells; nothing was run.
    """
    return _Builder(experiment, variants, choices, assume).build()


class _MissingError(Exception):
    """Something must be read first."""

    def __init__(self, need: Need) -> None:
        super().__init__()
        self.need = need


class _Builder:
    """One call of `study_of`."""

    def __init__(self, experiment: Experiment, variants: Variants, choices: Choices, assume: bool) -> None:
        self.experiment, self.variants, self.choices, self.assume = experiment, variants, choices, assume
        self.seeds = replicates(experiment.seeds)
        self.tasks: dict[str, Task] = {}
        self.sources: dict[str, None] = {}
        self.pointers: dict[Any, None] = {}
        self.phases: list[PhaseStudy] = []
        asked = variants.goal.overrides
        fixed = experiment.fixed
        # What a call says about a parameter that the experiment sets goes before.
        said = [pair for pair in asked if any(overlay.meet(pair[0], name) for name, _ in fixed)]
        self.base: Pairs = over(fixed, said)
        self.guess = ""
        self.final: tuple[tuple[Replicate, tuple[str, ...]], ...] = ()

    def build(self) -> Graph | Need:
        try:
            self._check()
            going = all(self._phase(phase) for phase in self.experiment.phases)
            if going:
                self.final = tuple(self._final(seed) for seed in self.seeds)
        except _MissingError as missing:
            return missing.need
        return self._graph(complete=going and not self.guess)

    def _check(self) -> None:
        """What can be refused before anything is built: names, kinds of values, and what would change nothing."""
        experiment = self.experiment
        base = self._with_fixed()
        if not any(task.stage.name == experiment.stage for task in base.tasks.values()):
            known = [template.name for template in self.variants.project.stages]
            raise UnknownGoalError(
                f"experiment '{experiment.name}' is about stage '{experiment.stage}', which stands for several",
                where=str(experiment.origin),
                why=nearest(experiment.stage, known),
                next="name one of them",
            )
        names = [phase.name for phase in experiment.phases]
        goal = self.variants.goal
        unknown = [name for name in (*goal.skip, *goal.only) if name not in names]
        if unknown:
            raise PlanError(
                f"experiment '{experiment.name}' has no phase '{unknown[0]}'",
                where=str(experiment.origin), why=nearest(unknown[0], names), next=f"pinyon plan {experiment.name}",
            )  # fmt: skip
        for name, value in experiment.fixed:
            self._check_fixed(name, value)
        for name, values in experiment.seeds:
            self._check_axis(f"seeds: {name}", name, values, experiment.origin)
        for phase in experiment.phases:
            for name, values in phase.grid:
                self._check_axis(f"phase '{phase.name}': {name}", name, values, phase.origin)
            for name, _ in phase.space:
                self._check_axis(f"phase '{phase.name}': {name}", name, (), phase.origin)
        refuse_unmeasured(experiment, self.variants.project)
        if experiment.promote:
            model_path(base.tasks[self._target(base)].stage, experiment.promote)

    def _with_fixed(self) -> Graph:
        """All stages under what the experiment sets."""
        where = self.experiment.origin
        for name, value in self.experiment.fixed:
            self._refuse_absent(((name, value),), f"set: {name}", where)
        try:
            return self._closure((self.experiment.stage, *self.experiment.then), self.base)
        except PlanError as error:
            asked = dict(self.variants.goal.overrides)
            for name, _ in self.experiment.fixed:
                if name not in asked and error.what.startswith((f"-S {name}:", f"-S {name}=")):
                    raise _renamed(error, name, f"set: {name}", where) from None
            raise

    def _refuse_absent(self, pairs: Pairs, said: str, where: Origin) -> None:
        need = self.variants.check(pairs, said, where)
        if need is not None:
            raise _MissingError(need)

    def _check_fixed(self, name: str, value: Any) -> None:
        """What is set may be for a stage in ``then`` alone."""
        stages = (self.experiment.stage, *self.experiment.then)
        without = tuple(pair for pair in self.base if pair[0] != name)
        self._refuse_unread(stages, ((name, value),), (without,), f"set: {name}", self.experiment.origin)

    def _check_axis(self, said: str, name: str, values: Sequence[Any], where: Origin) -> None:
        pairs = tuple((name, value) for value in (values or (self.variants.value(name, self.base),)))
        self._refuse_absent(pairs, said, where)
        under = [over(self.base, (pair,)) for pair in pairs]
        self._refuse_unread((self.experiment.stage,), pairs, under, said, where)

    def _refuse_unread(
        self, stages: tuple[str, ...], pairs: Pairs, under: Sequence[Pairs], said: str, where: Origin
    ) -> None:
        """Refuse a parameter that no task declares, and that makes no task another one.

        Args:
            pairs: the parameter with its values.
            under: overlays that differ from the base in it.
        """
        base = self._closure(stages, self.base)
        if any(laid(task.stage, pairs) for task in base.tasks.values()):
            return
        try:
            changed = [self._closure(stages, laid_over) for laid_over in under]
        except PlanError as error:
            raise _renamed(error, pairs[0][0], said, where) from None
        if any(graph.tasks.keys() != base.tasks.keys() for graph in changed):
            return
        name, value = pairs[0]
        try:  # its value may be the one that is there; a command that names it would say another one
            other = self._closure(stages, over(self.base, ((name, _other(value)),)))
        except PlanError:
            return
        if other.tasks.keys() == base.tasks.keys():
            raise PlanError(
                f"{said} changes nothing that stage '{stages[0]}' is made from",
                where=str(where),
                why="neither it nor a stage that it needs declares this parameter",
                next=f"add {name} to the params of the stage that reads it",
            )

    def _closure(self, stages: tuple[str, ...], pairs: Pairs) -> Graph:
        built = self.variants.closure(stages, pairs)
        if isinstance(built, Need):
            raise _MissingError(built)
        return built

    def _target(self, graph: Graph, stage: str = "") -> str:
        name = stage or self.experiment.stage
        return next((r for r, task in graph.tasks.items() if task.stage.name == name), "")

    def _phase(self, phase: Phase) -> bool:
        """Add a phase; whether the next one may follow."""
        goal = self.variants.goal
        if phase.name in goal.skip or (goal.only and phase.name not in goal.only):
            self._skip(phase)
            return True
        cells = cells_of(phase) if phase.grid else self.choices.proposed(phase, self.base)
        rows = tuple(
            (cell, tuple(self._replicate(phase, cell, seed) for seed in self.seeds)) for cell in cells
        )
        winner = next((c for c in cells if c.id == self.choices.winners.get(phase.name)), None)
        guess = self.guess
        if winner is None and self.assume:
            winner, said = self._assume(phase, cells)
            self.guess = self.guess or said
        chosen = self.choices.winners.get(phase.name, "")
        more = len(cells) < phase.trials and not chosen and phase.name not in self.choices.exhausted
        self.phases.append(PhaseStudy(phase, self.base, rows, guess, winner=chosen, open=more))
        if winner is None:
            return self.assume
        self.base = over(self.base, winner.assignment)
        return True

    def _skip(self, phase: Phase) -> None:
        kept = self.choices.recorded.get(phase.name)
        said = f"the recorded winner: {words(kept)}" if kept else "what there is, since no winner is recorded"
        self.phases.append(PhaseStudy(phase, self.base, (), said, skipped=True))
        self.base = over(self.base, kept or ())

    def _replicate(self, phase: Phase, cell: Cell, seed: Pairs) -> Replicate:
        pairs = over(self.base, cell.assignment, seed)
        recipe = self._add(self._closure((self.experiment.stage,), pairs))
        if (
            phase.stop and not self.tasks[recipe].stop
        ):  # of several cells that share a run the first one's counts
            stop = " and ".join(map(str, phase.stop))
            self.tasks[recipe] = self.tasks[recipe]._replace(stop=stop)
        return Replicate(seed, pairs, recipe)

    def _add(self, graph: Graph) -> str:
        for recipe, task in graph.tasks.items():
            self.tasks.setdefault(recipe, task)
        self.sources.update(dict.fromkeys(graph.sources))
        self.pointers.update(dict.fromkeys(graph.pointers))
        return self._target(graph)

    def _assume(self, phase: Phase, cells: Sequence[Cell]) -> tuple[Cell | None, str]:
        """The cell that later phases are counted over, and that in words."""
        recorded = self.choices.recorded.get(phase.name)
        for cell in cells:
            if recorded is not None and _same(cell.assignment, recorded):
                return cell, f"the winner of {phase.name} that is recorded: {words(cell.assignment)}"
        names = [name for name, _ in cells[0].assignment] if cells else []
        here = tuple((name, self.variants.value(name, self.base)) for name in names)
        for cell in cells:
            if _same(cell.assignment, here):
                return cell, f"{phase.name} keeping {words(cell.assignment)}"
        if cells:
            return cells[0], f"{phase.name} choosing {words(cells[0].assignment)}"
        return None, f"{phase.name} keeping what there is"

    def _final(self, seed: Pairs) -> tuple[Replicate, tuple[str, ...]]:
        experiment, pairs = self.experiment, over(self.base, seed)
        graph = self._closure((experiment.stage, *experiment.then), pairs)
        recipe = self._add(graph)
        then = tuple(self._target(graph, name) for name in experiment.then)
        return Replicate(seed, pairs, recipe), then

    def _graph(self, *, complete: bool) -> Graph:
        followers: dict[str, list[str]] = {recipe: [] for recipe in self.tasks}
        for recipe, task in self.tasks.items():
            for need in task.needs:
                followers[need].append(recipe)
        study = Study(self.experiment, tuple(self.phases), self.final, complete)
        self._refuse_read_files()
        return Graph(
            self.variants.goal,
            self.tasks,
            {recipe: tuple(names) for recipe, names in followers.items()},
            tuple(self.sources),
            tuple(self.pointers),
            study,
        )

    def _refuse_read_files(self) -> None:
        """A stage whose dep is a file that cells write their values into would depend on what it does not read."""
        written = {overlay.split(key)[0] for task in self.tasks.values() for key, _ in task.overlay}
        for task in self.tasks.values() if written else ():
            for item in task.inputs:
                for file in written:
                    if item.path in (".", file) or touch(item.path, file):
                        raise PlanError(
                            f"stage '{task.stage.name}' has {item.path} as a dep, which holds what cells set",
                            where=str(task.stage.origin),
                            why=f"every cell would have another {file}",
                            next="declare the parameters that it reads under params instead",
                        )


def _renamed(error: PlanError, name: str, said: str, where: Origin) -> PlanError:
    """What was wrong with an override, said of who set it."""
    what = error.what.replace(f"-S {name}", said, 1)
    return PlanError(what, where=str(where), why=error.why, next=error.next)


def _other(value: Any) -> Any:
    """Another value of this kind; None where there is none to think of."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    return f"{value}x" if isinstance(value, str) else None


def _same(one: Pairs, other: Pairs) -> bool:
    try:
        return canonical(dict(one)) == canonical(dict(other))
    except (PinyonError, ValueError, TypeError):
        return False


def labels(graph: Graph) -> dict[str, str]:
    """By recipe, what the tasks of an experiment are given, for a person: of replicates all that their cell sets. What all
    are given alike is left out."""
    if graph.study is None:
        return {}
    fixed = graph.study.fixed
    varied = ((recipe, beside(task.overlay, fixed)) for recipe, task in graph.tasks.items())
    found = {recipe: words(pairs) for recipe, pairs in varied if pairs}
    rows = [r for phase in graph.study.phases for _, replicates in phase.cells for r in replicates]
    for replicate in reversed(rows):  # of several that share a run, the first
        found[replicate.recipe] = words(beside(replicate.overlay, fixed))
    return found


def cell_words(graph: Graph, cell: str) -> str:
    """What a cell sets, for a person."""
    phases = graph.study.phases if graph.study else ()
    rows = (row for phase in phases for row, _ in phase.cells)
    return next((words(row.assignment) for row in rows if row.id == cell), cell)
