"""Leaderboards: conditions, sorts and limits over runs."""

from __future__ import annotations

import pytest
from stores import Told, point, run_of

from pinyon.errors import PlanError
from pinyon.query.board import FIELDS, Asked, Fields, candidates, list_board, value_of
from pinyon.query.runs import list_runs
from pinyon.query.where import Values


@pytest.fixture
def filled(told: Told) -> Told:
    told.execution()
    for number, accuracy in enumerate([0.5, 0.9, "NaN", 0.7, None]):
        model = {"model": {"size": number % 2}, "name": "ab"[number % 2]}
        told.attempt(
            number,
            inputs={"params": [["params.yaml", "lr", number / 10], ["params.yaml", "", model]]},
            metrics={} if accuracy is None else {"accuracy": accuracy},
            seconds=float(number),
        )
    told.attempt(7, state="FAILED", stage="test")
    told.tell("tagged", attempt="a-1-1", tags={"who": "Ada"})
    told.tell("summary", attempt="a-4-1", values={"accuracy": 0.8, "kind": "tall"})
    told.tell("summary", attempt="a-1-1", values={"accuracy": 0.1})
    told.tell("params", attempt="a-3-1", params={"beta": 0.5})
    told.tell(
        "cells",
        execution="x-1",
        experiment="e",
        phase="lr",
        base=[],
        cells=[
            {
                "cell": "c-1",
                "number": 1,
                "assignment": [["lr", 0.1]],
                "replicates": [{"seed": [["s", 0]], "recipe": "recipe-1"}],
            }
        ],
    )
    told.index.catch_up()
    return told


def names(told: Told, where: str = "", *sort: str, limit: int = 0) -> list[int]:
    rows = list_board(told.index, Asked(where, sort, limit)).rows
    return [int(row.attempt.id.split("-")[1]) for row in rows]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("accuracy > 0.6", [1, 3, 4]),
        ("accuracy > 0.6 and params.lr < 0.35", [1, 3]),
        ("metric.accuracy > 0.85", [1]),
        ("params.model.size = 1", [1, 3]),
        ("params.name = a", [0, 2, 4]),
        ("params.beta = 0.5", [3]),
        ("tag.who ~ ada", [1]),
        ("kind = tall", [4]),
        ("status = FAILED or experiment = e", [1, 7]),
        ("phase = lr and cell = c-1 and seed = 0", [1]),
        ("stage = test", [7]),
        ("seconds >= 3", [3, 4]),
        (f"run = {run_of(2)}", [2]),
        ("attempts = 1 and execution = x-1 and project = p and attempt ~ a-0", [0]),
        ("accuracy = null", [2, 7]),
        ("started > 2020-01-01", [0, 1, 2, 3, 4, 7]),
    ],
)
def test_conditions(filled, where, found):
    assert names(filled, where) == found


def test_sorting_leaves_what_has_no_place_last_either_way(filled):
    assert names(filled, "stage = train", "accuracy") == [0, 3, 4, 1, 2]
    assert names(filled, "stage = train", "-accuracy") == [1, 4, 3, 0, 2]
    assert names(filled, "stage = train", "params.name", "-params.lr") == [4, 2, 0, 3, 1]
    assert names(filled, "", "status", "stage", "-seconds", limit=2) == [7, 4]


def test_a_limit_without_a_sort_leaves_the_newest(filled):
    assert names(filled, limit=2) == [4, 7]
    assert list_board(filled.index, Asked("stage = train", limit=2)).total == 5


def test_rows_are_those_of_the_whole_listing(filled):
    assert list_board(filled.index, Asked()).rows == list_runs(filled.index)
    assert list_board(filled.index, Asked(stage="test")).rows == list_runs(filled.index, "test")


def test_what_is_asked_of_the_slim_row_is_what_the_full_one_has(filled):
    runs = candidates(filled.index)
    fields = Fields(filled.index, runs)
    full = {row.attempt.key: row for row in list_runs(filled.index)}
    for name in (*FIELDS, *fields.names(), "metric.accuracy", "nothing"):
        assert fields.column(name) == [value_of(full[one.key], name) for one in runs], name


def test_what_counts_of_a_run_is_its_newest_success(told):
    told.attempt(1, metrics={"m": 1})
    told.attempt(1, epoch=2, metrics={"m": 2})
    told.attempt(1, epoch=3, state="FAILED")
    told.attempt(2, state=None)
    told.index.catch_up()
    assert names(told, "m = 2 and attempts = 3") == [1]
    assert names(told, "status = RUNNING") == [2]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("acuracy > 1", "did you mean accuracy?"),
        ("params.model.sise = 1", "did you mean params.model.size?"),
        ("lr > 1", "did you mean params.lr?"),
        ("tag.whom = x", "did you mean tag.who?"),
        ("zzzzzz = 1", "there are run, stage"),
    ],
)
def test_a_name_that_no_run_has_is_refused_with_the_nearest(filled, where, message):
    with pytest.raises(PlanError) as caught:
        names(filled, f"stage = train and {where}")
    assert message in str(caught.value)
    assert str(caught.value).splitlines()[2].index("^") == len("stage = train and ") + 2


def test_a_sort_by_what_no_run_has_is_refused(filled):
    with pytest.raises(PlanError, match="did you mean accuracy"):
        names(filled, "", "-acuracy")


def test_where_there_are_no_runs_every_name_may_be_right(told):
    told.index.catch_up()
    assert list_board(told.index, Asked("what = 1", ["-ever"]))[:2] == ([], 0)


def test_other_projects_are_not_ours(told):
    told.attempt(1)
    told.attempt(2, project="other")
    told.index.catch_up()
    told.index.project = "p"
    assert names(told) == [1]
    assert len(list_board(told.index, Asked(project="all")).rows) == 2


def test_the_last_point_of_a_curve_is_nobodys_final_value_unless_one_asks_for_it(filled):
    filled.points([point("a-1-1", 1, curve=1.0)])
    asked = Asked("curve > 0")
    for store in (None, filled.store):
        with pytest.raises(PlanError) as caught:
            list_board(filled.index, asked, store)
        assert ("did you mean curve.last?" in str(caught.value)) == (store is not None)
    [row] = list_board(filled.index, Asked("curve.last > 0"), filled.store).rows
    assert row.attempt.id == "a-1-1"


def test_what_points_sum_up_to_can_be_asked_for(filled):
    for number, values in {0: [3.0, 1.0, "NaN", 2.0], 1: [5.0, 4.0], 2: ["NaN"]}.items():
        filled.points([point(f"a-{number}-1", step, val_loss=value) for step, value in enumerate(values)])

    def ask(
        where: str = "", *sort: str, columns: tuple[str, ...] = ()
    ) -> tuple[list[int], list[list[Values]]]:
        found = list_board(filled.index, Asked(where, sort, 0, "train", None, columns), filled.store)
        return [int(row.attempt.id.split("-")[1]) for row in found.rows], found.cells

    assert ask("val_loss.best < 2")[0] == [0]
    assert ask("val_loss.nan > 0 and val_loss.n > 1")[0] == [0]
    assert ask("val_loss.max >= 3", "-val_loss.last")[0] == [1, 0]
    assert ask("accuracy.last > 0.85")[0] == [1]  # a final value goes before points
    found, cells = ask(
        "", "val_loss.min", columns=("run", "val_loss.min", "val_loss.n", "metric.val_loss.max")
    )
    assert found == [0, 1, 2, 3, 4]
    assert cells[:2] == [[(run_of(0),), (1.0,), (4,), (3.0,)], [(run_of(1),), (4.0,), (2,), (5.0,)]]
    assert cells[2][1:3] == [(), (1,)]


def test_what_a_condition_cannot_compare_is_said(filled):
    filled.attempt(9, inputs={"params": [["params.yaml", "lr", "auto"]]})
    filled.index.catch_up()
    found = list_board(filled.index, Asked("params.lr < 0.35"))
    assert [row.attempt.id for row in found.rows] == [
        row.attempt.id for row in found.rows if row.attempt.id != "a-9-1"
    ]
    assert found.notes == [
        f'params.lr is not a number in 1 of 7 runs, which were not compared: "auto" in {run_of(9)}'
    ]
    assert list_board(filled.index, Asked("params.lr = null or stage ~ t")).notes == []
