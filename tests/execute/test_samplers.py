"""Samplers propose points of the space, typed as declared, none twice, and the same for the same trials."""

import itertools
import math
import os
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from searches import CONTINUA, FINITE, SPACES, check, finished, outcome, recorded, same, search, values_of

from pinyon.errors import ExecuteError, PlanError
from pinyon.execute.samplers import Points, Trial, for_phase, make, names, seed_of
from pinyon.model.condition import parse
from pinyon.model.experiment import Choice, Experiment, Objective, Phase, Range
from pinyon.model.project import Origin

LR = ("train.lr", Range(1e-4, 1e-2, log=True))
DIM = ("gat.latent_dim", Choice((8, 16, 32)))
LEARNING = ["random", "tpe"]
ALL = ["random", "tpe", "grid"]


@pytest.mark.parametrize("name", LEARNING)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    space=SPACES, goal=st.sampled_from(["minimize", "maximize"]), seed=st.integers(0, 2**53), data=st.data()
)
def test_proposals_are_points_and_depend_on_the_trials_alone(name, space, goal, seed, data):
    sampler = make(name, space, goal, seed)
    trials = []
    for number in range(data.draw(st.integers(14, 24))):
        pairs = sampler.ask(trials)
        assert pairs == make(name, space, goal, seed).ask(recorded(trials))
        if pairs is None:
            break
        check(space, pairs)
        trials.append(outcome(data, number, pairs))


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(space=FINITE, seed=st.integers(0, 9))
def test_a_finite_space_ends_when_every_point_was_proposed_once(name, space, seed):
    every = list(itertools.product(*(values_of(axis) for _, axis in space)))
    sampler = make(name, space, "minimize", seed)
    trials = search(sampler, lambda _: 1.0, len(every))
    asked = [tuple(value for _, value in trial.assignment) for trial in trials]
    assert Points(space).size == len(asked) == len(every)
    for one, other in itertools.combinations(asked, 2):
        assert not all(map(same, one, other))
    assert sampler.ask(trials) is None
    if name == "grid":
        assert asked == every


@settings(deadline=None)
@given(space=FINITE)
def test_a_rank_and_its_point_name_each_other(space):
    points = Points(space)
    for rank in {0, points.size // 2, points.size - 1}:
        point = points.at(rank)
        assert points.rank(point) == rank
        assert points.read(points.pairs(point)) == point


@settings(deadline=None)
@given(space=SPACES, units=st.lists(st.floats(0, 1, exclude_max=True), min_size=4, max_size=4))
def test_any_numbers_below_one_are_a_point(space, units):
    points = Points(space)
    point = points.from_units(units[: len(space)])
    check(space, points.pairs(point))
    assert points.read(points.pairs(point)) == point


@pytest.mark.parametrize("name", LEARNING)
def test_the_order_in_which_parameters_are_written_changes_no_proposal(name):
    space = (LR, DIM, ("drop", Range(0, 0.5, step=0.05)))
    there = search(make(name, space, "minimize", 1), lambda p: p["train.lr"] + p["drop"], 30)
    back = search(make(name, space[::-1], "minimize", 1), lambda p: p["train.lr"] + p["drop"], 30)
    assert [dict(trial.assignment) for trial in there] == [dict(trial.assignment) for trial in back]
    assert [n for n, _ in back[0].assignment] == ["drop", "gat.latent_dim", "train.lr"]


def test_a_raster_has_the_floats_that_its_decimals_mean():
    assert [value for _, value in _all(Range(0, 0.7, step=0.1))] == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    assert [value for _, value in _all(Range(1e-5, 4e-5, step=1e-5))] == [1e-5, 2e-5, 3e-5, 4e-5]
    assert [value for _, value in _all(Range(0.1, 1, step=0.3))] == [0.1, 0.4, 0.7, 1.0]
    assert [value for _, value in _all(Range(64, 256, step=64, integer=True))] == [64, 128, 192, 256]
    assert [value for _, value in _all(Range(0, 1, step=0.4))] == [0.0, 0.4, 0.8]


def _all(axis):
    points = Points((("x", axis),))
    return [points.pairs(points.at(rank))[0] for rank in range(points.size)]


def test_values_keep_the_type_that_was_declared():
    space = (
        ("a", Choice((True, 1, "1", 2.0, 2))),
        ("n", Range(1.0, 3.0, integer=True)),
        ("f", Range(1, 3, step=1)),
    )
    asked = [trial.assignment for trial in search(make("grid", space, "minimize", 0), lambda _: 0.0, 99)]
    kinds = [[type(value) for _, value in pairs] for pairs in asked]
    assert len(asked) == 4 * 3 * 3  # 2 is 2.0 in a record
    assert kinds[0] == [bool, int, float]
    assert [kind for kind, *_ in kinds[::9]] == [bool, int, str, float]


def test_points_at_random_are_spread_as_declared():
    space = (LR, DIM, ("n", Range(1, 1000, log=True, integer=True)), ("x", Range(-1, 3)))
    asked = [
        dict(trial.assignment) for trial in search(make("random", space, "minimize", 3), lambda _: 0.0, 600)
    ]
    assert 250 < sum(pairs["train.lr"] < 1e-3 for pairs in asked) < 350
    assert 150 < sum(pairs["gat.latent_dim"] == 16 for pairs in asked) < 250
    assert 150 < sum(pairs["n"] <= 10 for pairs in asked) < 250
    assert 250 < sum(pairs["x"] < 1 for pairs in asked) < 350


def test_a_magnitude_of_a_whole_number_reaches_half_way_to_its_neighbours():
    points = Points((("n", Range(1, 3, log=True, integer=True)),))
    edges = [math.log(edge / 0.5) / math.log(3.5 / 0.5) for edge in (0.5, 1.5, 2.5, 3.5)]
    units = [edge + side for edge in edges for side in (-1e-9, 1e-9)][1:-1]
    drawn = [points.pairs(points.from_units([unit]))[0][1] for unit in units]
    assert drawn == [1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize(
    "axis", [Range(1, 9, log=True, integer=True), Range(1, 9, integer=True), Range(1, 9, step=2)]
)
@pytest.mark.parametrize("value", [True, 2.5, 0, 10, "3", None, [3], 10**400, math.nan, -math.inf])
def test_what_is_no_value_of_a_range_is_no_point(axis, value):
    points = Points((("n", axis),))
    assert points.read((("n", 3.0),)) is not None
    assert points.read((("n", value),)) is None


def test_another_seed_or_phase_asks_otherwise_and_another_parameter_changes_no_draw():
    one, other = (make("random", (LR, DIM), "minimize", seed_of("hpo", phase)).ask([]) for phase in "ab")
    assert one != other
    wider = make("random", (LR, DIM, ("x", Range(0, 1))), "minimize", seed_of("hpo", "a")).ask([])
    assert wider[:2] == one
    assert seed_of("ab", "c") != seed_of("a", "bc")
    assert seed_of("gat-small-hpo", "tune") == 1845286072559512  # in every release


def test_trials_of_another_space_count_and_teach_nothing():
    trials = search(make("tpe", (LR, DIM), "minimize", 5), lambda p: p["train.lr"], 20)
    foreign = [
        Trial(3, (("train.lr", 5.0), DIM), 0.0, "complete"),
        Trial(3, (("train.lr", 1e-3), ("gat.latent_dim", 17)), 0.0, "complete"),
        Trial(3, (("train.lr", "1e-3"), ("gat.latent_dim", 8)), 0.0, "complete"),
        Trial(3, (("train.lr", 1e-3),), 0.0, "complete"),
        Trial(3, (("train.lr", 1e-3), ("gat.latent_dim", [math.nan])), 0.0, "complete"),
        Trial(3, (("train.lr", math.nan), ("gat.latent_dim", 8)), 0.0, "complete"),
        Trial(3, (("train.lr", True), ("gat.latent_dim", 8)), 0.0, "complete"),
    ]
    without = make("tpe", (LR, DIM), "minimize", 5).ask(trials[:3] + trials[4:])
    for strange in foreign:
        assert make("tpe", (LR, DIM), "minimize", 5).ask([*trials[:3], strange, *trials[4:]]) == without


BAD = {
    "nothing to choose from": Choice(()),
    "upside down": Range(2, 1),
    "no finite width": Range(0, math.inf),
    "no finite width ": Range(-1.7e308, 1.7e308),
    "no finite width  ": Range(math.nan, 1),
    "does not begin above 0": Range(0, 1, log=True),
    "is log and has a step": Range(1, 9, log=True, step=2),
    "has the step 0": Range(0, 1, step=0),
    "has the step nan": Range(0, 1, step=math.nan),
    "whole numbers and says a fraction": Range(0, 1.5, integer=True),
    "whole numbers and says a fraction ": Range(0, 4, step=0.5, integer=True),
    "beyond 2^53": Range(0, 1e16, integer=True),
    "too small for its range": Range(0, 1, step=1e-30),
    "too small for its range ": Range(1e16, 1e16 + 4, step=0.5),
}


@pytest.mark.parametrize("said", BAD)
@pytest.mark.parametrize("name", ALL)
def test_a_space_that_makes_no_sense_is_refused_by_name(said, name):
    with pytest.raises(PlanError, match=r"model\.width") as caught:
        make(name, (DIM, ("model.width", BAD[said])), "minimize", 0)
    assert said.strip() in str(caught.value)


@settings(max_examples=20, deadline=None)
@given(axis=CONTINUA)
def test_a_grid_refuses_what_has_no_next_value(axis):
    with pytest.raises(PlanError, match=r"cannot walk train\.x; .* → give it a step"):
        make("grid", (DIM, ("train.x", axis)), "minimize", 0)


def _phase(sampler, *space, **rest):
    phase = Phase("tune", space=space, trials=8, sampler=sampler, origin=Origin("pinyon.yaml", 7), **rest)
    return Experiment("gat-hpo", "train", (phase,), Objective("f1", "maximize")), phase


def test_a_phase_names_sampler_direction_and_seed():
    sampler = for_phase(*_phase("tpe", LR, DIM))
    same_one = make("tpe", (LR, DIM), "maximize", seed_of("gat-hpo", "tune"))
    trials = search(sampler, lambda p: p["train.lr"], 20)
    assert trials == search(same_one, lambda p: p["train.lr"], 20)
    assert for_phase(*_phase("random", LR)).ask([]) == trials[0].assignment[:1]


@pytest.mark.parametrize(
    ("sampler", "said"), [("grid", "cannot walk train.lr"), ("tpee", "no sampler 'tpee'")]
)
def test_what_is_wrong_with_a_phase_is_told_with_its_place(sampler, said):
    with pytest.raises(PlanError, match=said) as caught:
        for_phase(*_phase(sampler, LR))
    assert str(caught.value).startswith("pinyon.yaml:7, phase 'tune' of 'gat-hpo': ")


@pytest.mark.parametrize("name", ALL)
def test_conditions_leave_out_points_and_the_rest_is_proposed(name):
    clauses = parse("x >= 2 and y != 3").terms
    phase = _phase(name, ("x", Choice((1, 2, 3))), ("y", Range(1, 4, integer=True)))
    sampler = for_phase(*phase, admits=lambda pairs: all(c.meets(dict(pairs)[c.metric]) for c in clauses))
    trials = search(sampler, lambda p: p["x"], 99)
    assert sorted(tuple(dict(trial.assignment).values()) for trial in trials) == [
        (2, 1), (2, 2), (2, 4), (3, 1), (3, 2), (3, 4)
    ]  # fmt: skip


def test_conditions_that_nothing_meets_are_an_error_where_points_are_endless():
    with pytest.raises(PlanError, match="`where` turned down 1000 proposals"):
        for_phase(*_phase("random", LR), admits=lambda _: False).ask([])


def test_what_is_turned_down_is_turned_down_again_after_a_crash():
    def objective(pairs):
        return -((math.log10(pairs["train.lr"]) + 3) ** 2)

    def admits(pairs):
        return dict(pairs)["train.lr"] > 1e-3 or dict(pairs)["gat.latent_dim"] == 8

    whole = search(for_phase(*_phase("tpe", LR, DIM), admits=admits), objective, 24)
    trials = []
    for _ in range(24):
        trials = search(for_phase(*_phase("tpe", LR, DIM), admits=admits), objective, 1, trials)
    assert trials == whole
    assert all(admits(trial.assignment) for trial in whole)


def test_tpe_without_optuna_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.delitem(sys.modules, "pinyon.execute.samplers.tpe", raising=False)
    with pytest.raises(ExecuteError, match=r"needs optuna.* → pip install 'pinyon\[search\]'"):
        make("tpe", (LR,), "minimize", 0)


def test_the_others_do_without_optuna_and_processes_ask_alike():
    code = (
        "import sys; from pinyon.execute.samplers import make; from pinyon.model.experiment import *\n"
        "s = (('x', Range(1e-4, 1e-2, log=True)), ('c', Choice(('a', 'b', 'c'))))\n"
        "print(make('random', s, 'minimize', 4).ask([]), 'optuna' in sys.modules)"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    here = make("random", (("x", LR[1]), ("c", Choice(("a", "b", "c")))), "minimize", 4).ask([])
    assert said == {f"{here} False\n"}


def test_the_built_in_ones_are_listed_first():
    assert names()[:3] == ["tpe", "random", "grid"]


def test_a_grid_and_random_do_not_look_at_values():
    space = (("a", Choice((1, 2, 3))), ("b", Choice(("x", "y"))))
    for name in ("grid", "random"):
        good = search(make(name, space, "minimize", 0), lambda p: p["a"], 6)
        bad = search(make(name, space, "maximize", 0), lambda _: math.nan, 6)
        assert [trial.assignment for trial in good] == [trial.assignment for trial in bad]
    assert finished(0, (), 1.0).state == "complete"
