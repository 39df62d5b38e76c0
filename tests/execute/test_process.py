"""How commands run and end: causes, signals, leftovers, and a supervisor that nothing distracts."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
from supervised import Bench, open_attempt

from pinyon.errors import TargetError, WorkspaceLockedError
from pinyon.execute.local import LocalTarget
from pinyon.execute.locks import DriverLock
from pinyon.execute.node import supervisor
from pinyon.execute.node.channel import Channel
from pinyon.execute.node.commit import Commit
from pinyon.execute.node.process import leftovers
from pinyon.model.event import Event
from pinyon.model.graph import Command


def until_gone(bench: Bench) -> None:
    """Poll until the target says, once, that its supervisor is gone."""
    try:
        while True:
            bench.target.poll(5)
    except TargetError:
        return


@pytest.mark.parametrize(
    ("line", "detail", "number"),
    [
        ("exit 7", "exit", None),
        ("kill -SEGV $$", "signal", 11),
        ("sh -c 'kill -ABRT $$'; exit $?", "signal", 6),
        ("echo 'torch.OutOfMemoryError: CUDA out of memory'; exit 1", "oom", None),
        ("echo Killed; kill -9 $$", "oom", 9),
        ("kill -9 $$", "signal", 9),
    ],
)
def test_causes(bench: Bench, line: str, detail: str, number: int | None) -> None:
    end = bench.run(line)
    assert (end["state"], end["detail"], end["signal"]) == ("FAILED", detail, number)


def test_a_program_that_is_not_there_is_named(bench: Bench) -> None:
    end = bench.run(command=Command("exec", ("no-such-program", "x")))
    assert (end["detail"], "no-such-program" in end["message"]) == ("setup", True)


@pytest.mark.parametrize("word", ["; touch pwned", "$(touch pwned)", "a\nb", "-n", "*", "'\"", "ü\\"])
def test_an_argument_vector_meets_no_shell(bench: Bench, word: str) -> None:
    bench.run(
        command=Command("exec", ("python3", "-c", "import sys; open('o','w').write(sys.argv[1])", word))
    )
    assert bench.text("o") == word
    assert not (bench.root / "pwned").exists()


def test_a_null_in_a_command_is_a_failure_and_no_more(bench: Bench) -> None:
    assert bench.run("echo a\0b")["detail"] == "setup"
    assert bench.run("true")["state"] == "SUCCEEDED"


def test_timeout_waits_for_the_grace_and_then_kills(bench: Bench) -> None:
    end = bench.run("trap '' TERM; while :; do sleep 0.05; done", timeout=0.2, grace=0.3)
    assert (end["state"], end["detail"], end["signal"]) == ("FAILED", "timeout", 9)
    assert 0.5 <= end["seconds"] < 3


def test_cancel_one_of_two(bench: Bench) -> None:
    first, second = bench.spec("sleep 60"), bench.spec("sleep 0.4")
    for spec in (first, second):
        bench.target.submit(spec)
        bench.wait("running", spec.attempt)
    bench.target.cancel(first.attempt)
    assert (bench.ended(first.attempt)["state"], bench.ended(first.attempt)["detail"]) == (
        "CANCELLED",
        "user",
    )
    assert bench.ended(second.attempt)["state"] == "SUCCEEDED"


def test_submitting_twice_is_once(bench: Bench) -> None:
    spec = bench.spec("echo x >> count")
    bench.target.submit(spec)
    bench.target.submit(spec)
    bench.ended(spec.attempt)
    bench.run("true")
    assert bench.text("count") == "x\n"


@pytest.mark.parametrize("how", ["sleep 300 &", "setsid sleep 300 &", "(setsid sleep 300 &) &"])
def test_nobody_outlives_the_attempt(bench: Bench, how: str) -> None:
    spec = bench.spec(how)
    bench.target.submit(spec)
    bench.ended(spec.attempt)
    assert not list(leftovers(spec.attempt))


def test_signals_of_a_terminal_do_not_reach_it_and_are_not_ignored_in_commands(bench: Bench) -> None:
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        os.kill(bench.supervisor.pid, number)
    assert bench.run("kill -INT $$")["signal"] == signal.SIGINT


def test_sigterm_cancels_everything_and_ends_it(bench: Bench) -> None:
    spec = bench.spec("sleep 60")
    bench.target.submit(spec)
    bench.wait("running", spec.attempt)
    os.kill(bench.supervisor.pid, signal.SIGTERM)
    assert (bench.ended(spec.attempt)["state"], bench.ended(spec.attempt)["detail"]) == (
        "CANCELLED",
        "shutdown",
    )
    until_gone(bench)
    assert bench.records("closed")


def test_a_dead_supervisor_is_told_once_and_replaced(bench: Bench) -> None:
    spec = bench.spec("sleep 60; echo new > o", outs=["o"])
    bench.write("o", "old")
    bench.target.submit(spec)
    bench.wait("running", spec.attempt)
    os.kill(bench.supervisor.pid, signal.SIGKILL)
    until_gone(bench)
    assert bench.target.poll(0) == []
    bench.target.repair(open_attempt(spec, supervisor=bench.supervisor))
    assert bench.text("o") == "old"
    assert not list(leftovers(spec.attempt))
    assert bench.target.start() != bench.supervisor
    assert bench.run("true")["state"] == "SUCCEEDED"


def test_a_second_supervisor_waits_until_the_first_has_left_the_project(bench: Bench) -> None:
    first, second = bench.spec("sleep 0.5; echo 1 >> order"), bench.spec("echo 2 >> order")
    bench.target.submit(first)
    bench.wait("running", first.attempt)
    other = LocalTarget(bench.root, bench.store)
    other.start()
    other.submit(second)
    bench.ended(first.attempt)
    bench.target.close()
    other.close()
    assert bench.text("order") == "1\n2\n"


def test_a_driver_that_does_not_read_blocks_nobody(bench: Bench) -> None:
    for _ in range(3):
        spec = bench.spec(
            "mkdir d; cd d; for i in $(seq 700); do : > file-with-a-long-name-$i; done", outs=["d"]
        )
        bench.target.submit(spec)
    deadline = time.monotonic() + 20
    while len(bench.records("ended")) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_heartbeats_name_what_runs(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "HEARTBEAT", 0.0)
    reader, writer = os.pipe()
    ours = supervisor.Supervisor(bench.store, Channel(reader, os.open(os.devnull, os.O_WRONLY)))
    spec = bench.spec("true")
    ours._start(json.loads(json.dumps(spec.to_json())))
    ours._beat()
    assert bench.records("heartbeat") == [{"attempts": [spec.attempt]}]
    os.close(writer)


def test_a_full_disk_delays_a_record_and_loses_none(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, _ = os.pipe()
    ours = supervisor.Supervisor(bench.store, Channel(reader, os.open(os.devnull, os.O_WRONLY)))
    append, refusals = ours._writer.append, [OSError(28, "No space left on device")]

    def refuse(kind: str, body: dict) -> Event:
        if refusals:
            raise refusals.pop()
        return append(kind, body)

    monkeypatch.setattr(ours._writer, "append", refuse)
    ours.record("running", {"attempt": "a-1"})
    assert ours.behind
    ours._retry_at = 0.0
    ours.record("ended", {"attempt": "a-1"})
    assert not ours.behind
    assert [len(bench.records(kind)) for kind in ("running", "ended")] == [1, 1]
    ours._commit.close()
    ours._announce()
    assert not bench.records("durable"), "what a failed write left behind must never be called durable"


def test_a_failed_fsync_is_never_announced_nor_tried_again(bench: Bench) -> None:
    class Journal:
        def flush(self) -> None:
            flushes.append(1)
            raise OSError(5, "Input/output error")

    flushes: list[int] = []
    announced: list[int] = []
    commit = Commit(bench.store.blobs, Journal(), announced.append)  # type: ignore[arg-type]
    commit.add(1)
    time.sleep(0.3)
    commit.add(2)
    commit.close()
    assert (flushes, announced) == ([1], [])


def test_the_second_driver_is_refused_with_the_holders_name(tmp_path: Path) -> None:
    with DriverLock(str(tmp_path), "pinyon run train"):
        with pytest.raises(WorkspaceLockedError) as caught, DriverLock(str(tmp_path)):
            pass
        assert f"process {os.getpid()}" in str(caught.value)
        assert "pinyon run train" in str(caught.value)
    with DriverLock(str(tmp_path)):
        pass
