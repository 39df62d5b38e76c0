"""What processes take is measured without lies, whatever becomes of them meanwhile."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from pinyon.capture import sampling
from pinyon.capture.driver import LIBRARY
from pinyon.capture.hardware import hardware
from pinyon.capture.nvml import Nvml, begun
from pinyon.capture.sampling import Sampler

Start = Callable[[str], subprocess.Popen[bytes]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts shell lines in sessions of their own, which end with the test."""
    found: list[subprocess.Popen[bytes]] = []

    def begin(line: str) -> subprocess.Popen[bytes]:
        found.append(subprocess.Popen(["sh", "-c", line], start_new_session=True))
        return found[-1]

    yield begin
    for process in found:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def sampler(process: subprocess.Popen[bytes]) -> Sampler:
    one = Sampler()
    one.add(process.pid)
    return one


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def total(one: Sampler, over: Callable[[], bool], each: float) -> float:
    """CPU seconds that samples add up to, the last of them taken when it was over."""
    used, last = 0.0, False
    while not last:
        time.sleep(each)
        last, before = over(), one._at
        used += one.sample().get("system.cpu", 0.0) * (one._at - before)
    return used


def test_the_first_sample_has_no_rates(start: Start) -> None:
    one = sampler(start("sleep 30"))
    first = one.sample()
    assert 0 < first["system.memory"] < 1e9
    assert "system.cpu" not in first
    second = one.sample()
    assert second["system.cpu"] < 0.5
    assert second["system.disk_write"] == 0


def test_children_that_come_and_go_count_once(start: Start, tmp_path: Path) -> None:
    """Each is waited for, so what it has used goes over to its parent; samples fall before, while and after it."""
    work = f"{sys.executable} -c 'import time\nwhile time.process_time() < 0.4: pass'"
    process = start(f'for i in 1 2 3; do sh -c "{work}; :"; done; touch {tmp_path}/over; sleep 60')
    one = sampler(process)
    one.sample()
    used = total(one, (tmp_path / "over").exists, 0.15)
    spent = sum(one._before[process.pid][2:4])
    assert spent >= 1.1
    assert used == pytest.approx(spent, abs=0.3)


def test_what_a_process_writes(start: Start, tmp_path: Path) -> None:
    go = tmp_path / "go"
    one = sampler(
        start(
            f"cd {tmp_path}; until [ -e go ]; do sleep 0.01; done; head -c 8000000 /dev/zero > x; touch y; sleep 30"
        )
    )
    one.sample()
    began = time.monotonic()
    go.touch()
    until((tmp_path / "y").exists)
    time.sleep(0.05)
    found = one.sample()
    assert found["system.disk_write"] * (time.monotonic() - began) == pytest.approx(8_000_000, rel=0.5)


def test_a_tree_that_is_gone_has_nothing(start: Start) -> None:
    process = start("sleep 30 & sleep 30")
    one = sampler(process)
    until(lambda: one.sample().get("system.memory", 0) > 0 and len(one._before) > 1)
    os.killpg(process.pid, signal.SIGKILL)
    until(lambda: one.sample() == {})  # not reaped yet: who has ended takes nothing
    process.wait()
    assert one.sample() == {}


def test_one_that_leaves_the_tree_is_known_all_the_same(start: Start) -> None:
    one = sampler(start("sh -c 'sleep 30 & sleep 0.5'; exec sleep 29"))
    until(lambda: bool(one.sample()) and len(one._before) > 2)
    time.sleep(0.7)
    assert one.sample()
    assert len(one._before) == 2, "its parent is gone, but it was seen below us"


def test_processes_that_vanish_while_they_are_looked_at(start: Start) -> None:
    one = sampler(start("while :; do true & /bin/true; done"))
    one.sample()
    began = time.monotonic()
    used = total(one, lambda: time.monotonic() > began + 1.5, 0.02)
    assert 0 < used <= (time.monotonic() - began) * 1.3 * (os.cpu_count() or 1), "no more than there is"
    assert len(one._before) < 20


def proc(root: Path, pid: int, parent: int, *, rss: int, born: int = 5, cpu: int = 0) -> None:
    """A process as /proc has it; its name is meant to confuse."""
    folder = root / f"proc/{pid}"
    folder.mkdir(parents=True, exist_ok=True)
    fields = ["S", parent, *[0] * 9, cpu, 0, 0, 0, 0, 0, 1, 0, born, 0, rss, *[0] * 20]
    (folder / "stat").write_text(f"{pid} (a) S) {' '.join(map(str, fields))}\n")


@pytest.mark.parametrize(
    ("group", "file"),
    [
        ("0::/job\n", "sys/fs/cgroup/job/memory.current"),
        ("4:memory,x:/job\n0::/\n", "sys/fs/cgroup/memory/job/memory.usage_in_bytes"),
    ],
)
def test_shared_memory_is_never_more_than_the_group_has(tmp_path: Path, group: str, file: str) -> None:
    """Twenty workers that share 4 GB are not 80 GB. Without lists of children, too."""
    proc(tmp_path, 100, 1, rss=1_000_000)
    for pid in range(101, 121):
        proc(tmp_path, pid, 100, rss=1_000_000)
    proc(tmp_path, 200, 1, rss=9)
    (tmp_path / "proc/100/cgroup").write_text(group)
    one = Sampler(root=str(tmp_path))
    one.add(100)
    assert one.sample()["system.memory"] == 21 * 1_000_000 * os.sysconf("SC_PAGE_SIZE")
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text("5000000000\n")
    assert one.sample()["system.memory"] == 5e9


def test_a_number_that_is_used_again_is_somebody_elses(tmp_path: Path) -> None:
    proc(tmp_path, 100, 1, rss=10)
    proc(tmp_path, 101, 100, rss=10, cpu=1000)
    one = Sampler(root=str(tmp_path))
    one.add(100)
    one.sample()
    proc(tmp_path, 101, 1, rss=99_999, born=77, cpu=5000)
    found = one.sample()
    assert found["system.memory"] == 10 * os.sysconf("SC_PAGE_SIZE")
    assert found["system.cpu"] == 0


def test_samples_come_less_and_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(sampling.time, "monotonic", lambda: now)
    pace, moments = sampling.Pace(), []
    for _ in range(40):
        now = pace.next
        moments.append(now)
        pace.taken()
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert moments[0] == 1.0
    assert gaps[0] == 5.0
    assert all(later >= earlier - 1e-9 for earlier, later in pairwise(gaps))
    assert gaps[-1] == pytest.approx(15.0)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A fake, compiled from C: it says what a real library says, and refuses what a real one refuses."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("needs gcc: the fake library is compiled from C")
    path = tmp_path_factory.mktemp("nvml") / "libnvidia-ml.so.1"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", str(path), str(Path(__file__).with_name("fake_nvml.c"))],
        check=True,
    )
    return str(path)


def test_gpus_as_the_library_tells_them(library: str) -> None:
    found = Nvml(library)
    assert [gpu.name for gpu in found.gpus()] == ["Fake H200", "Fake H200"]
    assert (found.driver(), found.cuda()) == ("550.54.15", "12.4")
    assert found.sample(0) == (42.0, 1e9, 60.0, 321.5)
    assert found.sample(1) == (43.0, 2e9, 85.0, None)  # what it does not tell is no zero
    assert found.sample(2) == (None, None, None, None)  # it has fallen off the bus


def test_samples_and_hardware_name_gpus(
    library: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(LIBRARY, library)
    begun.cache_clear()
    one = Sampler([1])
    one.add(os.getpid())
    found = {name: value for name, value in one.sample().items() if "gpu" in name}
    assert found == {
        "system.gpu.1.utilization": 43.0,
        "system.gpu.1.memory": 2e9,
        "system.gpu.1.temperature": 85.0,
    }
    told = hardware(str(tmp_path))
    assert told["gpus"] == [["Fake H200", "GPU-0", 150_000_000_000], ["Fake H200", "GPU-1", 150_000_000_000]]
    assert (told["driver"], told["cuda"]) == ("550.54.15", "12.4")


def test_a_library_that_is_none_is_no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "none.so").write_text("this is no library")
    monkeypatch.setenv(LIBRARY, str(tmp_path / "none.so"))
    one = Sampler()
    one.add(os.getpid())
    assert not [name for name in one.sample() if "gpu" in name]
