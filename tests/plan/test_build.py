"""From stages to a graph: edges by path, refusals before anything runs, any size without recursion."""

from __future__ import annotations

import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinyon.errors import CycleError, OutputConflictError, UnknownGoalError
from pinyon.model.graph import Command, Graph, Out, Stage
from pinyon.model.project import Goal
from pinyon.plan.build import graph_of


def stage(name: str, deps: str = "", outs: str = "", **more: object) -> Stage:
    command = Command("exec", (f"make-{name}",))
    found = Stage(name, command, ".", tuple(deps.split()), (), tuple(Out(path) for path in outs.split()))
    return found._replace(**more)  # type: ignore[arg-type]


def names(graph: Graph) -> list[str]:
    return [task.stage.name for task in graph.tasks.values()]


def needs(graph: Graph, name: str) -> list[str]:
    task = next(task for task in graph.tasks.values() if task.stage.name == name)
    return [graph.tasks[need].stage.name for need in task.needs]


DIAMOND = [
    stage("last", "left right", "end"), stage("left", "top", "left"), stage("right", "top", "right"),
    stage("first", "raw", "top"), stage("other", "raw2", "else"),
]  # fmt: skip


def test_producers_stand_before_users_whatever_the_file_says():
    graph = graph_of(DIAMOND, Goal())
    assert names(graph) == ["first", "left", "right", "last", "other"]
    assert needs(graph, "last") == ["left", "right"]
    assert sorted(graph.sources) == ["raw", "raw2"]


def test_only_what_the_goal_needs_is_in_the_graph():
    assert names(graph_of(DIAMOND, Goal(("left",)))) == ["first", "left"]
    assert graph_of(DIAMOND, Goal(("left",))).sources == ("raw",)
    assert names(graph_of(DIAMOND, Goal(("right", "left", "right")))) == ["first", "right", "left"]


def test_followers_are_needs_turned_round():
    graph = graph_of(DIAMOND, Goal())
    turned = {(n, f) for n, followers in graph.followers.items() for f in followers}
    assert turned == {(need, task.recipe) for task in graph.tasks.values() for need in task.needs}


def test_an_unknown_goal_is_told_the_nearest():
    with pytest.raises(UnknownGoalError, match=r"no stage is called 'rihgt'; did you mean right\?"):
        graph_of(DIAMOND, Goal(("rihgt",)))


@pytest.mark.parametrize(
    ("dep", "producers", "exact"),
    [
        ("p/one", ["one"], True),
        ("p/one/inside/deep", ["one"], False),
        ("p", ["one", "two"], False),
        (".", ["one", "two"], False),
        ("p/three", [], False),
        ("p/on", [], False),
        ("../p", [], False),
        ("/p/one", [], False),
    ],
)
def test_a_dep_finds_who_makes_it_inside_it_or_around_it(dep, producers, exact):
    stages = [stage("one", "", "p/one"), stage("two", "", "p/two"), stage("user", dep)]
    graph = graph_of(stages, Goal())
    assert needs(graph, "user") == producers
    (item,) = next(task for task in graph.tasks.values() if task.stage.name == "user").inputs
    assert item.exact is exact
    assert (dep in graph.sources) is (not producers)


def test_a_stage_that_needs_two_outs_of_one_stage_needs_it_once():
    assert needs(graph_of([stage("a", "", "x y/z"), stage("b", "x y y/z")], Goal()), "b") == ["a"]


def test_env_files_are_sources():
    assert graph_of([stage("a", "x", env=("uv.lock",))], Goal()).sources == ("x", "uv.lock")


# -- refusals -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        ([stage("a", "c", "x"), stage("b", "x", "y"), stage("c", "y", "c")], "c → a → b → c"),
        ([stage("a", "y", "x"), stage("b", "x/in", "y"), stage("z", "w", "v")], "a → b → a"),
    ],
)
def test_a_cycle_is_named_from_producer_to_user(stages, said):
    for goal in (Goal(), Goal(("a",))):
        with pytest.raises(CycleError) as caught:
            graph_of(stages, goal)
        loop = caught.value.what.removeprefix("stages wait for each other: ").split(" → ")
        ring = said.split(" → ")[:-1]
        assert loop[0] == loop[-1]
        assert loop[:-1] in [ring[n:] + ring[:n] for n in range(len(ring))]


def test_a_cycle_is_refused_though_the_goal_does_not_need_it():
    stages = [stage("a", "y", "x"), stage("b", "x", "y"), stage("fine", "s", "t")]
    with pytest.raises(CycleError):
        graph_of(stages, Goal(("fine",)))


@pytest.mark.parametrize(("dep", "out"), [("x", "x"), ("x", "x/y"), ("x/y", "x"), (".", "x")])
def test_a_stage_cannot_read_what_it_writes(dep, out):
    with pytest.raises(CycleError, match="which it writes itself"):
        graph_of([stage("a", dep, out)], Goal())


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("x", "x", "stages 'a' and 'b' both write x"),
        ("x", "x/y/z", "stages 'a' and 'b' write x and x/y/z, one inside the other"),
        ("x/y", "x", "stages 'b' and 'a' write x and x/y, one inside the other"),
    ],
)
def test_a_place_has_one_producer(first, second, said):
    with pytest.raises(OutputConflictError, match=said):
        graph_of([stage("a", "", first), stage("b", "", second), stage("c")], Goal(("c",)))


def test_one_stage_does_not_write_a_place_twice():
    with pytest.raises(OutputConflictError, match="stage 'a' names x and x/y as outs"):
        graph_of([stage("a", "", "x x/y")], Goal())
    assert graph_of([stage("a", "", "x xy x.y")], Goal()).tasks


# -- frozen -------------------------------------------------------------------------------------------------------------


def test_a_frozen_stage_needs_nothing_so_its_upstream_is_left_alone():
    stages = [stage("up", "s", "u"), stage("ice", "u gone", "i", frozen=True), stage("user", "i", "o")]
    graph = graph_of(stages, Goal(("user",)))
    assert names(graph) == ["ice", "user"]
    assert graph.sources == ()
    assert sorted(names(graph_of(stages, Goal()))) == ["ice", "up", "user"]


def test_a_cycle_through_a_frozen_stage_is_a_cycle():
    with pytest.raises(CycleError):
        graph_of([stage("a", "y", "x", frozen=True), stage("b", "x", "y")], Goal())


# -- size ---------------------------------------------------------------------------------------------------------------


def chain(length: int) -> list[Stage]:
    return [stage(f"s{n}", f"o{n - 1}" if n else "raw", f"o{n}") for n in range(length)]


def test_a_chain_of_any_length_needs_no_recursion():
    limit = sys.getrecursionlimit()
    assert len(graph_of(list(reversed(chain(3 * limit))), Goal()).tasks) == 3 * limit
    looped = [*chain(2 * limit)[1:], stage("s0", f"o{2 * limit - 1}", "o0")]
    with pytest.raises(CycleError):
        graph_of(looped, Goal())


def test_the_work_grows_with_the_stages_not_with_their_square():
    def seconds(length: int) -> float:
        stages = chain(length)
        begin = time.process_time()
        graph_of(stages, Goal())
        return time.process_time() - begin

    small = min(seconds(500) for _ in range(3))
    assert min(seconds(4000) for _ in range(2)) < 8 * 4 * small


@given(st.permutations(DIAMOND))
def test_the_order_in_the_file_changes_no_recipe(stages):
    assert set(graph_of(stages, Goal()).tasks) == set(graph_of(DIAMOND, Goal()).tasks)
