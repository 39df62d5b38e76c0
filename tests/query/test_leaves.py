"""One leaf of every attempt: what sqlite takes out is what Python reads of the whole."""

from __future__ import annotations

import json
import math
import sqlite3
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stores import Told

from pinyon.query.leaves import documents, leaves

NAMES = st.text(max_size=8) | st.sampled_from(
    ["a", "a.b", "A", "", "a[0]", "$", "#", 'say "a"', "back\\slash", "é", "a b", "a'b", "[1]", "\x7f", "/"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)


def spelled(values: tuple[Any, ...]) -> list[str]:
    """NaN equals nothing, and 1 equals 1.0 and true: as text they do or do not."""
    return [json.dumps(value) for value in values]


@given(st.lists(st.dictionaries(NAMES, VALUES, max_size=4), max_size=5), st.lists(NAMES, max_size=3))
def test_a_leaf_is_what_the_whole_has(tmp_path_factory, metrics, names):
    told = Told(tmp_path_factory.mktemp("leaves"))
    for number, one in enumerate(metrics):
        told.attempt(number, metrics=one)
    told.index.catch_up()
    whole = documents(told.index, "metrics")
    assert len(whole) == len(metrics)
    wanted = [*names, *(name for one in metrics for name in one)]
    found = leaves(told.index, "metrics", wanted)
    assert set(found) == set(wanted)
    for name in wanted:
        for attempt, known in whole.items():
            there = (known[name],) if name in known else ()
            assert spelled(found[name][attempt]) == spelled(there), (name, known)
    told.close()


@pytest.mark.parametrize("value", [1, 1.0, 0.1 + 0.2, 1e300, 10**30, -0.0, None, True, "NaN", "1"])
def test_values_come_as_they_were_written(told, value):
    told.attempt(1, metrics={"m": value, "n": 1})
    told.index.catch_up()
    assert spelled(leaves(told.index, "metrics", ["m"])["m"]["a-1-1"]) == [json.dumps(value)]


def test_what_sqlite_does_not_take_for_json_is_read_by_python(told):
    told.attempt(1, metrics={"m": 1})
    told.attempt(2, metrics={"m": 2})
    told.index.catch_up()
    with sqlite3.connect(told.index.cache / "index.sqlite") as db:
        db.execute(
            "update attempts set metrics = ? where id = 'a-1-1'", (json.dumps({"m": math.nan, "n": 3}),)
        )
    db.close()
    found = leaves(told.index, "metrics", ["m", "n"])
    assert spelled(found["m"]["a-1-1"] + found["n"]["a-1-1"]) == ["NaN", "3"]
    assert (found["m"]["a-2-1"], found["n"]["a-2-1"]) == ((2,), ())
