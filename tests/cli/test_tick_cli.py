"""`pinyon tick`: one step at a time, and nobody has to be awake between two."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any

import pytest

STAGES = {
    "a": {"cmd": "echo a >> $RAN; sleep 0$NAP; cp raw a", "deps": ["raw"], "outs": ["a"]},
    "b": {"cmd": "echo b >> $RAN; cat a b.in > b", "deps": ["a", "b.in"], "outs": ["b"]},
    "c": {"cmd": "echo c >> $RAN; cp b c", "deps": ["b"], "outs": ["c"]},
}


@pytest.fixture
def line(empty: Any) -> Any:
    """a → b → c."""
    empty.fill({"pinyon.yaml": json.dumps({"stages": STAGES}), "raw": "raw\n", "b.in": "b\n"})
    return empty


def tick(project: Any, *arguments: str, code: int = 0) -> dict[str, Any]:
    ended = project("tick", "--json", *arguments)
    assert ended.code == code, ended
    return dict(json.JSONDecoder().raw_decode(ended.out)[0])


def idle(project: Any) -> bool:
    return not project.good("status", "--json").json()["open"]


def to_the_end(project: Any, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    """Call it, each time after what it started has ended, until it says that there is nothing more to do."""
    told = []
    while True:
        ended = project("tick", "--json", *arguments)
        told.append(json.JSONDecoder().raw_decode(ended.out)[0])
        if told[-1]["state"] != "going":
            assert ended.code == code, ended
            return told
        project.wait_for(lambda: idle(project))


def test_it_starts_what_can_start_and_does_not_wait(line):
    line.env["NAP"] = "60"
    told = tick(line)
    assert (told["state"], told["started"], len(told["waiting"])) == ("going", ["a"], 1)
    line.wait_for(lambda: line.all_ran() == ["a"])
    again = tick(line, "-j", "5")
    assert (again["state"], again["started"], again["waiting"]) == ("going", [], told["waiting"])
    status = line.good("status", "--json").json()
    assert (status["last"]["state"], [row["stage"] for row in status["open"]]) == ("RUNNING", ["a"])
    assert not (line.root / "a").exists()
    line.kill_all()


def test_step_by_step_to_the_end(line):
    told = to_the_end(line)
    assert [one["started"] for one in told if one["started"]] == [["a"], ["b"], ["c"]]
    assert (told[-1]["state"], line.read("c")) == ("done", "raw\nb\n")
    assert line.all_ran() == ["a", "b", "c"]
    assert line.stages() == []
    # What is missing is put back at once, and that is all.
    (line.root / "c").unlink()
    told = tick(line)
    assert (told["state"], told["reused"], told["started"]) == ("done", ["c"], [])
    assert line.read("c") == "raw\nb\n"


def test_with_nothing_to_do_it_writes_only_caches(line):
    line.stages()
    before = line.snapshot()
    assert tick(line)["state"] == "done"
    assert line.good("tick").out == "everything is done\n"
    assert line.snapshot() == before
    assert "everything is done" in line.good("status").out


def test_one_call_is_enough_with_chain(line):
    assert tick(line, "--chain")["started"] == ["a"]
    line.wait_for(lambda: (line.root / "c").exists() and not line.leftovers() and idle(line))
    line.wait_for(lambda: line.good("status", "--json").json()["tick"]["state"] == "done")
    assert line.all_ran() == ["a", "b", "c"]


def test_who_ends_the_supervisor_ends_the_chain(line):
    line.env["NAP"] = "60"
    tick(line, "--chain")
    line.wait_for(lambda: line.all_ran() == ["a"])
    (row,) = line.good("status", "--json").json()["open"]
    os.kill(row["supervisor"], signal.SIGTERM)
    line.wait_for(lambda: idle(line))
    assert not (line.root / ".pinyon/logs/tick.log").exists()
    line.env["NAP"] = ""
    assert [one["started"] for one in to_the_end(line)][:1] == [["a"]]  # a shutdown is nobody's fault


def test_what_failed_is_not_tried_again_until_something_changes(line):
    stages = {
        **STAGES,
        "b": {**STAGES["b"], "cmd": "echo b >> $RAN; cat a > b; test -s b.in"},
        "x": {"cmd": "echo x >> $RAN; cp raw x", "deps": ["raw"], "outs": ["x"]},
    }
    line.fill({"pinyon.yaml": json.dumps({"stages": stages}), "b.in": ""})
    told = to_the_end(line, code=4)
    assert (told[-1]["state"], told[-1]["failed"]) == ("failed", ["b", "c"])
    assert sorted(line.all_ran()) == ["a", "b", "x"], "what does not need it has to go on"
    ended = line("tick")
    assert (ended.code, sorted(line.all_ran())) == (4, ["a", "b", "x"])
    assert "stages b, c failed" in ended.err
    assert line("run").code == 4, "a person who asks gets another try"
    assert sorted(line.all_ran()) == ["a", "b", "b", "x"]
    line.fill({"b.in": "now\n"})
    assert to_the_end(line)[-1]["state"] == "done"
    assert line.all_ran()[-2:] == ["b", "c"]


def test_retries_are_counted_over_all_calls(line):
    flaky = {
        "cmd": "echo f >> $RAN; exit 7",
        "deps": ["raw"],
        "outs": ["f"],
        "retry": {"times": 2, "on": ["exit"]},
    }
    line.fill({"pinyon.yaml": json.dumps({"stages": {"f": flaky}})})
    told = to_the_end(line, code=4)
    assert line.all_ran() == ["f", "f", "f"]
    assert [one["started"] for one in told] == [["f"], ["f"], ["f"], []]


def test_what_always_runs_runs_once(line):
    always = {"cmd": "echo z >> $RAN; date > z", "outs": ["z"]}
    line.fill({"pinyon.yaml": json.dumps({"stages": {"z": always}})})
    assert to_the_end(line)[-1]["state"] == "done"
    assert to_the_end(line)[-1]["state"] == "done"
    assert line.all_ran() == ["z"]
    assert line.stages() == ["z"]


def test_a_lost_attempt_is_cleaned_up_and_tried_again(line):
    line.stages()
    line.env["NAP"] = "60"
    (line.root / "raw").write_text("new\n")
    tick(line)
    line.wait_for(lambda: line.all_ran()[3:] == ["a"])
    line.kill_all()
    assert not (line.root / "a").exists()
    line.env["NAP"] = ""
    told = tick(line)
    assert (told["repaired"], told["started"]) == (["a"], ["a"])
    line.wait_for(lambda: idle(line))
    assert to_the_end(line)[-1]["state"] == "done"
    assert line.read("c") == "new\nb\n"


def test_isolated_it_leaves_the_project_alone(line):
    files = sorted(os.listdir(line.root))
    assert to_the_end(line, "--isolated", "-j", "2")[-1]["state"] == "done"
    assert sorted(set(os.listdir(line.root)) - {".pinyon"}) == files
    assert line.all_ran() == ["a", "b", "c"]
    assert line.stages() == []


def test_while_somebody_runs_it_does_nothing(line):
    line.env["NAP"] = "60"
    driver = line.start("run")
    line.wait_for(lambda: line.all_ran() == ["a"])
    status = line.good("status", "--json").json()
    assert (status["driver"]["pid"], status["lease"]) == (driver.pid, None)
    assert f"a driver works here: process {driver.pid}" in line.good("status").out
    line.fill({"b.in": "other\n"})
    told = tick(line, "b")
    assert (told["state"], told["started"]) == ("going", [])
    stages = {**STAGES, "free": {"cmd": "echo free >> $RAN; cp raw free", "deps": ["raw"], "outs": ["free"]}}
    line.fill({"pinyon.yaml": json.dumps({"stages": stages})})
    told = tick(line, "free", "-j", "2")
    assert (told["state"], str(driver.pid) in told["holder"]) == ("busy", True)
    assert "another is at work here" in line.good("tick", "free", "-j", "2").out
    driver.send_signal(signal.SIGTERM)
    driver.wait(30)
    assert line.good("status", "--json").json()["driver"] is None


def test_status_says_when_and_by_whom(line):
    line.env["PINYON_ACTOR"] = "process:cron"
    before = time.time()
    tick(line)
    line.wait_for(lambda: idle(line))
    status = line.good("status", "--json").json()
    assert status["tick"]["actor"] == {"kind": "process", "name": "cron"}
    assert (status["tick"]["started"], status["tick"]["ts"] >= before - 1) == (["a"], True)
    assert (status["last"]["state"], status["last"]["counts"]) == ("SUCCEEDED", {"started": 1})
    line.env["PINYON_ACTOR"] = "person:leo"
    assert "by process:cron  started a" in line.good("status").out


@pytest.mark.parametrize("goals", [["nobody"], ["a", "nobody"]])
def test_an_unknown_goal_changes_nothing(line, goals):
    before = line.snapshot()
    assert line("tick", *goals).code == 3
    assert line.snapshot() == before
