"""One call of many (`pinyon tick`): what failed in an earlier one counts, and what would always run runs once."""

from __future__ import annotations

from world import Driver, World

from pinyon.model.graph import Command, Out, Retry, Stage
from pinyon.model.project import Goal
from pinyon.plan.actions import Action, Run, Stop
from pinyon.plan.decide import Settled, decide

A = Stage("a", Command("exec", ("a",)), ".", ("raw",), (), (Out("x"),))


def next_call(world: World, stage: Stage) -> list[Action]:
    """What a later call decides."""
    driver = Driver(world, [stage], Goal(keep_going=True), 1)
    driver.look(["x", "raw"], ())
    return decide(driver.graph, world.history, driver.seen()._replace(lasting=True), Settled())


def fail(world: World, stage: Stage) -> None:
    world.broken.add("a")
    driver = Driver(world, [stage._replace(retry=Retry(0))], Goal(keep_going=True), 1)
    assert driver.finish() == "stopped"
    world.broken.clear()


def test_what_failed_is_not_tried_again():
    world = World({"raw": "1"})
    fail(world, A)
    (stop,) = next_call(world, A)
    assert isinstance(stop, Stop)
    assert stop.failed == ("a",)
    # By somebody who asks, it is; and so it is when what it reads has changed.
    assert isinstance(Driver(world, [A], Goal(), 1).decide()[0], Run)
    world.files["raw"] = "2"
    assert isinstance(next_call(world, A)[0], Run)


def test_retries_count_all_calls():
    stage = A._replace(retry=Retry(2, ("exit",)))
    world = World({"raw": "1"})
    for epoch in (1, 2):
        fail(world, stage)
        (run,) = next_call(world, stage)
        assert isinstance(run, Run)
        assert (run.epoch, run.reason.text) == (epoch + 1, f"try {epoch + 1} of 3 after exit")
    fail(world, stage)
    assert isinstance(next_call(world, stage)[0], Stop)


def test_a_success_makes_up_for_all_failures():
    world = World({"raw": "1"})
    fail(world, A)
    assert Driver(world, [A], Goal(), 1).finish() == "done"
    assert next_call(world, A) == []


def test_what_would_always_run_runs_once():
    always = A._replace(always_changed=True)
    world = World({"raw": "1"})
    assert isinstance(next_call(world, always)[0], Run)
    assert Driver(world, [always], Goal(), 1).finish() == "done"
    assert next_call(world, always) == []
    assert isinstance(Driver(world, [always], Goal(), 1).decide()[0], Run)
