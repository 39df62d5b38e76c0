"""Saved views, several projects in one question, and the history of a metric, as a person calls them."""

from __future__ import annotations

import csv
import io
import json
import shutil
from types import SimpleNamespace
from typing import cast

import pytest

from pinyon.cli.runs import below
from pinyon.query.runs import RunRow

TRAIN = """\
import sys
import pinyon
run = pinyon.run()
for step in range(30):
    run.log({"loss": float(sys.argv[1]) / (step + 1), "lr": 0.1}, step=step)
run.summary["accuracy"] = 1 - float(sys.argv[1])
"""
PIPELINE = "stages:\n  train:\n    matrix: {lr: [0.5, 0.25]}\n    cmd: python train.py ${item.lr}\n    deps: [train.py]\n"


@pytest.fixture
def trained(empty):
    empty.fill(
        {"pinyon.yaml": PIPELINE, "train.py": TRAIN, "sub/pinyon.yaml": PIPELINE, "sub/train.py": TRAIN}
    )
    empty.good("run")
    empty.good("-C", "sub", "run", "train@0.25")
    return empty


def test_a_saved_listing_is_asked_again_and_can_be_changed_and_removed(trained):
    words = ("runs", "--where", "accuracy > 0.1", "--sort", "loss.min", "--columns", "stage,loss.min,loss.n")
    shown = trained.good(*words, "--save", "best")
    assert shown.out.splitlines()[1].split() == ["train@0.25", "0.008333", "30"]
    assert "saved as best, version 1" in shown.err
    assert trained.good("runs", "best").out == shown.out
    limited = trained.good("runs", "best", "--limit", "1", "--save", "best").out
    assert len(limited.splitlines()) == 2
    assert trained.good("runs", "best").out == limited
    [view] = trained.good("runs", "--views", "--json").json()
    assert (view["name"], view["kind"], view["version"]) == ("best", "runs", 2)
    assert "loss.min" in trained.good("runs", "--views").out
    trained.good("runs", "--forget", "best")
    assert "no view is saved" in trained.good("runs", "--views").out
    ended = trained("runs", "best")
    assert ended.code == 3
    assert "no view is called 'best'" in ended.err
    assert trained("runs", "--forget", "best").code == 3


def test_a_saved_query(trained):
    sql = "select metric, n from summary where n > 0 group by all order by all"
    shown = trained.good("query", sql, "--save", "counts", "--csv").out
    assert shown.splitlines() == ["metric,n", "loss,30", "lr,30"]
    assert trained.good("query", "counts", "--csv").out == shown
    assert trained("runs", "counts").code == 3
    before = trained.good("runs", "--views", "--json").json()
    assert trained("query", "--save", "bad", "select 1; select 2").code == 3
    assert trained.good("runs", "--views", "--json").json() == before
    assert "did you mean counts?" in trained("query", "count").err


def test_several_projects_are_one_and_one_that_is_not_there_is_named(trained):
    shown = trained.good("runs", "--with", "sub", "--with", "nowhere", "--sort", "-accuracy", "--json")
    assert [(row["store"], row["stage"]) for row in shown.json()] == [
        (".", "train@0.25"),
        ("sub", "train@0.25"),
        (".", "train@0.5"),
    ]
    assert "nowhere is left out" in shown.err
    sql = "select store, project, count(*) as n from points where metric = 'loss' group by all order by all"
    found = trained.good("query", sql, "--with", "sub", "--json").json()
    assert [(row["store"], row["n"]) for row in found] == [(".", 60), ("sub", 30)]
    mine = trained.good("runs", "--with", "sub", "--where", "store = sub", "--columns", "store,stage").out
    assert mine.splitlines()[1].split() == ["sub", "sub", "train@0.25"]
    for path in (trained.root / "sub/.pinyon/journals").glob("*.facts.*"):
        path.unlink()
        path.mkdir()
    shutil.rmtree(trained.root / "sub/.pinyon/cache")
    again = trained.good(
        "query", "select store, count(*) as n from runs group by all", "--with", "sub", "--json"
    )
    assert again.json() == [{"store": ".", "n": 2}]
    assert "cannot be read" in again.err


def test_the_history_of_a_metric(trained):
    drawn = trained.good("history", "train@0.5", "loss").out
    assert "loss: 30 points, last 0.01667" in drawn
    assert any("\u2800" < sign <= "\u28ff" for sign in drawn)  # dots of Braille
    rows = list(csv.reader(io.StringIO(trained.good("history", "train@0.5", "loss", "--csv").out)))
    assert rows[0] == ["attempt", "step", "t", "value"]
    assert [float(row[3]) for row in rows[1:]] == [0.5 / (step + 1) for step in range(30)]
    told = trained.good("history", "train@0.5", "loss", "--json").json()
    assert told["lines"][0]["step"] == list(range(30))
    assert trained.good("history", "train@0.5", "--json").json() == {"metrics": ["loss", "lr"]}
    ended = trained("history", "train@0.5", "los")
    assert ended.code == 3
    assert "its metrics are: loss, lr" in ended.err
    assert json.loads(trained("history", "train@0.5", "los", "--json").out)["error"] == "PlanError"


def test_no_run_is_hidden_by_records_that_say_each_lies_in_the_other():
    parents = {"a": "b", "b": "a", "c": None, "d": "c", "e": "e"}
    rows = [cast(RunRow, SimpleNamespace(run=run, parent=parent)) for run, parent in parents.items()]
    assert [(deep, row.run) for deep, row in below(rows)] == [
        (0, "c"),
        (1, "d"),
        (0, "a"),
        (1, "b"),
        (0, "e"),
    ]
