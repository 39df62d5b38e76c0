"""Admission: what fits beside what, who waits for whom, and that nobody waits for ever."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world import Driver, World

from pinyon.errors import PlanError
from pinyon.model.graph import Command, Out, Resources, Stage
from pinyon.model.outcome import RUNNING, SUCCEEDED, Attempt
from pinyon.model.project import Goal
from pinyon.plan import admit
from pinyon.plan.actions import Reason, Run, Verdict
from pinyon.plan.build import graph_of
from pinyon.plan.state import Free, Gpu, Machine

BOX = Machine(4.0, 100, (Gpu("0", vram=40), Gpu("1", vram=80)))
ALL = admit.whole(BOX, 8)


def stage(name: str, deps: str = "", **asked: float) -> Stage:
    deps = deps or "raw"
    found = Stage(name, Command("exec", (name,)), ".", tuple(deps.split()), (), (Out(f"{name}.out"),))
    return found._replace(resources=Resources(**asked))  # type: ignore[arg-type]


def world(machine: Machine = BOX) -> World:
    found = World({"raw": "1"})
    found.machine = machine
    return found


def begin(world: World, *stages: Stage, jobs: int = 8, **goal: bool) -> Driver:
    return Driver(world, list(stages), Goal(**goal), jobs)  # type: ignore[arg-type]


def start(driver: Driver) -> dict[str, tuple[str, ...]]:
    """Start what may start now: stage → its devices."""
    runs = [action for action in driver.decide() if isinstance(action, Run)]
    for run in runs:
        driver.start(run)
    return {run.task.stage.name: run.devices for run in runs}


def end(world: World, name: str) -> None:
    world.end(next(attempt for attempt, live in world.live.items() if live.run.task.stage.name == name))


# -- arithmetic ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "devices"),
    [
        (Resources(), ()),
        (Resources(cpus=4, memory=100), ()),
        (Resources(cpus=4.5), None),
        (Resources(memory=101), None),
        (Resources(gpus=0, vram=999), ()),
        (Resources(gpus=1), ("0",)),  # the smaller one does it
        (Resources(gpus=1, vram=41), ("1",)),
        (Resources(vram=41), ("1",)),
        (Resources(vram=81), None),
        (Resources(gpus=2), ("0", "1")),
        (Resources(gpus=2, vram=41), None),
        (Resources(gpus=0.5), ("0",)),
        (Resources(gpus=1.5), ("0", "1")),
        (Resources(gpus=3), None),
    ],
)
def test_what_fits_into_an_empty_machine(asked, devices):
    assert admit.fit(ALL, asked) == devices
    assert bool(admit.lacking(ALL, asked)) == (devices is None)


def test_parts_of_a_gpu_share_one_device_until_it_is_full():
    free, half = ALL, Resources(gpus=0.5, vram=20)
    given = []
    while (devices := admit.fit(free, half)) is not None:
        given += devices
        free = admit.take(free, half, devices)
    assert given == ["0", "0", "1", "1"]
    assert admit.fit(ALL._replace(gpus=free.gpus), Resources(gpus=1)) is None


def test_ten_tenths_are_one():
    tenth = Resources(gpus=0.1)
    free = Free(99, gpus=(Gpu("0"),))
    for _ in range(10):
        assert admit.fit(free, tenth) == ("0",)
        free = admit.take(free, tenth, ("0",))
    assert admit.fit(free, tenth) is None


def test_whole_devices_leave_the_begun_one_to_a_part():
    begun = admit.take(ALL, Resources(gpus=0.5), ("1",))
    assert admit.fit(begun, Resources(gpus=1.5)) == ("1", "0")


def test_a_record_gives_back_what_was_taken():
    asked = Resources(cpus=2, memory=30, gpus=1.5, vram=10, time=60)
    record = admit.record(asked, ("1", "0"))
    assert record == {"cpus": 2, "memory": 30, "gpus": 1.5, "vram": 10, "time": 60, "devices": ["1", "0"]}
    attempt = Attempt("a", "", "", "", "", 1, "in place", RUNNING, resources=record)
    left = admit.without(ALL, [attempt], slots=0)
    assert left == Free(8, 2.0, 70, (Gpu("0", 0.0, 30), Gpu("1", 0.5, 70)))
    assert admit.record(Resources(), ()) == {}


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Resources(cpus=64), "64 cpus, and there are 4"),
        (Resources(memory=2000), "2.0 kB of memory, and there are 100 B"),
        (Resources(gpus=3), "3 GPUs, and there are 2"),
        (Resources(vram=90), "a GPU with 90 B of vram, and there is one with 80 B"),
        (Resources(gpus=2, vram=41), "2 GPUs with 41 B of vram, and there is one with 40 B"),
    ],
)
def test_what_is_lacking_is_named(asked, words):
    assert admit.lacking(ALL, asked) == words


def test_without_gpus_that_is_said():
    there = admit.whole(Machine(4, 100), 1)
    assert admit.lacking(there, Resources(gpus=1)) == "1 GPU, and there are none"
    assert admit.lacking(there, Resources(vram=5)) == "a GPU, and there are none"


def test_only_what_would_have_to_run_is_refused():
    big, icy = stage("big", gpus=9), stage("icy", gpus=9)._replace(frozen=True)
    graph = graph_of([big, icy], Goal())
    (recipe,) = admit.too_large(graph, ALL)
    admit.refuse_too_large(graph, ALL, {recipe: Verdict("unchanged", Reason(""))})
    with pytest.raises(
        PlanError,
        match=r"stage 'big' asks for 9 GPUs, and there are 2; .* → ask for less in resources of big",
    ):
        admit.refuse_too_large(graph, ALL, {recipe: Verdict("run", Reason(""))})


# -- decide -------------------------------------------------------------------------------------------------------------


def test_each_gets_devices_of_its_own():
    there = world()
    driver = begin(there, stage("a", gpus=1), stage("b", gpus=1), stage("c", gpus=1), stage("d"))
    assert start(driver) == {"a": ("0",), "b": ("1",), "d": ()}
    end(there, "a")
    assert start(driver) == {"c": ("0",)}


def test_who_asks_for_nothing_is_only_counted():
    names = [f"s{number}" for number in range(5)]
    assert list(start(begin(world(Machine(0.5, 1)), *map(stage, names), jobs=4))) == names[:4]


def test_nothing_small_delays_the_first_that_waits():
    there = world()
    line = [stage("a", cpus=2), stage("big", cpus=4), stage("b", cpus=1), stage("c", cpus=1)]
    driver = begin(there, *line)
    assert list(start(driver)) == ["a"]  # b and c would fit, and big would have to wait for them
    end(there, "a")
    assert list(start(driver)) == ["big"]
    end(there, "big")
    assert list(start(driver)) == ["b", "c"]


def test_what_does_not_delay_it_goes_on():
    there = world()
    driver = begin(
        there,
        stage("a", gpus=1),
        stage("big", gpus=2),
        stage("b", cpus=4),
        stage("c", cpus=1),
        stage("d", gpus=1),
    )
    assert list(start(driver)) == ["a", "b"]
    end(there, "b")
    assert list(start(driver)) == ["c"]  # not d, though a GPU idles
    end(there, "a")
    assert list(start(driver)) == ["big"]


def test_what_ran_already_may_delay_but_gets_no_company():
    """big becomes ready while later ones run; nothing joins them before big has started."""
    there = world()
    driver = begin(
        there,
        stage("a"),
        stage("big", "a.out", cpus=4),
        stage("b", cpus=2),
        stage("c", cpus=2),
        stage("d", cpus=2),
    )
    assert list(start(driver)) == ["a", "b", "c"]
    end(there, "a")
    end(there, "b")
    assert start(driver) == {}
    end(there, "c")
    assert list(start(driver)) == ["big"]


def test_the_reason_to_wait_is_told():
    there = world()
    driver = begin(there, stage("a", cpus=4), stage("b", cpus=4))
    start(driver)
    driver.decide()
    kinds = {driver.graph.tasks[r].stage.name: v.kind for r, v in driver.done.verdicts.items()}
    assert kinds == {"a": "run", "b": "wait"}


def test_what_another_execution_uses_is_waited_for():
    there = world()
    first = begin(there, stage("a", cpus=3), isolated=True)
    second = begin(there, stage("b", cpus=3), isolated=True)
    assert list(start(first)) == ["a"]
    (wait,) = second.decide()
    assert wait.adopted  # type: ignore[union-attr]
    assert wait.attempts == tuple(there.live)  # type: ignore[union-attr]
    end(there, "a")
    assert list(start(second)) == ["b"]


def test_what_can_never_start_fails_instead_of_waiting():
    there = world()
    driver = begin(there, stage("big", cpus=5), stage("b", "big.out"), stage("c"), keep_going=True)
    assert driver.finish() == "stopped"
    assert driver.stop is not None
    assert driver.stop.failed == ("big",)
    assert str(driver.stop.reason) == "it asks for 5 cpus, and there are 4"
    assert [run.task.stage.name for run in driver.runs] == ["c"]


def test_many_that_wait_cost_no_more_than_a_few():
    there = world()
    driver = begin(there, *(stage(f"s{number:03}", cpus=2) for number in range(300)), jobs=300)
    start(driver)
    before = there.history.asked
    driver.decide()
    assert there.history.asked - before <= 20


# -- whatever is asked for ----------------------------------------------------------------------------------------------

ASKED = st.builds(
    Resources,
    cpus=st.sampled_from([None, 0.5, 1.0, 3.0, 4.0]),
    memory=st.sampled_from([None, 30, 100]),
    gpus=st.sampled_from([None, None, 0.1, 0.5, 1.0, 1.5, 2.0]),
    vram=st.sampled_from([None, 15, 40]),
)


@st.composite
def graphs(draw: st.DrawFn) -> list[Stage]:
    """Up to ten stages in any order of resources, each admissible on its own."""
    stages: list[Stage] = []
    for number in range(draw(st.integers(1, 10))):
        asked = draw(ASKED.filter(lambda one: admit.fit(ALL, one) is not None))
        made = [f"s{earlier}.out" for earlier in range(number)]
        deps = " ".join(draw(st.lists(st.sampled_from(made), max_size=2, unique=True)) if made else [])
        stages.append(stage(f"s{number}", deps)._replace(resources=asked))
    return stages


@settings(max_examples=300)
@given(graphs(), st.integers(1, 4), st.randoms(use_true_random=False))
def test_everything_starts_nothing_is_taken_twice_and_the_first_is_not_delayed(stages, jobs, random):
    there = world()
    driver = begin(there, *stages, jobs=jobs)
    whole = admit.whole(BOX, jobs)
    rank = {task.stage.name: number for number, task in enumerate(driver.graph.tasks.values())}
    waiting, joined = "", set[str]()  # the first that waits for room, and who has started behind it since
    while not driver.ended:
        started = start(driver)
        running = {live.run.task.stage.name: live.run for live in there.live.values()}
        assert_sound(admit.without(whole, there.history.open()))
        ready = [s for s in stages if s.name not in running and is_ready(s, there)]
        if waiting in started or (ready and ready_first(ready, rank) != waiting):
            waiting, joined = (ready_first(ready, rank) if ready else ""), set()
        elif waiting:
            joined |= {name for name in started if rank[name] > rank[waiting]}
            beside = whole
            for name in joined & running.keys():
                beside = admit.take(beside, running[name].task.stage.resources, running[name].devices)
            assert admit.fit(beside, named(stages, waiting)) is not None, (
                "those behind it alone keep it waiting"
            )
        if running:
            end(there, random.choice(sorted(running)))
        elif not started:
            driver.act()
    assert driver.ended == "done"
    assert {a.stage for a in there.history.attempts.values() if a.state == SUCCEEDED} == set(rank)


def named(stages: list[Stage], name: str) -> Resources:
    return next(stage.resources for stage in stages if stage.name == name)


def ready_first(ready: list[Stage], rank: Mapping[str, int]) -> str:
    return min((stage.name for stage in ready), key=rank.__getitem__)


def is_ready(stage: Stage, there: World) -> bool:
    done = {attempt.stage for attempt in there.history.attempts.values() if attempt.state == SUCCEEDED}
    return stage.name not in done and all(
        dep == "raw" or dep.removesuffix(".out") in done for dep in stage.deps
    )


def assert_sound(left: Free) -> None:
    amounts = [
        left.slots,
        left.cpus,
        left.memory,
        *(part for gpu in left.gpus for part in (gpu.share, gpu.vram)),
    ]
    assert all(amount > -1e-6 for amount in amounts), left
    assert math.isfinite(left.cpus)
