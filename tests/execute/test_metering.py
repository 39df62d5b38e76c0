"""Attempts that last are measured, short ones cost nothing; and what they print is scrubbed."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from supervised import FAR, Bench, open_attempt

from pinyon.execute.local import LocalTarget
from pinyon.model.graph import Command
from pinyon.store.scrub import Scrub

TOKEN = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"


def points(bench: Bench) -> list[dict[str, Any]]:
    """Lines of all segments of points."""
    found = []
    for path in sorted((bench.root / ".pinyon/journals").glob("*.points.*.jsonl")):
        found += [json.loads(line) for line in path.read_text().splitlines()]
    return found


def log(bench: Bench, ended: dict[str, Any]) -> bytes:
    path, first, end = ended["log"]
    data = (bench.root / ".pinyon" / str(path)).read_bytes()
    return data[first:end]


def test_an_attempt_that_lasts_is_measured(bench: Bench) -> None:
    begun = time.time()
    ended = bench.run("head -c 3000000 /dev/zero > big; sleep 6.5")
    assert ended["state"] == "SUCCEEDED"
    found = [point for point in points(bench) if "m" in point]
    assert [point["step"] for point in found] == [0, 1]
    assert {point["attempt"] for point in found} == {ended["attempt"]}
    assert 0.9 < found[0]["t"] < found[1]["t"] < time.time() - begun
    assert found[0]["m"]["system.memory"] > 0
    assert "system.cpu" not in found[0]["m"]  # a rate needs two samples
    wanted = ("cpu", "memory", "disk_read", "disk_write", "network_in", "network_out")
    assert {f"system.{name}" for name in wanted} <= found[1]["m"].keys()
    assert found[1]["m"]["system.cpu"] < 0.5


def test_short_attempts_leave_no_points(bench: Bench) -> None:
    for _ in range(3):
        bench.run("true")
    assert points(bench) == []


def test_attempts_of_one_supervisor_share_a_file(bench: Bench) -> None:
    specs = [bench.spec("sleep 1.3", lock=f"adhoc-{number}") for number in range(2)]
    for spec in specs:
        bench.target.submit(spec)
    ended = [bench.ended(spec.attempt) for spec in specs]
    assert len(list((bench.root / ".pinyon/journals").glob("*.points.*.jsonl"))) == 1
    assert {point["attempt"] for point in points(bench) if "m" in point} == {one["attempt"] for one in ended}
    for segment in bench.store.journals.points():
        assert list(bench.store.journals.verify(segment)) == []


def test_what_a_command_prints_is_scrubbed_in_place(bench: Bench) -> None:
    ended = bench.run(f"echo before {TOKEN} after; echo --password hunter2 >&2; echo max_tokens=256")
    assert log(bench, ended) == f"before {'*' * 40} after\n--password *******\nmax_tokens=256\n".encode()


def test_it_is_scrubbed_while_the_command_runs(bench: Bench) -> None:
    spec = bench.spec(f"echo {TOKEN}; sleep 20")
    bench.target.submit(spec)
    path = bench.root / f".pinyon/logs/{spec.execution}/0.log"
    deadline = time.monotonic() + FAR
    while not (path.exists() and path.read_bytes() == b"*" * 40 + b"\n"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    bench.target.cancel(spec.attempt)
    bench.ended(spec.attempt)


def test_why_it_failed_is_told_without_secrets(bench: Bench) -> None:
    ended = bench.run(command=Command("exec", (TOKEN,)))
    assert TOKEN in ended["message"], "who waits for it is told as it is"
    (recorded,) = bench.records("ended")
    assert recorded["message"] == ended["message"].replace(TOKEN, "***")


@pytest.mark.parametrize("cut", range(0, 45, 4))
def test_a_secret_that_comes_in_two_parts(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "log"
    line = f"a {TOKEN} b\n".encode()
    path.write_bytes(b"not ours ghp_16C7e42F292c6912E7710c838347Ae178B4b\n")
    first = path.stat().st_size
    one = Scrub(str(path), first)
    for part in (b"x" * 9_000 + b"\n", line[:cut], line[cut:]):
        with path.open("ab") as file:
            file.write(part)
        for _ in one.steps(last=False):
            pass
    assert path.read_bytes()[first + 9_001 :] == b"a " + b"*" * 40 + b" b\n"
    assert path.read_bytes()[:first].startswith(b"not ours ghp_")
    assert not one.behind()


def test_much_output_is_looked_through_in_steps(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes((b"y" * 99 + b"\n") * 30_000 + TOKEN.encode() + b"\n" + b"\xff\xfe" * 10)
    size = path.stat().st_size
    assert sum(1 for _ in Scrub(str(path), 0).steps()) == 3
    assert TOKEN.encode() not in path.read_bytes()
    assert path.stat().st_size == size


def test_a_log_that_is_gone_troubles_nobody(tmp_path: Path) -> None:
    assert list(Scrub(str(tmp_path / "none"), 0).steps()) == []


def test_what_a_dead_supervisor_left_is_scrubbed_by_the_repair(bench: Bench) -> None:
    spec = bench.spec(f"echo {TOKEN}; touch said; sleep 60")
    bench.target.submit(spec)
    running = bench.wait("running", spec.attempt)
    deadline = time.monotonic() + FAR
    while not (bench.root / "said").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(bench.supervisor.pid, signal.SIGKILL)
    path = bench.root / ".pinyon" / running["log"][0]
    attempt = open_attempt(spec, log=(*running["log"], -1))
    LocalTarget(bench.root, bench.store).repair(attempt)
    assert path.read_bytes() == b"*" * 40 + b"\n"
