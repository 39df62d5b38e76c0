"""Goals as they are typed: from the root, from below, one stage, downstream, patterns; in a repository of DVC's."""

from __future__ import annotations

from typing import Any

import pytest

FILES = {
    ".dvc/config": "",
    "params.yaml": "names: [us, eu]\n",
    "raw.txt": "raw\n",
    "dvc.yaml": """\
stages:
  prepare:
    cmd: echo prepare >> $RAN; cp raw.txt clean.txt
    deps: [raw.txt]
    outs: [clean.txt]
  split:
    foreach: ${names}
    do:
      cmd: echo split@${item} >> $RAN; echo ${item} | cat clean.txt - > ${item}.txt
      deps: [clean.txt]
      outs: ["${item}.txt"]
""",
    "sub/params.yaml": "lr: 1e-5\n",
    "sub/dvc.yaml": """\
stages:
  train:
    cmd: >
      echo train >> $RAN;
      cat ../us.txt ../eu.txt params.yaml > model.txt
    deps: [../us.txt, ../eu.txt]
    params: [lr]
    outs: [model.txt]
  test:
    matrix: {kind: [a, b]}
    cmd: echo test@${item.kind} >> $RAN; wc -c < model.txt > ${key}.txt
    deps: [model.txt]
    outs: ["${key}.txt"]
""",
}
ROOT = ["prepare", "split@us", "split@eu"]
SUB = ["train", "test@a", "test@b"]


@pytest.fixture
def repository(empty: Any) -> Any:
    empty.fill(FILES)
    return empty


def test_everything_runs_once_and_is_reused(repository: Any) -> None:
    assert sorted(repository.stages()) == sorted([*ROOT, *SUB])
    assert repository.read("sub/model.txt") == "raw\nus\nraw\neu\nlr: 1e-5\n"
    assert repository.stages() == []
    repository.fill({"sub/params.yaml": "lr: 2\n"})
    assert sorted(repository.stages()) == sorted(SUB)


@pytest.mark.parametrize(
    ("goals", "below", "ran"),
    [
        (["split"], "", ROOT),
        (["split@eu"], "", ["prepare", "split@eu"]),
        (["sub/dvc.yaml:train"], "", [*ROOT, "train"]),
        (["test@b"], "sub", [*ROOT, "train", "test@b"]),
        ([], "sub", [*ROOT, *SUB]),
        (["../dvc.yaml"], "sub", ROOT),
        (["--glob", "t*"], "sub", [*ROOT, *SUB]),
        (["-s", "prepare"], "sub", ["prepare"]),
    ],
)
def test_goals_are_looked_up_where_one_stands(
    repository: Any, goals: list[str], below: str, ran: list[str]
) -> None:
    place = ["-C", str(repository.root / below)] if below == "sub" and goals[:1] != ["-s"] else []
    options = {} if place else {"cwd": repository.root / below}
    ended = repository(*place, "run", *goals, **options)
    assert ended.code == 0, ended
    assert sorted(repository.all_ran()) == sorted(ran)


def test_one_stage_alone_and_what_needs_it(repository: Any) -> None:
    repository.good("run")
    repository.fill({"raw.txt": "new\n"})
    assert repository.stages("-s", "split@us") == []  # what it needs is taken as it lies there
    assert repository.stages("-s", "prepare") == ["prepare"]
    assert sorted(repository.stages("--downstream", "split@us")) == ["split@us", "test@a", "test@b", "train"]
    assert repository.read("sub/model.txt") == "new\nus\nraw\neu\nlr: 1e-5\n"
    assert set(repository.plan("--downstream", "split@us")) == {
        "split@us", "sub/dvc.yaml:train", "sub/dvc.yaml:test@a", "sub/dvc.yaml:test@b",
    }  # fmt: skip


def test_a_dep_that_is_missing_is_told_though_a_stage_could_make_it(repository: Any) -> None:
    ended = repository("run", "-s", "split@us")
    assert ended.code == 3
    assert "'split@us' depends on clean.txt, which does not exist" in ended.err


def test_the_short_cut_notices_a_new_file_of_stages(repository: Any) -> None:
    repository.good("run")
    for _ in range(2):
        assert "nothing to do: 6 stages unchanged" in repository.good("run").out
    repository.fill({"sub/deep/x": ""})
    assert "nothing to do: 6 stages" in repository.good("run").out
    repository.fill({"sub/deep/dvc.yaml": "stages: {more: {cmd: echo more >> $RAN, outs: [../../o]}}\n"})
    assert "sub/deep/dvc.yaml:more" in repository("run").out
    repository.fill({".dvcignore": "deep\n"})
    assert "6 stages" in repository.good("run").out


def test_the_short_cut_knows_where_it_was_asked(repository: Any) -> None:
    repository.good("run")
    for _ in range(2):
        assert "nothing to do: 6 stages" in repository.good("run").out
        assert "nothing to do: 3 stages" in repository.good("run", "split").out
        assert "nothing to do: 6 stages" in repository("run", cwd=repository.root / "sub").out
        assert "nothing to do: 4 stages" in repository("run", "train", cwd=repository.root / "sub").out
        assert "no stage is called 'train'" in repository("run", "train").err
        assert "nothing to do: 1 stage " in repository.good("run", "-s", "split@us").out


def test_the_data_of_a_pointer_is_a_goal_and_a_source(repository: Any) -> None:
    repository.fill(
        {"raw.txt.dvc": "outs:\n- md5: 0123456789abcdef0123456789abcdef\n  hash: md5\n  path: raw.txt\n"}
    )
    assert "0 stages" in repository.good("run", "raw.txt.dvc").out
    assert repository.stages("prepare") == ["prepare"]


def test_plan_takes_the_same_goals(repository: Any) -> None:
    repository.fill({"clean.txt": "", "sub/model.txt": ""})
    assert list(repository.plan("-s", "split")) == ["split@us", "split@eu"]
    assert list(repository.plan("--glob", "sub/dvc.yaml:test@*", "-s")) == [
        "sub/dvc.yaml:test@a",
        "sub/dvc.yaml:test@b",
    ]
    ended = repository("plan", "--glob", "nothing*")
    assert (ended.code, "no stage fits 'nothing*'" in ended.err) == (3, True)
