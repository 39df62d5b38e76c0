"""From an experiment to a graph: cells, what they share, and how it grows from winner to winner."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinyon.errors import PinyonError, PlanError
from pinyon.model.condition import parse
from pinyon.model.experiment import Cell, Choice, Experiment, Objective, Pairs, Phase, Promotion, short, words
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
              "outs": ["model"], "metrics": ["metrics.json"]},
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


# -- what holds throughout ---------------------------------------------------------------------------------------------


def test_what_is_set_holds_for_everything_and_a_cell_goes_before():
    fixed = (("pretrain.epochs", 7), ("train.lr", 0.5), ("augment.sigma", 9))
    found = graph(STUDY._replace(fixed=fixed), assume=True)
    study = found.study
    assert study is not None
    warp, shape, depth = study.phases
    assert warp.base == fixed
    assert dict(shape.base) == {"augment.sigma": 0.1, "pretrain.epochs": 7, "train.lr": 0.5}
    assert [dict(rows[0].overlay)["pretrain.epochs"] for _, rows in depth.cells] == [50, 75, 100]
    ((replicate, _),) = study.final
    assert dict(replicate.overlay)["train.lr"] == 0.5
    # One more than without: no cell of the last phase is pre-trained as those of the second are.
    assert (study.cells, count(found, "pretrain"), count(found, "prepare")) == (15, 10, 1)
    assert not set(graph(assume=True).tasks).intersection(r.recipe for _, rows in shape.cells for r in rows)
    assert set(labels(found).values()).isdisjoint({"lr=0.5", "epochs=7"})


VALUES = {
    "augment.sigma": 0.1,
    "model.hidden": 64,
    "model.heads": 4,
    "pretrain.epochs": 50,
    "train.lr": 0.001,
    "train.seed": 0,
}
some = st.dictionaries(st.sampled_from(sorted(VALUES)), st.integers(1, 3), max_size=3)


@settings(max_examples=40)
@given(some, some, grids, st.booleans())
def test_files_then_set_then_the_call_then_winners_then_the_cell_then_the_seed(fixed, said, grid, seeded):
    seeds = (("train.seed", (5, 6)),) if seeded else ()
    phases = (PHASES[2], Phase("p", grid))
    experiment = STUDY._replace(phases=phases, seeds=seeds, fixed=tuple(fixed.items()))
    first = graph(experiment, overrides=tuple(said.items()))
    won = cell(first, "depth", epochs=75)
    found = graph(experiment, Choices({"depth": won}), overrides=tuple(said.items()))
    assert found.study is not None
    for row, replicates in found.study.phases[1].cells:
        for replicate in replicates:
            wanted = (
                VALUES | fixed | said | {"pretrain.epochs": 75} | dict(row.assignment) | dict(replicate.seed)
            )
            tasks = [found.tasks[replicate.recipe]]
            tasks += [found.tasks[need] for need in tasks[0].needs]
            known: dict[str, Any] = {}
            for param in (param for task in tasks for param in task.stage.params):
                deep = param.value if isinstance(param.value, dict) else {"": param.value}
                known |= {f"{param.name}.{name}".removesuffix("."): value for name, value in deep.items()}
            assert {name: known[name] for name in wanted} == wanted


def test_the_call_goes_before_what_is_set_in_part_or_as_a_whole():
    group = {"hidden": 1, "heads": 4, "layers": 1}
    whole = STUDY._replace(phases=PHASES[:1], fixed=(("model", group),))
    found = graph(whole, overrides=(("model.hidden", 2),))
    (part,) = {p.value["hidden"] for t in found.tasks.values() for p in t.stage.params if p.name == "model"}
    assert part == 2
    inner = STUDY._replace(phases=PHASES[:1], fixed=(("model.hidden", 3),))
    found = graph(inner, overrides=(("params.yaml:model", group),))
    (part,) = {p.value["hidden"] for t in found.tasks.values() for p in t.stage.params if p.name == "model"}
    assert part == 1


def test_experiments_share_what_they_set_alike():
    plain = graph(STUDY._replace(phases=PHASES[:1]))
    same = graph(STUDY._replace(phases=PHASES[:1], fixed=(("train.lr", 0.001),)))
    other = graph(STUDY._replace(phases=PHASES[:1], fixed=(("train.lr", 0.5),)))
    assert set(same.tasks) == set(plain.tasks)
    shared = [other.tasks[recipe].stage.name for recipe in set(other.tasks) & set(plain.tasks)]
    assert sorted(shared) == ["prepare", *["pretrain"] * 4]


def test_a_plan_assumes_what_is_set():
    found = graph(STUDY._replace(fixed=(("augment", {"sigma": 0.15}),)), assume=True)
    assert found.study is not None
    assert found.study.phases[1].assumed == "warp keeping sigma=0.15"


def test_what_is_set_holds_where_phases_are_skipped():
    found = graph(STUDY._replace(fixed=(("augment.sigma", 0.2),)), assume=True, only=("depth",))
    assert found.study is not None
    assert found.study.phases[2].base == (("augment.sigma", 0.2),)


def test_what_only_then_reads_can_be_set():
    stages = {**STAGES, "evaluate": {**STAGES["evaluate"], "params": ["unread"]}}
    fixed = STUDY._replace(fixed=(("unread", 5),))
    found = study_of(fixed, variants(stages), assume=True)
    assert isinstance(found, Graph)
    (last,) = [task for task in found.tasks.values() if task.stage.name == "evaluate"]
    assert [param.value for param in last.stage.params] == [5]


@pytest.mark.parametrize("value", [0.001, 0.5])
def test_what_a_command_names_can_be_set_to_what_it_is(value):
    fixed = (("train.lr", value),)
    phase = Phase("p", (("train.lr", (0.1, 0.2)),))
    found = graph(STUDY._replace(stage="plot", then=(), phases=(phase,), fixed=fixed))
    assert count(found, "plot") == 2


def test_a_parameter_that_only_the_command_names_is_searched():
    phase = Phase("tune", space=(("train.lr", Choice((1, 2))),), trials=2)
    assert graph(STUDY._replace(stage="plot", then=(), phases=(phase,))).study is not None


# -- what is refused ---------------------------------------------------------------------------------------------------


def refusal(experiment: Experiment, stages: dict[str, dict[str, Any]] = STAGES, **goal: Any) -> PinyonError:
    with pytest.raises(PlanError) as caught:
        study_of(experiment, variants(stages, **goal), assume=True)
    return caught.value


def phase(name: str, *values: Any) -> Experiment:
    return STUDY._replace(phases=(Phase("p", ((name, values),), origin=Origin("pinyon.yaml", 30)),))


def setting(name: str, value: Any) -> Experiment:
    return STUDY._replace(fixed=((name, value),), origin=Origin("pinyon.yaml", 20))


@pytest.mark.parametrize(
    ("experiment", "what", "why"),
    [
        (phase("augment.sigmas", 1), "phase 'p': augment.sigmas: params.yaml has no", "did you mean augment.sigma?"),
        (phase("train.name", 1, 2), "phase 'p': train.name=1: train.name is text in params.yaml, not a number", ""),
        (phase("unread", 1, 2), "phase 'p': unread changes nothing that stage 'train' is made from", "declares"),
        (STUDY._replace(seeds=(("train.sed", (1, 2)),)), "seeds: train.sed: params.yaml", "did you mean train.seed?"),
        (STUDY._replace(seeds=(("unread", (1, 2)),)), "seeds: unread changes nothing", ""),
        (setting("augment.sigmas", 1), "set: augment.sigmas: params.yaml has no", "did you mean augment.sigma?"),
        (setting("train.name", 1), "set: train.name=1: train.name is text in params.yaml, not a number", ""),
        (setting("unread", 1), "set: unread changes nothing that stage 'train' is made from", "declares"),
        (setting("unread", 2), "set: unread changes nothing that stage 'train' is made from", "declares"),
        (STUDY._replace(stage="trian"), "no stage is called 'trian'", "did you mean train?"),
        (STUDY._replace(then=("evalute",)), "no stage is called 'evalute'", "did you mean evaluate?"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_before_anything_runs(experiment, what, why):
    error = refusal(experiment)
    assert what in error.what
    assert why in error.why
    assert error.next or error.why


def test_what_is_refused_of_set_has_its_line():
    assert refusal(setting("augment.sigmas", 1)).where == "pinyon.yaml:20"
    assert refusal(setting("unread", 1)).where == "pinyon.yaml:20"


def promoting(*clauses: str, then: tuple[str, ...] = ("evaluate",)) -> Experiment:
    gate = tuple(term for clause in clauses for term in parse(clause).terms)
    promote = Promotion("lstm", "staging", gate, origin=Origin("pinyon.yaml", 40))
    return STUDY._replace(promote=promote, then=then)


def test_a_gate_on_what_the_winner_does_not_run_through_is_refused():
    error = refusal(promoting("accuracy > 1", "plot.area > 0.5"))
    assert error.what == "gate of experiment 'study': 'plot.area > 0.5' asks stage 'plot'"
    assert (error.where, error.why, error.next) == (
        "pinyon.yaml:40", "the winner is measured by train and evaluate", "add plot to then",
    )  # fmt: skip
    assert (
        "'evaluate.accuracy > 0' asks stage 'evaluate'"
        in refusal(promoting("evaluate.accuracy > 0", then=())).what
    )
    assert "'pretrain.loss < 1' asks stage 'pretrain'" in refusal(promoting("pretrain.loss < 1")).what
    stretched = promoting()
    assert stretched.promote is not None
    promote = stretched.promote._replace(stretch=parse("plot.area > 0.5").terms)
    assert refusal(stretched._replace(promote=promote)).what.startswith("stretch of experiment")


@pytest.mark.parametrize(
    "clause", ["val.accuracy > 0", "train.val.loss < 1", "evaluate.a > 0", "plotted.x > 0"]
)
def test_a_metric_may_have_dots(clause):
    assert graph(promoting(clause), assume=True).study is not None


def test_what_is_promoted_has_to_be_an_out():
    asked = promoting()
    assert asked.promote is not None
    error = refusal(asked._replace(promote=asked.promote._replace(path="modle")))
    assert (error.what, error.where) == ("train has no out 'modle'", "pinyon.yaml:40")
    assert "did you mean model?" in error.why
    assert graph(asked._replace(promote=asked.promote._replace(path="model")), assume=True).study is not None


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
