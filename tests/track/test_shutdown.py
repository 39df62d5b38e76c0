"""A process that is told to end, and what its thread says meanwhile."""

from __future__ import annotations

import os
import signal

import pytest
from tracked import Place

LOOP = """
import signal, sys, time, pinyon
{before}
run = pinyon.run()
run.log(x=0, step=0)
run.summary["best"] = 1
{after}
print("ready", flush=True)
step = 1
while True:
    run.log(x=step, step=step)
    step += 1
    time.sleep(0.001)
"""


def told_to_end(place: Place, before: str = "", after: str = "") -> tuple[int, str]:
    """Exit code and what it printed, of a script that gets SIGTERM while it logs."""
    child = place.start(LOOP.format(before=before, after=after))
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    os.kill(child.pid, signal.SIGTERM)
    said, _ = child.communicate(timeout=30)
    return child.returncode, said


def test_a_run_of_its_own_that_is_told_to_end_is_cancelled(own: Place) -> None:
    assert told_to_end(own) == (-signal.SIGTERM, "")
    (ended,) = own.bodies("ended")
    assert (ended["state"], ended["detail"], ended["signal"]) == ("CANCELLED", "shutdown", signal.SIGTERM)
    assert own.bodies("finished")[0]["state"] == "CANCELLED"
    assert own.bodies("outputs")[0]["metrics"] == {"best": 1}
    steps = [point["step"] for point in own.points()]
    assert steps == list(range(len(steps)))
    assert [run["status"] for run in own.cli("runs")] == ["CANCELLED"]


def test_an_attempt_that_is_told_to_end_leaves_its_end_to_the_supervisor(place: Place) -> None:
    assert told_to_end(place) == (-signal.SIGTERM, "")
    assert place.bodies("ended") == []
    assert len(place.events("closed")) == 1


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_handler_of_the_users_stays(own: Place, where: str) -> None:
    theirs = "signal.signal(signal.SIGTERM, lambda *_: (print('mine'), sys.exit(3)))"
    assert told_to_end(own, **{where: theirs}) == (3, "mine\n")
    assert own.bodies("ended")[0]["state"] == "FAILED"


def test_after_the_end_the_signal_is_as_it_was(own: Place) -> None:
    done = own.script(
        "import signal, pinyon\n"
        "print(signal.getsignal(signal.SIGTERM))\n"
        "with pinyon.run() as run: print(callable(signal.getsignal(signal.SIGTERM)))\n"
        "print(signal.getsignal(signal.SIGTERM))\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "with pinyon.run() as run: print(signal.getsignal(signal.SIGTERM))\n"
    )
    assert done.stdout.split() == ["0", "True", "0", "1"], done.stderr


def test_in_another_thread_a_run_leaves_signals_alone(own: Place) -> None:
    done = own.script(
        "import signal, threading, pinyon\n"
        "def work():\n    with pinyon.run() as run: run.log(x=1)\n"
        "one = threading.Thread(target=work); one.start(); one.join()\n"
        "print(int(signal.getsignal(signal.SIGTERM)))"
    )
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_a_signal_in_the_middle_of_a_record_waits_for_its_end(own: Place) -> None:
    before = """
import os
real, armed = os.write, False
def write(fd, data):
    global armed
    if armed and b'"noted"' in data:
        armed = False
        os.kill(os.getpid(), signal.SIGTERM)  # its handler comes before the write
        for _ in range(10): pass
    return real(fd, data)
os.write = write
"""
    child = own.start(LOOP.format(before=before, after="armed = True\nrun.note('x')"))
    child.communicate(timeout=30)
    assert child.returncode == -signal.SIGTERM
    assert own.bodies("noted")
    assert own.bodies("ended")[0]["detail"] == "shutdown"
    assert len(own.events("closed")) == 1


def test_a_forked_worker_that_is_told_to_end_does_not_end_the_run(own: Place) -> None:
    done = own.script(
        "import multiprocessing as m, pinyon\n"
        "def work(ready):\n"
        "    run = pinyon.run(); run.log(child=1); ready.set()\n"
        "    while True: run.log(child=2)\n"
        "run = pinyon.run(); run.log(x=1)\n"
        "c = m.get_context('fork'); ready = c.Event(); p = c.Process(target=work, args=(ready,)); p.start()\n"
        "ready.wait(); p.terminate(); p.join(); print(p.exitcode); run.log(x=2)\n"
    )
    assert done.stdout == f"-{int(signal.SIGTERM)}\n", done.stderr
    assert [body["state"] for body in own.bodies("ended")] == ["SUCCEEDED"]
    names = [name for point in own.points() for name in point["m"]]
    assert names.count("x") == 2
    assert names.count("child") >= 1
    assert len(own.segments()) == 2


def test_a_run_of_its_own_says_that_it_lives(own: Place) -> None:
    done = own.script(
        "import time, pinyon, pinyon.track.sink as sink\n"
        "sink.HEARTBEAT = 0.1\n"
        "run = pinyon.run(); time.sleep(0.8); print(run.attempt)"
    )
    beats = own.bodies("heartbeat")
    assert len(beats) >= 2
    assert beats[0] == {"attempts": [done.stdout.strip()]}


def test_an_attempt_leaves_that_to_its_supervisor(place: Place) -> None:
    place.script(
        "import time, pinyon, pinyon.track.sink as sink\n"
        "sink.HEARTBEAT = 0.1\n"
        "run = pinyon.run(); run.log(x=1); time.sleep(0.5)"
    )
    assert place.bodies("heartbeat") == []


def test_facts_reach_the_disk_within_a_moment(own: Place) -> None:
    """Many in a row share one fsync."""
    done = own.script(
        "import os, time, pinyon\n"
        "real, count = os.fdatasync, 0\n"
        "def sync(fd):\n    global count; count += 1; real(fd)\n"
        "os.fdatasync = sync\n"
        "run = pinyon.run()\n"
        "for n in range(100): run.summary['n'] = n\n"
        "time.sleep(0.5); print(count)"
    )
    assert 1 <= int(done.stdout) <= 20
