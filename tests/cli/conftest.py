"""A small project on disk, and the real command in processes of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

PINYON = [sys.executable, "-m", "pinyon.cli"]
FAR = 30.0  # seconds after which a test gives up waiting
PIPELINE = """\
stages:
  prepare:
    cmd: echo prepare >> $RAN; tr a-z A-Z < raw.txt > clean.txt
    deps: [raw.txt]
    outs: [clean.txt]
  train:
    cmd: echo train >> $RAN; cat clean.txt params.yaml > model.txt; echo '{"loss":0.25}' > metrics.json; echo trained
    deps: [clean.txt]
    params: [train.lr]
    outs: [model.txt]
    metrics: [metrics.json]
  report:
    cmd: echo report >> $RAN; wc -c < model.txt > report.txt
    deps: [model.txt]
    outs: [report.txt]
  side:
    cmd: echo side >> $RAN; cp other.txt side.txt
    deps: [other.txt]
    outs: [side.txt]
"""
FILES = {"raw.txt": "raw\n", "other.txt": "other\n", "params.yaml": "train: {lr: 0.5}\nunused: 1\n"}


class Ended(NamedTuple):
    """One call of the command that has ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


class Project:
    """A directory with pinyon.yaml; every command of it notes its name in a file outside, `$RAN`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self.ran = root.with_name(f"{root.name}.ran")
        self.ran.touch()
        self.env = {**os.environ, "RAN": str(self.ran), "HERE": str(root.parent)}
        self._processes: list[subprocess.Popen[str]] = []

    def write(self, **texts: str) -> None:
        """Write files; ``_`` in a keyword stands for a dot."""
        self.fill({name.replace("_", "."): text for name, text in texts.items()})

    def fill(self, texts: dict[str, str]) -> None:
        for name, text in texts.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text)

    def read(self, name: str) -> str:
        return (self.root / name).read_text()

    def __call__(self, *arguments: str, **options: Any) -> Ended:
        """Run the command to its end; a traceback is never an answer."""
        options = {"cwd": self.root, "env": self.env, "timeout": 60, **options}
        done = subprocess.run([*PINYON, *arguments], capture_output=True, text=True, **options)
        assert "Traceback" not in done.stderr + done.stdout, done.stderr + done.stdout
        return Ended(done.returncode, done.stdout, done.stderr)

    def good(self, *arguments: str, **options: Any) -> Ended:
        """The same, and it must succeed."""
        ended = self(*arguments, **options)
        assert ended.code == 0, (arguments, ended)
        return ended

    def stages(self, *arguments: str) -> list[str]:
        """Run successfully; which commands really ran meanwhile, in order."""
        before = len(self.all_ran())
        self.good("run", *arguments)
        return self.all_ran()[before:]

    def all_ran(self) -> list[str]:
        return self.ran.read_text().split()

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Begin a call; it is ended with the test."""
        return self.start_with({}, *arguments)

    def start_with(self, env: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
        """The same with more in its environment."""
        process = subprocess.Popen(
            [*PINYON, *arguments], cwd=self.root, env={**self.env, **env}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self._processes.append(process)
        return process

    def plan(self, *arguments: str) -> dict[str, tuple[str, str]]:
        """Stage → verdict and reason."""
        tasks = self.good("plan", "--json", *arguments).json()["tasks"]
        return {task["stage"]: (task["verdict"], task["reason"]) for task in tasks}

    def to_run(self, *arguments: str) -> dict[str, str]:
        """Only the stages that would run, and why."""
        return {name: why for name, (verdict, why) in self.plan(*arguments).items() if verdict == "run"}

    def snapshot(self, *, store: bool = True) -> dict[str, Any]:
        """Everything on disk except caches: bytes, modes, links and when they were written."""
        found: dict[str, Any] = {}
        for path in sorted(self.root.rglob("*")):
            name = path.relative_to(self.root).as_posix()
            if f"{name}/".startswith(".pinyon/cache/") or (name.startswith(".pinyon") and not store):
                continue
            info = path.lstat()
            lock = name.startswith(".pinyon/locks/")  # says who holds it, and is no state
            content = (
                os.readlink(path)
                if path.is_symlink()
                else path.read_bytes()
                if path.is_file() and not lock
                else b""
            )
            when = info.st_mtime_ns if path.is_file() and not lock else 0
            found[name] = (info.st_mode, content, when)
        if ".pinyon" in found and not any(name.startswith(".pinyon/") for name in found):
            del found[".pinyon"]  # it holds caches and nothing else
        return found

    def wait_for(self, what: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + FAR
        while not (answer := what()):
            assert time.monotonic() < deadline, "it never came"
            time.sleep(0.02)
        return answer

    def leftovers(self) -> list[str]:
        """Command lines of live processes that belong to attempts here."""
        mark, attempt = f"RAN={self.ran}".encode(), b"PINYON_ATTEMPT="
        found = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                environ = Path(f"/proc/{entry}/environ").read_bytes().split(b"\0")
                if mark in environ and any(one.startswith(attempt) for one in environ):
                    found.append(Path(f"/proc/{entry}/cmdline").read_text().replace("\0", " "))
            except OSError:
                continue
        return found

    def kill_all(self) -> None:
        """SIGKILL everything that was started for this project, supervisors too, and wait until it is gone."""
        mark = f"RAN={self.ran}".encode()
        while True:
            found = []
            for entry in filter(str.isdigit, os.listdir("/proc")):
                try:
                    environ = Path(f"/proc/{entry}/environ").read_bytes().split(b"\0")
                except OSError:
                    continue
                if mark in environ:
                    found.append(int(entry))
            if not found:
                return
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)

    def close(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
        self.kill_all()  # what a test has orphaned would go on for ever


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Project]:
    """A directory without anything in it."""
    project = Project(tmp_path / "project")
    yield project
    project.close()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[str], Project]]:
    """Makes projects with the same stages and files, each in a directory of this name."""
    made: list[Project] = []

    def one(name: str) -> Project:
        made.append(Project(tmp_path / name))
        made[-1].fill({"pinyon.yaml": PIPELINE, **FILES})
        return made[-1]

    yield one
    for project in made:
        project.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """An empty project for all tests of a module, which copy it and leave it alone."""
    project = Project(tmp_path_factory.mktemp("shared") / "project")
    yield project
    project.close()


@pytest.fixture
def project(empty: Project) -> Project:
    """prepare → train → report, and side by itself."""
    empty.fill({"pinyon.yaml": PIPELINE, **FILES})
    return empty


@pytest.fixture
def finished(project: Project) -> Project:
    """The same after one run."""
    assert sorted(project.stages()) == ["prepare", "report", "side", "train"]
    return project
