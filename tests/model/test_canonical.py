"""Equal values have equal bytes, different ones different bytes."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinyon.errors import PlanError
from pinyon.model.canonical import canonical

NUMBERS = st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=10,
)


def typed(value: Any) -> Any:
    """A value that Python's == tells apart as canonical JSON must: True is not 1, but 1 is 1.0 below 2**53."""
    if isinstance(value, bool) or value is None:
        return ("constant", value)
    if isinstance(value, int | float):
        exact = abs(value) < 2**53
        return ("number", value) if exact else (type(value).__name__, value)
    if isinstance(value, list | tuple):
        return ("list", [typed(item) for item in value])
    if isinstance(value, dict):
        return ("map", {key: typed(item) for key, item in value.items()})
    return ("text", value)


def shuffled(value: Any) -> Any:
    """The same value with maps in another order, lists as tuples and integers as floats."""
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(value)}
    if isinstance(value, list):
        return tuple(shuffled(item) for item in value)
    if type(value) is int and abs(value) < 2**53:
        return float(value)
    return value


@given(VALUES, VALUES)
def test_bytes_are_equal_exactly_when_values_are(one: Any, other: Any):
    assert (canonical(one) == canonical(other)) == (typed(one) == typed(other))


@given(VALUES)
def test_order_and_spelling_do_not_matter(value: Any):
    assert canonical(shuffled(value)) == canonical(value)


@given(VALUES)
def test_it_is_json_and_its_own_canonical_form(value: Any):
    data = canonical(value)
    assert typed(json.loads(data)) == typed(value)
    assert canonical(json.loads(data)) == data


@given(VALUES, st.sampled_from([math.nan, math.inf, -math.inf]))
def test_nan_and_infinity_are_refused_wherever_they_are(value: Any, bad: float):
    for holder in (bad, [value, bad], {"a": value, "b": {"c": (bad,)}}, {bad: value}):
        with pytest.raises(PlanError):
            canonical(holder)


@pytest.mark.parametrize(
    ("value", "data"),
    [
        ({"b": 1.0, "a": [True, None]}, b'{"a":[true,null],"b":1}'),
        ("松\n", '"松\\n"'.encode()),
        (-0.0, b"0"),
        (0.1, b"0.1"),
        (2.0**53, b"9007199254740992.0"),
        (1e300, b"1e+300"),
        ({1: "a", None: "b", 1.5: "d"}, b'{"1":"a","1.5":"d","null":"b"}'),
    ],
)
def test_known_answers(value: Any, data: bytes):
    assert canonical(value) == data


def test_equal_maps_with_numbers_as_keys_are_equal():
    assert canonical({1: "a"}) == canonical({1.0: "a"}) == canonical({"1": "a"})


@pytest.mark.parametrize("value", [{1: "a", "1": "b"}, {None: 1, "null": 2}, {True: 1, "true": 2}])
def test_keys_that_would_merge_are_refused(value: Any):
    with pytest.raises(PlanError, match="one spelling"):
        canonical(value)


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", "\ud800", {(1, 2): 3}, [10**5000], 1j])
def test_what_json_does_not_have_is_refused(value: Any):
    with pytest.raises(PlanError):
        canonical(value)


def test_depth_and_circles_are_refused():
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    circle: list[Any] = []
    circle.append(circle)
    for value in (deep, circle):
        with pytest.raises(PlanError):
            canonical(value)
    while deep:
        deep = deep.pop()
