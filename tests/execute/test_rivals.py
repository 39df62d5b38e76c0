"""Two isolated drivers, one of which works between two questions of the other: each key is made once, and told once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from pinyon.execute.driver import Driver
from pinyon.model.project import Goal
from pinyon.pipeline import run
from pinyon.plan.actions import Run
from pinyon.query.index import FILE, Index
from pinyon.query.state import ProjectState
from pinyon.report.told import Told
from pinyon.store.local import LocalStore

SLOW = "echo begun >> $SAID; sleep 1; echo made > out"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.setenv("SAID", str(tmp_path / "said"))
    return root


def write(root: Path, **stages: object) -> None:
    (root / "pinyon.yaml").write_text(json.dumps({"stages": stages}))


def states(root: Path) -> list[str]:
    """Of all attempts that the index knows once this process has brought it up to date."""
    store = LocalStore(root / ".pinyon")
    index = Index(Path(store.cache) / FILE, store.journals)
    index.catch_up()
    found = [attempt.state for attempt in index.attempts("key != ''")]
    index.close()
    return found


def until(root: Path, state: str) -> None:
    deadline = time.monotonic() + 30
    while state not in states(root):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_a_rival_makes_between_two_questions_is_not_made_again(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of open attempts is from before it began, the next answer from while it ran, the claim from after."""
    (project / "data").write_text("1")
    write(project, s={"cmd": SLOW, "deps": ["data"], "outs": ["out"]})
    rivals: list[subprocess.Popen[bytes]] = []
    open_, start = ProjectState.open, Driver.start

    def opened(self: ProjectState) -> object:
        found = open_(self)
        if (
            not rivals and sys._getframe(1).f_code.co_name == "repairs"
        ):  # the list that a decision begins with
            argv = [sys.executable, "-m", "pinyon.cli", "run", "--isolated"]
            rivals.append(subprocess.Popen(argv, cwd=project, stdout=subprocess.DEVNULL))
            until(project, "RUNNING")
        return found

    def started(self: Driver, *arguments: object) -> object:
        until(project, "SUCCEEDED")
        return start(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(ProjectState, "open", opened)
    monkeypatch.setattr(Driver, "start", started)
    result = run(project, Goal(isolated=True))
    assert len(rivals) == 1
    assert rivals[0].wait(30) == 0
    assert (tmp_path / "said").read_text() == "begun\n"
    assert result.counts["succeeded"] == 0


def test_an_end_that_is_read_before_it_is_heard_is_told(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Claims read the journals; one of our own attempts may have ended there, and its message still be on the way."""
    for name in ("one", "two"):
        (project / name).write_text(name)
    write(project, one={"cmd": "echo 1 > a", "deps": ["one"], "outs": ["a"]},
          two={"cmd": "cat a two > b", "deps": ["a", "two"], "outs": ["b"]},
          three={"cmd": "sleep 0.3; echo 3 > c", "deps": ["one"], "outs": ["c"]})  # fmt: skip
    claim, told = Driver._claim, list[Told]()

    def claimed(self: Driver, asked: Run) -> object:
        if asked.task.stage.name == "two":
            while states(project).count("SUCCEEDED") < 2:  # three has ended, too, and nobody has heard of it
                time.sleep(0.01)
            argv = [sys.executable, "-m", "pinyon.cli", "run", "--isolated"]
            subprocess.run(argv, cwd=project, stdout=subprocess.DEVNULL, check=True)
        return claim(self, asked)

    monkeypatch.setattr(Driver, "_claim", claimed)
    result = run(project, Goal(isolated=True), jobs=2, tell=told.append)
    assert sorted(one.stage for one in told if one.kind == "ended") == ["one", "three"]
    assert result.counts["succeeded"] == 2


def test_a_process_that_has_a_thousand_files_open_runs_stages(project: Path) -> None:
    """select(2) knows no descriptor beyond 1023."""
    write(project, s={"cmd": "echo made > out", "outs": ["out"]})
    with ExitStack() as stack:
        for _ in range(1_100):
            stack.enter_context(open(os.devnull))
        run(project, Goal())
    assert states(project) == ["SUCCEEDED"]
