"""The verbs that look: plan, runs, show, logs, status, verify, doctor; and how a run is interrupted."""

# ruff: noqa: E501 - a stage is easier to read in one line

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest


def test_plan_json_has_the_promised_shape(project: Any) -> None:
    plan = project.good("plan", "--json").json()
    assert set(plan) == {"fetches", "actions", "tasks", "estimate", "stages"}
    assert {(row["action"], row["stage"], row["reason"]) for row in plan["actions"]} == {
        ("run", "prepare", "never ran before"),
        ("run", "side", "never ran before"),
    }
    for task in plan["tasks"]:
        assert task["verdict"] == "run"
        assert task["reason"]
    assert [task["stage"] for task in plan["tasks"]] == list(plan["stages"])
    train = dict(plan["stages"]["train"])
    assert train.pop("cmd").startswith("echo train >> $RAN; ")
    assert train == {
        "wdir": ".",
        "deps": ["clean.txt"],
        "params": {"params.yaml": {"train.lr": 0.5}},
        "outs": ["model.txt"],
        "metrics": ["metrics.json"],
        "plots": [],
        "frozen": False,
        "always_changed": False,
    }
    project.good("run")
    (project.root / "side.txt").unlink()
    (action,) = project.good("plan", "--json").json()["actions"]
    assert (action["action"], action["stage"]) == ("reuse", "side")


def test_plan_of_a_goal_and_why(finished: Any) -> None:
    finished.write(raw_txt="new\n", params_yaml="train: {lr: 1}\n")
    assert set(finished.plan("train")) == {"prepare", "train"}
    out = finished.good("plan", "--why", "train").out
    assert "run prepare  dep raw.txt changed: " in out
    assert "└─ run train  clean.txt may change\n   └─ parameter params.yaml:train.lr: 0.5 → 1\n" in out
    assert "2 stages: 2 run" in out


def test_runs_json_has_the_promised_shape(finished: Any) -> None:
    runs = finished.good("runs", "--json").json()
    assert sorted(run["stage"] for run in runs) == ["prepare", "report", "side", "train"]
    (train,) = finished.good("runs", "--json", "--stage", "train").json()
    assert train in runs
    assert train["run"].startswith("r-")
    assert train["status"] == "SUCCEEDED"
    assert train["params"] == {"train.lr": 0.5}
    assert train["metrics"] == {"loss": 0.25}
    table = finished.good("runs").out.splitlines()
    assert len(table) == 5
    assert "loss=0.25" in finished.good("runs", "--stage", "train").out


@pytest.mark.parametrize("name", ["stage", "run", "attempt", "key", "beginning"])
def test_show_finds_a_run_by_every_name_it_has(finished: Any, name: str) -> None:
    (train,) = finished.good("runs", "--json", "--stage", "train").json()
    names = {
        "stage": "train",
        "run": train["run"],
        "attempt": train["attempt"],
        "key": train["key"],
        "beginning": train["run"][:10],
    }
    shown = finished.good("show", "--json", names[name]).json()
    assert shown["run"] == train["run"]
    assert [attempt["id"] for attempt in shown["history"]] == [train["attempt"]]
    text = finished.good("show", names[name]).out
    for part in ("params.yaml:train.lr = 0.5", "dep       clean.txt", "out       model.txt", "loss = 0.25"):
        assert part in text


def test_show_names_the_commit(finished: Any) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(finished.root)]
    assert "code      no commit; " in finished.good("show", "train").out
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], check=True)
    assert ".pinyon" not in subprocess.check_output([*git, "ls-files"], text=True)
    commit = subprocess.check_output([*git, "rev-parse", "HEAD"], text=True).strip()
    finished.good("run", "-f", "train")
    assert finished.good("show", "--json", "train").json()["git"]["commit"] == commit


def test_logs(finished: Any) -> None:
    assert finished.good("logs", "train").out == "trained\n"
    assert "printed nothing" in finished.good("logs", "side").err
    unknown = finished("logs", "trian")
    assert unknown.code == 3
    assert "'trian'" in unknown.err


def test_logs_follow_a_running_stage_to_its_end(empty: Any) -> None:
    cmd = "echo one; touch $HERE/began; while [ ! -e $HERE/go ]; do sleep 0.02; done; echo two; echo 1 > out"
    empty.write(pinyon_yaml=f"stages: {{a: {{cmd: '{cmd}', deps: [s], outs: [out]}}}}\n", s="s")
    driver = empty.start("run")
    empty.wait_for((empty.root.parent / "began").exists)
    assert empty.wait_for(lambda: empty("logs", "a").out) == "one\n"
    follower = empty.start("logs", "-f", "a")
    assert follower.stdout.readline() == "one\n"
    assert empty.good("status", "--json").json()["open"][0]["status"] == "RUNNING"
    assert [run["status"] for run in empty.good("runs", "--json").json()] == ["RUNNING"]
    (empty.root.parent / "go").touch()
    assert follower.communicate(timeout=30) == ("two\n", "")
    assert follower.returncode == 0
    assert driver.wait(30) == 0


def test_status(project: Any) -> None:
    assert "nothing has run here yet" in project.good("status").out
    nobody = {"tick": None, "driver": None, "lease": None}
    assert project.good("status", "--json").json() == {"open": [], "last": None, "data": [], **nobody}
    project.good("run")
    status = project.good("status", "--json").json()
    assert status["open"] == []
    assert status["last"]["state"] == "SUCCEEDED"
    assert status["last"]["counts"] == {"succeeded": 4}
    assert "SUCCEEDED" in project.good("status").out


def test_looking_changes_nothing(finished: Any) -> None:
    before = finished.snapshot()
    for arguments in (
        "plan",
        "runs",
        "show train",
        "logs train",
        "status",
        "verify",
        "runs --json",
        "plan --why",
    ):
        finished.good(*arguments.split())
    assert finished("doctor").code in (0, 5)  # the disk may be full here
    assert finished.snapshot() == before


def flip(path: Path, at: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


def test_verify_is_clean_after_a_run(finished: Any) -> None:
    report = finished.good("verify", "--json").json()
    assert report["damage"] == report["torn"] == []
    assert report["blobs"] >= 4
    assert report["records"] >= 4 * 4


def test_verify_names_the_damaged_blob_and_run_makes_it_again(finished: Any) -> None:
    (run,) = finished.good("runs", "--json", "--stage", "side").json()
    digest = run["outputs"]["side.txt"].removeprefix("blake3:")
    blob = finished.root / ".pinyon/blobs" / digest[:2] / digest[2:]
    flip(blob)
    ended = finished("verify")
    assert ended.code == 5
    assert blob.name in ended.out
    assert blob.name in ended.err
    assert finished("verify", "--json").code == 5
    # Those bytes never come back as if they were right: the stage runs instead.
    (finished.root / "side.txt").unlink()
    finished.good("run")
    assert finished.read("side.txt") == "other\n"
    assert finished.all_ran()[4:] == ["side"]
    blob.unlink(missing_ok=True)
    finished.good("run", "-f", "side")
    assert finished("verify").code == 0


def test_verify_and_doctor_name_the_damaged_journal(finished: Any) -> None:
    journal = max((finished.root / ".pinyon/journals").iterdir(), key=lambda path: path.stat().st_size)
    flip(journal, journal.stat().st_size // 2)
    ended = finished("verify")
    assert ended.code == 5
    assert journal.name in ended.err
    doctor = finished("doctor")
    assert doctor.code == 5
    assert journal.name in doctor.out


def test_doctor(project: Any) -> None:
    findings = {row["what"]: row for row in json.loads(project("doctor", "--json").out)}
    assert any("4 stages" in what for what in findings)
    (git,) = [row for what, row in findings.items() if "not a git repository" in what]
    assert (git["level"], git["fix"]) == ("warn", "git init")
    project.write(params_yaml="{")
    broken = project("doctor")
    assert broken.code == 5
    assert "params.yaml:" in broken.out


SLOW = """\
stages:
  first: {cmd: 'echo first >> $RAN; cp s first', deps: [s], outs: [first]}
  slow: {cmd: 'echo slow >> $RAN; echo half > slow; touch $HERE/began; sleep 60 & [ -e $HERE/go ] || sleep 60; kill %1; cp first slow', deps: [first], outs: [slow]}
  last: {cmd: 'echo last >> $RAN; cp slow last', deps: [slow], outs: [last]}
"""  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("isolated", [False, True], ids=["in place", "isolated"])
def test_an_interrupt_ends_the_children_and_the_next_call_goes_on(
    empty: Any, number: int, isolated: bool
) -> None:
    empty.fill({"pinyon.yaml": SLOW, "s": "s", "slow": "old"})
    mode = ["--isolated"] if isolated else []
    driver = empty.start("run", *mode)
    empty.wait_for((empty.root.parent / "began").exists)
    driver.send_signal(number)
    out, err = driver.communicate(timeout=30)
    assert driver.returncode == 130, (out, err)
    assert "Traceback" not in err
    assert "the next call goes on" in err
    assert empty.leftovers() == []
    assert empty.read("slow") == "old"
    assert [(run["stage"], run["status"]) for run in empty.good("runs", "--json").json()] == [
        ("first", "SUCCEEDED"),
        ("slow", "CANCELLED"),
    ]
    status = empty.good("status", "--json").json()
    assert (status["open"], status["last"]["state"]) == ([], "CANCELLED")
    (empty.root.parent / "go").touch()
    assert empty.stages(*mode) == ["slow", "last"]
    assert empty.good("verify").code == 0


def test_a_driver_that_is_killed_leaves_its_attempt_to_be_adopted(empty: Any) -> None:
    cmd = "echo a >> $RAN; touch $HERE/began; while [ ! -e $HERE/go ]; do sleep 0.02; done; echo 1 > out"
    empty.write(pinyon_yaml=f"stages: {{a: {{cmd: '{cmd}', deps: [s], outs: [out]}}}}\n", s="s")
    driver = empty.start("run")
    empty.wait_for((empty.root.parent / "began").exists)
    driver.kill()
    driver.wait()
    second = empty.start("run")
    assert "another execution is at work on it" in second.stdout.readline()
    (empty.root.parent / "go").touch()
    _, err = second.communicate(timeout=30)
    assert second.returncode == 0, err
    assert empty.all_ran() == ["a"]


def test_a_reader_that_leaves_is_no_error(finished: Any) -> None:
    process = finished.start("runs", "--json")
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=30)
    assert "Traceback" not in err
    assert process.returncode in (0, 1)
