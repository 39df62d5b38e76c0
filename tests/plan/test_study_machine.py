"""Experiments in the world of `world.py`: whoever dies when, the winners are those of the rules, and nothing runs twice.

Scores are a pure function of the parameters, so that each phase's winner can be computed without any engine.
"""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from world import Driver, Files, World, digest, plain

from pinyon.model.experiment import Experiment, Objective, Pairs, Phase
from pinyon.model.graph import Graph
from pinyon.model.outcome import SUCCEEDED
from pinyon.model.project import Goal, Origin, Project, StageTemplate
from pinyon.plan.actions import Action, Look, Propose, Select
from pinyon.plan.check import first_look
from pinyon.plan.decide import Settled, decide
from pinyon.plan.overlay import over
from pinyon.plan.study import Choices, Variants, study_of

BASE: dict[str, Any] = {"a": 1, "b": 1, "c": 1, "seed": 0}
STAGES: dict[str, dict[str, Any]] = {
    "data": {"cmd": "data", "deps": ["raw"], "outs": ["d"]},
    # Its dep lies inside an out, so that what lies there differs from cell to cell.
    "features": {"cmd": "features", "deps": ["d/a"], "params": ["a"], "outs": ["dir"]},
    "train": {"cmd": "train ${b} ${c}", "deps": ["dir/a", "d"], "params": ["b", "c", "seed"], "metrics": ["m.json"]},
    "test": {"cmd": "test", "deps": ["m.json"], "outs": ["t"]},
}  # fmt: skip


def score(values: dict[str, Any]) -> int:
    return int(digest(sorted(values.items()))[10:12], 16) % 7


class Scored(World):
    """Attempts of `train` leave a score."""

    def end(self, name: str) -> None:
        run = self.live[name].run
        super().end(name)
        if run.task.stage.name == "train" and self.history.attempts[name].state == SUCCEEDED:
            # What it depends on tells `a`: the features of each value are others.
            values = {**BASE, **dict(run.task.overlay), "a": self.a_of(run.deps)}
            self.history.change(name, metrics={"score": score(values)})

    def a_of(self, deps: tuple[tuple[str, str], ...]) -> int:
        made = dict(deps)["dir/a"]
        for other in self.finished.values():
            if other.task.stage.name == "features":
                for output in self.history.attempts[self.attempt_of(other)].outputs:
                    if digest(self.blobs[output.digest]["a"]) == made:
                        return int({**BASE, **dict(other.task.overlay)}["a"])
        raise AssertionError("made from nothing")

    def attempt_of(self, run: Any) -> str:
        return next(name for name, one in self.finished.items() if one is run)


class Study(Driver):
    """A driver of an experiment; whatever it has chosen dies with it."""

    def __init__(self, world: World, experiment: Experiment, jobs: int) -> None:
        templates = tuple(
            StageTemplate(name, body, Origin("pinyon.yaml", n))
            for n, (name, body) in enumerate(STAGES.items(), 1)
        )
        goal = Goal(isolated=True, experiment=experiment.name)
        project = Project("/p", "p", ("pinyon.yaml",), templates)
        self.experiment = experiment
        self.variants = Variants(project, goal, {"params.yaml": BASE}, {}, {})
        self.winners: dict[str, str] = {}
        super().__init__(world, [], goal, jobs)
        self.graph = self.grown()
        self.look(first_look(self.graph), ())

    def grown(self) -> Graph:
        graph = study_of(self.experiment, self.variants, Choices(self.winners))
        assert isinstance(graph, Graph)
        return graph

    def decide(self) -> list[Action]:
        seen = self.seen()
        actions = decide(self.graph, self.world.history, seen, self.done)
        again = decide(self.graph, self.world.history, seen, Settled())
        assert plain(actions) == plain(again), "memory changed the answer"
        chosen = [
            [(a.phase, a.selection.winner) for a in some if isinstance(a, Select)]
            for some in (actions, again)
        ]
        assert chosen[0] == chosen[1], "memory changed the winner"
        return actions

    def act(self) -> None:
        if not self.pending:
            self.pending = self.decide()
        match self.pending[:1]:
            case [Select(phase, selection)]:
                assert phase not in self.winners
                self.winners[phase] = selection.winner
                self.graph, self.pending = self.grown(), []
            case [Propose()]:
                raise AssertionError("nothing is searched here")
            case [Look(paths, made, label)] if label:
                self.pending.pop(0)
                self.look(paths, made)
                for path in paths:
                    self.seen_files[path + label] = self.seen_files.pop(path)
            case _:
                super().act()


axes = st.dictionaries(
    st.sampled_from("abc"), st.lists(st.integers(1, 4), min_size=1, max_size=3, unique=True), min_size=1, max_size=2
)  # fmt: skip
experiments = st.builds(
    lambda grids, seeds, fixed: Experiment(
        "e", "train",
        tuple(Phase(f"p{n}", tuple((k, tuple(v)) for k, v in grid.items())) for n, grid in enumerate(grids)),
        Objective("score", "maximize"), seeds=(("seed", tuple(range(seeds))),), then=("test",),
        fixed=tuple(fixed.items()),
    ),
    st.lists(axes, min_size=1, max_size=3), st.integers(1, 2),
    st.dictionaries(st.sampled_from(["a", "b", "c", "seed"]), st.integers(1, 4), max_size=2),
)  # fmt: skip


def expected(experiment: Experiment) -> list[Pairs]:
    """Each phase's winner by the rules: the best mean, among equals the first."""
    base = experiment.fixed
    found = []
    seeds = experiment.seeds[0][1]
    for phase in experiment.phases:
        names = [name for name, _ in phase.grid]
        cells = [
            tuple(zip(names, one, strict=True)) for one in itertools.product(*(v for _, v in phase.grid))
        ]
        means = [
            sum(score({**BASE, **dict(over(base, cell, (("seed", seed),)))}) for seed in seeds)
            for cell in cells
        ]
        best = cells[means.index(max(means))]
        found.append(best)
        base = over(base, best)
    return found


def go_on(world: World, driver: Driver, dice: list[int]) -> bool:
    """One step; whether the driver has come to an end."""
    turn = dice.pop() if dice else 0
    if world.live and (turn % 3 == 1 or driver.running >= 2):
        world.end(sorted(world.live)[turn % len(world.live)])
    else:
        driver.act()
        if not driver.ended and world.live and not dice and not driver.pending:
            world.end(min(world.live))
    return bool(driver.ended)


@settings(max_examples=60)
@given(experiments, st.lists(st.integers(0, 20), max_size=60), st.lists(st.integers(1, 30), max_size=5))
def test_whoever_dies_when_the_winners_are_those_of_the_rules(experiment, dice, lives):
    files: Files = {"raw": "raw"}
    world = Scored(files)
    for life in lives:
        driver = Study(world, experiment, jobs=2)
        for _ in range(life):
            if go_on(world, driver, dice):
                break
        world.kill(driver, half_written=True)
    driver = Study(world, experiment, jobs=2)
    for _ in range(3000):
        if go_on(world, driver, []):
            break
    assert driver.ended == "done"
    study = driver.graph.study
    assert study is not None
    assert study.complete
    won = [next(cell.assignment for cell, _ in one.cells if cell.id == one.winner) for one in study.phases]
    assert won == expected(experiment)
    keys = [run.key for run in world.finished.values()]
    assert len(keys) == len(set(keys)), "a finished run was repeated"
    assert {run.task.recipe for run in world.finished.values()} == set(driver.graph.tasks)
    assert world.files == files, "a cell has touched the project"
