"""`metrics`, `params` and `plots` between the work tree, revisions of git and runs."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

SPEC = """\
stages:
  train:
    cmd: python train.py
    deps: [train.py]
    params: [train.lr]
    outs: [model.txt]
    metrics: [metrics.json, kept.json]
    plots: [loss.csv]
metrics: [by_hand.yaml]
plots:
  - curve: {x: step, y: {loss.csv: loss}}
"""
TRAIN = """\
import json
for line in open("params.yaml"):
    if "lr:" in line:
        lr = float(line.split()[-1])
json.dump({"acc": 1 - lr, "deep": {"n": 3, "name": "x"}, "list": [1]}, open("metrics.json", "w"))
json.dump({"size": round(lr * 100)}, open("kept.json", "w"))
open("model.txt", "w").write(str(lr))
open("loss.csv", "w").write("step,loss\\n" + "".join(f"{n},{lr ** n}\\n" for n in range(4)))
"""
PARAMS = "train:\n  lr: {lr}\n  seed: 7\nother: [1, 2]\n"


def git(project: Any, *words: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *words], cwd=project.root, check=True, capture_output=True)


def change(project: Any, lr: str) -> None:
    project.write(params_yaml=PARAMS.format(lr=lr))


@pytest.fixture
def committed(empty: Any) -> Any:
    """Two commits, lr 0.5 and lr 0.25, each with what it made; git does not hold kept.json and loss.csv."""
    empty.fill({"pinyon.yaml": SPEC, "train.py": TRAIN, "by_hand.yaml": "score: 1\n"})
    empty.fill({".gitignore": "kept.json\nmodel.txt\nloss.csv\n"})
    git(empty, "init", "-q", "-b", "main")
    for lr in ("0.5", "0.25"):
        change(empty, lr)
        empty.good("run")
        git(empty, "add", "-A")
        git(empty, "commit", "-qm", lr)
    return empty


def test_show_is_the_default_and_takes_every_metrics_file(committed: Any) -> None:
    out = committed.good("metrics").out
    assert out == committed.good("metrics", "show").out
    assert [line.split() for line in out.splitlines()] == [
        ["file", "metric", "value"],
        ["metrics.json", "acc", "0.75"],
        ["metrics.json", "deep.n", "3"],
        ["metrics.json", "deep.name", "x"],
        ["kept.json", "size", "25"],
        ["by_hand.yaml", "score", "1"],
    ]
    shown = committed.good("metrics", "show", "--json").json()["metrics"]["work tree"]
    assert shown["metrics.json"] == {"acc": 0.75, "deep": {"n": 3, "name": "x"}}


def test_the_work_tree_against_head(committed: Any) -> None:
    assert committed.good("metrics", "diff").out.startswith("no metric differs between HEAD (")
    change(committed, "0.125")
    committed.good("run")
    found = committed.good("metrics", "diff", "--json").json()
    assert found["diff"] == {
        "metrics.json": {"acc": {"old": 0.75, "new": 0.875, "diff": 0.125}},
        "kept.json": {"size": {"old": 25, "new": 12, "diff": -13}},
    }
    assert (found["old"][:6], found["new"]) == ("HEAD (", "work tree")


def test_what_git_does_not_hold_comes_from_the_run_with_those_inputs(committed: Any) -> None:
    found = committed.good("metrics", "diff", "HEAD~1", "HEAD", "--json").json()
    assert found["diff"]["kept.json"] == {"size": {"old": 50, "new": 25, "diff": -25}}
    runs = [row["run"] for row in committed.good("runs", "--json").json()]
    assert [note.split("; ")[0].split(":")[0] for note in found["notes"]] == ["kept.json", "kept.json"]
    assert [run in note for run, note in zip(runs, found["notes"], strict=True)] == [True, True]
    table = committed.good("metrics", "diff", "HEAD~1", "HEAD")
    assert "note: kept.json: not in git at" in table.err
    assert ["kept.json", "size", "50", "25", "-25"] in [line.split() for line in table.out.splitlines()]


def test_a_revision_whose_inputs_nobody_ran_has_no_such_metric(committed: Any) -> None:
    change(committed, "0.75")
    git(committed, "commit", "-qam", "never run")
    found = committed.good("metrics", "diff", "HEAD~1", "HEAD", "--json").json()
    assert found["diff"]["kept.json"] == {"size": {"old": 25, "new": None}}
    assert any("no recorded run has those inputs" in note for note in found["notes"])


def test_runs_by_id_and_by_stage(committed: Any) -> None:
    first, second = (row["run"] for row in committed.good("runs", "--json").json())
    expected = {"old": 0.5, "new": 0.75, "diff": 0.25}
    assert (
        committed.good("metrics", "diff", first, second, "--json").json()["diff"]["metrics.json"]["acc"]
        == expected
    )
    assert (
        committed.good("metrics", "diff", first, "--json").json()["diff"]["metrics.json"]["acc"] == expected
    )
    back = committed.good("metrics", "diff", "train", first[:9], "--json").json()
    assert back["old"] == f"{second} (train)"
    assert back["diff"]["metrics.json"]["acc"]["diff"] == -0.25


def test_params_between_revisions_and_of_a_run(committed: Any) -> None:
    found = committed.good("params", "diff", "HEAD~1", "--json").json()["diff"]
    assert found == {"params.yaml": {"train.lr": {"old": 0.5, "new": 0.25, "diff": -0.25}}}
    first = committed.good("runs", "--json").json()[0]["run"]
    assert committed.good("params", "diff", first, "--json").json()["diff"] == found
    assert committed.good("params", "diff", "HEAD", first, "--json").json()["diff"]["params.yaml"].keys() == {
        "train.lr"
    }
    every = committed.good("params", "diff", "--all", "--json").json()["diff"]["params.yaml"]
    assert every["other"] == {"old": [1, 2], "new": [1, 2]}


def test_plots_make_one_page_and_tell_its_path(committed: Any) -> None:
    path = committed.good("plots", "diff", "HEAD~1", "-o", "out/page.html").out.strip()
    html = (committed.root / "out/page.html").read_text()
    assert path == str(committed.root / "out/page.html")
    assert html.count("<svg") == 2
    assert html.count("<polyline") == 4
    shown = committed.good("plots", "show").out.strip()
    assert (committed.root / shown).read_text().startswith("<!doctype html>")
    data = committed.good("plots", "show", "HEAD~1", "--json").json()
    assert data["plots"][0]["series"][0]["points"] == [[0.0, 1.0], [1.0, 0.5], [2.0, 0.25], [3.0, 0.125]]


def test_a_directory_of_plots_that_git_does_not_hold(committed: Any) -> None:
    for lr in ("0.5", "0.25"):
        text = SPEC.replace("plots: [loss.csv]", "plots: [drawn, loss.csv]")
        committed.fill({"pinyon.yaml": text, ".gitignore": "kept.json\nmodel.txt\nloss.csv\ndrawn\n"})
        code = "import os\nos.makedirs('drawn/deep', exist_ok=True)\nopen('drawn/deep/p.svg','w').write(str(lr))\n"
        committed.fill({"train.py": TRAIN + code})
        change(committed, lr)
        committed.good("run")
        git(committed, "add", "-A")
        git(committed, "commit", "-qm", "with a directory")
    runs = [row["run"] for row in committed.good("runs", "--json").json()]
    for states in (("HEAD~1", "HEAD"), (runs[-2], runs[-1])):
        plots = {
            row["title"]: row for row in committed.good("plots", "diff", *states, "--json").json()["plots"]
        }
        assert [image["bytes"] for image in plots["drawn/deep/p.svg"]["images"]] == [3, 4]


def test_the_work_tree_is_left_as_it_is(committed: Any) -> None:
    before = committed.snapshot()
    for call in (("metrics", "diff", "HEAD~1"), ("params", "diff", "HEAD~1", "HEAD"), ("plots", "diff")):
        committed.good(*call)
    assert committed.snapshot() == before


@pytest.mark.parametrize(
    "verb", [("metrics", "diff"), ("params", "diff"), ("plots", "show"), ("metrics", "show")]
)
def test_what_is_no_state_is_told(committed: Any, verb: tuple[str, ...]) -> None:
    ended = committed(*verb, "nothing")
    assert ended.code == 3
    assert "git knows no revision 'nothing' here" in ended.err


@pytest.mark.parametrize("name", ["--output=x", "r-0000", "HEAD~99", "a-", ""])
def test_odd_names_are_refused_or_mean_the_work_tree(committed: Any, name: str) -> None:
    ended = committed("metrics", "diff", "HEAD", "--", name)
    assert ended.code == (0 if name == "" else 3)
    assert not (committed.root / "x").exists()


def test_without_git_runs_can_be_compared(finished: Any) -> None:
    finished.good("run", "-S", "train.lr=0.25")
    first, second = (row["run"] for row in finished.good("runs", "--stage", "train", "--json").json())
    found = finished.good("params", "diff", first, second, "--json").json()["diff"]
    assert found == {"params.yaml": {"train.lr": {"old": 0.5, "new": 0.25, "diff": -0.25}}}
    assert finished("metrics", "diff").code == 3


def test_nothing_to_show_is_said(empty: Any) -> None:
    empty.write(pinyon_yaml="stages: {a: {cmd: 'true', deps: [s]}}\n", s="s")
    assert empty.good("metrics").out.startswith("no metrics; ")
    assert empty.good("plots", "show").out.startswith("no plots; ")


def test_a_revision_without_a_project_is_empty_and_says_so(committed: Any) -> None:
    git(committed, "checkout", "-q", "--orphan", "bare")
    git(committed, "rm", "-rfq", "--cached", ".")
    (committed.root / "README").write_text("x")
    git(committed, "add", "README")
    git(committed, "commit", "-qm", "no project yet")
    found = committed.good("metrics", "diff", "HEAD", "main", "--json").json()
    assert found["diff"]["metrics.json"]["acc"] == {"old": None, "new": 0.75}
    assert "holds no project" in found["notes"][0]


def test_unreadable_metrics_are_a_note(committed: Any) -> None:
    (committed.root / "metrics.json").write_text("{")
    found = json.loads(committed.good("metrics", "diff", "--json").out)
    assert found["diff"]["metrics.json"]["acc"] == {"old": 0.75, "new": None}
    assert any("metrics.json:1: not JSON" in note for note in found["notes"])
