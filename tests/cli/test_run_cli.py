"""`pinyon run` from outside: what runs, what does not, and what lies in the project afterwards."""

# ruff: noqa: E501 - a stage is easier to read in one line

from __future__ import annotations

import shutil
import time
from itertools import pairwise
from typing import Any

import pytest


def test_the_first_run_runs_everything_in_order(project: Any) -> None:
    ended = project.good("run")
    ran = project.all_ran()
    assert sorted(ran) == ["prepare", "report", "side", "train"]
    assert ran.index("prepare") < ran.index("train") < ran.index("report")
    assert project.read("model.txt") == "RAW\n" + project.read("params.yaml")
    assert project.read("report.txt").split() == [str(len(project.read("model.txt")))]
    assert "4 stages: 4 succeeded" in ended.out
    assert ended.err == ""


def test_the_second_run_does_nothing(finished: Any) -> None:
    before = finished.snapshot()
    for _ in range(3):  # the first leaves a fingerprint, by which the others know
        ended = finished.good("run")
        assert "nothing to do: 4 stages unchanged" in ended.out
    assert len(finished.all_ran()) == 4
    assert finished.snapshot() == before


def test_without_any_cache_nothing_runs_again(finished: Any) -> None:
    shutil.rmtree(finished.root / ".pinyon/cache")
    assert finished.stages() == []


def test_touched_files_are_the_same_files(finished: Any) -> None:
    finished.good("run")
    for name in ("raw.txt", "clean.txt", "pinyon.yaml", "params.yaml"):
        (finished.root / name).touch()
    assert finished.stages() == []


CHANGES = {
    "source": ({"raw.txt": "new\n"}, ["prepare", "train", "report"], "dep raw.txt changed: "),
    "param": ({"params.yaml": "train: {lr: 0.25}\n"}, ["train", "report"], "parameter params.yaml:train.lr: 0.5 → 0.25"),
    "undeclared param": ({"params.yaml": "train: {lr: 0.5}\nunused: 2\n"}, [], ""),
    "type of a param": ({"params.yaml": "train: {lr: '0.5'}\n"}, ["train", "report"], "parameter params.yaml:train.lr: 0.5 → 0.5"),
    "other source": ({"other.txt": "x\n"}, ["side"], "dep other.txt changed: "),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("remembered", [False, True], ids=["plain", "fingerprint"])
def test_a_change_reruns_exactly_what_depends_on_it(finished: Any, what: str, remembered: bool) -> None:
    files, stages, reason = CHANGES[what]
    if remembered:
        finished.good("run")
    finished.fill(files)
    planned = finished.to_run()
    assert list(planned) == stages
    if stages:
        assert planned[stages[0]].startswith(reason)
        for earlier, later in pairwise(stages):
            assert planned[later].startswith(f"{stages[0]} runs first") or earlier in planned[later]
    assert finished.stages() == stages
    assert finished.stages() == []


EDITS = {
    "command": ("tr a-z A-Z", "tr a-y A-Y", ["prepare"], "command changed: "),
    "new dep": ("deps: [raw.txt]", "deps: [raw.txt, other.txt]", ["prepare"], "new dep other.txt"),
    "new param": ("[train.lr]", "[train.lr, unused]", ["train"], "new parameter params.yaml:unused = 1"),
    "dep gone": (
        "    deps: [other.txt]\n",
        "    deps: []\n    params: [unused]\n",
        ["side"],
        "new parameter ",
    ),
    "nothing but a comment": ("stages:", "stages: # of the study", [], ""),
}


@pytest.mark.parametrize("what", EDITS)
def test_an_edit_of_pinyon_yaml_reruns_what_it_means(finished: Any, what: str) -> None:
    old, new, stages, reason = EDITS[what]
    finished.good("run")
    text = finished.read("pinyon.yaml")
    assert old in text
    finished.fill({"pinyon.yaml": text.replace(old, new)})
    planned = finished.to_run()
    if stages:
        assert planned[stages[0]].startswith(reason)
    assert finished.stages()[: len(stages)] == stages
    assert finished.stages() == []


def test_a_stage_whose_input_comes_out_the_same_stops_the_chain(finished: Any) -> None:
    finished.fill({"pinyon.yaml": finished.read("pinyon.yaml").replace("tr a-z A-Z <", "tr 'a-z' 'A-Z' <")})
    assert finished.stages() == ["prepare"]


def test_going_back_reuses_what_was_made_before(finished: Any) -> None:
    first = {name: finished.read(name) for name in ("clean.txt", "model.txt", "report.txt")}
    finished.fill({"raw.txt": "something else\n"})
    assert finished.stages() == ["prepare", "train", "report"]
    finished.fill({"raw.txt": "raw\n"})
    verdicts = finished.plan()
    assert [verdicts[name][0] for name in ("prepare", "train", "report")] == ["reuse"] * 3
    assert finished.stages() == []
    assert {name: finished.read(name) for name in first} == first


@pytest.mark.parametrize("how", ["deleted", "edited", "a directory now"])
def test_an_out_that_is_not_what_it_was_is_restored(finished: Any, how: str) -> None:
    finished.good("run")
    path, good = finished.root / "model.txt", finished.read("model.txt")
    path.unlink()
    if how == "edited":
        path.write_text("edited by hand")
    elif how == "a directory now":
        path.mkdir()
    verdict, reason = finished.plan()["train"]
    assert verdict == "reuse"
    assert "model.txt" in reason
    assert finished.stages() == []
    assert finished.read("model.txt") == good
    assert finished.plan()["train"][0] == "unchanged"


def test_a_directory_is_an_out_and_comes_back(empty: Any) -> None:
    cmd = "echo a >> $RAN; mkdir -p d/e; echo 1 > d/e/one; echo 2 > d/two; chmod +x d/two"
    empty.write(pinyon_yaml=f"stages: {{a: {{cmd: '{cmd}', deps: [s], outs: [d]}}}}\n", s="s")
    assert empty.stages() == ["a"]
    (empty.root / "d/e/one").write_text("edited")
    (empty.root / "d/three").write_text("too much")
    assert empty.stages() == []
    assert sorted(path.name for path in (empty.root / "d").rglob("*")) == ["e", "one", "two"]
    assert empty.read("d/e/one") == "1\n"
    assert (empty.root / "d/two").stat().st_mode & 0o100


def test_force_runs_again(finished: Any) -> None:
    planned = finished.to_run("-f")
    assert list(planned) == ["prepare", "train", "report", "side"]
    assert planned["prepare"] == planned["side"] == "forced (-f)"
    assert sorted(finished.stages("-f")) == ["prepare", "report", "side", "train"]
    assert finished.stages("-f", "side") == ["side"]
    assert finished.stages() == []


def test_goals_bring_what_they_need_and_no_more(project: Any) -> None:
    assert project.stages("train") == ["prepare", "train"]
    assert not (project.root / "side.txt").exists()
    assert project.stages("side", "train") == ["side"]
    assert project.stages() == ["report"]


def test_jobs_run_at_once(empty: Any) -> None:
    # Each waits until both have begun: with one at a time neither would end.
    cmd = "echo {0} >> $RAN; touch $HERE/began-{0}; while [ ! -e $HERE/began-{1} ]; do sleep 0.02; done; echo {0} > {0}"
    stages = {one: {"cmd": cmd.format(one, other), "deps": ["s"], "outs": [one], "timeout": "20 s"} for one, other in ("ab", "ba")}  # fmt: skip
    empty.write(pinyon_yaml=repr({"stages": stages}), s="s")
    assert sorted(empty.stages("-j", "2")) == ["a", "b"]


@pytest.mark.parametrize(
    "flags", [("run", "-n"), ("run", "--dry-run", "-f"), ("plan",), ("run", "-n", "-S", "train.lr=1")]
)
def test_a_dry_run_changes_nothing(project: Any, flags: tuple[str, ...]) -> None:
    before = project.snapshot()
    assert "train" in project.good(*flags).out
    assert project.snapshot() == before
    project.good("run")
    project.fill({"raw.txt": "new\n"})
    (project.root / "side.txt").unlink()
    before = project.snapshot()
    project.good(*flags)
    assert project.snapshot() == before


def test_set_runs_isolated_and_touches_none_of_the_users_files(finished: Any) -> None:
    before = finished.snapshot(store=False)
    assert sorted(finished.stages("-S", "train.lr=0.125")) == ["report", "train"]
    assert finished.snapshot(store=False) == before
    assert finished.stages("-S", "train.lr=0.125") == []
    assert finished.stages() == []
    runs = finished.good("runs", "--json", "--stage", "train").json()
    assert sorted(run["params"]["train.lr"] for run in runs) == [0.125, 0.5]
    assert len({run["outputs"]["model.txt"] for run in runs}) == 2
    # What was made isolated is there for the project when it asks for the same.
    finished.fill({"params.yaml": "train: {lr: 0.125}\n"})
    assert "train" not in finished.stages()


def test_set_in_a_fresh_project_leaves_nothing_but_the_store(project: Any) -> None:
    before = project.snapshot(store=False)
    assert sorted(project.stages("-S", "train.lr=3")) == ["prepare", "report", "side", "train"]
    assert project.snapshot(store=False) == before


def test_isolated_runs_beside_the_project(project: Any) -> None:
    before = project.snapshot(store=False)
    assert sorted(project.stages("--isolated", "-j", "2")) == ["prepare", "report", "side", "train"]
    assert project.snapshot(store=False) == before
    assert project.stages("--isolated") == []
    assert project.stages() == []  # in place the outs are only fetched
    assert project.read("side.txt") == "other\n"


BROKEN = """\
stages:
  bad: {cmd: 'echo bad >> $RAN; echo half > bad.txt; echo this went wrong; exit 3', deps: [s], outs: [bad.txt]}
  after: {cmd: 'echo after >> $RAN; cp bad.txt after.txt', deps: [bad.txt], outs: [after.txt]}
  other: {cmd: 'echo other >> $RAN; sleep 0.1; cp s other.txt', deps: [s], outs: [other.txt]}
"""


def test_a_failure_is_told_and_stops_what_needs_it(empty: Any) -> None:
    empty.write(pinyon_yaml=BROKEN, s="s")
    ended = empty("run")
    assert ended.code == 4
    assert "FAILED" in ended.out
    assert "this went wrong" in ended.out
    assert "exit code 3" in ended.out + ended.err
    assert "pinyon logs bad" in ended.err
    assert "after" not in empty.all_ran()
    assert not (empty.root / "bad.txt").exists()
    assert empty.good("logs", "bad").out == "this went wrong\n"


def test_keep_going_does_what_does_not_need_it(empty: Any) -> None:
    empty.write(pinyon_yaml=BROKEN, s="s")
    assert empty("run", "-k").code == 4
    assert sorted(empty.all_ran()) == ["bad", "other"]
    assert empty.read("other.txt") == "s"
    empty.fill({"pinyon.yaml": BROKEN.replace("exit 3", "true")})
    assert empty.stages() == ["bad", "after"]


def test_a_failing_stage_keeps_the_old_outs(finished: Any) -> None:
    old = finished.read("model.txt"), finished.read("metrics.json")
    text = finished.read("pinyon.yaml")
    finished.fill({"pinyon.yaml": text.replace("echo trained", "exit 1"), "params.yaml": "train: {lr: 9}\n"})
    assert finished("run").code == 4
    assert (finished.read("model.txt"), finished.read("metrics.json")) == old
    finished.fill({"pinyon.yaml": text, "params.yaml": "train: {lr: 0.5}\nunused: 1\n"})
    assert finished.stages() == []


def test_a_failed_stage_is_tried_again_by_the_next_call(empty: Any) -> None:
    cmd = "echo a >> $RAN; test -e $HERE/ready && cp s out"
    empty.write(pinyon_yaml=f"stages: {{a: {{cmd: '{cmd}', deps: [s], outs: [out]}}}}\n", s="s")
    assert empty("run").code == 4
    assert empty.to_run()["a"].startswith("its last attempt failed")
    (empty.root.parent / "ready").touch()
    assert empty.stages() == ["a"]


@pytest.mark.parametrize(
    ("retry", "end", "tries"),
    [
        ("{times: 2, on: [exit]}", "exit 7", 3),
        ("{times: 2, on: [signal]}", "exit 7", 1),
        ("{times: 1, on: [signal]}", "kill -SEGV $$", 2),
        ("{times: 1, on: [missing_out]}", "rm out; exit 0", 2),
        ("{times: 0}", "exit 7", 1),
    ],
)
def test_retry_goes_by_the_cause(empty: Any, retry: str, end: str, tries: int) -> None:
    cmd = f"echo a >> $RAN; cp s out; {end}"
    empty.write(
        pinyon_yaml=f"stages: {{a: {{cmd: '{cmd}', deps: [s], outs: [out], retry: {retry}}}}}\n", s="s"
    )
    assert empty("run").code == 4
    assert empty.all_ran() == ["a"] * tries


def test_a_retry_that_succeeds_is_a_success(empty: Any) -> None:
    cmd = "echo a >> $RAN; cp s out; mkdir $HERE/second || exit 0; exit 9"
    empty.write(
        pinyon_yaml=f"stages: {{a: {{cmd: '{cmd}', deps: [s], outs: [out], retry: {{times: 3, on: [exit]}}}}}}\n",
        s="s",
    )
    assert empty.stages() == ["a", "a"]
    assert empty.stages() == []


def test_a_timeout_ends_the_stage_and_all_its_processes(empty: Any) -> None:
    cmd = "echo a >> $RAN; cp s out; sleep 60 & sleep 61"
    empty.write(
        pinyon_yaml=f"stages: {{a: {{cmd: '{cmd}', deps: [s], outs: [out], timeout: 0.3 s}}}}\n", s="s"
    )
    began = time.monotonic()
    ended = empty("run")
    assert ended.code == 4
    assert "it ran longer than 0.3 s" in ended.out
    assert time.monotonic() - began < 10
    assert empty.leftovers() == []
    assert empty.good("runs", "--json").json()[0]["detail"] == "timeout"


def test_a_frozen_stage_counts_as_it_is(finished: Any) -> None:
    finished.fill({"pinyon.yaml": finished.read("pinyon.yaml").replace("    deps: [raw.txt]", "    frozen: true\n    deps: [raw.txt]")})  # fmt: skip
    finished.fill({"raw.txt": "changed\n"})
    assert finished.stages() == []
    finished.fill({"clean.txt": "by hand\n"})
    assert finished.stages() == ["train", "report"]
    assert finished.read("clean.txt") == "by hand\n"
    (finished.root / "raw.txt").unlink()
    assert finished.stages() == []


@pytest.mark.parametrize("body", ["deps: [s], always_changed: true", "desc: no deps"])
def test_some_stages_always_run(empty: Any, body: str) -> None:
    empty.write(pinyon_yaml=f"stages: {{a: {{cmd: 'echo a >> $RAN; echo 1 > out', outs: [out], {body}}}, b: {{cmd: 'echo b >> $RAN; cp out b', deps: [out], outs: [b]}}}}\n", s="s")  # fmt: skip
    assert empty.stages() == ["a", "b"]
    assert empty.stages() == ["a"]  # it made the same, so what follows stays
    assert empty.stages() == ["a"]


def test_a_dvc_project_runs_as_it_is(empty: Any) -> None:
    empty.fill(
        {
            "dvc.yaml": "vars: [{name: world}]\nstages:\n  a:\n    cmd: echo a >> $RAN; echo ${greet} ${name} > a.txt\n"
            "    params: [greet]\n    outs: [a.txt]\n"
            "  b:\n    wdir: sub\n    cmd: [echo b >> $RAN, cp ../a.txt b.txt]\n    deps: [../a.txt]\n    outs:\n    - b.txt: {cache: false}\n",
            "params.yaml": "greet: hello\n",
            "sub/keep": "",
        }
    )
    assert empty.stages() == ["a", "b"]
    assert empty.read("sub/b.txt") == "hello world\n"
    assert empty.stages() == []
    (empty.root / "sub/b.txt").unlink()
    assert "not kept" in empty.to_run()["b"]
    assert empty.stages() == ["b"]  # cache: false: there are no bytes to restore


def test_wdir_is_where_the_command_and_its_paths_are(empty: Any) -> None:
    body = "{wdir: sub dir, cmd: 'echo a >> $RAN; cat in > out; pwd > $HERE/pwd', deps: [in], outs: [out]}"
    empty.fill({"pinyon.yaml": f"stages: {{a: {body}}}\n", "sub dir/in": "in"})
    assert empty.stages() == ["a"]
    assert empty.read("sub dir/out") == "in"
    assert (empty.root.parent / "pwd").read_text().strip() == str(empty.root / "sub dir")
    (empty.root / "sub dir/in").write_text("new")
    assert list(empty.to_run()) == ["a"]
    # And from below the project as well as from outside.
    assert empty("run", cwd=empty.root / "sub dir").code == 0
    assert empty("-C", str(empty.root), "run", cwd="/").code == 0
    assert empty.all_ran() == ["a", "a"]


def test_a_list_command_passes_no_shell(empty: Any) -> None:
    words = "[sh, -c, 'printf \"%s|\" \"$@\" > out', sh, '$(touch pwned)', '; touch pwned', 'a  b', '*', 3, '${word}']"
    empty.write(
        pinyon_yaml=f"stages: {{a: {{cmd: {words}, params: [word], outs: [out]}}}}\n",
        params_yaml='word: "`id`"\n',
    )
    empty.good("run")
    assert empty.read("out") == "$(touch pwned)|; touch pwned|a  b|*|3|`id`|"
    assert not (empty.root / "pwned").exists()


def test_run_json_tells_what_became_of_every_stage(project: Any) -> None:
    first = project.good("run", "--json").json()
    assert first["counts"] == {"succeeded": 4}
    assert first["execution"].startswith("x-")
    assert {task["stage"]: task["verdict"] for task in first["tasks"]} == dict.fromkeys(("prepare", "train", "report", "side"), "run")  # fmt: skip
    for _ in range(2):
        again = project.good("run", "--json").json()
        assert (again["execution"], again["counts"]) == ("", {})
        assert {task["verdict"] for task in again["tasks"]} == {"unchanged"}
