"""``-S key=value``: over what is there, of the same kind, and never into the original."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinyon.errors import PlanError
from pinyon.plan.overlay import apply, files_of, over, split

READ: dict[str, Any] = {
    "params.yaml": {
        "lr": 0.1, "epochs": 3, "fast": True, "name": "x", "none": None, "layers": [1, {"size": 2}],
        "model": {"hidden": 64, "a.b": 1, "a": {"b": 2}}, "a.b": "dotted", "a": {"b": "nested"}, 1: "one",
    },
    "conf/x.json": {"seed": 0},
    "gone.yaml": None,
}  # fmt: skip


def laid(*overrides: tuple[str, Any]) -> Any:
    before = copy.deepcopy(READ)
    result = apply(READ, overrides)
    assert before == READ
    return result


@pytest.mark.parametrize(
    ("key", "value", "path"),
    [
        ("lr", 1, ["lr"]),
        ("epochs", 2.5, ["epochs"]),
        ("fast", False, ["fast"]),
        ("name", "y", ["name"]),
        ("none", 3, ["none"]),
        ("name", None, ["name"]),
        ("layers", [], ["layers"]),
        ("layers.0", 9, ["layers", 0]),
        ("layers.1.size", 9, ["layers", 1, "size"]),
        ("model.hidden", 128, ["model", "hidden"]),
        ("model", {"hidden": 1}, ["model"]),
        ("a.b", "new", ["a.b"]),
        ("model.a.b", 7, ["model", "a", "b"]),
        ("1", "uno", [1]),
    ],
)
def test_a_value_is_laid_where_the_name_is_found(key, value, path):
    expected = copy.deepcopy(READ["params.yaml"])
    inner = expected
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    assert laid((key, value))["params.yaml"] == expected


def test_text_that_is_a_number_wins_over_the_number():
    assert apply({"params.yaml": {1: "one", "1": "text"}}, [("1", "new")]) == {
        "params.yaml": {1: "one", "1": "new"}
    }


def test_other_files_and_several_values():
    result = laid(("conf/x.json:seed", 4), ("lr", 0.2), ("model.hidden", 1), ("lr", 0.3))
    assert result["conf/x.json"] == {"seed": 4}
    assert (result["params.yaml"]["lr"], result["params.yaml"]["model"]["hidden"]) == (0.3, 1)


def test_a_file_is_one_file_however_its_path_is_written():
    assert files_of([("./conf/../params.yaml:lr", 1), ("lr", 2), ("conf/x.json:seed", 1)]) == [
        "params.yaml",
        "conf/x.json",
    ]
    assert laid(("./params.yaml:lr", 0.5))["params.yaml"]["lr"] == 0.5


def test_split():
    assert split("a.b") == ("params.yaml", "a.b")
    assert split("conf/x.json:a.b") == ("conf/x.json", "a.b")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("epoch", 1, "did you mean epochs?"),
        ("model.hiden", 1, "did you mean model.hidden?"),
        ("layers.2", 1, "no parameter 'layers.2'"),
        ("lr", "fast", "lr is a number in params.yaml, not text"),
        ("lr", True, "not true or false"),
        ("fast", 1, "fast is true or false in params.yaml, not a number"),
        ("name", 1, "name is text"),
        ("layers", {"a": 1}, "layers is a list in params.yaml, not a map"),
        ("layers", (), None),
        ("model", 1, "model is a map"),
        ("gone.yaml:x", 1, "there is no gone.yaml"),
        ("never.yaml:x", 1, "there is no never.yaml"),
    ],
)
def test_what_does_not_fit_is_refused(key, value, said):
    if said is None:
        assert laid((key, value))
        return
    with pytest.raises(PlanError) as caught:
        laid((key, value))
    assert said in str(caught.value)


numbers = st.integers(0, 9)
groups = st.fixed_dictionaries({"a": st.fixed_dictionaries({"x": numbers}), "b": numbers})
layers = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["m.b", "m.a.x", "n", "params.yaml:m.b", "other.yaml:m.b"]), numbers),
        st.tuples(st.sampled_from(["m", "params.yaml:m"]), groups),
        st.tuples(st.just("m.a"), st.fixed_dictionaries({"x": numbers})),
    ),
    max_size=4,
    unique_by=lambda pair: pair[0],
)


@given(layers, layers, layers)
def test_one_overlay_is_what_its_layers_are_one_after_another(first, second, third):
    file = {"m": {"a": {"x": -1}, "b": -1}, "n": -1}
    read = {"params.yaml": file, "other.yaml": copy.deepcopy(file)}
    assert apply(read, over(first, second, third)) == apply(read, [*first, *second, *third])
