"""`doctor`: what is wrong is named, with why and what to type; and what is fine is not called wrong."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pinyon.report import githealth, health
from pinyon.store.journal import LocalJournals


def git(project: Any, *words: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *words], cwd=project.root, check=True, capture_output=True)


def wrong(project: Any, **environment: str) -> list[dict[str, str]]:
    """Findings that are not ok, but for the disk's, which are this machine's own."""
    env = {**project.env, "PYTHONDONTWRITEBYTECODE": "", **environment}
    found = project("doctor", "--json", env=env).json()
    assert all(row["why"] and row["fix"] for row in found if row["level"] != "ok")
    disk = ("disk ", "writing one file safely ")
    return [row for row in found if row["level"] != "ok" and not row["what"].startswith(disk)]


@pytest.fixture
def repository(finished: Any) -> Any:
    git(finished, "init", "-q")
    git(finished, "add", "-A")
    git(finished, "commit", "-qm", "one")
    return finished


def test_nothing_is_wrong_with_a_project_in_git(repository: Any) -> None:
    assert wrong(repository) == []
    ended = repository("doctor")
    assert ended.code in (0, 5)  # the disk may be full here
    assert "ok    all journals read whole\n" in ended.out


def in_future(project: Any) -> None:
    writer = LocalJournals(project.root / ".pinyon").open_writer()
    real, time.time = time.time, lambda: real() + 7240
    try:
        body = {"execution": "x-1", "actor": {}, "argv": [], "goal": {}, "git": None, "supervisor": None}
        writer.append("execution", body)
        writer.close()
    finally:
        time.time = real


def tracked(name: str, size: int = 1) -> Callable[[Any], None]:
    def make(project: Any) -> None:
        path = project.root / name
        path.parent.mkdir(exist_ok=True)
        with path.open("wb") as file:
            file.truncate(size)
        git(project, "add", "-f", name)
        git(project, "commit", "-qm", name)

    return make


def old_rubbish(project: Any) -> None:
    path = project.root / ".pinyon/tmp/old"
    path.write_text("")
    os.utime(path, (1, 1))


FAULTS: dict[str, tuple[Callable[[Any], object], str, str]] = {
    "clock": (in_future, "the newest record is from the future, by 2 h", "timedatectl"),
    "large file": (tracked("data/big.bin", 60 * 10**6), "git tracks data/big.bin, 60.0 MB", "pinyon add data/big.bin"),
    "secret": (tracked(".env"), "git tracks .env, which looks like a secret", "git rm --cached .env"),
    "key": (tracked("conf/server.pem"), "git tracks conf/server.pem", "change the secret"),
    "tracked store": (tracked(".pinyon/extra"), "git tracks files in .pinyon", "git rm -r -q --cached .pinyon"),
    "store not ignored": (
        lambda project: (project.root / ".pinyon/.gitignore").unlink(), "git does not ignore .pinyon", ".gitignore",
    ),
    "project inside": (
        lambda project: project.fill({"lib/other/pinyon.yaml": "stages: {}\n"}),
        "another project lies inside this one, in lib/other", "pinyon -C lib/other",
    ),
    "project around": (
        lambda project: project.root.with_name("pinyon.yaml").write_text("stages: {}\n"),
        "this project lies inside another one", "pinyon -C",
    ),
    "old files": (old_rubbish, "1 old files in", "pinyon gc"),
    "params": (lambda project: project.write(params_yaml="{"), "params.yaml:", "check brackets"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_its_fix(repository: Any, fault: str) -> None:
    cause, what, fix = FAULTS[fault]
    cause(repository)
    (found,) = wrong(repository)
    assert what in found["what"]
    assert fix in found["fix"]
    code = repository("doctor").code
    assert code == 5 if found["level"] == "bad" else code in (0, 5)
    assert (found["level"] == "bad") == (fault == "params")


def test_a_template_of_secrets_is_none(repository: Any) -> None:
    for name in (".env.example", "docs/pem.txt", "credentials_test.py", "environment.yaml"):
        tracked(name)(repository)
    assert wrong(repository) == []


def test_slow_starts_are_explained(repository: Any) -> None:
    (found,) = wrong(repository, PYTHONDONTWRITEBYTECODE="1", PYTHONPYCACHEPREFIX="") or [{"what": ""}]
    compiled = Path(health.__file__).parent.joinpath("__pycache__").is_dir()
    assert ("PYTHONDONTWRITEBYTECODE" in found["what"]) != compiled


def test_what_git_says_is_passed_on(finished: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    root = finished.root
    git(finished, "init", "-q")
    (found,) = githealth.code(root)
    assert (found.level, "no commit yet" in found.what) == ("warn", True)
    refusal = "fatal: detected dubious ownership in repository at '/p'\n"
    monkeypatch.setattr(githealth.revision, "complaint", lambda _: refusal)
    (found,) = githealth.code(root)
    assert found.fix == f"git config --global --add safe.directory {root}"
    monkeypatch.undo()
    monkeypatch.setenv("PATH", "/nowhere")
    (found,) = githealth.code(root)
    assert found.what == "git is not installed"


def test_a_slow_disk_is_named(finished: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([0.0, 1.5])
    monkeypatch.setattr(health, "time", SimpleNamespace(monotonic=lambda: next(ticks), time=time.time))
    (found,) = health._place(health.LocalStore(finished.root / ".pinyon"))
    assert (found.level, found.what) == ("warn", "writing one file safely takes 1.5 s")
    assert list((finished.root / ".pinyon/tmp").iterdir()) == []


def test_a_cache_that_has_moved_is_told(
    finished: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store = health.LocalStore(finished.root / ".pinyon")
    store.__dict__["cache"] = tmp_path / "elsewhere"
    (found, _) = health._place(store)
    assert (found.level, "network file system" in found.what) == ("ok", True)
    assert str(tmp_path / "elsewhere") in found.what


def test_a_full_disk_is_bad_unless_it_is_vast(finished: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def level(total: int, free: int) -> str:
        monkeypatch.setattr(health.shutil, "disk_usage", lambda _: (total, total - free, free))
        return health._disk(finished.root).level

    assert [level(100 * 10**9, free * 10**9) for free in (50, 10, 2)] == ["ok", "warn", "bad"]
    assert level(10**13, 2 * 10**11) == "ok"


def test_a_run_at_work_is_told_and_one_that_has_ended_is_not(empty: Any) -> None:
    cmd = "touch $HERE/began; while [ ! -e $HERE/go ]; do sleep 0.02; done; echo 1 > out"
    empty.write(pinyon_yaml=f"stages: {{a: {{cmd: '{cmd}', deps: [s], outs: [out]}}}}\n", s="s")
    driver = empty.start("run")
    empty.wait_for((empty.root.parent / "began").exists)
    assert f"a run is at work here: process {driver.pid} on " in empty("doctor").out
    (empty.root.parent / "go").touch()
    driver.communicate(timeout=30)
    assert "a run is at work here" not in empty("doctor").out


def test_a_dead_attempt_is_named_until_it_is_repaired(empty: Any) -> None:
    cmd = "touch $HERE/began; [ -e $HERE/go ] || sleep 60; echo 1 > out"
    empty.write(pinyon_yaml=f"stages: {{a: {{cmd: '{cmd}', deps: [s], outs: [out]}}}}\n", s="s")
    driver = empty.start("run")
    empty.wait_for((empty.root.parent / "began").exists)
    (attempt,) = empty.good("status", "--json").json()["open"]
    records = (empty.root / ".pinyon/journals").glob("*.jsonl")
    (pid,) = {
        json.loads(line)["body"]["supervisor"][2]
        for path in records
        for line in path.read_text().splitlines()
        if json.loads(line)["kind"] == "intent"
    }
    driver.kill()
    driver.wait()
    os.kill(pid, 9)
    empty.wait_for(lambda: "is lost" in empty("doctor").out)
    lost = [row for row in empty("doctor", "--json").json() if "is lost" in row["what"]]
    assert [(row["level"], row["fix"]) for row in lost] == [("warn", "pinyon run")]
    assert attempt["attempt"] in lost[0]["what"]
    (empty.root.parent / "go").touch()
    empty.good("run")
    assert "is lost" not in empty("doctor").out
