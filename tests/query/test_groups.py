"""What names and groups of a comparison mean."""

from __future__ import annotations

import pytest
from stores import Told, run_of

from pinyon.errors import PlanError
from pinyon.query.direction import directions
from pinyon.query.groups import groups, params


@pytest.fixture
def filled(told: Told) -> Told:
    told.execution()
    for number in range(4):
        listed = [["params.yaml", "model", {"kind": "ab"[number % 2]}], ["params.yaml", "seed", number // 2]]
        told.attempt(number, stage=f"train@{number}", inputs={"params": listed}, metrics={"m": number})
    told.attempt(1, epoch=2, stage="train@1", state="FAILED")
    told.attempt(9, stage="prepare")
    cell = {
        "cell": "c",
        "number": 1,
        "assignment": [],
        "replicates": [{"seed": [], "recipe": f"recipe-{n}"} for n in (0, 2)],
    }
    told.tell("cells", execution="x-1", experiment="study", phase="p", base=[], cells=[cell])
    told.index.catch_up()
    return told


def found(told: Told, *names: str, **more: str) -> dict[str, list[int]]:
    return {
        one.name: [int(row.attempt.id.split("-")[1]) for row in one.rows]
        for one in groups(told.index, names, **more)
    }


def test_runs_attempts_stages_patterns_and_experiments(filled):
    sides = found(filled, run_of(0), "a-1-1", "prepare", "study", "train@*")
    assert sorted(sides.pop("train@*")) == [0, 1, 2, 3]
    assert sides == {run_of(0): [0], "a-1-1": [1], "prepare": [9], "study": [0, 2]}


def test_an_attempt_is_itself_and_not_its_run(filled):
    [one] = groups(filled.index, ["a-1-2"])
    assert [row.attempt.id for row in one.rows] == ["a-1-2"]
    assert one.rows[0].status == "FAILED"
    assert one.rows[0].metrics == {}


def test_groups_by_any_value(filled):
    assert found(filled, by="params.model.kind", where="stage ~ train") == {
        "params.model.kind=a": [0, 2], "params.model.kind=b": [1, 3],
    }  # fmt: skip
    assert found(filled, "train@0", "train@1", by="params.seed") == {"params.seed=0": [0, 1]}
    assert found(filled, by="experiment")["experiment=study"] == [0, 2]


def test_a_condition_leaves_some_of_a_name(filled):
    assert found(filled, "train@*", "prepare", where="m > 1") == {"train@*": [2, 3], "prepare": []}


@pytest.mark.parametrize(
    ("names", "by", "message"),
    [
        (("val@*",), "", "there are prepare, train@0"),
        (("nothing",), "", "no run, attempt or stage 'nothing'"),
        (("a-1",), "", "could be several attempts"),
        ((), "params.model.kinds", "did you mean params.model.kind?"),
    ],
)
def test_what_means_nothing_is_refused(filled, names, by, message):
    with pytest.raises(PlanError) as caught:
        groups(filled.index, names, by)
    assert message in str(caught.value)


def test_parameters_are_leaves(filled):
    [one] = groups(filled.index, ["train@3"])
    assert params(one.rows[0]) == {"model.kind": "b", "seed": 1}


@pytest.mark.parametrize(
    ("metric", "goal"),
    [
        ("val_loss", "minimize"),
        ("loss/train", "minimize"),
        ("test.accuracy", "maximize"),
        ("F1", "maximize"),
        ("glossy", None),
        ("n", None),
        ("", None),
    ],
)
def test_a_name_tells_the_direction(filled, metric, goal):
    assert directions(filled.index).of(metric) == goal
