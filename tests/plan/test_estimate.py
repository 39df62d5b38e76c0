"""Estimates: which of the past counts, and the arithmetic of what runs beside what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world import task_of

from pinyon.model.graph import Command, Graph, Out, Stage
from pinyon.model.project import Goal
from pinyon.plan.actions import Reason, Run, Verdict
from pinyon.plan.build import graph_of
from pinyon.plan.estimate import Estimate, Expected, critical_path, estimates, expect, makespan, remaining


class Past:
    """Durations by kind and name, and a count of the questions."""

    def __init__(self, **known: Mapping[str, list[float]]) -> None:
        self.known, self.asked = known, 0

    def durations(self, by: str, names: Iterable[str]) -> dict[str, list[float]]:
        self.asked += 1
        return {name: self.known[by][name] for name in names if name in self.known.get(by, {})}


def graph(*rows: str, **more: object) -> Graph:
    """``name: need need`` each."""
    stages = []
    for row in rows:
        name, _, needs = row.partition(":")
        deps = tuple(f"{need}.out" for need in needs.split())
        stages.append(Stage(name, Command("exec", (name,)), ".", deps or ("raw",), (), (Out(f"{name}.out"),)))
    return graph_of([stage._replace(**more) for stage in stages], Goal())  # type: ignore[arg-type]


def by_name(graph: Graph, found: Mapping[str, Estimate]) -> dict[str, Estimate]:
    return {graph.tasks[recipe].stage.name: estimate for recipe, estimate in found.items()}


def seconds(graph: Graph, **named: float) -> dict[str, float]:
    return {task_of(graph, name).recipe: value for name, value in named.items()}


# -- which past ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("past", "declared", "answer"),
    [
        (Past(), None, None),
        (Past(), 60.0, Estimate(60.0, "declared")),
        (Past(group={"train": [5.0]}), 60.0, Estimate(5.0, "past")),
        (Past(group={"train": [5.0]}, stage={"train@0": [1.0, 2.0, 9.0]}), 60.0, Estimate(2.0, "past")),
        (Past(stage={"train@0": [1.0, 2.0]}, key={"k": [7.0, 8.0]}), None, Estimate(7.0, "past")),
        (Past(stage={"train@1": [1.0]}, key={"other": [7.0]}), None, None),
    ],
)
def test_the_nearest_past_counts(past, declared, answer):
    found = graph("train@0", estimate=declared)
    (task,) = found.tasks.values()
    got = estimates([task], past, {task.recipe: "k"})
    assert got == ({task.recipe: answer} if answer else {})


def test_without_a_group_no_group_is_asked():
    past = Past(stage={}, group={"": [1.0], "train": [1.0]})
    assert estimates(graph("train", "@0123").tasks.values(), past) == {}


def test_any_number_of_stages_is_asked_for_at_once():
    found = graph(*(f"s@{number}" for number in range(1400)))
    past = Past(group={"s": [1.0]})
    assert len(estimates(found.tasks.values(), past)) == 1400
    assert past.asked <= 3


def test_only_what_runs_is_expected_and_unknown_is_named():
    found = graph("a", "b: a", "c: b", "d")
    a, b, c, d = found.tasks
    why = Reason("")
    verdicts = {
        a: Verdict("unchanged", why),
        b: Verdict("run", why),
        c: Verdict("run", why),
        d: Verdict("reuse", why),
    }
    actions = [Run(found.tasks[b], "kb", 1, why, ())]
    expected = expect(found, Past(key={"kb": [4.0]}, stage={"a": [1.0], "d": [1.0]}), actions, verdicts, 2)
    assert expected == Expected(found, (b, c), {b: Estimate(4.0, "past")}, 2)
    assert (expected.seconds, expected.unknown) == ({b: 4.0}, ["c"])


# -- how long -----------------------------------------------------------------------------------------------------------

DIAMOND = graph("a", "b: a", "c: a", "d: b c")


def test_the_critical_path_is_the_longest_chain():
    took = seconds(DIAMOND, a=1, b=2, c=5, d=1)
    assert critical_path(DIAMOND, took) == 7
    assert makespan(DIAMOND, took, 1) == 9
    assert makespan(DIAMOND, took, 2) == 7


def test_what_is_settled_takes_no_time_and_holds_nobody_up():
    assert makespan(DIAMOND, seconds(DIAMOND, b=2, c=5), 1) == 7
    assert critical_path(DIAMOND, seconds(DIAMOND, b=2, c=5)) == 5
    assert (makespan(DIAMOND, {}, 1), critical_path(DIAMOND, {})) == (0, 0)


def test_what_runs_already_holds_a_slot_for_the_rest_of_its_time():
    took = seconds(DIAMOND, b=4, c=5, d=1)
    assert makespan(DIAMOND, took, 1, seconds(DIAMOND, c=3)) == 2 + 4 + 1
    assert makespan(DIAMOND, took, 2, seconds(DIAMOND, b=1, c=99)) == 3 + 1


def test_what_remains_shrinks_to_nothing():
    a, b, c, d = DIAMOND.tasks
    expected = Expected(DIAMOND, (a, b, c, d), {r: Estimate(10.0, "past") for r in (a, b, c, d)}, 2)
    assert remaining(expected, (), {}) == 30
    assert remaining(expected, (), {a: 4.0}) == 26
    assert remaining(expected, {a}, {b: 1.0, c: 2.0}) == 19
    assert remaining(expected, {a, b, c}, {d: 9.5}) == 0.5
    assert remaining(expected, {a, b, c, d}, {}) == 0


def test_what_remains_is_unknown_as_long_as_one_of_them_is():
    a, b, *_ = DIAMOND.tasks
    expected = Expected(DIAMOND, (a, b), {b: Estimate(1.0, "declared")}, 1)
    assert remaining(expected, (), {a: 1.0}) is None
    assert remaining(expected, {a}, {}) == 1.0


@st.composite
def timed(draw: st.DrawFn) -> tuple[Graph, dict[str, float]]:
    rows = []
    for number in range(draw(st.integers(1, 7))):
        needs = draw(st.sets(st.integers(0, number - 1), max_size=3)) if number else set()
        rows.append(f"s{number}: {' '.join(f's{need}' for need in needs)}")
    found = graph(*rows)
    took: dict[str, float] = {}
    for recipe, task in found.tasks.items():  # what needs something that is to run is to run as well
        if took.keys() & set(task.needs) or draw(st.integers(0, 3)):
            took[recipe] = float(draw(st.integers(0, 9)))
    return found, took


@settings(max_examples=300)
@given(timed(), st.integers(1, 4))
def test_a_schedule_is_never_better_than_its_longest_chain_nor_worse_than_a_row(made, slots):
    found, took = made
    serial, path = sum(took.values()), critical_path(found, took)
    assert path <= makespan(found, took, slots) <= serial
    assert makespan(found, took, 1) == serial
    assert makespan(found, took, len(found.tasks)) == path
    assert path == max(by_force(found, took, recipe) for recipe in found.tasks)
    assert makespan(found, took, slots) == ticked(found, took, slots)


def by_force(graph: Graph, took: Mapping[str, float], recipe: str) -> float:
    """The longest way to a task, over every way there is; what is settled lies on none."""
    before = [by_force(graph, took, need) for need in graph.tasks[recipe].needs]
    return took.get(recipe, 0.0) + max(before, default=0.0)


def ticked(graph: Graph, took: Mapping[str, float], slots: int) -> float:
    """The same schedule, one second after another."""
    left = dict(took)
    running: list[str] = []
    clock = 0
    while left:
        while True:  # what takes no time ends at once, and makes room
            running = [recipe for recipe in running if recipe in left]
            ready = [
                r
                for r in graph.tasks
                if r in left and r not in running and not left.keys() & set(graph.tasks[r].needs)
            ]
            running += ready[: slots - len(running)]
            over = next((recipe for recipe in running if not left[recipe]), None)
            if over is None:
                break
            del left[over]
        for recipe in running:
            left[recipe] -= 1
        clock += bool(running)
    return float(clock)
