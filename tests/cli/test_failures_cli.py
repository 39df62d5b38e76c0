"""What a person sees when stages fail, and while they run."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import time
from typing import Any

import pytest

from pinyon.cli.progress import _Live
from pinyon.report.told import Standing, Told

TWO = """\
stages:
  bad: {cmd: 'echo one; echo this went wrong; exit 3', deps: [s], outs: [bad.txt]}
  worse: {cmd: 'exit 4', deps: [s], outs: [worse.txt]}
  after: {cmd: 'cp bad.txt after.txt', deps: [bad.txt], outs: [after.txt]}
  fine: {cmd: 'cp s fine.txt', deps: [s], outs: [fine.txt]}
"""


def test_keep_going_ends_with_what_became_of_every_stage(empty: Any) -> None:
    empty.write(pinyon_yaml=TWO, s="s")
    ended = empty("run", "-k")
    assert ended.code == 4
    summary = re.sub(r"\(\d+\.\d s\)", "(TIME)", ended.out[ended.out.index("4 stages") :])
    assert summary == (
        "4 stages: 2 failed, 1 succeeded, 1 not run (TIME)\n"
        "FAILED    bad → pinyon logs bad\n"
        "          │ one\n"
        "          │ this went wrong\n"
        "FAILED    worse → pinyon logs worse\n"
    )
    again = empty("run", "-k")
    assert "4 stages: 2 failed, 1 unchanged, 1 not run" in again.out


def test_a_first_failure_is_summed_up_without_telling_it_twice(empty: Any) -> None:
    empty.write(pinyon_yaml=TWO, s="s")
    ended = empty("run")
    assert ended.out.count("this went wrong") == 1
    assert "4 stages: 1 failed, 3 not run" in ended.out


def test_tries_in_vain_are_one_stage(empty: Any) -> None:
    empty.write(
        pinyon_yaml="stages: {a: {cmd: exit 1, deps: [s], outs: [o], retry: {times: 2, on: [exit]}}}\n", s="s"
    )
    assert "1 stage: 3 failed (" in empty("run").out


def test_a_failure_for_programs_says_what_became_of_the_rest(empty: Any) -> None:
    empty.write(pinyon_yaml=TWO, s="s")
    told = empty("run", "-k", "--json").json()
    assert (told["error"], told["counts"]) == ("StageFailedError", {"failed": 2, "succeeded": 1})
    assert {row["stage"]: row["verdict"] for row in told["tasks"]} == {
        "bad": "stop", "worse": "stop", "after": "stop", "fine": "run",
    }  # fmt: skip


def on_a_terminal(project: Any, *arguments: str) -> str:
    """What the command writes to a terminal of 80 columns."""
    main, side = pty.openpty()
    env = {**project.env, "COLUMNS": "80", "LINES": "24", "TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-m", "pinyon.cli", *arguments], cwd=project.root, env=env, stdout=side, stderr=side
    )
    os.close(side)
    seen = b""
    try:
        while some := os.read(main, 65536):
            seen += some
    except OSError:  # the terminal ends with its last process
        pass
    os.close(main)
    process.wait(30)
    return seen.decode()


def test_a_terminal_shows_what_runs_and_how_far_it_is(empty: Any) -> None:
    empty.write(
        pinyon_yaml="stages:\n"
        "  slow: {cmd: 'echo step seven; sleep 1.2; cp s slow', deps: [s], outs: [slow]}\n"
        "  next: {cmd: cp slow next, deps: [slow], outs: [next]}\n",
        s="s",
    )
    seen = on_a_terminal(empty, "run")
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen)
    assert re.search(r"run +slow +\d\.\d s +step seven", plain)
    assert re.search(r"─{30} +0 of 2, 1 running", plain)
    assert re.search(r"done +next", plain)
    assert "2 stages: 2 succeeded" in plain
    assert max(len(line) for line in re.split(r"[\r\n]+", plain)) <= 80


@pytest.mark.parametrize(
    ("standing", "said"),
    [
        (Standing(3, 12), "3 of 12, 0 running"),
        (Standing(3, 12, 125.0), "3 of 12, 0 running, about 2 min 5 s left"),
        (Standing(12, 12, 0.1), "12 of 12, 0 running, any moment now"),
        (Standing(0, 0), "0 of 0, 0 running"),
    ],
)
def test_the_bar_tells_the_time_left_when_it_is_known(
    standing: Standing, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with _Live("nowhere") as live:
        live.tell(Told("standing", standing=standing))
        bar = live._bar(*live._standing).plain
    assert bar.endswith(f"  {said}")
    assert bar.count("━") == round(30 * standing.done / max(standing.total, 1))
