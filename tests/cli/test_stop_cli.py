"""`pinyon stop`: somebody else ends what runs, and it is on record who."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pinyon.store.local import LocalStore

WAIT = "echo began >> $HERE/began; sleep 60; echo x > {out}"
SPEC = f"""
stages:
  one: {{cmd: '{WAIT.format(out="a")}', deps: [s], outs: [a]}}
  two: {{cmd: '{WAIT.format(out="b")}', deps: [s], outs: [b]}}
  after: {{cmd: 'touch $HERE/after', deps: [a]}}
"""


def records(project: Any, kind: str) -> list[dict[str, Any]]:
    journals = LocalStore(project.root / ".pinyon").journals
    return [
        event.body for name in journals.segments() for event, _ in journals.read(name) if event.kind == kind
    ]


@pytest.fixture
def busy(empty: Any) -> Any:
    """Two stages at work side by side."""
    empty.fill({"pinyon.yaml": SPEC, "s": "s", "a": "old a"})
    empty.driver = empty.start("run", "-j", "2", "-k")
    empty.wait_for(
        lambda: (
            (empty.root.parent / "began").exists()
            and (empty.root.parent / "began").read_text().count("\n") == 2
        )
    )
    return empty


def test_one_stage_is_stopped_and_the_other_goes_on(busy: Any) -> None:
    env = {**busy.env, "PINYON_ACTOR": "person:eve"}
    ended = busy.good("stop", "one", "--json", env=env).json()
    assert [(one["stage"], one["status"], one["detail"]) for one in ended] == [("one", "CANCELLED", "user")]
    (body,) = records(busy, "ended")
    assert (body["state"], body["detail"], body["by"]) == (
        "CANCELLED",
        "user",
        {"kind": "person", "name": "eve"},
    )
    assert body["signal"] == signal.SIGTERM
    assert busy.read("a") == "old a"  # the old out is back
    runs = {run["stage"]: run["status"] for run in busy.good("runs", "--json").json()}
    assert runs == {"one": "CANCELLED", "two": "RUNNING"}
    busy.good("stop", "--all")
    assert busy.driver.wait(30) != 0
    assert not (busy.root.parent / "after").exists()


def test_an_execution_ends_with_its_driver(busy: Any) -> None:
    execution = busy.good("status", "--json").json()["last"]["execution"]
    assert len(busy.good("stop", execution, "--json").json()) == 2
    assert busy.driver.wait(30) == 130
    assert {one["state"] for one in records(busy, "ended")} == {"CANCELLED"}
    assert [one["state"] for one in records(busy, "finished")] == ["CANCELLED"]
    assert busy.leftovers() == []


def test_a_dry_run_only_says(busy: Any) -> None:
    assert busy.good("stop", "--all", "--dry-run").out.count("would be stopped") == 2
    assert not list((busy.root / ".pinyon/tmp").glob("stop-*"))
    time.sleep(0.2)
    assert len(busy.good("status", "--json").json()["open"]) == 2


@pytest.mark.parametrize("arguments", [[], ["one", "--all"], ["nobody"], ["one", "nobody"], ["r-0000"]])
def test_what_is_not_clear_stops_nothing(busy: Any, arguments: list[str]) -> None:
    ended = busy("stop", *arguments)
    assert ended.code == 3
    assert "error:" in ended.err
    assert len(busy.good("status", "--json").json()["open"]) == 2


def test_what_ignores_sigterm_is_killed_after_its_grace(empty: Any) -> None:
    deaf = [
        "import os, signal, time",
        "signal.signal(15, signal.SIG_IGN)",
        "open(os.environ['HERE'] + '/began', 'w')",
    ]
    deaf.append("time.sleep(60)")
    empty.fill({"pinyon.yaml": "stages: {deaf: {cmd: python deaf.py}}\n", "deaf.py": "\n".join(deaf)})
    driver = empty.start("run")
    empty.wait_for((empty.root.parent / "began").exists)
    ended = empty("stop", "deaf")
    assert ended.code == 0, ended
    (body,) = records(empty, "ended")
    assert (body["state"], body["signal"]) == ("CANCELLED", signal.SIGKILL)
    assert driver.wait(30) != 0


def test_a_run_of_a_process_s_own_is_interrupted(empty: Any) -> None:
    empty.fill(
        {
            "solo.py": "import pinyon, time\nwith pinyon.run():\n    print('began', flush=True)\n    time.sleep(60)\n"
        }
    )
    script = subprocess.Popen(
        [sys.executable, "solo.py"],
        cwd=empty.root,
        env=empty.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert script.stdout.readline() == b"began\n"
    (row,) = empty.good("stop", "@solo", "--json").json()
    assert (row["stage"], row["status"], row["detail"]) == ("@solo", "CANCELLED", "user")
    script.communicate(timeout=30)


def test_what_runs_on_another_host_is_not_stopped_from_here(empty: Any) -> None:
    empty.fill({"pinyon.yaml": "stages: {a: {cmd: 'true'}}\n"})
    store = LocalStore(empty.root / ".pinyon")
    store.prepare("p")
    writer = store.journals.open_writer()
    writer.append(
        "intent",
        {"attempt": "a-1", "execution": "x-1", "key": "k" * 64, "recipe": "r", "stage": "far", "epoch": 1,
         "mode": "in place", "supervisor": ["elsewhere", "boot", 7, 7], "inputs": {}},
    )  # fmt: skip
    ended = empty("stop", "far")
    assert ended.code != 0
    assert "runs on elsewhere" in ended.err
    assert "pinyon stop a-1" in ended.err


def test_a_supervisor_of_an_older_release_is_left_alone(busy: Any) -> None:
    """It would die of a signal that it does not know."""
    stranger = subprocess.Popen(["sleep", "60"])
    from pinyon.model.ids import process_id

    writer = LocalStore(busy.root / ".pinyon").journals.open_writer()
    time.sleep(0.05)
    writer.append(
        "intent",
        {"attempt": "a-1", "execution": "x-1", "key": "k" * 64, "recipe": "r", "stage": "old", "epoch": 1,
         "mode": "in place", "supervisor": list(process_id(stranger.pid)), "inputs": {}},
    )  # fmt: skip
    ended = busy("stop", "old", "one")
    assert ended.code != 0
    assert "older release" in ended.err
    assert stranger.poll() is None
    assert not list(Path(busy.root / ".pinyon/tmp").glob("stop-*")), "nothing was asked of anybody"
    os.kill(stranger.pid, signal.SIGKILL)
    stranger.wait()
