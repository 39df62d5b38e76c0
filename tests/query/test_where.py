"""The language of ``--where``: what it means, and what it says of mistakes."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinyon.errors import PlanError
from pinyon.query.where import parse

RUN: dict[str, tuple[Any, ...]] = {
    "accuracy": (0.75,),
    "params.lr": (0.01,),
    "params.layers": (2,),
    "stage": ("train@a",),
    "params.bias": (True,),
    "params.none": (None,),
    "loss": ("NaN",),
    "top": ("Infinity",),
    "nan": (math.nan,),
    "phase": ("one", "two"),
    "tag.who": ("Ada L",),
    "params.huge": (10**400,),
    "params.list": ([1, 2],),
    "odd name": (1,),
    "started": (1_800_000_000.0,),
    "seconds": (90.0,),
    "params.and": (1,),
}


def holds(text: str) -> bool:
    return parse(text).test(lambda name: [RUN.get(name, ())])[0]


@pytest.mark.parametrize(
    "text",
    [
        "accuracy = 0.75",
        "accuracy == .75",
        "accuracy>0.7",
        "accuracy >= 75e-2",
        "accuracy != 1",
        "params.lr<1e-1 and accuracy > 0",
        "accuracy < 0 or params.layers = 2.0",
        "not accuracy < 0",
        "NOT (accuracy < 0 OR params.layers = 3)",
        "stage = train@a",
        "stage = 'train@a'",
        'stage = "train@a"',
        "stage ~ TRAIN",
        "tag.who ~ 'da l'",
        "params.bias = true",
        "params.bias != false",
        "params.none = null",
        "missing = null",
        "loss = null",
        "accuracy != null",
        "top > 1e300",
        "top = inf",
        "phase = one",
        "phase = two",
        "phase != three",
        "params.huge > 1e300",
        "params.list ~ '1, 2'",
        "'odd name' = 1",
        "started > 2020-01-01",
        "started < '2030-01-01 12:30'",
        "started > 1e9",
        "seconds > 1m and seconds < 1h30m",
        "seconds = 90",
        "params.layers ~ 2",
        "accuracy < 0 and loss > 1 or accuracy > 0",
        "tag.who > Ab",
        "'params.and' = 1",
        "params.and=1",
    ],
)
def test_what_holds(text):
    assert holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "accuracy > 0.75",
        "missing > 0",
        "missing != 0",
        "missing = 0",
        "loss > 0",
        "loss < 0",
        "loss != 0",
        "nan != 1",
        "not accuracy > 0",
        "stage = train",
        "stage > 1",
        "accuracy = '0.75'",
        "params.bias = 1",
        "params.layers = true",
        "params.bias = 'true'",
        "phase != one",
        "accuracy > 0 and (loss > 1 or accuracy > 1)",
        "params.none = 0",
        "params.list = 1",
        "accuracy = null",
        "stage ~ validate",
    ],
)
def test_what_does_not_hold(text):
    assert not holds(text)


@pytest.mark.parametrize(
    ("text", "at", "message"),
    [
        ("accuracy >", 10, "a value is expected"),
        ("accuracy", 8, "one of = !="),
        ("> 3", 0, "a name is expected"),
        ("a = 1 b = 2", 6, "and, or, or the end"),
        ("a = 1 and", 9, "a name is expected"),
        ("(a = 1", 6, "')' is expected"),
        ("a = 1)", 5, "and, or, or the end"),
        ("a = 'x", 4, "begins nothing here"),
        ("a ! 1", 2, "begins nothing here"),
        ("a < true", 4, "a number or text"),
        ("a < null", 4, "a number or text"),
        ("started > noon", 10, "a date such as"),
        ("seconds > long", 10, "a duration such as"),
        ("a = = 1", 4, "a value is expected"),
        ("not", 3, "a name is expected"),
        ("a\t= 1\nor", 8, "a name is expected"),
        ("", 0, "a name is expected"),
    ],
)
def test_a_mistake_is_shown_in_its_place(text, at, message):
    with pytest.raises(PlanError) as caught:
        parse(text)
    lines = str(caught.value).splitlines()
    assert message in lines[0]
    assert lines[2].index("^") - 2 == at


def test_names_are_known_with_their_places():
    assert parse("a = 1 and ('b c' > 2 or not a < 3)").names == {"a": 0, "b c": 11}


@pytest.mark.parametrize("text", ["(" * 5000 + "a = 1" + ")" * 5000, "not " * 5000 + "a = 1"])
def test_depth_is_bounded(text):
    with pytest.raises(PlanError, match="less deep"):
        parse(text)


def test_length_is_not():
    assert parse(" or ".join(f"a = {n}" for n in range(5000))).test(lambda _: [(4999,)])[0]


@given(st.text(max_size=60))
def test_any_text_is_a_condition_or_a_clear_error(text):
    try:
        condition = parse(text)
    except PlanError as error:
        assert "^" in str(error)  # noqa: PT017 -- either outcome is right
    else:
        condition.test(lambda _: [(1, "x", None, [1])])


numbers = st.one_of(
    st.integers(-5, 5),
    st.floats(-5, 5),
    st.just("NaN"),
    st.none(),
    st.booleans(),
    st.sampled_from(["a", "b"]),
)


@given(
    numbers,
    st.sampled_from(["a", "1", "'1'", "true", "-2.5", "null"]),
    st.sampled_from(["=", "<", "<=", ">", ">=", "~"]),
)
def test_not_is_the_opposite(value, wanted, op):
    if wanted in ("true", "null") and op not in "=~":
        return
    get = lambda _: [(value,)]  # noqa: E731 -- as short as what it stands for
    assert parse(f"not x {op} {wanted}").test(get)[0] is not parse(f"x {op} {wanted}").test(get)[0]
