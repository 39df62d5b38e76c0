"""A TPE search goes on after a crash as if nothing had been, and takes into account what it is told."""

import heapq
import json
import math
import os
import random
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from searches import check, finished, recorded, search

from pinyon.execute.samplers import Trial, make
from pinyon.model.experiment import Choice, Range

SPACE = (
    ("lr", Range(1e-4, 1e-2, log=True)),
    ("dim", Choice((8, 16, 32))),
    ("drop", Range(0.0, 0.5, step=0.05)),
    ("layers", Range(1, 64, log=True, integer=True)),
)


def loss(pairs):
    return (
        (math.log10(pairs["lr"]) + 3) ** 2
        + pairs["drop"]
        + abs(math.log(pairs["layers"] / 8))
        + (pairs["dim"] != 16)
    )


def tpe(goal="minimize", seed=11, space=SPACE):
    return make("tpe", space, goal, seed)


class Cluster:
    """Eight slots that take trials of unequal length; one in nine fails, one in seven is pruned on the way.

    Attributes:
        busy: how many trials ran after each question.
    """

    def __init__(self, slots=8, count=64):
        self.slots, self.count = slots, count
        self.trials, self.running, self.clock, self.busy = [], [], 0.0, []

    def step(self, sampler):
        """Fill one slot, or wait for the next trial to end; False after the last."""
        if len(self.trials) < self.count and len(self.running) < self.slots:
            number = len(self.trials)
            pairs = sampler.ask(self.trials)
            check(SPACE, pairs)
            self.trials.append(Trial(number, pairs, None, "running"))
            heapq.heappush(self.running, (self.clock + random.Random(number).uniform(1, 4), number))
            self.busy.append(len(self.running))
        elif self.running:
            self.clock, number = heapq.heappop(self.running)
            self.trials[number] = self._ended(self.trials[number])
        return bool(self.running) or len(self.trials) < self.count

    @staticmethod
    def _ended(trial):
        value = loss(dict(trial.assignment))
        if trial.number % 9 == 5:
            return trial._replace(state="failed")
        if trial.number % 7 == 3:
            return trial._replace(state="pruned", points=((1, value + 2), (2, value + 1), (3, math.nan)))
        return trial._replace(state="complete", value=math.nan if trial.number % 11 == 6 else value)

    def run(self, sampler_at):
        step = 0
        sampler = tpe()
        while self.step(sampler_at(step) or sampler):
            step += 1
        return self


@pytest.fixture(scope="module")
def uninterrupted():
    return Cluster().run(lambda _: None)


def test_eight_slots_stay_busy_and_no_point_is_asked_twice(uninterrupted):
    assert uninterrupted.busy[8:] == [8] * 56
    assert len({json.dumps(trial.assignment) for trial in uninterrupted.trials}) == 64


def test_a_search_killed_three_times_asks_as_an_uninterrupted_one(uninterrupted):
    cluster = Cluster()
    sampler, step = tpe(), 0
    while cluster.step(sampler):
        step += 1
        if step in (20, 61, 99):  # with eight trials in flight
            assert cluster.running
            sampler = tpe()
            cluster.trials = sorted(recorded(cluster.trials))
    assert step > 99
    assert [dict(trial.assignment) for trial in cluster.trials] == [
        dict(trial.assignment) for trial in uninterrupted.trials
    ]


def test_a_search_whose_sampler_is_new_each_time_asks_the_same(uninterrupted):
    assert Cluster().run(lambda _: tpe()).trials == uninterrupted.trials


def test_two_samplers_that_take_turns_ask_the_same(uninterrupted):
    pair = tpe(), tpe()
    assert Cluster().run(lambda step: pair[step % 2]).trials == uninterrupted.trials


def test_the_same_question_has_the_same_answer(uninterrupted):
    sampler = tpe()
    answers = {json.dumps(sampler.ask(uninterrupted.trials)) for _ in range(3)}
    answers |= {
        json.dumps(tpe().ask(asked)) for asked in (uninterrupted.trials, recorded(uninterrupted.trials))
    }
    assert len(answers) == 1


def test_a_history_that_is_no_continuation_is_taken_as_it_is(uninterrupted):
    trials = uninterrupted.trials
    worst = max(
        (trial for trial in trials if math.isfinite(trial.value or math.nan)), key=lambda trial: trial.value
    ).number
    changed = [*trials[:worst], finished(worst, trials[worst].assignment, -5.0), *trials[worst + 1 :]]
    sampler = tpe()
    for history in (trials, trials[:40], changed, [], trials, trials[1:]):
        assert sampler.ask(history) == tpe().ask(history)
    assert tpe().ask(trials) != tpe().ask(changed)


def test_another_process_asks_the_same(uninterrupted):
    code = (
        "import json, sys; from pinyon.execute.samplers import Trial, make\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r}); from test_samplers_tpe import tpe\n"
        "trials = [Trial(*row[:4], tuple(map(tuple, row[4])), ()) for row in json.load(sys.stdin)]\n"
        "print(json.dumps(tpe().ask(trials)))"
    )
    here = uninterrupted.trials[:40]
    asked = [
        subprocess.run(
            [sys.executable, "-c", code], input=json.dumps(here), capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        for seed in ("1", "2")
    ]  # fmt: skip
    assert {each.stdout for each in asked} == {json.dumps(tpe().ask(here)) + "\n"}
    assert [each.stderr for each in asked] == ["", ""], "optuna says nothing on its own"


def test_it_learns():
    best = {
        name: [
            min(trial.value for trial in search(make(name, SPACE, "minimize", seed), loss, 60))
            for seed in range(3)
        ]
        for name in ("tpe", "random")
    }
    assert sum(best["tpe"]) < sum(best["random"]) / 2


def test_it_maximizes_when_it_is_to():
    trials = search(tpe("maximize"), lambda p: -loss(p), 50)
    mirrored = search(tpe(), loss, 50)
    assert [trial.assignment for trial in trials] == [trial.assignment for trial in mirrored]
    wrong = search(tpe("maximize"), loss, 50)
    assert max(trial.value for trial in trials[30:]) > -min(trial.value for trial in wrong[30:])


LINE = (("x", Range(-1.0, 1.0)),)


def _near(history, center, within=0.25, goal="minimize"):
    """How many of 30 proposals are near a point, by as many seeds."""
    asked = (tpe(goal, seed, LINE).ask(history)[0][1] for seed in range(30))
    return sum(abs(x - center) < within for x in asked)


def _line(value, **rest):
    return [finished(n, (("x", -0.95 + n / 10),), value(-0.95 + n / 10), **rest) for n in range(20)]


def test_running_trials_push_the_next_one_away():
    history = _line(lambda x: abs(x - 0.5))
    crowd = [Trial(20 + n, (("x", 0.4 + n / 50),), None, "running") for n in range(10)]
    late = [Trial(29, (("x", -0.9),), None, "running")]
    assert _near(history + late, 0.5) > _near(history + crowd, 0.5) + 5


def test_waves_of_eight_without_an_answer_are_eight_points():
    trials = _line(lambda x: abs(x - 0.5))
    for number in range(20, 28):
        trials.append(Trial(number, tpe(space=LINE).ask(trials), None, "running"))
    places = sorted(trial.assignment[0][1] for trial in trials[20:])
    assert min(b - a for a, b in pairwise(places)) > 1e-4


def test_failed_trials_and_those_without_a_number_teach_nothing_but_their_place():
    history = _line(lambda x: abs(x - 0.5))
    last = (("x", 0.51),)
    asked = {
        tpe(space=LINE).ask([*history, trial])
        for trial in (
            Trial(20, last, None, "failed"),
            Trial(20, last, None, "complete"),
            Trial(20, last, math.nan, "complete"),
            Trial(20, last, math.inf, "complete"),
            Trial(20, last, -math.inf, "complete"),
            Trial(20, last, -3.0, "failed"),
        )
    }
    assert len(asked) == 1
    assert asked != {tpe(space=LINE).ask([*history, finished(20, last, 0.01)])}


def test_the_last_point_of_a_pruned_trial_stands_for_its_value():
    def history(center):
        return [
            trial._replace(state="pruned", value=None, points=((2, abs(x - center)), (1, -abs(x - center))))
            for trial in _line(lambda _: 0.0)
            for x in (trial.assignment[0][1],)
        ]

    assert _near(history(0.5), 0.5) > _near(history(-0.5), 0.5) + 5
    assert _near(history(-0.5), -0.5) > _near(history(0.5), -0.5) + 5


def test_what_misses_a_constraint_counts_as_worse_than_all_that_meet_it():
    free = _line(lambda x: abs(x - 0.8))
    bound = [trial._replace(margins=(0.3 - trial.assignment[0][1],)) for trial in free]  # x at most 0.3
    unknown = [
        trial._replace(margins=(None,)) if trial.assignment[0][1] > 0.3 else trial._replace(margins=(1.0,))
        for trial in free
    ]
    assert _near(free, 0.8) > 20
    assert _near(bound, 0.2) > _near(free, 0.2) + 5
    assert _near(unknown, 0.2) > _near(free, 0.2) + 5


def test_a_finite_space_is_used_up_where_it_is_good_first():
    space = (("a", Choice(tuple(range(6)))), ("b", Choice(tuple("uvwxyz"))))
    values = [
        [
            trial.value
            for trial in search(tpe(seed=seed, space=space), lambda p: p["a"] + "uvwxyz".index(p["b"]), 36)
        ]
        for seed in range(5)
    ]
    early, late = (sum(sum(row[part]) for row in values) for part in (slice(10, 23), slice(23, 36)))
    assert early < 0.8 * late
