"""Parameters are read by attribute, item and dotted name, and are what was declared."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinyon.track.params import Params, merge, nest

NAMES = st.sampled_from(["a", "b", "c", "d_e", "-1", "items", "keys", "get", "train", "lr"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "1e-4", "é\n"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3)
)
TREES = st.dictionaries(NAMES, VALUES, max_size=4)


def leaves(tree: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    if isinstance(tree, dict) and tree:
        return [leaf for name, value in tree.items() for leaf in leaves(value, (*path, name))]
    return [(path, tree)] if path else []


def same(one: Any, other: Any) -> bool:
    """Equal, with the same types; NaN is itself."""
    return repr(one) == repr(other)


@given(TREES)
def test_every_leaf_is_found_by_every_way(tree: dict[str, Any]) -> None:
    params = Params(tree)
    for path, value in leaves(tree):
        by_item, by_attribute = params, params
        for name in path:
            by_item = by_item[name]
            by_attribute = by_attribute[name] if name in dir(dict) else getattr(by_attribute, name)
        plain = by_item.to_dict() if isinstance(by_item, Params) else copy.deepcopy(by_item)
        assert same(Params({"x": value}).to_dict()["x"], plain if not isinstance(plain, list) else value)
        assert same(by_attribute, by_item)
        assert same(params[".".join(path)], by_item)
        assert ".".join(path) in params


@given(TREES)
def test_they_are_what_was_given_and_survive_every_trip(tree: dict[str, Any]) -> None:
    params = Params(tree)
    assert same(params.to_dict(), tree)
    for copied in (pickle.loads(pickle.dumps(params)), copy.deepcopy(params), copy.copy(params)):
        assert isinstance(copied, Params)
        assert same(copied.to_dict(), tree)
    assert same(
        eval(repr(params), {"Params": Params, "nan": float("nan"), "inf": float("inf")}).to_dict(), tree
    )
    assert same([name for name, _ in params.items()], list(tree))


@given(TREES)
def test_flat_names_make_the_same_tree_again(tree: dict[str, Any]) -> None:
    flat = Params(tree).flat()
    assert len(flat) == len(leaves(tree))
    assert same(nest(("params.yaml", name, value) for name, value in flat.items()), tree)


@given(TREES, TREES)
def test_what_is_laid_over_counts(below: dict[str, Any], above: dict[str, Any]) -> None:
    merged = Params(merge(copy.deepcopy(below), above))
    for path, value in leaves(above):
        if value != {}:
            assert same(merged[".".join(path)], Params(above)[".".join(path)])
    for path, _ in leaves(below):
        assert path[0] in merged


@given(TREES, TREES)
def test_params_yaml_goes_before_other_files(here: dict[str, Any], there: dict[str, Any]) -> None:
    rows = [("configs/model.yaml", "", there), ("sub/params.yaml", "", here)]
    assert same(nest(rows), nest(rows[::-1]))
    for path, value in leaves(here):
        if value != {}:
            assert same(Params(nest(rows))[".".join(path)], Params(here)[".".join(path)])


def test_a_group_and_a_part_of_it_can_both_be_declared() -> None:
    rows = [("params.yaml", "train.lr", 0.5), ("params.yaml", "train", {"lr": 0.5, "steps": 3})]
    assert nest(rows) == {"train": {"lr": 0.5, "steps": 3}}
    assert nest([("params.yaml", "layers.0", 1), ("params.yaml", "layers", [1, 2])]) == {"layers": [1, 2]}


def test_a_wrong_name_names_the_nearest() -> None:
    params = Params({"train": {"lr": 1, "steps": 2}})
    with pytest.raises(AttributeError, match=r"no parameter 'lrr' in train; did you mean 'lr'\?"):
        _ = params.train.lrr
    with pytest.raises(KeyError, match=r"no parameter 'zzz'; there are: train"):
        _ = params["zzz"]
    with pytest.raises(KeyError, match="no parameter"):
        _ = params["train.lr.x"]
    assert params.get("train.momentum", 0.9) == 0.9


def test_nobody_can_change_them() -> None:
    params = Params({"a": {"b": 1}})
    with pytest.raises((AttributeError, TypeError)):
        params.a.b = 2  # type: ignore[misc]
    params.to_dict()["a"]["b"] = 3
    assert params.a.b == 1


def test_types_stay() -> None:
    rows = json.loads(
        json.dumps([["params.yaml", "a", 1], ["params.yaml", "b", 1.0], ["params.yaml", "c", "1"]])
    )
    params = Params(nest(rows))
    assert [type(value) for value in params.values()] == [int, float, str]
    assert "a" in dir(params)
