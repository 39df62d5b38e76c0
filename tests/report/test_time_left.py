"""The time left, by a clock of our own."""

from __future__ import annotations

import time

import pytest

from pinyon.model.graph import Command, Out, Stage
from pinyon.model.project import Goal
from pinyon.plan.build import graph_of
from pinyon.plan.estimate import Estimate, Expected
from pinyon.report.left import TimeLeft


class Clock:
    now = 100.0


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: found.now)
    return found


def two(*, known: bool = True) -> Expected:
    """b needs a; ten seconds each."""
    rows = (("a", "raw"), ("b", "a.out"))
    graph = graph_of(
        [Stage(n, Command("exec", (n,)), ".", (dep,), (), (Out(f"{n}.out"),)) for n, dep in rows], Goal()
    )
    a, b = graph.tasks
    return Expected(
        graph, (a, b), {a: Estimate(10.0, "past")} | ({b: Estimate(10.0, "past")} if known else {})
    )


def test_before_the_beginning_nothing_is_known(clock):
    left = TimeLeft()
    assert (left.begun, left.seconds(())) == (False, None)


def test_it_shrinks_with_the_clock_and_with_what_is_finished(clock):
    left, expected = TimeLeft(), two()
    a, b = expected.recipes
    left.begin(expected)
    left.started(a)
    assert (left.begun, left.seconds(())) == (True, 20.0)
    clock.now += 0.5
    assert left.seconds(()) == 19.5  # not computed anew, and still right
    clock.now += 3.5
    assert left.seconds(()) == 16.0
    clock.now += 2.0
    left.ended(a)
    assert left.seconds({a}) == 10.0
    left.started(b)
    clock.now += 30.0  # longer than it was expected to take
    assert left.seconds({a}) == 0.0


def test_what_is_left_of_unknown_length_has_no_time(clock):
    left, expected = TimeLeft(), two(known=False)
    left.begin(expected)
    assert left.seconds(()) is None
    clock.now += 5
    assert left.seconds({expected.recipes[1]}) == 10.0
