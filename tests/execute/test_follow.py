"""Files that a command writes are found, followed while it runs, and finished before its outcome is told."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from supervised import FAR, Bench

from pinyon.execute.local import LocalTarget
from pinyon.execute.node.wandbmode import wandb_mode
from pinyon.execute.protocol import ADHOC, AttemptSpec
from pinyon.model.graph import Command
from pinyon.query import points as reader
from pinyon.store.local import LocalStore

MADE = Path(__file__).parents[1] / "bridges"
LONG = "import time, os, sys, json\nimport madefiles as made\ntime.sleep(0.15)\n"  # longer than what nobody looks at


def script(bench: Bench, text: str, **fields: Any) -> AttemptSpec:
    """An attempt of a Python script that can write such files."""
    path = os.pathsep.join([str(MADE), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    return bench.spec(
        command=Command("exec", (sys.executable, "-c", LONG + text)), env={"PYTHONPATH": path}, **fields
    )


def points(store: LocalStore, attempt: str) -> list[tuple[str, int | None, float]]:
    """(metric, step, value) as the journals have them now."""
    rows: list[tuple[str, int | None, float]] = []
    for segment in store.journals.points():
        found = reader.read(store.root / "journals" / segment).points
        every = (row for row in found.numbers() if row[0] == attempt)
        rows += [(name, step, value) for _, name, step, value in every if not name.startswith("system.")]
    return sorted(rows)


def until(condition: Any) -> Any:
    deadline = time.monotonic() + FAR
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def tails(attempt: str) -> list[int]:
    """The processes that follow files of an attempt."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"pinyon.bridges.tail" in words and attempt.encode() in words:
            found.append(int(entry))
    return found


WAITS = """
events, run = made.Events("somewhere/deep"), made.Wandb("wandb", "first", lr=0.1)
for step in range(3):
    events.add(step, loss=step)
    run.add(made.history(step, time.time(), accuracy=step))
print("10%|#   |\\r20%|##  |", end="", flush=True)
while not os.path.exists("go"):
    time.sleep(0.02)
events.add(3, loss=3)
"""


def test_numbers_are_there_while_the_command_runs(bench: Bench) -> None:
    spec = script(bench, WAITS)
    bench.target.submit(spec)
    early = [(name, step, float(step)) for name in ("accuracy", "loss") for step in range(3)]
    until(lambda: points(bench.store, spec.attempt) == early)
    bench.write("go", "")
    assert bench.ended(spec.attempt)["state"] == "SUCCEEDED"
    assert points(bench.store, spec.attempt) == [*early, ("loss", 3, 3.0)]
    assert bench.records("params") == [{"attempt": spec.attempt, "params": {"lr": 0.1}}]
    assert not tails(spec.attempt)
    log, start, end = bench.ended(spec.attempt)["log"]
    assert (bench.store.root / log).read_bytes()[start:end] == b"10%|#   |\r20%|##  |"


@pytest.mark.parametrize("killed", ["once", "each"])
def test_a_process_that_is_killed_is_started_again(bench: Bench, killed: str) -> None:
    spec = script(bench, WAITS)
    bench.target.submit(spec)
    until(lambda: len(points(bench.store, spec.attempt)) == 6)
    for _ in range(1 if killed == "once" else 3):
        (pid,) = until(lambda: tails(spec.attempt))
        os.kill(pid, signal.SIGKILL)
        until(lambda pid=pid: pid not in tails(spec.attempt))
        if killed == "each":
            until(lambda: tails(spec.attempt))
    bench.write("go", "")
    assert bench.ended(spec.attempt)["state"] == "SUCCEEDED"
    expected = [("accuracy", step, float(step)) for step in range(3)] + [
        ("loss", step, float(step)) for step in range(4)
    ]
    assert points(bench.store, spec.attempt) == expected


@pytest.mark.parametrize(
    ("folder", "words"),
    [("runs/a", ()), ("wandb", ()), ("lightning_logs/version_0", ()), ("x/y", ("--logdir", "x")),
     ("z", ("--tb_log_dir=z",))],
)  # fmt: skip
def test_a_short_command_is_found_at_its_end(folder: str, words: tuple[str, ...], bench: Bench) -> None:
    spec = script(bench, f"made.Events({folder!r}).add(1, loss=2.0)")
    spec = spec._replace(command=Command("exec", (*spec.command.parts, *words)))
    bench.target.submit(spec)
    bench.ended(spec.attempt)
    assert points(bench.store, spec.attempt) == [("loss", 1, 2.0)]


def test_an_out_is_looked_into_and_what_was_there_before_is_not(bench: Bench) -> None:
    text = "made.Events('model').add(1, loss=2.0)\n"
    first, second = (
        script(bench, text + f"made.Events('runs/{name}').add(1, {name}=2.0)", outs=["model"])
        for name in "ab"
    )
    for spec in (first, second):
        bench.target.submit(spec)
        bench.ended(spec.attempt)
    assert points(bench.store, first.attempt) == [("loss", 1, 2.0), ("runs/a/a", 1, 2.0)]
    assert [name for name, _, _ in points(bench.store, second.attempt)] == ["loss", "runs/b/b"]


def test_two_at_once_in_one_folder_have_their_own_only(bench: Bench) -> None:
    """One of them is over while the other writes on; both write to runs/."""
    other = LocalTarget(bench.root, bench.store)
    other.start()
    long = script(
        bench,
        "e = made.Events('runs/long')\nwhile not os.path.exists('go'):\n    e.add(1, x=1.0); time.sleep(0.05)",
    )
    short = script(bench, "made.Events('runs/short').add(1, loss=2.0)", lock=ADHOC)
    third = script(bench, "time.sleep(0.5)", lock=ADHOC)
    bench.target.submit(long)
    until((bench.root / "runs/long").exists)
    bench.target.submit(short)
    other.submit(third)
    bench.ended(short.attempt)
    other.close()
    bench.write("go", "")
    bench.ended(long.attempt)
    assert {name for name, _, _ in points(bench.store, long.attempt)} == {"x"}
    assert points(bench.store, short.attempt) == [("loss", 1, 2.0)]
    assert points(bench.store, third.attempt) == []


def test_a_command_without_such_files_costs_no_process(bench: Bench) -> None:
    bench.run("sleep 0.2; mkdir -p runs; echo x > runs/notes.txt")
    assert len(bench.store.journals.segments()) == 1  # the supervisor's


def test_a_command_that_fails_keeps_what_it_wrote(bench: Bench) -> None:
    spec = script(bench, "made.Events('runs').add(1, loss=2.0)\nos.kill(os.getpid(), 9)")
    bench.target.submit(spec)
    assert bench.ended(spec.attempt)["detail"] == "signal"
    assert points(bench.store, spec.attempt) == [("loss", 1, 2.0)]


def test_numbers_are_there_although_the_supervisor_is_killed(bench: Bench) -> None:
    spec = script(bench, WAITS)
    bench.target.submit(spec)
    until(lambda: tails(spec.attempt))
    os.kill(bench.supervisor.pid, signal.SIGKILL)
    bench.write("go", "")
    until(lambda: not tails(spec.attempt))
    assert len(points(bench.store, spec.attempt)) == 7


@pytest.mark.slow
def test_a_command_that_wrote_nothing_for_long_is_finished_all_the_same(bench: Bench) -> None:
    spec = script(bench, WAITS)
    bench.target.submit(spec)
    until(lambda: len(points(bench.store, spec.attempt)) == 6)
    time.sleep(7)  # it was last heard at the second look, after 3 s, and may be silent for 4
    bench.write("go", "")
    bench.ended(spec.attempt)
    assert len(points(bench.store, spec.attempt)) == 7
    assert sorted(body["points"] for body in bench.records("followed")) == [3, 4]


def test_a_process_that_hangs_does_not_hold_up_the_outcome(bench: Bench) -> None:
    spec = script(bench, WAITS)
    bench.target.submit(spec)
    until(lambda: len(points(bench.store, spec.attempt)) == 6)
    (pid,) = tails(spec.attempt)
    os.kill(pid, signal.SIGSTOP)
    bench.write("go", "")
    assert bench.ended(spec.attempt)["state"] == "SUCCEEDED"
    assert not tails(spec.attempt)
    assert len(points(bench.store, spec.attempt)) == 6


def test_wandb_is_offline_only_where_nobody_said_anything(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    base = iter(map(str, range(100)))

    def mode(environment: dict[str, str], given: dict[str, str] | None = None) -> dict[str, str]:
        return wandb_mode({**home, **environment}, given or {}, str(tmp_path / next(base)))

    offline = {"WANDB_MODE": "offline"}
    assert mode({}) == offline
    assert mode({"WANDB_PROJECT": "x"}) == offline
    assert (
        mode({"WANDB_MODE": "online"})
        == mode({}, {"WANDB_MODE": "disabled"})
        == mode({"WANDB_API_KEY": "x"})
        == {}
    )
    (tmp_path / "6/wandb").mkdir(parents=True)
    (tmp_path / "6/wandb/settings").write_text("[default]\nmode = disabled\n")
    assert next(base) == "5"
    assert mode({}) == {}
    (tmp_path / ".netrc").write_text("machine example.org login a password b\n")
    assert mode({}) == offline
    assert mode({"WANDB_BASE_URL": "https://example.org:8080/x"}) == {}
    (tmp_path / ".netrc").write_text("machine api.wandb.ai\n  login user\n  password x\n")
    assert mode({}) == {}


def test_a_command_is_told_to_stay_offline(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    env = {"HOME": str(bench.root), "WANDB_MODE": "offline"}
    bench.run("echo $WANDB_MODE > told", env={"WANDB_MODE": "dryrun"})
    assert bench.text("told") == "dryrun\n"
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", env["HOME"])
    second = LocalTarget(bench.root, bench.store)
    second.start()
    bench.target, first = second, bench.target
    first.close()
    bench.run("echo $WANDB_MODE > told")
    assert bench.text("told") == "offline\n"
