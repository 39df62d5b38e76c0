"""Attempts of other projects in a shared store: used, waited for, and never repaired."""

from __future__ import annotations

from world import Driver, World

from pinyon.model.graph import Command, Out, Stage
from pinyon.model.project import Goal
from pinyon.plan.actions import Repair, Run, Wait
from pinyon.plan.decide import Settled, decide


def stage(command: str = "a") -> Stage:
    return Stage("a", Command("exec", (command,)), ".", ("raw",), (), (Out("x"),))


def started(world: World) -> str:
    """An attempt of somebody else's that is at work on stage a."""
    Driver(world, [stage()], Goal(), 1).act()
    (name,) = world.live
    return name


def test_a_dead_one_is_left_alone():
    world = World({"raw": "1"})
    name = started(world)
    ours = Driver(world, [stage()], Goal(), 1)
    dead = ours.seen()._replace(alive=frozenset())
    assert isinstance(decide(ours.graph, world.history, dead, Settled())[0], Repair)
    (run,) = decide(ours.graph, world.history, dead._replace(foreign=frozenset({name})), Settled())
    assert isinstance(run, Run)
    assert run.epoch == 2


def test_a_living_one_at_the_same_key_is_waited_for():
    world = World({"raw": "1"})
    name = started(world)
    ours = Driver(world, [stage()], Goal(), 1)
    seen = ours.seen()._replace(foreign=frozenset({name}))
    assert decide(ours.graph, world.history, seen, Settled()) == [Wait((name,), adopted=True)]


def test_what_it_writes_lies_in_another_directory():
    world = World({"raw": "1"})
    name = started(world)
    ours = Driver(world, [stage("changed")], Goal(), 1)
    (wait,) = decide(ours.graph, world.history, ours.seen(), Settled())
    assert isinstance(wait, Wait)
    seen = ours.seen()._replace(foreign=frozenset({name}))
    (run,) = decide(ours.graph, world.history, seen, Settled())
    assert isinstance(run, Run)
