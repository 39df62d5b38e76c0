"""Conditions against a brute-force oracle."""

from __future__ import annotations

import math
import operator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinyon.model.condition import Comparison, Condition, Watch, parse

OPERATORS = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
METRICS = st.sampled_from(["a", "b", "val/loss", "gpu-and-cpu", "class_1_accuracy", "and"])
NUMBERS = st.integers(-3, 3).map(float) | st.floats(allow_nan=False)
TERMS = st.lists(
    st.builds(Comparison, METRICS, st.sampled_from(sorted(OPERATORS)), NUMBERS), min_size=1, max_size=3
)
SMALL = st.builds(Comparison, st.just("x"), st.sampled_from(sorted(OPERATORS)), st.integers(-2, 2).map(float))
LOOKS = st.lists(
    st.tuples(st.none() | st.just(math.nan) | st.integers(-3, 3).map(float), st.integers(0, 4)), max_size=12
)


def holds(terms: tuple[Comparison, ...], value: float | None) -> bool:
    return (
        value is not None and not math.isnan(value) and all(OPERATORS[t.op](value, t.number) for t in terms)
    )


def oracle(condition: Condition, looks: list[tuple[float | None, float]]) -> bool:
    """Whether it is fired after these looks: searched for from the definition, without a state."""
    fired_at = None
    for index in range(len(looks)):
        if fired_at is not None and condition.clear:
            if holds(condition.clear, looks[index][0]):
                fired_at, begin = None, index + 1
                looks = [(None, time) for _, time in looks[:begin]] + looks[begin:]
            continue
        run = index + 1
        while run > 0 and holds(condition.terms, looks[run - 1][0]):
            run -= 1
        unbroken = run <= index
        fired_at = index if unbroken and looks[index][1] - looks[run][1] >= condition.duration else None
    return fired_at is not None


@given(
    st.lists(SMALL, min_size=1, max_size=2),
    st.lists(SMALL, max_size=1),
    st.sampled_from([0.0, 1.0, 3.0, 5.0]),
    LOOKS,
)
def test_a_watch_agrees_with_the_definition(terms: list, clear: list, duration: float, looks: list):
    condition = Condition(tuple(terms), duration, tuple(clear))
    watch, now, seen = Watch(), 0.0, []
    for value, step in looks:
        now += step
        seen.append((value, now))
        watch = watch.step(condition, {} if value is None else {"x": value}, now)
        assert watch.fired == oracle(condition, list(seen))


@given(TERMS, st.dictionaries(METRICS, NUMBERS | st.just(math.nan) | st.none()))
def test_terms_hold_as_python_says_and_never_without_a_number(terms: list, values: dict):
    expected = all(
        (value := values.get(term.metric)) is not None
        and not math.isnan(value)
        and OPERATORS[term.op](value, term.number)
        for term in terms
    )
    assert Condition(tuple(terms)).holds(values) == expected


@given(TERMS)
def test_what_is_shown_can_be_parsed_and_means_the_same(terms: list):
    condition = Condition(tuple(terms))
    assert parse(str(condition)) == condition


@pytest.mark.parametrize("op", sorted(OPERATORS))
@pytest.mark.parametrize("value", [None, math.nan])
def test_no_data_satisfies_nothing(op: str, value: float | None):
    assert not parse(f"x {op} 1").holds({"x": value})
    assert not parse(f"x {op} 1").holds({})


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("accuracy >= 0.75", [("accuracy", ">=", 0.75)]),
        (" gpu_utilization<5 ", [("gpu_utilization", "<", 5.0)]),
        ("a >= .3 and b <= 150000", [("a", ">=", 0.3), ("b", "<=", 150000.0)]),
        ("val/loss != -1e-3", [("val/loss", "!=", -0.001)]),
        ("a-and-b == inf", [("a-and-b", "==", math.inf)]),
        ("random > 1\nand  brand < 2", [("random", ">", 1.0), ("brand", "<", 2.0)]),
    ],
)
def test_parse(text: str, terms: list):
    assert [tuple(term) for term in parse(text).terms] == terms


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "a",
        "a >",
        "> 1",
        "a > b",
        "a => 1",
        "a = 1",
        "a > 1 and",
        "a > 1 or b > 2",
        "a > nan",
        "a > 1 2",
    ],
)
def test_what_is_no_condition_is_refused_with_its_text(text: str):
    with pytest.raises(ValueError, match=r"not a |with NaN"):
        parse(text)


def test_hysteresis():
    condition = parse("temperature > 80", clear="temperature < 70")
    watch, told = Watch(), []
    for now, temperature in enumerate([75, 85, 75, math.nan, 65, 75, 81]):
        watch = watch.step(condition, {"temperature": temperature}, now)
        told.append(watch.fired)
    assert told == [False, True, True, True, False, False, True]


def test_shown_with_all_digits():
    assert str(parse("n <= 1234567 and lr > 0.3", duration=1800)) == "n <= 1234567 and lr > 0.3 for 1800 s"


def test_a_missed_look_changes_nothing_that_was_seen():
    condition: Any = parse("x > 0", duration=10)
    looked = Watch().step(condition, {"x": 1}, 0).step(condition, {"x": 1}, 5).step(condition, {"x": 1}, 10)
    assert looked == Watch().step(condition, {"x": 1}, 0).step(condition, {"x": 1}, 10) == Watch(0, True)
