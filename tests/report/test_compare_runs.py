"""Sides beside each other: means, intervals, and which is better."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinyon.report.compare import Member, Side, compare, spread, t_quantile


def side(name, *metrics, **params):
    return Side(name, tuple(Member(f"r-{name}{n}", params, one) for n, one in enumerate(metrics)))


def goal_of(name):
    return {"accuracy": "maximize", "loss": "minimize"}.get(name)


@pytest.mark.parametrize(
    ("degrees", "t"),
    [(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (9, 2.2622), (30, 2.0423), (999, 1.9623)],
)
def test_quantiles_are_those_of_the_tables(degrees, t):
    assert t_quantile(degrees) == pytest.approx(t, abs=5e-5)


def test_the_mean_of_three_seeds_and_its_interval():
    found = spread([0.70, 0.72, 0.77])
    assert found.mean == pytest.approx(0.73)
    assert found.half == pytest.approx(4.3027 * 0.0360555 / math.sqrt(3), rel=1e-4)
    assert found.n == 3


@pytest.mark.parametrize(
    ("values", "mean", "half", "n", "text"),
    [
        ([], None, None, 0, ""),
        ([0.5], 0.5, None, 1, ""),
        ([2, 2, 2], 2, 0, 3, ""),
        (["NaN", 1.0], 1.0, None, 1, ""),
        (["NaN", "NaN"], None, None, 0, "NaN"),
        ([math.inf, 1], 1, None, 1, ""),
        (["fast", "slow"], None, None, 0, "…"),
        ([True], None, None, 0, "True"),
        ([10**400, 3], 3, None, 1, ""),
        ([None], None, None, 0, "None"),
    ],
)
def test_what_is_no_number_has_no_mean(values, mean, half, n, text):
    assert spread(values) == (mean, half, n, text)


def test_huge_numbers_overflow_nothing():
    found = spread([1e308, 1.1e308, 1.2e308])
    assert found.mean == pytest.approx(1.1e308)
    assert found.half == pytest.approx(4.3027 * 1e307 / math.sqrt(3), rel=1e-3)
    assert spread([-1.7e308, 1.7e308]).n == 2


@pytest.mark.parametrize(
    ("metric", "first", "other", "verdict"),
    [
        ("accuracy", [0.5], [0.6], "better"),
        ("accuracy", [0.6], [0.5], "worse"),
        ("loss", [0.6], [0.5], "better"),
        ("loss", [0.5, 0.51, 0.5], [0.8, 0.81, 0.8], "worse"),
        ("accuracy", [0.5, 0.7, 0.6], [0.6, 0.8, 0.7], "unclear"),
        ("accuracy", [0.5], [0.5], "same"),
        ("size", [1], [2], ""),
        ("accuracy", [0.5], [], ""),
        ("accuracy", ["NaN"], [1], ""),
    ],
)
def test_verdicts(metric, first, other, verdict):
    sides = [side("a", *({metric: v} for v in first)), side("b", *({metric: v} for v in other))]
    found = compare(sides, goal_of, unchanged=True).metrics[0]
    assert found.verdicts == ("", verdict)


def test_only_what_differs_is_shown_unless_all_is_asked_for():
    sides = [side("a", {"m": 1, "n": 1}, lr=0.1, size=2), side("b", {"m": 1.0, "n": 2}, lr=0.2, size=2.0)]
    found = compare(sides, goal_of)
    assert [one.name for one in found.params] == ["lr"]
    assert [one.name for one in found.metrics] == ["n"]
    found = compare(sides, goal_of, unchanged=True)
    assert [one.name for one in (*found.params, *found.metrics)] == ["lr", "size", "m", "n"]


def test_one_is_not_true_and_missing_is_no_value():
    sides = [side("a", {}, flag=1, only=None), side("b", {}, flag=True)]
    found = compare(sides, goal_of)
    assert [(one.name, one.values) for one in found.params] == [
        ("flag", ((1,), (True,))),
        ("only", ((None,), ())),
    ]


def test_seeds_within_a_group_are_its_values():
    group = Side("g", tuple(Member(f"r{n}", {"seed": n, "lr": 0.1}, {"m": n}) for n in range(3)))
    found = compare([group, side("b", {"m": 1}, seed=0, lr=0.1)], goal_of)
    assert [(one.name, one.values) for one in found.params] == [("seed", ((0, 1, 2), (0,)))]
    assert found.as_dict()["metrics"]["m"]["sides"][0]["n"] == 3
    assert found.as_dict()["sides"][0] == {"name": "g", "runs": ["r0", "r1", "r2"]}


values = st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=6)


@given(values, values)
def test_what_is_better_one_way_is_worse_the_other(first, other):
    sides = [side("a", *({"accuracy": v} for v in first)), side("b", *({"accuracy": v} for v in other))]
    there, back = (
        compare(order, goal_of, unchanged=True).metrics[0].verdicts[1] for order in (sides, sides[::-1])
    )
    assert back == {"better": "worse", "worse": "better"}.get(there, there)


@given(values)
def test_the_mean_lies_between_the_extremes(found):
    one = spread(found)
    assert min(found) - 1e290 <= one.mean <= max(found) + 1e290
    assert one.half is None or one.half >= 0
