"""Estimates as people read them."""

from __future__ import annotations

import json

import pytest

from pinyon.model.graph import Command, Out, Stage
from pinyon.model.outcome import FAILED, SUCCEEDED, Attempt
from pinyon.model.project import Goal
from pinyon.plan.build import graph_of
from pinyon.plan.estimate import Estimate, Expected
from pinyon.report.estimate import about, figures, sentence, surprises

HOUR = 3600.0


def expected(slots: int = 1, needs: str = "", **took: float | None) -> Expected:
    """Stages in this order, each after the one named by ``needs`` if that comes before; None is unknown, < 0 declared."""
    deps = {name: (f"{needs}.out" if needs not in ("", name) else "raw",) for name in took}
    stages = [
        Stage(name, Command("exec", (name,)), ".", deps[name], (), (Out(f"{name}.out"),)) for name in took
    ]
    graph = graph_of(stages, Goal())
    by_name = {task.stage.name: recipe for recipe, task in graph.tasks.items()}
    estimates = {
        by_name[name]: Estimate(abs(value), "past" if value > 0 else "declared")
        for name, value in took.items()
        if value is not None
    }
    return Expected(graph, tuple(graph.tasks), estimates, slots)


def test_the_seeds_format():
    found = expected(needs="prepare", prepare=3 * HOUR, train=6 * HOUR, evaluate=-600.0)
    assert sentence(found) == (
        "estimate: ~3 hours prepare + 6 hours train + 10 mins evaluate = ~9 h 10 min; critical path ~9 h"
        " (2 from past runs, 1 declared)"
    )


def test_with_slots_the_schedule_is_told():
    assert sentence(expected(2, a=60.0, b=60.0, c=60.0)) == (
        "estimate: ~60 secs a + 60 secs b + 60 secs c = ~3 min; critical path ~1 min; with -j 2 ~2 min (3 from past runs)"
    )


def test_one_stage_needs_no_sum():
    assert sentence(expected(train=2 * HOUR)) == "estimate: ~2 hours train (1 from past runs)"


def test_of_many_the_longest_are_named_in_the_graphs_order():
    found = expected(**{f"s{number:02}": float(number + 1) for number in range(17)})
    assert sentence(found).startswith(
        "estimate: ~13 secs s12 + 14 secs s13 + 15 secs s14 + 16 secs s15 + 17 secs s16 + … 12 more = ~2 min 33 s"
    )


def test_unknown_ones_are_named_and_not_counted_as_nothing():
    assert sentence(expected(a=None, b=None)) == ""
    assert (
        sentence(expected(a=60.0, b=None))
        == "estimate: ~60 secs a (1 from past runs); not counted, for unknown: b"
    )
    many = expected(a=60.0, **{f"s{number}": None for number in range(7)})
    assert sentence(many).endswith("; not counted, for unknown: s0, s1, s2, s3, s4, … 2 more")


def test_nothing_to_run_says_nothing():
    assert sentence(expected()) == ""


def test_figures_are_json():
    found = figures(expected(2, a=60.0, b=-30.0, c=None))
    assert json.loads(json.dumps(found)) == {
        "serial_seconds": 90.0, "critical_path_seconds": 60.0, "slots": 2, "seconds": 60.0, "from_past": 1, "declared": 1,
        "unknown": ["c"], "stages": {"a": [60.0, "past"], "b": [30.0, "declared"]},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0.0 secs"), (0.34, "0.3 secs"), (1, "1 sec"), (12.4, "12 secs"), (89, "89 secs"), (90, "2 mins"),
        (600, "10 mins"), (89 * 60, "89 mins"), (5400, "1.5 hours"), (7200, "2 hours"), (6 * HOUR, "6 hours"),
        (47 * HOUR, "47 hours"), (60 * HOUR, "2.5 days"),
    ],
)  # fmt: skip
def test_durations_in_one_unit(seconds, words):
    assert about(seconds) == words


def attempt(stage: str, took: float, estimate: float | None, state: str = SUCCEEDED) -> Attempt:
    return Attempt("a", "", "", stage, "x", 1, "in place", state, seconds=took, estimate=estimate)


@pytest.mark.parametrize(
    ("took", "estimate", "said"),
    [
        (7800, 3600, ["train took 2 h 10 min, estimated 1 h: +117 %"]),
        (600, 3600, ["train took 10 min, estimated 1 h: −83 %"]),
        (5400, 3600, []),
        (5401, 3600, ["train took 1 h 30 min, estimated 1 h: +50 %"]),
        (10, 1, []),  # noise
        (12, 1, ["train took 12 s, estimated 1.0 s: +1100 %"]),
        (12, 0, ["train took 12 s, estimated 0.0 s"]),
        (12, None, []),
    ],
)
def test_what_was_far_off_is_told(took, estimate, said):
    assert surprises([attempt("train", took, estimate)]) == said


def test_a_failure_is_no_surprise():
    assert surprises([attempt("train", 1, 3600, FAILED)]) == []


def test_the_worst_come_first_and_only_a_few():
    said = surprises([attempt(f"s{number}", 100.0 * number, 1.0) for number in range(1, 9)])
    assert [line.split()[0] for line in said] == ["s8", "s7", "s6", "s5", "s4", "…"]
    assert said[-1] == "… 3 more were off"
