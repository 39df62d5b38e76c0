"""What the machine has: quotas and limits of control groups, and GPUs as nvidia-smi and the user tell."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pinyon.execute import machine
from pinyon.execute.machine import environment, machine_for, this_machine
from pinyon.model.graph import Command, Out, Resources, Stage
from pinyon.model.project import Goal
from pinyon.plan.build import graph_of
from pinyon.plan.state import Gpu

GB = 1_000_000_000
SMI = "0, GPU-aaaa-1, 24576\n1, GPU-bbbb-2, 81920\n2, GPU-bbcc-3, [N/A]\n"
A, B, C = Gpu("0", 1.0, 24576 << 20), Gpu("1", 1.0, 81920 << 20), Gpu("2", 1.0, 0)


@pytest.fixture(autouse=True)
def sixteen_cpus(monkeypatch):
    machine._devices.cache_clear()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    yield
    machine._devices.cache_clear()


def fill(root: Path, files: dict[str, str]) -> str:
    for name, text in {"proc/meminfo": f"Foo: 1 kB\nMemTotal:       {64 * GB // 1024} kB\n", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return str(root)


V2 = {"proc/self/cgroup": "0::/a/b\n"}
V1 = {"proc/self/cgroup": "5:memory:/job\n4:cpu,cpuacct:/job\n0::/\n"}
FS = "sys/fs/cgroup"


@pytest.mark.parametrize(
    ("files", "cpus", "memory"),
    [
        ({}, 16, 64),
        (V2, 16, 64),
        ({**V2, f"{FS}/a/b/cpu.max": "max 100000\n", f"{FS}/a/b/memory.max": "max\n"}, 16, 64),
        ({**V2, f"{FS}/a/b/cpu.max": "250000 100000\n", f"{FS}/a/b/memory.max": f"{8 * GB}\n"}, 2.5, 8),
        ({**V2, f"{FS}/a/cpu.max": "300000 100000\n", f"{FS}/a/memory.max": f"{9 * GB}\n"}, 3, 9),
        ({**V2, f"{FS}/cpu.max": "50000 100000\n", f"{FS}/memory.max": f"{2 * GB}"}, 0.5, 2),
        ({**V2, f"{FS}/a/b/cpu.max": "9900000 100000\n", f"{FS}/a/b/memory.max": f"{999 * GB}\n"}, 16, 64),
        ({**V2, f"{FS}/a/b/cpu.max": "what\n", f"{FS}/a/b/memory.max": ""}, 16, 64),
        (
            {**V1, f"{FS}/cpu/job/cpu.cfs_quota_us": "-1\n", f"{FS}/cpu/job/cpu.cfs_period_us": "100000\n"},
            16,
            64,
        ),
        (
            {
                **V1,
                f"{FS}/cpu/job/cpu.cfs_quota_us": "400000\n",
                f"{FS}/cpu/job/cpu.cfs_period_us": "100000\n",
                f"{FS}/memory/memory.limit_in_bytes": f"{5 * GB}\n",
            },
            4,
            5,
        ),
    ],
)
def test_the_tightest_limit_counts(tmp_path, files, cpus, memory):
    found = this_machine(gpus=False, root=fill(tmp_path, files))
    assert (found.cpus, round(found.memory / GB, 3), found.gpus) == (cpus, memory, ())


def test_this_very_machine_has_something():
    found = this_machine(gpus=False)
    assert found.cpus > 0
    assert found.memory > 1_000_000


@pytest.fixture
def smi(tmp_path, monkeypatch):
    """A nvidia-smi that answers with `SMI` and notes that it was asked."""
    program = tmp_path / "bin/nvidia-smi"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho asked >> {tmp_path}/asked\nprintf '%s' '{SMI}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return tmp_path / "asked"


@pytest.mark.parametrize(
    ("visible", "gpus"),
    [
        (None, (A, B, C)),
        ("", ()),
        ("-1", ()),
        ("1", (B,)),
        ("1,0", (B, A)),
        ("1, 7, 0", (B,)),
        ("GPU-bbbb", (B._replace(id="GPU-bbbb"),)),
        ("MIG-1234", (Gpu("MIG-1234", 1.0, 0),)),
    ],
)
def test_gpus_are_those_the_user_may_see(smi, monkeypatch, visible, gpus):
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert this_machine(gpus=True).gpus == gpus
    assert this_machine(gpus=True).gpus == gpus
    assert smi.read_text() == "asked\n", "once is enough"


@pytest.mark.parametrize("script", [None, "exit 9", "echo nonsense", "echo 'NVIDIA-SMI has failed'; exit 0"])
def test_without_a_driver_there_are_none(tmp_path, monkeypatch, script):
    monkeypatch.setenv("PATH", str(tmp_path))
    if script is not None:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
    assert this_machine(gpus=True).gpus == ()


@pytest.mark.parametrize(
    ("asked", "looked"),
    [(Resources(cpus=1, memory=1), False), (Resources(gpus=0.5), True), (Resources(vram=1), True)],
)
def test_gpus_are_looked_for_only_if_somebody_asks(smi, asked, looked):
    stage = Stage("s", Command("exec", ("s",)), ".", (), (), (Out("o"),), resources=asked)
    assert bool(machine_for(graph_of([stage], Goal())).gpus) == looked
    assert smi.exists() == looked


# -- the environment of an attempt --------------------------------------------------------------------------------------


def train(cpus: float | None) -> Stage:
    return Stage("train", Command("exec", ("s",)), ".", (), (), (), resources=Resources(cpus=cpus))


@pytest.mark.parametrize(
    ("asked", "share", "threads"), [(None, 5.3, "5"), (None, 0.2, "1"), (2.9, 8, "2"), (0.5, 8, "1")]
)
def test_threads_follow_the_cpus(asked, share, threads):
    expected = {"DVC_STAGE": "train", "OMP_NUM_THREADS": threads, "PINYON_PARAMS": "[]"}
    assert environment(train(asked), (), share) == expected


def test_what_the_user_has_set_stays(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert environment(train(2), (), 8) == {"DVC_STAGE": "train", "PINYON_PARAMS": "[]"}


def test_devices_are_numbered_as_we_number_them(monkeypatch):
    found = environment(train(1), ("2", "0"), 1)
    assert (found["CUDA_VISIBLE_DEVICES"], found["CUDA_DEVICE_ORDER"]) == ("2,0", "PCI_BUS_ID")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,2")  # in whichever order the user means it
    assert "CUDA_DEVICE_ORDER" not in environment(train(1), ("2",), 1)
