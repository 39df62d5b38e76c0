"""``run`` and ``plan`` of an experiment, from the outside."""

from __future__ import annotations

import json
from typing import Any

import pytest

STAGES = """\
stages:
  prepare: {cmd: "echo prepare >> $RAN; cp raw.txt data", deps: [raw.txt], outs: [data]}
  train:
    cmd: >-
      echo train >> $RAN;
      echo "{\\"accuracy\\": ${acc.a}${acc.b}, \\"size\\": ${size}, \\"seen\\": $(grep -c . params.yaml)}" > metrics.json
    deps: [data]
    params: [acc, size, seed]
    metrics: [metrics.json]
  test: {cmd: "echo test >> $RAN; cp metrics.json test.json", deps: [metrics.json], metrics: [test.json]}
experiments:
"""
PARAMS = "# by hand\nacc: {a: 1, b: 5}   # keep\nsize: 10\nseed: 0\n"
TWO = """\
  study:
    stage: train
    objective: {maximize: accuracy, subject_to: [size <= 20], prefer: size}
    phases:
      first: {grid: {acc.a: [1, 2, 3]}}
      second: {grid: {size: [10, 20, 30], acc.b: [1, 5]}}
    then: [test]
"""


@pytest.fixture
def study(project):
    def write(text: str = TWO) -> None:
        project.fill({"pinyon.yaml": STAGES + text, "params.yaml": PARAMS})

    write()
    project.rewrite = write
    return project


def phases(project) -> dict[str, Any]:
    return {phase["phase"]: phase for phase in project.good("plan", "study", "--json").json()["phases"]}


def winner(phase: dict[str, Any]) -> dict[str, Any]:
    return next(cell["assignment"] for cell in phase["cells"] if cell["cell"] == phase["winner"])


def test_go_or_no_go(study):
    plan = study.good("plan", "study").out.splitlines()
    assert plan[0] == "study: train: maximize accuracy subject to size <= 20, among equals the smaller size"
    assert plan[1] == "first"
    assert plan[-2] == (
        "9 cells, 9 replicates, 8 distinct runs of train: 8 run; counted over first keeping a=1"
    )
    figures = study.good("plan", "study", "--json").json()
    assert {name: figures[name] for name in ("cells", "replicates", "distinct", "estimate_seconds")} == {
        "cells": 9, "replicates": 9, "distinct": 8, "estimate_seconds": 0,
    }  # fmt: skip
    assert len(figures["actions"]) == 1  # prepare, which everything needs
    assert study.all_ran() == []


def test_from_winner_to_winner(study):
    files = {name: study.read(name) for name in ("params.yaml", "pinyon.yaml")}
    out = study.good("run", "study", "-j", "2").out
    assert study.all_ran().count("prepare") == 1
    assert study.all_ran().count("train") == 8
    assert study.all_ran().count("test") == 1
    assert "winner    first  a=3: accuracy 35" in out
    assert "9 cells, 8 distinct runs, 10 stages: 10 succeeded" in out
    found = phases(study)
    assert winner(found["first"]) == {"acc.a": 3}
    # 20 is as accurate as 10 is, and larger.
    assert winner(found["second"]) == {"size": 10, "acc.b": 5}
    assert files == {name: study.read(name) for name in files}
    assert not (study.root / "metrics.json").exists()
    again = study.good("run", "study").out
    assert again.startswith("nothing to do: 9 cells, 8 distinct runs, 10 stages unchanged")
    assert study.all_ran().count("train") == 8


def test_experiments_share_what_they_have_made(study):
    study.good("run", "study")
    study.rewrite(TWO + TWO.replace("study:", "other:").replace("[1, 2, 3]", "[2, 3, 4]"))
    study.ran.write_text("")
    assert "winner    first  a=4" in study.good("run", "other").out
    assert study.all_ran() == ["train", *["train"] * 5, "test"]  # a=4, and the shapes on it that are not new


def test_a_seed_replicates(study):
    study.rewrite(TWO.replace("    phases:", "    seeds: {seed: [1, 2]}\n    phases:"))
    study.good("run", "study")
    assert study.all_ran().count("train") == 16  # no cell is shared any more with base, whose seed is 0
    assert "± 0 (n = 2)" in phases(study)["first"]["why"]


def test_no_winner_is_an_answer_with_an_exit_code(study):
    study.rewrite(TWO.replace("size <= 20", "size <= 5"))
    ended = study("run", "study")
    assert ended.code == 6
    assert "phase 'first' of experiment 'study' has no winner" in ended.err
    assert "size <= 5" in ended.err
    assert study.all_ran().count("train") == 3
    again = study("run", "study", "--json")
    assert again.code == 6
    assert json.loads(again.out or again.err)["exit_code"] == 6
    assert study.all_ran().count("train") == 3


def test_a_cell_that_fails_stops_no_other(study):
    text = STAGES.replace("echo train >> $RAN;", "echo train >> $RAN; test ${acc.a} != 2 || exit 1;")
    study.fill({"pinyon.yaml": text + TWO})
    ended = study("run", "study")
    assert ended.code == 4
    assert "train" in ended.err
    assert study.all_ran().count("train") == 3  # the failed one too, and nothing of the second phase
    study.fill(
        {
            "pinyon.yaml": text
            + TWO.replace("{grid: {acc.a: [1, 2, 3]}}", "{grid: {acc.a: [1, 2, 3]}, quorum: 0.6}")
        }
    )
    assert study("run", "study").code == 0
    assert study.all_ran().count("train") == 3 + 1 + 5  # once more what had failed; the others are there


def test_skipping_a_phase(study):
    study.good("run", "study")
    study.rewrite(TWO.replace("[10, 20, 30]", "[10, 20, 12]"))
    ended = study.good("run", "study", "--skip-phase", "first")
    assert "winner    second  size=10 b=5" in ended.out
    assert "skipped; the recorded winner: a=3" in study.good("plan", "study", "--skip-phase", "first").out
    assert study("run", "study", "--skip-phase", "frist").err.count("did you mean first?") == 1
    assert study("run", "train", "--skip-phase", "first").code == 3


def test_what_won_under_other_values_is_not_kept(study):
    study.good("run", "study", "-S", "acc.b=9", "--phase", "first")
    assert "no winner is recorded" in study.good("plan", "study", "--phase", "second").out
    assert "the recorded winner: a=3" in study.good("plan", "study", "--phase", "second", "-S", "acc.b=9").out


SET = TWO.replace("    phases:", "    set: {size: 7, seed: 4}\n    phases:")


def test_what_is_set_holds_throughout_and_the_call_goes_before(study):
    study.rewrite(SET)
    out = study.good("plan", "study").out.splitlines()
    assert out[0].endswith("among equals the smaller size; size=7 seed=4 throughout")
    assert out[out.index("  run       a=3") + 1] == "second  on a=1 (assumed)"
    study.good("run", "study")
    runs = [run for run in study.good("runs", "--json").json() if run["stage"] == "train"]
    assert {run["params"]["seed"] for run in runs} == {4}
    assert sorted(run["metrics"]["size"] for run in runs) == [7, 7, 7, 10, 10, 20, 20, 30, 30]
    found = phases(study)["second"]
    assert found["base"] == {"size": 7, "seed": 4, "acc.a": 3}
    assert study.good("plan", "study", "--json").json()["set"] == {"size": 7, "seed": 4}
    said = ("study", "-S", "size=8", "-S", "seed=5", "-S", "acc.b=1")
    assert study.good("plan", *said).out.splitlines()[0].endswith("; size=8 seed=5 throughout")
    study.good("run", *said, "--phase", "first")
    runs = [run for run in study.good("runs", "--json").json() if run["stage"] == "train"]
    assert sorted(run["metrics"]["size"] for run in runs) == [7, 7, 7, 8, 8, 8, 10, 10, 20, 20, 30, 30]
    assert "the recorded winner: a=3" in study.good("plan", "study", "--phase", "second").out


def test_what_is_set_becomes_the_project_with_the_winner(study):
    study.rewrite(SET.replace("size: 7, ", ""))
    study.good("run", "study")
    dry = study.good("apply", "study").out.splitlines()
    assert dry[:2] == ["params.yaml: seed: 0 → 4", "params.yaml: acc.a: 1 → 3"]
    assert study.stages() == []


def test_experiments_that_set_keep_their_own_winners_and_share_the_rest(study):
    study.good("run", "study")
    other = SET.replace("study:", "other:").replace("size: 7, seed: 4", "seed: 0, acc.b: 5")
    study.rewrite(TWO + other)
    study.ran.write_text("")
    out = study.good("run", "other").out
    assert study.all_ran() == []  # it sets what there is
    assert "winner    first  a=3" in out
    study.rewrite(TWO + other.replace("acc.b: 5", "acc.b: 100"))
    assert "no winner is recorded" in study.good("plan", "other", "--phase", "second").out
    assert "the recorded winner: a=3" in study.good("plan", "study", "--phase", "second").out
    study.good("run", "other")
    assert study.all_ran() == ["train"] * 3  # the second phase sets b itself


def test_a_search_under_another_set_is_another_search(study):
    search = """\
  study:
    stage: train
    objective: {maximize: accuracy}
    set: {size: 3}
    phases: {tune: {search: {acc.a: {int: [1, 9]}, acc.b: {int: [1, 50]}}, trials: 4, sampler: random}}
"""
    study.rewrite(search)
    study.good("run", "study")
    study.rewrite(search.replace("size: 3", "size: 4"))
    assert "4 trials of random, proposed while it runs" in study.good("plan", "study").out
    study.good("run", "study")
    assert study.all_ran().count("train") == 8
    study.rewrite(search)
    assert "nothing to do: 4 cells" in study.good("run", "study").out


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        (
            "set: {acc.aa: 1}",
            3,
            "pinyon.yaml:12: set: acc.aa: params.yaml has no parameter 'acc.aa'; did you mean acc.a",
        ),
        ("set: {other: 1}", 3, "set: other: params.yaml has no parameter"),
        ("set: {size: big}", 3, "set: size=big: size is a number in params.yaml, not text"),
        ("set: {lr: 2}", 3, "set: lr changes nothing that stage 'train' is made from"),
        ("set: [size]", 2, "set of experiment 'study' must be a mapping"),
        ("promote: {model: m}", 2, "says neither alias nor stage"),
        ("promote: {model: m, alias: a, gate: [prepare.n > 1]}", 3, "'prepare.n > 1' asks stage 'prepare'"),
    ],
)
def test_bad_sets_and_promotions_are_named(study, line, code, said):
    study.rewrite(TWO.replace("    then", f"    {line}\n    then"))
    study.fill({"params.yaml": PARAMS + "lr: 1\n"})
    for verb in ("plan", "run"):
        ended = study(verb, "study")
        assert (ended.code, said in ended.err) == (code, True), ended.err
    assert study.all_ran() == []


def test_a_plan_says_what_becomes_of_the_winner(study):
    stages = STAGES.replace(
        "    metrics: [metrics.json]\n", "    outs: [model]\n    metrics: [metrics.json]\n", 1
    )
    promote = "promote: {model: lstm, stage: Staging, gate: [test.accuracy > 0.75, size < 150000]"
    study.fill({"pinyon.yaml": stages + TWO.replace("    then", f"    {promote}}}\n    then")})
    line = (
        "promote   the winner as a version of lstm, and staging points at it"
        " if test.accuracy > 0.75 and size < 150000"
    )
    assert study.good("plan", "study").out.splitlines().count(line) == 1
    more = f"    {promote}, stretch: [test.accuracy > 0.8]}}\n    then"
    study.fill({"pinyon.yaml": stages + TWO.replace("    then", more)})
    assert f"{line}; stretch: test.accuracy > 0.8" in study.good("plan", "study").out.splitlines()
    assert study.good("plan", "study", "--json").json()["promote"] == {
        "model": "lstm", "alias": "staging", "path": "",
        "gate": ["test.accuracy > 0.75", "size < 150000"], "stretch": ["test.accuracy > 0.8"],
    }  # fmt: skip
    study.rewrite()
    assert study.good("plan", "study", "--json").json()["promote"] is None


def test_an_experiment_is_not_called_like_a_stage(study):
    study.rewrite(TWO.replace("study:", "train:"))
    ended = study("run", "train")
    assert (ended.code, "both called 'train'" in ended.err) == (2, True)


def test_one_phase_alone(study):
    study.good("run", "study", "--phase", "first")
    assert study.all_ran().count("train") == 3
    assert study.all_ran().count("test") == 1
    study.good("run", "study", "--phase", "second")
    assert study.all_ran().count("train") == 8
    assert "skipped; the recorded winner: a=3" in study.good("plan", "study", "--phase", "second").out
    assert study("run", "train", "--phase", "first").code == 3


def test_what_is_set_by_hand_holds_for_all_cells(study):
    study.good("run", "study", "-S", "acc.b=7")
    assert study.all_ran().count("train") == 3 + 6  # b=7 is none of the second phase's
    found = study.good("runs", "--json").json()
    assert {run["metrics"].get("accuracy") for run in found if run["stage"] == "train"} >= {17, 27, 37}


def test_the_winner_becomes_the_project(study):
    assert study("apply", "study").code == 6
    study.good("run", "study")
    dry = study.good("apply", "study", "--dry-run").out
    assert dry.splitlines() == ["params.yaml: acc.a: 1 → 3"]
    assert study.read("params.yaml") == PARAMS
    study.good("apply", "study")
    assert study.read("params.yaml") == PARAMS.replace("a: 1", "a: 3")
    assert json.loads(study.read("test.json"))["accuracy"] == 35
    study.ran.write_text("")
    assert study.stages() == []
    assert "your parameters are the winner's already" in study.good("apply", "study").out


def test_ticks_carry_an_experiment_from_phase_to_phase(study):
    for _ in range(60):
        done = study.good("tick", "study", "-j", "2", "--json").json()
        if done["state"] == "done":
            break
    assert done["state"] == "done"
    assert study.all_ran().count("train") == 8
    assert winner(phases(study)["second"]) == {"size": 10, "acc.b": 5}


def test_a_search_goes_on_where_it_was(study):
    search = """\
  study:
    stage: train
    objective: {maximize: accuracy}
    phases:
      tune: {search: {acc.a: {int: [1, 9]}, size: {int: [1, 50]}}, trials: 12, parallel: 3, sampler: random}
"""
    study.rewrite(search)
    study.good("run", "study", "-j", "3")
    assert study.all_ran().count("train") == 12
    assert "nothing to do: 12 cells" in study.good("run", "study").out
    study.rewrite(search.replace("trials: 12", "trials: 15"))
    study.good("run", "study")
    assert study.all_ran().count("train") == 15


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (TWO.replace("maximize: accuracy", "maximize: acuracy"), 6, "acuracy"),
        (TWO.replace("size <= 20", "sise <= 20"), 6, "sise"),
        (TWO.replace("acc.a", "acc.aa"), 3, "did you mean acc.a"),
        (TWO.replace("[1, 2, 3]", "[]"), 2, "has no values"),
        (
            TWO.replace("{maximize: accuracy, subject_to: [size <= 20], prefer: size}", "accuracy"),
            2,
            "objective",
        ),
    ],
)
def test_bad_input_is_named(study, text, code, said):
    study.rewrite(text)
    ended = study("run", "study")
    assert (ended.code, said in ended.err) == (code, True), ended.err
    if code < 4:
        assert study.all_ran() == []


def test_metrics_that_cannot_be_read_are_named(study):
    text = STAGES.replace("> metrics.json", "; echo 'oops {' > metrics.json")
    study.fill({"pinyon.yaml": text + TWO})
    ended = study("run", "study")
    assert ended.code == 6
    assert "metrics.json was not read: Expecting value" in ended.out
    assert "every cell is infeasible, because accuracy is reported by no cell" in ended.err
    assert "was not read: Expecting value" in ended.err


HOPELESS = """\
import json, sys, time
import pinyon
run = pinyon.run()
lr = run.params["lr"]
for step in range(1, 200):
    run.log(loss=lr / step, step=step)
    if lr < 5:
        break
    time.sleep(0.01)
json.dump({"loss": lr}, open("metrics.json", "w"))
"""


def test_a_hopeless_cell_is_ended_early_and_not_tried_again(project):
    study = {"stage": "train", "objective": {"minimize": "loss"},
             "phases": {"only": {"grid": {"lr": [1, 2, 9]}, "stop": ["loss > 0.5", "step >= 3"]}}}  # fmt: skip
    train = {
        "cmd": "echo train >> $RAN; python train.py",
        "deps": ["train.py"],
        "params": ["lr"],
        "metrics": ["metrics.json"],
    }
    text = json.dumps({"stages": {"train": train}, "experiments": {"study": study}})
    project.fill({"pinyon.yaml": text, "params.yaml": "lr: 1\n", "train.py": HOPELESS})
    ended = project.good("run", "study")
    assert "winner    only  lr=1: loss 1 (n = 1) is the lowest of 2 feasible cells" in ended.out
    assert "loss > 0.5 and step >= 3 held at step 3" in ended.out
    assert project.all_ran() == ["train"] * 3
    project.good("run", "study")
    assert project.all_ran() == ["train"] * 3
    found = project.good("plan", "study").out
    assert "stop      lr=9" in found
    assert project.good("run", "study", "-f").code == 0
    assert len(project.all_ran()) == 6
