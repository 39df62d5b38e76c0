"""What `log` leaves on disk: complete, by the letter of the format, whatever happens to the process."""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracked import Place, attempts, read_points

from pinyon.store import rings
from pinyon.store.points import Point, PointsWriter
from pinyon.testing.processes import Child, in_threads
from pinyon.track.running import Run

Begin = Callable[..., Run]


def test_points_are_on_disk_as_the_format_says(place: Place, inside: Begin) -> None:
    run = inside(PINYON_STARTED=repr(time.time() - 100))
    run.log(loss=0.5, accuracy=1, step=3)
    run.log({"val": {"loss": 0.25}}, step=4, lr=1e-3)
    run.log({"loss": 0.125})
    run.flush()
    first, second, third = place.points()
    assert first["attempt"] == place.attempt
    assert (first["step"], first["m"]) == (3, {"loss": 0.5, "accuracy": 1})
    assert (second["step"], second["m"]) == (4, {"val.loss": 0.25, "lr": 1e-3})
    assert third["step"] == 5
    assert 100 <= first["t"] <= second["t"] <= third["t"] < 160
    (segment,) = place.segments()
    facts = place.store.root / "journals" / segment.name.replace("points", "facts")
    assert '"kind":"opened"' in facts.read_text()


@given(
    st.lists(
        st.lists(
            st.tuples(st.integers(-5, 2**63), st.dictionaries(st.sampled_from(["a", "b\n\"'", "é"]), st.floats())),
            min_size=1, max_size=5,
        ),
        max_size=4,
    )
)  # fmt: skip
def test_what_is_written_is_read_again(tmp_path_factory: Any, batches: list[list[tuple[int, dict]]]) -> None:
    folder = tmp_path_factory.mktemp("journals")
    writer = PointsWriter(str(folder), "w-1")
    numbered = [
        [Point(number, 0.5, step, values) for number, (step, values) in enumerate(batch)] for batch in batches
    ]
    for batch in numbered:
        writer.write(batch, "a-1")
    writer.close()
    found = [point for segment in folder.iterdir() for point in read_points(segment)[0]]
    expected = [(point.step, point.values) for batch in numbered for point in batch]
    text = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
    told = [(one["step"], {k: text.get(v, v) for k, v in one["m"].items()}) for one in found]
    assert repr(told) == repr(expected)
    for segment in folder.iterdir():
        assert b":NaN" not in segment.read_bytes()


class Scalar:
    """As numpy's and torch's scalars are."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def item(self) -> Any:
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


def test_anything_can_be_handed_to_log(
    place: Place, inside: Begin, capfd: pytest.CaptureFixture[str]
) -> None:
    run = inside()
    run.log(loss=Scalar(0.5), flag=True, n=Scalar(3), step=Scalar(7).item())
    for bad in ("text", None, [1, 2], Scalar(RuntimeError("has 3 elements")), Scalar("x"), object(), 1j):
        run.log(good=1.0, bad=bad)
        run.log(good=1.0, bad=bad)
    run.log(good=1.0, step="not a number")  # type: ignore[arg-type]
    run.log("no map")  # type: ignore[arg-type]
    run.log({(1, 2): 1.0, 3: 2.0})
    run.log()
    run.flush()
    points = place.points()
    assert points[0]["m"] == {"loss": 0.5, "flag": 1, "n": 3}
    assert points[0]["step"] == 7
    assert [point["m"] for point in points[1:15]] == [{"good": 1.0}] * 14
    told = capfd.readouterr().err
    assert told.count("'bad' is a str, no number; it is left out") == 1
    assert told.count("log() could not take") == 1


def test_numpy_scalars_are_numbers(place: Place, inside: Begin) -> None:
    run = inside()
    run.log(
        loss=numpy.float32(0.5),
        n=numpy.int64(3),
        a=numpy.array([2.5]),
        bad=numpy.zeros(2),
        step=numpy.int64(9),
    )
    run.flush()
    assert [(point["step"], point["m"]) for point in place.points()] == [(9, {"loss": 0.5, "n": 3, "a": 2.5})]


def test_threads_lose_nothing(place: Place, inside: Begin) -> None:
    run = inside()

    def work(thread: int) -> None:
        for number in range(2_000):
            run.log(v=float(thread), step=number)

    in_threads([lambda thread=thread: work(thread) for thread in range(8)])
    run.flush()
    seen = {(point["m"]["v"], point["step"]) for point in place.points()}
    assert len(place.points()) == len(seen) == 16_000


def test_a_forked_child_is_a_writer_of_its_own(place: Place, inside: Begin) -> None:
    run = inside()
    for step in range(100):
        run.log(parent=1.0, step=step)  # some of it is not written yet when the child is made

    def child(_: object) -> str:
        for step in range(50):
            run.log(child=1.0, step=step)
        run.tag("forked")
        run.flush()
        return "done"

    assert Child(child).result() == "done"
    for step in range(100, 150):
        run.log(parent=1.0, step=step)
    run.flush()
    assert len(place.segments()) == 2
    by_file = [read_points(segment)[0] for segment in place.segments()]
    kinds = sorted((len(points), *points[0]["m"]) for points in by_file)
    assert kinds == [(50, "child"), (150, "parent")]
    writers = {event.writer for event in place.events("opened")}
    assert writers == {segment.name.split(".")[0] for segment in place.segments()}


def test_workers_of_multiprocessing_lose_nothing(place: Place) -> None:
    done = place.script(
        """
import multiprocessing, sys, pinyon
def work(n):
    run = pinyon.run()
    for step in range(50):
        run.log(v=n, step=step)
if __name__ == "__main__":
    pinyon.run().log(v=-1, step=0)
    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        workers = [context.Process(target=work, args=(n,)) for n in range(2)]
        [one.start() for one in workers]
        [one.join() for one in workers]
        assert all(one.exitcode == 0 for one in workers)
"""
    )
    assert done.returncode == 0, done.stderr
    assert len(place.points()) == 201
    assert len(place.segments()) == 5
    assert {point["attempt"] for point in place.points()} == {place.attempt}


KILLED = """
import os, sys, time, pinyon
run = pinyon.run()
step = 0
while True:
    run.log(loss=1.0 / (step + 1), step=step)
    os.write(1, b"%d\\n" % step)
    step += 1
    time.sleep(0.0005)
"""


@pytest.mark.parametrize("after", [0.0, 0.1, 0.25])
def test_what_log_returned_for_survives_a_kill(place: Place, after: float) -> None:
    """What was logged is told to us through a pipe: not by what is tested."""
    child = place.start(KILLED)
    assert child.stdout is not None
    first = child.stdout.readline()
    time.sleep(after)
    child.kill()
    told = (first + child.communicate()[0]).splitlines(keepends=True)
    acknowledged = {int(line.split()[0]) for line in told if line.endswith("\n")}
    written = [point["step"] for point in place.points()]
    print(f"{len(acknowledged)} acknowledged, {len(written)} there")  # noqa: T201
    assert acknowledged
    assert acknowledged <= set(written)
    assert written == list(range(len(written)))


def test_a_child_that_outlives_its_parent_does_not_hold_its_ring(place: Place) -> None:
    text = """
import os, pinyon
run = pinyon.run()
for step in range(10): run.log(parent=1, step=step)
if os.fork() == 0:
    run.log(child=1, step=0)
    os.write(1, b"%d\\n" % os.getpid())
    import time; time.sleep(30)
while os.read(0, 1): pass
"""
    child = place.start(text)
    assert child.stdout is not None
    grandchild = int(child.stdout.readline())
    child.kill()
    child.wait()
    assert [point["step"] for point in place.points() if "parent" in point["m"]] == list(range(10))
    os.kill(grandchild, signal.SIGKILL)
    child.communicate()


def test_a_handler_of_a_signal_may_log(place: Place) -> None:
    """A thousand handlers, wherever they come, and all of them lead to a point."""
    text = """
import signal, pinyon
run = pinyon.run()
run.log(x=0)
handled = 0
def handler(*_):
    global handled
    handled += 1
    run.log(handled=handled, step=handled)
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
count = 0
while handled < 1000:
    run.log(x=count, step=count)
    count += 1
    if count % 50 == 0:
        run.summary["count"] = count
signal.setitimer(signal.ITIMER_REAL, 0)
run.finish()
print(handled, count)
"""
    done = place.script(text)
    assert done.returncode == 0, done.stderr
    handled, count = map(int, done.stdout.split())
    points = place.points()
    steps = sorted(point["step"] for point in points if "handled" in point["m"])  # one may interrupt another
    assert steps == list(range(1, handled + 1))
    assert sum("x" in point["m"] for point in points) == count + 1


def test_coroutines_log(place: Place) -> None:
    text = """
import asyncio, pinyon
run = pinyon.run()
async def work(n):
    for step in range(20):
        run.log(v=n, step=step)
        await asyncio.sleep(0)
async def main():
    await asyncio.gather(*(work(n) for n in range(20)))
asyncio.run(main())
"""
    assert place.script(text).returncode == 0
    assert len({(point["m"]["v"], point["step"]) for point in place.points()}) == 400


def test_nothing_is_lost_at_a_normal_end(place: Place) -> None:
    done = place.script("import pinyon\nfor i in range(1000): pinyon.run().log(x=i, step=i)")
    assert (done.returncode, done.stderr) == (0, "")
    assert [point["step"] for point in place.points()] == list(range(1000))
    assert len(place.events("closed")) == 1


def test_what_comes_after_the_end_is_said_once(
    place: Place, inside: Begin, capfd: pytest.CaptureFixture[str]
) -> None:
    run = inside()
    run.log(x=1)
    run.finish()
    for _ in range(3):
        run.log(x=2)
    run.finish()
    assert len(place.points()) == 1
    assert capfd.readouterr().err.count("after the run had ended") == 1


class Disk:
    """Refuses to write points while it is full, after some of the bytes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full, self.refused = True, 0
        real = os.write

        def write(fd: int, data: bytes) -> int:
            if self.full and b'"flush"' in data:
                self.refused += 1
                return real(fd, data[: len(data) // 2])
            return real(fd, data)

        monkeypatch.setattr(os, "write", write)


def test_a_full_disk_never_reaches_training_and_loses_nothing(
    place: Place, inside: Begin, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run = inside()
    run.log(x=0, step=0)
    run.flush()
    disk = Disk(monkeypatch)
    for step in range(1, 300):
        run.log(x=step, step=step)
    for _ in range(3):
        run.flush()
    run.summary["f1"] = 0.5
    assert disk.refused >= 3
    disk.full = False
    for step in range(300, 320):
        run.log(x=step, step=step)
    run.flush()
    assert [point["step"] for point in place.points()] == list(range(320))
    assert len(place.segments()) == 2, "a disk that was full left a file for every try"
    told = capfd.readouterr().err
    assert told.count("cannot be written (No space left on device)") == 1
    assert place.bodies("summary")[0]["values"] == {"f1": 0.5}


def test_a_signal_in_the_middle_of_a_write_blocks_nothing(
    place: Place, inside: Begin, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What a handler calls, called where it may come: inside each write."""
    run = inside()
    run.log(x=0)
    real, depth, signals = os.write, 0, 3

    def write(fd: int, data: bytes) -> int:
        nonlocal depth, signals
        if threading.current_thread() is not threading.main_thread():
            return real(fd, data)
        depth += 1
        if depth == 1 and signals and b'"v":1' in data[:10]:
            signals -= 1
            run.log(handled=1)
            run.note("handled")
            run.flush()
            assert run.checkpoint(7) is None
            if not signals:
                run.finish()
        done = real(fd, data)
        depth -= 1
        return done

    monkeypatch.setattr(os, "write", write)
    for _ in range(3):
        run.log(x=1)
        run.flush()
    monkeypatch.setattr(os, "write", real)
    names = [name for point in place.points() for name in point["m"]]
    assert (signals, names.count("handled"), len(place.bodies("noted"))) == (0, 3, 3)
    assert names.count("x") >= 2  # the handler may have ended the run before the others
    assert len(place.events("closed")) == 1
    assert "a signal came while a record was being written" in capfd.readouterr().err


def test_what_a_ring_cannot_hold_is_counted(
    place: Place, inside: Begin, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from pinyon.store import ringfile

    monkeypatch.setattr(ringfile, "SIZE", 1 << 14)
    run = inside()
    run.log(x=-1, step=-1)
    disk = Disk(monkeypatch)
    for step in range(2_000):
        run.log(x=step, step=step)
    disk.full = False
    run.flush()
    run.log(x=0, step=5_000)
    run.finish()
    steps = [point["step"] for point in place.points()]
    kept = len(steps) - 2
    assert steps == [-1, *range(kept), 5_000]
    assert 100 < kept < 2_000
    assert place.bodies("dropped")[-1]["points"] == 2_000 - kept
    told = capfd.readouterr().err
    assert told.count("the ring is full: new points are dropped, and counted") == 1


def test_logging_faster_than_the_thread_writes_loses_nothing(
    place: Place, inside: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pinyon.store import ringfile

    monkeypatch.setattr(ringfile, "SIZE", 1 << 14)
    run = inside()
    for step in range(5_000):
        run.log(x=step, step=step)
    run.finish()
    assert [point["step"] for point in place.points()] == list(range(5_000))
    assert place.bodies("dropped") == []


REFUSED = """
import os, sys, pinyon
run = pinyon.run()
run.log(x=0, step=0)
run.flush()
real = os.write
def write(fd, data):
    if b'"flush"' in data:
        raise OSError(28, "No space left on device")
    return real(fd, data)
os.write = write
for step in range(1, 100): run.log(x=step, step=step)
"""


def test_what_stays_in_a_ring_at_the_end_comes_later(place: Place) -> None:
    done = place.script(REFUSED)
    assert done.returncode == 0
    assert "99 points could not be written; the next pinyon here takes them from /dev/shm/" in done.stderr
    assert [point["step"] for point in place.points()] == list(range(100))


def test_a_disk_that_hangs_holds_up_the_end_for_a_second(place: Place) -> None:
    """What is asked for is that the process ends; a write that never returns would hold it up for ever."""
    hung = REFUSED.replace('raise OSError(28, "No space left on device")', "__import__('time').sleep(600)")
    done = place.script(hung)
    assert done.returncode == 0
    assert (
        "takes no writes: 99 points and 0 records are not written; the next pinyon here takes them"
        in done.stderr
    )
    assert [point["step"] for point in place.points()] == list(range(100))


@pytest.mark.parametrize("how", ["absent", "file"])
def test_a_store_that_cannot_be_written_is_said_once(place: Place, how: str) -> None:
    where = place.root / "elsewhere"
    where.write_text("a file")
    env = {"PINYON_STORE": str(where / "store" if how == "absent" else where)}
    done = place.script(
        """
import pinyon
run = pinyon.run()
for i in run.progress(range(100)):
    run.log(x=i)
run.summary["a"] = 1
run.tag("b"); run.note("c")
print(run.checkpoint(1, a=1), repr(run.artifact(b"x", "y")), run.resume())
""",
        **env,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "None '' None\n"
    lines = done.stderr.splitlines()
    assert len([line for line in lines if "cannot be written" in line]) == 1
    assert len([line for line in lines if "100 points could not be written" in line]) == 1
    assert "Traceback" not in done.stderr


def test_a_read_only_store_is_no_reason_to_stop(tmp_path: Path) -> None:
    if os.geteuid() == 0:  # nothing is read-only for root but a file system
        place = Place(tmp_path / "project", attempts(1)[0])
        journals = place.store.root / "journals"
        journals.rmdir()
        journals.symlink_to("/proc/self/fdinfo")
    else:
        place = Place(tmp_path / "project", attempts(1)[0])
        (place.store.root / "journals").chmod(0o555)
    done = place.script("import pinyon\nfor i in range(3): pinyon.run().log(x=i)\nprint('trained')")
    assert (done.returncode, done.stdout) == (0, "trained\n")
    assert done.stderr.count("cannot be written") == 1
    (ring,) = rings.found(str(place.store.root))  # there the points wait for better times
    rings.remove(ring)


def test_a_closed_stderr_is_no_reason_to_stop(place: Place) -> None:
    text = "import sys, pinyon\nsys.stderr = None\npinyon.run().log(x='text')\nprint('trained')"
    assert place.script(text).stdout == "trained\n"


def test_importing_pinyon_imports_nothing(place: Place) -> None:
    text = "import sys; before = set(sys.modules); import pinyon; print(sorted(set(sys.modules) - before))"
    assert place.script(text).stdout == "['pinyon']\n"
    heavy = (
        "import pinyon, sys; run = pinyon.run(); run.log(x=1); run.flush()\n"
        "print([name for name in ('blake3', 'yaml', 'click') if name in sys.modules])"
    )
    assert place.script(heavy).stdout == "[]\n"
    assert json.loads(place.segments()[0].read_text().splitlines()[0])["m"] == {"x": 1}


def test_pinyon_has_no_other_names() -> None:
    import pinyon

    with pytest.raises(AttributeError, match="module 'pinyon' has no attribute 'runn'"):
        _ = pinyon.runn  # type: ignore[attr-defined]
    assert "pinyon.track" in sys.modules
