"""From an experiment to a graph: cells, what they share, and how it grows from winner to winner."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinyon.errors import PinyonError, PlanError
from pinyon.model.experiment import Cell, Choice, Experiment, Objective, Pairs, Phase, short, words
from pinyon.model.graph import Graph
from pinyon.model.project import Goal, Origin, Project, StageTemplate
from pinyon.plan.build import Need
from pinyon.plan.estimate import critical_path, makespan
from pinyon.plan.overlay import over
from pinyon.plan.study import Choices, Variants, labels, study_of

PARAMS: dict[str, Any] = {
    "augment": {"sigma": 0.1},
    "model": {"hidden": 64, "heads": 4, "layers": 1},
    "pretrain": {"epochs": 50},
    "train": {"seed": 0, "lr": 0.001, "name": "adam"},
    "unread": 1,
}
SHAPE = ["model.hidden", "model.layers"]
STAGES: dict[str, dict[str, Any]] = {
    "prepare": {"cmd": "prepare", "deps": ["raw"], "outs": ["data"]},
    "pretrain": {"cmd": "pretrain", "deps": ["data"], "params": ["augment", *SHAPE, "pretrain"], "outs": ["encoder"]},
    "train": {"cmd": "train", "deps": ["data", "encoder"], "params": ["augment", "model", "train"],
              "metrics": ["metrics.json"]},
    "evaluate": {"cmd": "evaluate", "deps": ["metrics.json"], "outs": ["test"]},
    "plot": {"cmd": "plot ${train.lr}", "deps": ["data"], "outs": ["plot"]},
}  # fmt: skip
PHASES = (
    Phase("warp", (("augment.sigma", (0.1, 0.12, 0.15, 0.2)),)),
    Phase("shape", (("model.hidden", (64, 128)), ("model.heads", (4, 8)), ("model.layers", (1, 2)))),
    Phase("depth", (("pretrain.epochs", (50, 75, 100)),)),
)
NOTHING = Choices()
STUDY = Experiment("study", "train", PHASES, Objective("accuracy", "maximize"), then=("evaluate",))


def variants(stages: dict[str, dict[str, Any]] = STAGES, **goal: Any) -> Variants:
    templates = tuple(
        StageTemplate(name, body, Origin("pinyon.yaml", n))
        for n, (name, body) in enumerate(stages.items(), 1)
    )
    project = Project("/p", "p", ("pinyon.yaml",), templates)
    return Variants(project, Goal(isolated=True, **goal), {"params.yaml": PARAMS}, {}, {})


def graph(
    experiment: Experiment = STUDY, choices: Choices = NOTHING, *, assume: bool = False, **goal: Any
) -> Graph:
    built = study_of(experiment, variants(**goal), choices, assume=assume)
    assert isinstance(built, Graph)
    assert built.study is not None
    return built


def cell(graph: Graph, phase: str, **assignment: Any) -> str:
    assert graph.study is not None
    one = next(one for one in graph.study.phases if one.phase.name == phase)
    (found,) = [
        row.id for row, _ in one.cells
        if assignment.items() <= {name.rpartition(".")[2]: value for name, value in row.assignment}.items()
    ]  # fmt: skip
    return found


def count(graph: Graph, stage: str) -> int:
    return sum(task.stage.name == stage for task in graph.tasks.values())


# -- what there is -----------------------------------------------------------------------------------------------------


def test_fifteen_cells_are_thirteen_runs_and_nine_pretrainings():
    study = graph(assume=True).study
    assert study is not None
    assert (study.cells, study.replicates, study.distinct) == (15, 15, 13)
    assert {name: count(graph(assume=True), name) for name in STAGES} == {
        "prepare": 1, "pretrain": 9, "train": 13, "evaluate": 1, "plot": 0,
    }  # fmt: skip


def test_seeds_replicate_the_stages_that_declare_them_and_no_others():
    seeded = STUDY._replace(seeds=(("train.seed", (0, 1, 2)),))
    found = graph(seeded, assume=True)
    assert found.study is not None
    assert (found.study.cells, found.study.replicates, found.study.distinct) == (15, 45, 39)
    assert (count(found, "pretrain"), count(found, "train"), count(found, "evaluate")) == (9, 39, 3)
    both = seeded._replace(seeds=(("train.seed", (0, 1)), ("pretrain.epochs", (1, 2))))
    assert (
        count(graph(both, assume=True), "pretrain") == 14
    )  # 4 + 3 shapes over two values; depth sets no more


def test_a_task_is_given_what_it_declares_and_nothing_else():
    found = graph(assume=True)
    for task in found.tasks.values():
        names = {name for name, _ in task.overlay}
        allowed = {
            "pretrain": {"augment.sigma", *SHAPE, "pretrain.epochs"},
            "train": {"augment.sigma", *SHAPE, "model.heads"},
        }
        assert names <= allowed.get(task.stage.name, set())
        for name, value in task.overlay:
            values = [p.value for p in task.stage.params if name == p.name]
            group, _, leaf = name.partition(".")
            values += [p.value[leaf] for p in task.stage.params if p.name == group]
            assert values == [value]


def test_replicates_are_labelled_with_all_that_their_cell_sets():
    found = graph(assume=True)
    names = {found.tasks[recipe].stage.name: text for recipe, text in labels(found).items()}
    assert names["train"] == "sigma=0.1 hidden=64 heads=4 layers=1 epochs=100"
    assert names["pretrain"] == "sigma=0.1 hidden=64 layers=1 epochs=100"
    assert "prepare" not in names
    assert words((("a.lr", 0.000123456), ("b.lr", 2))) == "a.lr=0.0001235 b.lr=2"
    assert short(["a.x", "b.x", "c"]) == {"a.x": "a.x", "b.x": "b.x", "c": "c"}


# -- how it grows ------------------------------------------------------------------------------------------------------


def test_it_ends_with_the_first_phase_without_a_winner():
    first = graph()
    assert first.study is not None
    assert [one.phase.name for one in first.study.phases] == ["warp"]
    assert not first.study.final
    winners = {"warp": cell(first, "warp", sigma=0.15)}
    second = graph(choices=Choices(winners))
    assert second.study is not None
    assert [(one.phase.name, one.winner, one.base) for one in second.study.phases] == [
        ("warp", winners["warp"], ()),
        ("shape", "", (("augment.sigma", 0.15),)),
    ]
    winners["shape"] = cell(second, "shape", hidden=128, heads=8, layers=2)
    third = graph(choices=Choices(winners))
    winners["depth"] = cell(third, "depth", epochs=75)
    last = graph(choices=Choices(winners))
    assert last.study is not None
    assert last.study.complete
    ((replicate, then),) = last.study.final
    assert dict(replicate.overlay) == {
        "augment.sigma": 0.15, "model.hidden": 128, "model.heads": 8, "model.layers": 2, "pretrain.epochs": 75,
    }  # fmt: skip
    assert [last.tasks[recipe].stage.name for recipe in then] == ["evaluate"]
    assert last.tasks[then[0]].needs == (replicate.recipe,)


grids = st.lists(
    st.tuples(
        st.sampled_from(["augment.sigma", "model.hidden", "model.heads", "pretrain.epochs", "train.lr"]),
        st.lists(st.integers(1, 5), min_size=1, max_size=3, unique=True).map(tuple),
    ),
    min_size=1, max_size=3, unique_by=lambda axis: axis[0],
).map(tuple)  # fmt: skip


@given(st.lists(grids, min_size=1, max_size=3), st.data())
def test_what_was_there_stays_in_its_place_whatever_wins(grids, data):
    phases = tuple(Phase(f"p{number}", grid) for number, grid in enumerate(grids))
    experiment = STUDY._replace(phases=phases, seeds=(("train.seed", (0, 1)),))
    shared, winners = variants(), {}
    before: list[str] = []
    for phase in phases:
        found = study_of(experiment, shared, Choices(dict(winners)))
        assert isinstance(found, Graph)
        assert found.study is not None
        names = list(found.tasks)
        assert names[: len(before)] == before
        before = names
        (open_,) = [one for one in found.study.phases if not one.winner]
        assert open_.phase.name == phase.name
        combinations = itertools.product(*(values for _, values in phase.grid))
        expected = [tuple(zip([name for name, _ in phase.grid], one, strict=True)) for one in combinations]
        assert [row.assignment for row, _ in open_.cells] == expected
        for row, replicates in open_.cells:
            for replicate in replicates:
                stage = found.tasks[replicate.recipe].stage
                assert stage.name == "train"
                assert dict(replicate.overlay) == dict(over(open_.base, row.assignment, replicate.seed))
        place = data.draw(st.integers(0, len(open_.cells) - 1))
        winners[phase.name] = open_.cells[place][0].id
    everything = study_of(experiment, shared, Choices(winners))
    assert isinstance(everything, Graph)
    assert list(everything.tasks)[: len(before)] == before
    for recipe, task in everything.tasks.items():
        assert all(recipe in everything.followers[need] for need in task.needs)


def test_a_plan_is_over_what_will_probably_win():
    def said(**more: Any) -> str:
        found = graph(assume=True, **more)
        assert found.study is not None
        assert not found.study.complete
        return found.study.phases[1].assumed

    assert said() == "warp keeping sigma=0.1"
    assert said(choices=Choices(recorded={"warp": (("augment.sigma", 0.2),)})) == (
        "the winner of warp that is recorded: sigma=0.2"
    )
    assert said(overrides=(("augment.sigma", 0.5),)) == "warp choosing sigma=0.1"


def test_a_search_has_the_cells_that_were_proposed():
    phase = Phase("tune", space=(("train.lr", Choice((1, 2, 3))),), trials=3, parallel=2)
    experiment = STUDY._replace(phases=(phase, PHASES[2]))
    asked: list[Pairs] = []

    def proposed(phase: Phase, base: Pairs) -> tuple[Cell, ...]:
        asked.append(base)
        return (Cell("c-1", "tune", 1, (("train.lr", 2),)),) if phase.space else ()

    found = graph(experiment, Choices(proposed=proposed))
    assert found.study is not None
    assert found.study.phases[0].open
    assert found.study.cells == 1
    assert asked[-1] == ()
    closed = graph(experiment, Choices(proposed=proposed, exhausted={"tune"}))
    assert closed.study is not None
    assert not closed.study.phases[0].open


def test_skipped_phases_keep_their_recorded_winner_or_what_there_is():
    recorded = Choices(recorded={"shape": (("model.hidden", 128),)})
    found = graph(assume=True, choices=recorded, skip=("warp", "shape"))
    assert found.study is not None
    warp, shape, depth = found.study.phases
    assert (warp.skipped, warp.assumed, shape.assumed) == (
        True, "what there is, since no winner is recorded", "the recorded winner: hidden=128",
    )  # fmt: skip
    assert depth.base == (("model.hidden", 128),)
    assert found.study.cells == 3


# -- what is refused ---------------------------------------------------------------------------------------------------


def refusal(experiment: Experiment, stages: dict[str, dict[str, Any]] = STAGES, **goal: Any) -> PinyonError:
    with pytest.raises(PlanError) as caught:
        study_of(experiment, variants(stages, **goal), assume=True)
    return caught.value


def phase(name: str, *values: Any) -> Experiment:
    return STUDY._replace(phases=(Phase("p", ((name, values),), origin=Origin("pinyon.yaml", 30)),))


@pytest.mark.parametrize(
    ("experiment", "what", "why"),
    [
        (phase("augment.sigmas", 1), "phase 'p': augment.sigmas: params.yaml has no", "did you mean augment.sigma?"),
        (phase("train.name", 1, 2), "phase 'p': train.name=1: train.name is text in params.yaml, not a number", ""),
        (phase("unread", 1, 2), "phase 'p': unread changes nothing that stage 'train' is made from", "declares"),
        (STUDY._replace(seeds=(("train.sed", (1, 2)),)), "seeds: train.sed: params.yaml", "did you mean train.seed?"),
        (STUDY._replace(seeds=(("unread", (1, 2)),)), "seeds: unread changes nothing", ""),
        (STUDY._replace(stage="trian"), "no stage is called 'trian'", "did you mean train?"),
        (STUDY._replace(then=("evalute",)), "no stage is called 'evalute'", "did you mean evaluate?"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_before_anything_runs(experiment, what, why):
    error = refusal(experiment)
    assert what in error.what
    assert why in error.why
    assert error.next or error.why


def test_a_phase_that_is_not_there_cannot_be_skipped():
    error = refusal(STUDY, skip=("wrap",))
    assert (error.what, error.why) == ("experiment 'study' has no phase 'wrap'", "did you mean warp?")


def test_a_parameter_that_only_the_command_names_is_read():
    found = graph(STUDY._replace(stage="plot", then=(), phases=(Phase("p", (("train.lr", (1, 2)),)),)))
    assert count(found, "plot") == 2


def test_a_file_that_cells_write_into_is_nobodys_dep():
    stages = {**STAGES, "train": {**STAGES["train"], "deps": ["params.yaml", "encoder"]}}
    error = refusal(STUDY, stages)
    assert error.what == "stage 'train' has params.yaml as a dep, which holds what cells set"


def test_what_must_be_read_first_is_asked_for():
    project = variants().project
    need = study_of(STUDY, Variants(project, Goal(isolated=True), {}, {}, {}))
    assert need == Need(("params.yaml",))


# -- how long it takes --------------------------------------------------------------------------------------------------


def test_phases_wait_for_each_other():
    found = graph(assume=True)
    seconds = {r: {"pretrain": 2.0, "train": 10.0}.get(t.stage.name, 1.0) for r, t in found.tasks.items()}
    # prepare, pretrain, train; again pretrain, train in the second and third phase; evaluate.
    assert critical_path(found, seconds) == 1 + 12 + 12 + 12 + 1
    assert makespan(found, seconds, 1) == sum(seconds.values())
    # With two slots: 4 × 12 by two's; then 3 pre-trainings and 7 trainings; then 2 × 12 at once.
    assert 1 + 24 + 35 + 12 + 1 <= makespan(found, seconds, 2) <= 1 + 24 + 46 + 12 + 1
    first = graph()
    assert critical_path(first, seconds) == 13
