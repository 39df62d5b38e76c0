"""What this machine has for attempts: processors and memory as far as this process may use them, and GPUs."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from pinyon.model.graph import Graph, Stage
from pinyon.plan.state import Gpu, Machine

_SMI = ("nvidia-smi", "--query-gpu=index,uuid,memory.total", "--format=csv,noheader,nounits")
_PATIENCE = 30.0  # seconds for nvidia-smi, which may have to wake a driver up
_MIB = 1 << 20
_MOST = 100_000  # bytes of parameters; Linux takes 128 KiB for a variable. Of more, `pinyon.track` finds the intent.


def machine_for(graph: Graph) -> Machine:
    """This machine, with its GPUs only if a stage asks for one."""
    asked = [task.stage.resources for task in graph.tasks.values()]
    return this_machine(gpus=any(one.gpus or one.vram for one in asked))


def this_machine(*, gpus: bool, root: str = "/") -> Machine:
    """Facts about this machine.

    Args:
        gpus: whether to look for GPUs, too, which starts a program.
        root: where ``proc`` and ``sys`` lie.
    """
    found = _visible(_devices(), os.environ.get("CUDA_VISIBLE_DEVICES")) if gpus else ()
    return Machine(_cpus(root), _memory(root), found)


def _cpus(root: str) -> float:
    """Processors that this process may run on, or fewer if a quota gives less time than they have."""
    limits = [float(len(os.sched_getaffinity(0)))]
    for folder in _groups(root, "cpu"):
        quota, period = [*_text(f"{folder}/cpu.max").split(), "", ""][:2]
        if not quota:
            quota, period = _text(f"{folder}/cpu.cfs_quota_us"), _text(f"{folder}/cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit() and int(quota) and int(period):
            limits.append(int(quota) / int(period))
    return min(limits)


def _memory(root: str) -> int:
    """Bytes of memory that there are, or that the groups of this process may use."""
    rows = (line.split() for line in _text(f"{root}/proc/meminfo").splitlines())
    total = next((int(row[1]) * 1024 for row in rows if row and row[0] == "MemTotal:"), 0)
    limits = [total] if total else []
    for folder in _groups(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            text = _text(f"{folder}/{name}")
            limits += [int(text)] if text.isdigit() else []
    return min(limits, default=0)


def _groups(root: str, controller: str) -> Iterator[str]:
    """Directories of the control groups that this process is in, with all around them: a limit anywhere counts."""
    for line in _text(f"{root}/proc/self/cgroup").splitlines():
        _, names, path = [*line.split(":", 2), "", ""][:3]
        if names and controller not in names.split(","):
            continue
        top = f"{root}/sys/fs/cgroup" + (f"/{controller}" if names else "")
        # In a container the path may be the host's, of which only the end or nothing is to be seen.
        yield from (f"{top}{part if part != Path('/') else ''}" for part in (Path(path), *Path(path).parents))


def _text(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


@functools.cache
def _devices() -> tuple[tuple[str, str, int], ...]:
    """(index, uuid, bytes) of every NVIDIA GPU; none without their driver."""
    import subprocess

    try:
        done = subprocess.run(_SMI, capture_output=True, text=True, timeout=_PATIENCE, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    rows = [[part.strip() for part in line.split(",")] for line in done.stdout.splitlines()]
    # Where memory belongs to the whole machine the size is "[N/A]".
    return tuple((r[0], r[1], int(r[2]) * _MIB if r[2].isdigit() else 0) for r in rows if len(r) == 3)


def _visible(devices: tuple[tuple[str, str, int], ...], chosen: str | None) -> tuple[Gpu, ...]:
    """Those the user lets us see, under the names that he gave them; like CUDA, none from the first unknown name on."""
    if chosen is None:
        return tuple(Gpu(index, vram=size) for index, _, size in devices)
    found: list[Gpu] = []
    for name in filter(None, (part.strip() for part in chosen.split(","))):
        match = [
            size
            for index, uuid, size in devices
            if name == index or (name[:4] == "GPU-" and uuid.startswith(name))
        ]
        if not match and not name.startswith("MIG-"):
            break
        found.append(
            Gpu(name, vram=match[0] if match else 0)
        )  # how large a part of a GPU is, nobody tells us
    return tuple(found)


def environment(stage: Stage, devices: tuple[str, ...], share: float) -> dict[str, str]:
    """Variables that an attempt gets beside the user's own.

    Args:
        devices: the GPUs that are its own.
        share: the cpus that it has a right to if its stage asks for none.
    """
    found = {"DVC_STAGE": stage.name}  # DVC addresses stages as we do
    rows = [[one.file, one.name, one.value] for one in stage.params]
    rows += [["", name, value] for name, value in stage.adhoc.flags]
    text = json.dumps(rows)
    if len(text) <= _MOST:
        found["PINYON_PARAMS"] = text  # a file for each attempt would cost more than all else
    if "OMP_NUM_THREADS" not in os.environ:
        found["OMP_NUM_THREADS"] = str(max(1, int(stage.resources.cpus or share)))
    if devices:
        found["CUDA_VISIBLE_DEVICES"] = ",".join(devices)
        found |= _numbered_by_bus(os.environ)
    return found


def _numbered_by_bus(user: Mapping[str, str]) -> dict[str, str]:
    # Our numbers are those of nvidia-smi; CUDA's own begin with the fastest. A choice of the user's is in his numbers.
    named = "CUDA_DEVICE_ORDER" in user or "CUDA_VISIBLE_DEVICES" in user
    return {} if named else {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
