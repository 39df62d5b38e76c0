"""What `log` returned for, whatever happens: SIGKILL at any moment, disks that are full, broken or read-only, clocks that
jump, no network. What was acknowledged is told through a pipe to this process, not recorded by what is hurt.
"""

# ruff: noqa: T201 - each test prints its load

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from test_data_kill import killed_at

from pinyon.model.ids import attempt_id
from pinyon.query.index import Index
from pinyon.query.tables import Tables
from pinyon.store.local import LocalStore
from pinyon.store.recover import recover
from pinyon.sync.verify import verify
from pinyon.testing.processes import Child
from pinyon.track import current

DEEP = os.environ.get("PINYON_FAULTS") == "deep" or "PINYON_DEEP" in os.environ
KILLS = 1_000 if DEEP else 100
KEY = "ef" * 32
CLI = [sys.executable, "-m", "pinyon.cli"]


def begin(root: Path, number: int) -> Any:
    """Make this process an attempt of its own run; the run."""
    for name in [name for name in os.environ if name.startswith("PINYON_")]:
        del os.environ[name]
    os.environ |= {
        "PINYON_ATTEMPT": attempt_id(KEY, number),
        "PINYON_STORE": str(root),
        "PINYON_PARAMS": "[]",
    }
    current._current = None
    return current.run()


def counted(store: LocalStore) -> dict[str, dict[int, int]]:
    """By attempt, how often each step counts, as a query sees it."""
    with ExitStack() as stack:
        index = stack.enter_context(closing(Index(store.cache / "test.sqlite", store.journals)))
        index.catch_up()
        tables = Tables(store, index, ["points"], stack)
        assert tables.notes == []
        rows = tables.connection.execute(
            "select attempt, step, count(*) from points where metric = 'loss' group by all"
        ).fetchall()
    found: dict[str, dict[int, int]] = {}
    for attempt, step, count in rows:
        found.setdefault(attempt, {})[step] = count
    return found


def facts(store: LocalStore) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for segment in store.journals.segments():
        for event, _ in store.journals.read(segment):
            if event.kind == "summary":
                found.setdefault(event.body["attempt"], set()).add(event.body["values"]["n"])
    return found


@pytest.mark.timeout(1800 if DEEP else 240)
def test_kill_while_logging(tmp_path: Path) -> None:
    """A process logs as fast as it can, tells each number after its call has returned, and is killed; the next opener
    takes in what it left, and is killed at that, too, every third time."""
    seed = int(os.environ.get("PINYON_SEED", "11"))
    drawn = random.Random(seed)
    store = LocalStore(tmp_path / "store")
    store.prepare("p")
    promised: dict[str, list[tuple[str, int]]] = {}
    kills = again = 0
    longest = 0.0
    for number in range(1, KILLS + 1):

        def work(tell: Any, number: int = number) -> None:
            run = begin(store.root, number)
            tell(["attempt", run.attempt])
            for step in range(1_000_000):
                run.log(loss=1 / (step + 1), accuracy=0.5, step=step)
                tell(["p", step])
                if step % 7 == 0:
                    run.summary["n"] = step
                    tell(["f", step])

        child = Child(work)
        attempt = child.first()[1]
        time.sleep(drawn.choice((0.001, 0.02, 0.12, 0.25)) * drawn.random())
        child.kill()
        promised[attempt] = child.lines()
        kills += 1
        if number % 3 == 0:
            again += killed_at(drawn.randrange(1, 9), lambda: recover(str(store.root)))
        began = time.monotonic()
        recover(str(store.root))
        longest = max(longest, time.monotonic() - began)
    assert [one for one in verify(store).damage if not one.torn] == []
    there, told = counted(store), facts(store)
    points = sum(len(lines) for lines in promised.values())
    print(
        f"seed {seed}: {kills} kills, {again} more while recovering, {points} acknowledged, recovered in {longest:.3f} s"
    )
    for attempt, lines in promised.items():
        steps = there.get(attempt, {})
        assert {step for what, step in lines if what == "p"} <= set(steps)
        assert sorted(steps) == list(range(len(steps)))
        assert set(steps.values()) <= {1}
        assert {step for what, step in lines if what == "f"} <= told.get(attempt, set())
    assert kills >= KILLS
    assert again >= KILLS // 10
    assert points >= 50 * KILLS


SCRIPT = """
import os, sys, pinyon
run = pinyon.run()
step = 0
while True:
    run.log(loss=1 / (step + 1), step=step)
    os.write(2, b"%d\\n" % step)
    step += 1
    if step == int(sys.argv[1]):
        os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("counts", [(1, 700, 20_000)])
def test_a_supervisor_takes_in_what_a_killed_command_logged(tmp_path: Path, counts: tuple[int, ...]) -> None:
    stages = {f"s{count}": {"cmd": [sys.executable, "t.py", str(count)]} for count in counts}
    (tmp_path / "pinyon.yaml").write_text(json.dumps({"stages": stages}))
    (tmp_path / "t.py").write_text(SCRIPT.replace("os.write(2", "os.write(3").replace("step = 0\n", ACK, 1))
    ended = subprocess.run(
        [*CLI, "run", "-k", "-j", "2"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 4, ended.stderr
    store = LocalStore(tmp_path / ".pinyon")
    lines = [len(read(segment)) for segment in sorted((store.root / "journals").glob("*.points.*"))]
    assert sum(lines) == sum(counts)  # before anybody else has opened the store
    there = counted(store)
    assert sorted(map(len, there.values())) == sorted(counts)
    assert all(set(steps.values()) == {1} for steps in there.values())
    for count in counts:
        assert len((tmp_path / f"ack-{count}").read_text().split()) == count


ACK = "step = 0\nos.dup2(os.open('ack-' + sys.argv[1], os.O_CREAT | os.O_WRONLY | os.O_APPEND), 3)\n"


def read(segment: Path) -> list[Any]:
    return [one for one in map(json.loads, segment.read_text().splitlines()) if "m" in one]


# Disks

STEADY = """
import os, sys, time, pinyon
run = pinyon.run()
slow = 0.0
for step in range(10**9):
    begun = time.perf_counter()
    run.log(loss=1 / (step + 1), step=step)
    slow = max(slow, time.perf_counter() - begun)
    os.write(1, b"%d\\n" % step)
    if os.path.exists(sys.argv[1]):
        break
    time.sleep(0.002)
run.summary["n"] = step
run.finish()
print("slowest", slow)
"""


class Steady:
    """A script that logs until it is told to stop; what it acknowledged comes through a pipe."""

    def __init__(self, folder: Path, store: Path, *wrapper: str) -> None:
        self.stop, self.folder = folder / "stop", folder
        (folder / "t.py").write_text(STEADY)
        env = {name: value for name, value in os.environ.items() if not name.startswith("PINYON_")}
        env |= {"PINYON_ATTEMPT": attempt_id(KEY, 1), "PINYON_STORE": str(store), "PINYON_PARAMS": "[]"}
        with open(folder / "said", "w") as said, open(folder / "err", "w") as err:
            argv = [*wrapper, sys.executable, "t.py", str(self.stop)]
            self.process = subprocess.Popen(argv, cwd=folder, env=env, stdout=said, stderr=err)
        self.until(1)

    def until(self, more: int) -> None:
        """Wait for so many more calls of `log`."""
        wanted = self.count() + more
        deadline = time.monotonic() + 60
        while self.count() < wanted:
            assert time.monotonic() < deadline, (self.folder / "err").read_text()
            assert self.process.poll() is None, (self.folder / "err").read_text()
            time.sleep(0.01)

    def count(self) -> int:
        return (self.folder / "said").read_text().count("\n") if (self.folder / "said").exists() else 0

    def end(self) -> str:
        """Let it end, which it must by itself; what it said on stderr."""
        self.stop.touch()
        assert self.process.wait(60) == 0, (self.folder / "err").read_text()
        return (self.folder / "err").read_text()


@contextmanager
def small(path: Path, options: str) -> Iterator[Path]:
    path.mkdir(exist_ok=True)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip(f"needs root: to mount a tmpfs ({made.stderr.strip()})")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def on_disk(store: Path) -> list[int]:
    """Steps of flushed points in segments, in order, of one process."""
    found = []
    for segment in sorted(
        (store / "journals").glob("*.points.*"), key=lambda path: int(path.name.split(".")[2])
    ):
        found += [point["step"] for point in map(json.loads, whole(segment)) if "m" in point]
    return found


def whole(segment: Path) -> list[str]:
    text = segment.read_text()
    return text[: text.rfind("\n") + 1].splitlines()


@pytest.mark.parametrize("what", ["room", "inodes", "read-only"])
def test_a_disk_that_refuses_for_a_while(tmp_path: Path, what: str) -> None:
    with small(tmp_path / "disk", "size=2m" if what == "room" else "nr_inodes=40") as disk:
        store = LocalStore(disk / "store")
        store.prepare("p")
        if what == "inodes":  # from the beginning, since an open segment needs none
            for number in range(60):
                if not touched(disk / f"filler-{number}"):
                    break
        elif what == "read-only":  # also from there: it cannot become so under open files
            subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        steady = Steady(tmp_path, store.root)
        if what == "room":
            with open(disk / "filler", "wb", buffering=0) as file:
                while fits(file):
                    pass
        steady.until(300)
        before = len(on_disk(store.root))
        if what == "read-only":
            subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        for filler in disk.glob("filler*"):
            filler.unlink()
        freed = time.monotonic()
        while len(on_disk(store.root)) < before + 200:
            assert time.monotonic() < freed + 30, "it did not go on"
            time.sleep(0.02)
        resumed = time.monotonic() - freed
        said = steady.end()
        there = on_disk(store.root)
        print(f"{what}: {steady.count()} acknowledged, {len(there)} there, went on after {resumed:.1f} s")
        assert there == list(range(len(there)))
        assert len(there) >= steady.count() - 1  # less the line about the slowest
        assert said.count("cannot be written") == 1
        assert [one for one in verify(store).damage if not one.torn] == []


def touched(path: Path) -> bool:
    try:
        path.touch()
    except OSError:
        return False
    return True


def fits(file: Any) -> bool:
    try:
        return bool(file.write(b"x" * 512) == 512)
    except OSError:
        return False


@pytest.mark.parametrize("size", ["64k", "8m", "0"])
def test_shared_memory_that_is_small_or_is_not_there(tmp_path: Path, size: str) -> None:
    """As in containers: then rings lie on disk, and a kill loses nothing either."""
    if os.geteuid():
        pytest.skip("needs root: to put something over /dev/shm")
    store = LocalStore(tmp_path / "store")
    store.prepare("p")
    cover = "mount -t tmpfs -o ro tmpfs" if size == "0" else f"mount -t tmpfs -o size={size} tmpfs"
    (tmp_path / "t.py").write_text(SCRIPT)
    env = {**os.environ, "PINYON_ATTEMPT": attempt_id(KEY, 1), "PINYON_STORE": str(store.root)}
    ended = subprocess.run(
        ["unshare", "-m", "sh", "-c", f'{cover} /dev/shm && exec "$@"', "sh", sys.executable, "t.py", "3000"],
        cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    acknowledged = [line for line in ended.stderr.splitlines() if line.isdigit()]
    assert len(acknowledged) == 3000, ended.stderr
    if size != "8m":
        assert len(list((store.root / "cache" / "rings").glob("*.ring"))) == 1
        (done,) = recover(str(store.root))
        assert done.why == ""
        assert sorted(counted(store)[attempt_of(store)]) == list(range(3000))


def attempt_of(store: LocalStore) -> str:
    return next(iter(counted(store)))


# The disk says EIO


@pytest.mark.parametrize(
    "inject",
    ["write:error=EIO:when=8+3", "write:error=EDQUOT:when=6..30", "fdatasync:error=EIO", "fsync:error=EIO"],
)
def test_errors_of_the_disk_never_reach_training(tmp_path: Path, inject: str) -> None:
    if shutil.which("strace") is None:
        pytest.skip("needs strace: it injects errors")
    store = LocalStore(tmp_path / "store")
    store.prepare("p")
    call = inject.partition(":")[0]
    journals = str(store.root / "journals")
    trace = ["strace", "-f", "-qq", "-o", str(tmp_path / "trace"), f"-etrace={call}", f"-einject={inject}"]
    paths = ["-P", journals] if call == "fsync" else []
    text = """
import os, sys, time, pinyon
run = pinyon.run()
for step in range(200):
    run.log(loss=1.0, step=step)
    run.summary["n"] = step
    time.sleep(0.005)
run.finish()
open("done", "w").close()
"""
    (tmp_path / "t.py").write_text(text)
    env = {**os.environ, "PINYON_ATTEMPT": attempt_id(KEY, 1), "PINYON_STORE": str(store.root)}
    ended = subprocess.run(
        [*trace, *paths, sys.executable, "t.py"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert (tmp_path / "done").exists(), ended.stderr
    assert "Traceback" not in ended.stderr
    injected = (tmp_path / "trace").read_text().count("(INJECTED)")
    recover(str(store.root))
    steps = counted(store)[attempt_of(store)]
    print(f"{inject}: {injected} errors, {len(steps)} of 200 points there")
    assert injected >= 1
    assert sorted(steps) == list(range(200))
    assert set(steps.values()) == {1}
    assert 199 in facts(store)[attempt_of(store)]
    assert [one for one in verify(store).damage if not one.torn] == []


# Clocks

CLOCKS = {
    "3 days ahead from the start": "0: +259200",
    "3 days behind from the start": "0: -259200",
    "3 days ahead in the middle": "50: +259200",
    "3 days behind in the middle": "50: -259200",
    "a second behind, again and again": "10: -1, 20: -2, 30: -3, 40: -4, 60: -5, 80: -6",
    "to and fro": "20: +259200, 40: -259200, 60: 0",
    "to 1970": "50: 1970",
    "ten times as fast": "0: x10",
}


@pytest.mark.parametrize("clock", CLOCKS)
def test_a_clock_that_jumps(tmp_path: Path, clock: str) -> None:
    """The wall clock of the process jumps while the run goes on, by a function that stands in for the kernel's."""
    text = f"""
import sys, time, pinyon
real, now, plan = time.time, 0, {CLOCKS[clock]!r}
jumps = [(int(at), to.strip()) for at, to in (one.split(":") for one in plan.split(", "))]
first = real()
def jumping():
    to = [to for at, to in jumps if at <= now][-1:]
    if not to: return real()
    if to[0] == "1970": return 5.0
    if to[0] == "x10": return first + 10 * (real() - first)
    return real() + float(to[0])
run = None
if jumps[0][0] == 0: time.time = jumping
run = pinyon.run()
time.time = jumping
for now in range(100):
    run.log(loss=1 / (now + 1), step=now)
    if now % 10 == 0: run.summary["n"] = now
"""
    (tmp_path / "t.py").write_text(text)
    env = {name: value for name, value in os.environ.items() if not name.startswith("PINYON_")}
    ended = subprocess.run(
        [sys.executable, "t.py"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    (segment,) = (tmp_path / ".pinyon" / "journals").glob("*.points.*")
    points = read(segment)
    assert [point["step"] for point in points] == list(range(100))
    times = [point["t"] for point in points]
    assert times == sorted(times)
    assert 0 <= times[0] <= times[-1] < 60
    store = LocalStore(tmp_path / ".pinyon")
    seqs = [event.seq for name in store.journals.segments() for event, _ in store.journals.read(name)]
    assert seqs == list(range(len(seqs)))
    (run,) = json.loads(
        subprocess.run([*CLI, "runs", "--json"], cwd=tmp_path, capture_output=True, check=True).stdout
    )
    assert (run["status"], run["metrics"]["n"]) == ("SUCCEEDED", 90)
    assert run["seconds"] >= 0
