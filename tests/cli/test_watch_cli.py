"""`pinyon watch` on a terminal, in a pipe and for programs."""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinyon.cli.pictures import draw, sparkline
from pinyon.cli.watching import Screen
from pinyon.model.ids import this_process
from pinyon.model.outcome import Attempt
from pinyon.query.alive import Verdict
from pinyon.query.going import Counts, Over, Part, Picture, Work
from pinyon.query.live import Metric, Now
from pinyon.query.pace import Progress
from pinyon.session.reach import Away

TRAIN = """
import os, time
import pinyon
run = pinyon.run()
here = os.environ["HERE"]
for step in run.progress(range(50), label="epoch"):
    run.log(loss=1 / (step + 1))
    if step == 20:
        print("at twenty", flush=True)
        open(here + "/began", "w").close()
        while not os.path.exists(here + "/go"):
            time.sleep(0.02)
open("model.txt", "w").close()
"""
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Terminal:
    """The command with a terminal of its own."""

    def __init__(self, project: Any, rows: int, columns: int, *arguments: str) -> None:
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.chdir(project.root)
            os.execve(
                sys.executable,
                [sys.executable, "-m", "pinyon.cli", "watch", *arguments],
                {**project.env, "TERM": "xterm-256color", "COLUMNS": "", "LINES": ""},
            )
        self.resize(rows, columns)
        self.text = ""

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, what: str) -> str:
        """What came until this text did."""
        begin, deadline = len(self.text), time.monotonic() + 30
        while what not in ESCAPES.sub("", self.text[begin:]):
            assert time.monotonic() < deadline, ESCAPES.sub("", self.text)
            if select.select([self.fd], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):
                    self.text += os.read(self.fd, 1 << 16).decode(errors="replace")
        return self.text[begin:]

    def press(self, keys: bytes) -> None:
        os.write(self.fd, keys)

    def wait(self) -> int:
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError):
                if select.select([self.fd], [], [], 0.05)[0]:
                    self.text += os.read(self.fd, 1 << 16).decode(errors="replace")
            found, status = os.waitpid(self.pid, os.WNOHANG)
            if found:
                os.close(self.fd)
                return os.waitstatus_to_exitcode(status)
            assert time.monotonic() < deadline, "it did not end"


@pytest.fixture
def training(empty: Any) -> Iterator[Any]:
    """A project with a training that is at work in its twentieth step."""
    empty.fill(
        {
            "pinyon.yaml": "stages: {train: {cmd: python train.py, deps: [train.py], outs: [model.txt]}}\n",
            "train.py": TRAIN,
        }
    )
    empty.driver = empty.start("run")
    empty.wait_for((empty.root.parent / "began").exists)
    yield empty
    (empty.root.parent / "go").touch()


def looks(process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    while line := process.stdout.readline():
        yield json.loads(line)


def test_once_shows_what_runs_as_plain_text(training: Any) -> None:
    training.wait_for(lambda: "loss 0.0476" in training.good("watch", "--once").out)
    ended = training.good("watch", "--once")
    assert "\x1b" not in ended.out
    for text in ("train", "1 running", "epoch 0/50", "loss 0.0476", "█", "│ at twenty"):
        assert text in ended.out, text
    assert "loss" not in training.good("watch", "--once", "another").out


@pytest.mark.parametrize("columns", [20, 60, 100, 300])
def test_no_line_is_wider_than_asked_for(training: Any, columns: int) -> None:
    ended = training.good("watch", "--once", env={**training.env, "COLUMNS": str(columns)})
    assert max(map(len, ended.out.splitlines())) <= columns


def test_json_is_an_object_a_line_for_each_look(training: Any) -> None:
    watch = training.start("watch", "--json", "--interval", "0.2")
    first = next(looks(watch))
    (work,) = first["executions"]
    (attempt,) = work["attempts"]
    assert (attempt["stage"], attempt["status"], attempt["progress"]["total"]) == ("train", "RUNNING", 50)
    assert attempt["elapsed"] >= 0
    assert work["counts"] == {"done": 0, "running": 1, "failed": 0, "waiting": 0, "total": 1}
    (training.root.parent / "go").touch()
    last = next(look for look in looks(watch) if look["ended"])
    assert [(one["stage"], one["status"]) for one in last["ended"]] == [("train", "SUCCEEDED")]
    assert training.driver.wait(30) == 0
    assert next(look for look in looks(watch) if not look["executions"])["reachable"]
    watch.send_signal(signal.SIGINT)
    assert watch.wait(30) == 0


def test_in_a_pipe_it_writes_what_changes(training: Any) -> None:
    watch = training.start("watch", "--interval", "0.2")
    assert "RUNNING    train" in watch.stdout.readline()
    (training.root.parent / "go").touch()
    assert "SUCCEEDED  train" in watch.stdout.readline()
    (training.root.parent / "go").unlink()
    (training.root.parent / "began").unlink()
    again = training.start("run", "-f")
    assert any("train" in watch.stdout.readline() for _ in range(2))  # a new execution appears by itself
    (training.root.parent / "go").touch()
    assert again.wait(30) == 0
    watch.send_signal(signal.SIGINT)
    assert watch.wait(30) == 0


@pytest.mark.parametrize("how", ["q", "Q", "\x03"])
def test_a_key_ends_it_and_the_terminal_is_as_before(training: Any, how: str) -> None:
    terminal = Terminal(training, 30, 100)
    terminal.read("at twenty")
    terminal.press(how.encode())
    assert terminal.wait() == 0
    assert "\x1b[?1049h" in terminal.text  # a screen of its own
    assert terminal.text.rstrip().endswith("\x1b[?1049l")  # which it has left
    assert "Traceback" not in terminal.text


def test_a_terminal_that_is_resized_is_drawn_anew(training: Any) -> None:
    terminal = Terminal(training, 30, 100)
    terminal.read("at twenty")
    for rows, columns in ((10, 60), (3, 24), (40, 200)):
        terminal.resize(rows, columns)
        terminal.read("pinyon watch")
        terminal.read(
            "pinyon watch"
        )  # a whole picture at the new size is behind the last but one of its beginnings
        frame = terminal.text.split("\x1b[H")[-2]
        assert max(map(len, ESCAPES.sub("", frame).replace("\r", "").split("\n"))) <= columns
    terminal.press(b"q")
    assert terminal.wait() == 0


def test_keys_scroll(training: Any) -> None:
    terminal = Terminal(training, 4, 60)
    terminal.read("more lines")
    terminal.press(b"jj\x1b[Bk")
    terminal.read("pinyon watch")
    terminal.press(b"q")
    assert terminal.wait() == 0


@pytest.mark.parametrize("how", ["renamed", "emptied"])
def test_a_store_that_goes_away_is_waited_for(training: Any, how: str) -> None:
    watch = training.start("watch", "--json", "--interval", "0.1")
    assert next(looks(watch))["executions"]
    store, away = training.root / ".pinyon", training.root / "away"
    store.rename(away)
    if how == "emptied":
        store.mkdir()  # as a mount point is without what was mounted there
    gone = next(look for look in looks(watch) if not look["reachable"])
    assert gone["away"]["why"]
    time.sleep(0.5)
    written = [str(path.relative_to(store)) for path in store.rglob("*")]
    assert not written, "something was written in its place"
    if how == "emptied":
        store.rmdir()
    away.rename(store)
    back = next(look for look in looks(watch) if look["reachable"])
    assert back["executions"][0]["attempts"][0]["status"] == "RUNNING"
    # What was sampled meanwhile could not be written; that ends nothing.
    assert next(look for look in looks(watch) if look["executions"][0]["attempts"][0]["system"])
    assert not (store / "logs" / "supervisor.log").exists()
    watch.send_signal(signal.SIGINT)
    assert watch.wait(30) == 0


def test_the_screen_says_since_when_the_store_is_away(training: Any) -> None:
    terminal = Terminal(training, 30, 100, "--interval", "0.1")
    terminal.read("at twenty")
    time.sleep(1)  # what the training has told is on disk by now, so that it does not mind
    store, away = training.root / ".pinyon", training.root / "away"
    store.rename(away)
    assert "at twenty" in ESCAPES.sub("", terminal.read("not reachable since") + terminal.read("at twenty"))
    away.rename(store)
    terminal.read("at twenty")
    terminal.press(b"q")
    assert terminal.wait() == 0


def test_watching_writes_nothing_to_the_store(training: Any) -> None:
    def listed() -> dict[str, tuple[int, int]]:
        store = training.root / ".pinyon"
        return {
            str(path.relative_to(store)): (path.stat().st_size, path.stat().st_mtime_ns)
            for path in store.rglob("*")
            if path.is_file() and not path.is_relative_to(store / "cache")
        }

    training.wait_for(
        lambda: [listed(), time.sleep(0.5), listed()][::2] == [listed()] * 2
    )  # it has come to its pause
    before = listed()
    for _ in range(3):
        training.good("watch", "--once")
    assert listed() == before


def test_nothing_has_run_yet(project: Any) -> None:
    assert "nothing has run here yet" in project.good("watch", "--once").out
    assert not (project.root / ".pinyon").exists()
    watch = project.start("watch", "--json", "--interval", "0.1")
    assert next(looks(watch))["away"]["why"] == "nothing is recorded here"
    project.good("run")
    assert next(look for look in looks(watch) if look["reachable"])
    watch.send_signal(signal.SIGINT)
    assert watch.wait(30) == 0


def test_outside_of_a_project(empty: Any) -> None:
    ended = empty("watch", "--once")
    assert ended.code != 0
    assert "error:" in ended.err


# -- the picture itself, of anything ---------------------------------------------------------------------------------------

TEXT = st.text(max_size=30)
NUMBER = st.floats() | st.floats(0, 1)
METRICS = st.dictionaries(
    TEXT,
    st.builds(Metric, NUMBER, st.integers(0, 10**9), st.lists(NUMBER, min_size=1, max_size=40)),
    max_size=5,
)
ATTEMPT = Attempt("a", "k", "r", "s", "x", 1, "in place", "RUNNING", supervisor=this_process())
ATTEMPTS = st.fixed_dictionaries(
    {
        "id": TEXT,
        "stage": TEXT,
        "recipe": TEXT,
        "message": TEXT,
        "state": st.sampled_from(["RUNNING", "FAILED", "SUCCEEDED"]),
        "seconds": st.floats(0, 1e7),
        "metrics": st.dictionaries(TEXT, NUMBER | TEXT, max_size=5),
    }
).map(lambda told: ATTEMPT._replace(**told))
VERDICTS = st.builds(
    Verdict, st.sampled_from(["RUNNING", "SUBMITTED", "UNKNOWN", "LOST", "FAILED", "SUCCEEDED"]), TEXT
)
COUNTS = st.builds(Counts, *[st.integers(0, 1000)] * 5)
ROWS = st.builds(
    Now, ATTEMPTS, VERDICTS, st.floats(0, 1e7), st.none() | st.floats(0, 1e5),
    st.none() | st.builds(Progress, st.integers(0, 100), st.none() | st.integers(0, 100), TEXT,
                          st.none() | st.floats(0.01, 1e6), st.none() | st.floats(0, 1e7)),
    METRICS, METRICS, TEXT,
)  # fmt: skip
PARTS = st.lists(st.builds(Part, TEXT, TEXT, COUNTS), max_size=3)
WORKS = st.tuples(
    TEXT,
    st.sampled_from(["RUNNING", "UNKNOWN", "LOST"]),
    TEXT,
    TEXT,
    st.none() | st.just({"kind": "person", "name": "eve"}),
    TEXT,
    st.just(0.0),
    COUNTS,
    PARTS,
    st.lists(ROWS, max_size=4),
).map(lambda fields: Work(*fields))
OVERS = st.builds(Over, ATTEMPTS, VERDICTS, TEXT, st.floats(0, 60))
PICTURES = st.builds(
    Picture, st.lists(WORKS, max_size=3), st.lists(OVERS, max_size=3), st.dictionaries(TEXT, TEXT, max_size=2)
)


def test_what_the_machine_does_has_units() -> None:
    told = {
        "disk_write": 1620.0, "disk_read": 0.0, "memory": 41.7e6, "cpu": 1.96, "gpu.0.utilization": 93.0,
        "gpu.0.power": 310.5, "gpu.0.memory": 17e9, "network_in": math.nan,
    }  # fmt: skip
    system = {name: Metric(value, 1, [value]) for name, value in told.items()}
    row = Now(ATTEMPT, Verdict("RUNNING", ""), 3.0, None, None, {}, system, "")
    counts = Counts(0, 1, 0, 0, 0)
    work = Work("x-1", "RUNNING", "", "run", None, "h", 0.0, counts, [], [row])
    (line,) = [str(line) for line in draw(Picture([work], [], {}), 200) if "cores" in str(line)]
    assert line.strip().split("   ") == [
        "cpu 2.0 cores", "memory 41.7 MB", "gpu.0.memory 17.0 GB", "gpu.0.power 310.5 W", "gpu.0.utilization 93.0 %",
        "disk write 1.6 kB/s", "network in nan",
    ]  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(PICTURES, st.integers(20, 220), st.integers(3, 60))
def test_any_picture_fits_any_terminal(picture: Picture, width: int, height: int) -> None:
    assert all(line.cell_len <= width for line in draw(picture, width))
    screen = Screen("somewhere")
    for answer in (picture, Away("why", 5.0, 0.0)):
        screen.take(answer)
        screen.scroll(b"j")
        lines = screen.lines(width, height)
        assert len(lines) <= height
        assert all(line.cell_len <= width for line in lines)
        assert not any(set(line.plain) & set("\x1b\n\r\t\x07") for line in lines)


@given(st.lists(NUMBER, max_size=60), st.integers(1, 40))
def test_a_sparkline_has_a_column_for_each_value(values: list[float], width: int) -> None:
    assert len(sparkline(values, width)) == min(len(values), width)


def test_a_sparkline_goes_from_low_to_high() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([1, float("nan"), 2]) == "▁·█"
    assert sparkline([5, 5]) == "▄▄"


@pytest.mark.parametrize("count", [1, 200])
def test_many_attempts_take_a_line_each_and_scroll(count: int) -> None:
    attempt = ATTEMPT._replace(stage="train")
    rows = [
        Now(attempt._replace(id=f"a-{n}"), Verdict("RUNNING"), 5.0, 0.0, Progress(1, 4, "", 1.0, 3.0),
            {"loss": Metric(float(n), 1, [3.0, 1.0])}, {}, "a line")
        for n in range(count)
    ]  # fmt: skip
    work = Work("x", "RUNNING", "p", "train", None, "host", 0.0, Counts(0, count, 0, 0, count), [], rows)
    screen = Screen("somewhere")
    screen.take(Picture([work], [], {}))
    first = screen.lines(100, 30)
    assert len(first) <= 30
    assert sum("train" in line.plain for line in first) >= (24 if count == 200 else 1)
    assert any("a line" in line.plain for line in first) is (count == 1)
    for _ in range(count * 2):
        screen.scroll(b"\x1b[B")
    last = screen.lines(100, 30)
    assert ("199" in last[-1].plain) is (count == 200)


def test_rich_is_imported_for_a_terminal_only(training: Any) -> None:
    code = "import sys; sys.argv[1:] = ['watch', '--once', '--json']\n"
    code += "from pinyon.cli.group import call\ntry: call(sys.argv[1:])\nexcept SystemExit: print('rich' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=training.root,
        env=training.env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "False"
    assert Path(training.root).exists()
