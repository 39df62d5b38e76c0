"""Nested data as leaves, and what differs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinyon.model.leaves import flatten
from pinyon.report.diff import as_dict, diff

LEAVES = st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.text("xy", max_size=2)
TREES = st.dictionaries(
    st.text("abc", min_size=1, max_size=2),
    st.recursive(
        LEAVES, lambda below: st.lists(below, max_size=2) | st.dictionaries(st.text("pq", min_size=1), below)
    ),
    max_size=4,
)


def names(old: Any, new: Any) -> list[str]:
    return [change.name for change in diff({"f": old}, {"f": new})]


@pytest.mark.parametrize(
    ("data", "leaves"),
    [
        ({"a": {"b": 1, "c": {}}, "d": [1, {"x": 2}]}, {"a.b": 1, "d": [1, {"x": 2}]}),
        ({}, {}),
        (0.5, {"": 0.5}),
        ([1], {"": [1]}),
        ({1: {True: "x"}}, {"1.True": "x"}),
    ],
)
def test_leaves_have_dotted_names(data, leaves):
    assert flatten(data) == leaves


def test_what_differs_with_the_change_of_numbers():
    old = {"m.json": {"acc": 0.5, "n": 1, "name": "a", "gone": 1}, "old.json": {"x": 1}}
    new = {"m.json": {"acc": 0.75, "n": 1.0, "name": "b", "more": True}}
    assert as_dict(diff(old, new)) == {
        "m.json": {
            "acc": {"old": 0.5, "new": 0.75, "diff": 0.25},
            "name": {"old": "a", "new": "b"},
            "more": {"old": None, "new": True},
            "gone": {"old": 1, "new": None},
        },
        "old.json": {"x": {"old": 1, "new": None}},
    }


def test_values_differ_as_keys_differ_and_nan_is_itself():
    nan = float("nan")
    assert names({"a": 1, "b": True, "c": nan, "d": [1, 2]}, {"a": 1.0, "b": 1, "c": nan, "d": [1, 2.0]}) == [
        "b"
    ]


def test_null_is_absence():
    assert names({"a": None, "b": {}}, {"c": None}) == []


def test_everything_can_be_asked_for():
    assert as_dict(diff({"f": {"a": 1}}, {"f": {"a": 1}}, unchanged=True)) == {
        "f": {"a": {"old": 1, "new": 1, "diff": 0}}
    }


@given(TREES)
def test_nothing_differs_from_itself(data):
    assert names(data, data) == []
    assert len(diff({"f": data}, {"f": data}, unchanged=True)) == len(flatten(data))


@given(TREES, TREES)
def test_both_ways_name_the_same_leaves(old, new):
    there, back = diff({"f": old}, {"f": new}), diff({"f": new}, {"f": old})
    assert {c.name for c in there} == {c.name for c in back}
    assert all(flatten(old).get(c.name) is c.old and flatten(new).get(c.name) is c.new for c in there)
