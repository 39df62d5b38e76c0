"""What a tree of processes takes of the machine: read from /proc, some kilobytes at a time."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from pinyon.capture.driver import nvml

if TYPE_CHECKING:
    from pinyon.capture.nvml import Nvml


FIRST, SHORT, LONG = (
    1.0,
    5.0,
    15.0,
)  # seconds until the first sample, and between two in the beginning and later
_GROWTH = 1.15
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MOST = 1_000  # processes of a tree


class _Process(NamedTuple):
    """One process: its parent, when it was born (ticks), CPU seconds of its own and of children that it has waited for,
    resident bytes, and bytes that it and such children read from and wrote to disks (None: it does not tell us)."""

    parent: int
    born: int
    own: float
    waited: float
    memory: int
    disk: tuple[int, int] | None
    dead: bool


class Sampler:
    """Samples of processes and all that they have started, as metrics.

    A process counts as long as it is seen: of one that lives between two samples only what its parent waited for does.

    Args:
        devices: numbers of the GPUs to look at; None means all.
        root: where ``proc`` and ``sys`` lie.
    """

    def __init__(self, devices: Iterable[int] | None = None, root: str = "") -> None:
        self._root, self._proc, self._roots = root, f"{root}/proc", set[int]()
        self._devices = None if devices is None else sorted(devices)
        self._before: dict[int, _Process] = {}
        self._network: tuple[int, int] | None = None
        self._at = 0.0
        self._nvml: Nvml | None = None
        self._asked = False
        self._quick = os.path.exists(f"{self._proc}/thread-self/children")

    def add(self, pid: int) -> None:
        """This one, and what it starts, belongs to the tree."""
        self._roots.add(pid)

    def sample(self) -> dict[str, float]:
        """What is known now, by name; rates are since the sample before, so the first has none. Nothing when no process of
        the tree is left."""
        now, tree = time.monotonic(), self._tree()
        if all(one.dead for one in tree.values()):
            self._before, self._network = {}, None
            return {}
        first = min(pid for pid, one in tree.items() if not one.dead)
        network = _network(f"{self._proc}/{first}/net/dev")
        found = {"system.memory": float(self._memory(tree, first))}
        if self._before and now > self._at:
            found |= self._rates(tree, now - self._at)
            if network and self._network:
                for index, name in enumerate(("in", "out")):
                    count = max(0, network[index] - self._network[index])
                    found[f"system.network_{name}"] = count / (now - self._at)
        self._before, self._network, self._at = tree, network, now
        return {**found, **self._gpus()}

    def _rates(self, tree: dict[int, _Process], passed: float) -> dict[str, float]:
        """What was used since the sample before. What a child has used its parent takes over when it waits for it: of
        those that are gone since, it has counted already."""
        before = self._before
        same = {
            pid: before[pid] for pid, one in tree.items() if pid in before and before[pid].born == one.born
        }
        gone: list[tuple[int, _Process]] = []
        for pid, old in before.items():
            if pid not in same:
                heir = old.parent
                while heir in before and heir not in same:
                    heir = before[heir].parent
                gone.append((heir, old))
        handed: defaultdict[int, float] = defaultdict(float)
        for heir, old in gone:
            handed[heir] += old.own + old.waited
        cpu = 0.0
        for pid, one in tree.items():
            own, waited = (same[pid].own, same[pid].waited) if pid in same else (0.0, 0.0)
            cpu += max(0.0, one.own - own) + max(0.0, one.waited - waited - handed[pid])
        return {"system.cpu": cpu / passed, **_disk_rates(tree, same, gone, passed)}

    def _memory(self, tree: dict[int, _Process], pid: int) -> int:
        """Resident bytes. What processes share counts for each of them, so that the sum may be more than there is: never
        more than their control group holds."""
        total = sum(one.memory for one in tree.values())
        used = [one for one in map(_number, _usage(self._root, pid)) if one]
        return min([total, *used])

    def _tree(self) -> dict[int, _Process]:
        """Those below one of the roots. One whose parent has died belongs on, if it was seen before."""
        children = self._children_of if self._quick else self._all_children().__getitem__
        tree: dict[int, _Process] = {}
        todo = [*self._roots, *self._before]
        while todo and len(tree) < _MOST:
            pid = todo.pop()
            one = self._look(pid) if pid not in tree else None
            if one is None:
                continue
            old = self._before.get(pid)
            if old is not None and old.born != one.born and not self._is_below(one, tree):
                continue  # the number is somebody else's by now
            tree[pid] = one
            todo += children(pid)
        return tree

    def _is_below(self, one: _Process, tree: dict[int, _Process]) -> bool:
        return one.parent in tree

    def _children_of(self, pid: int) -> list[int]:
        found: list[int] = []
        try:
            for task in os.listdir(f"{self._proc}/{pid}/task"):
                found += map(int, _bytes(f"{self._proc}/{pid}/task/{task}/children").split())
        except (OSError, ValueError):  # it ends while we look
            return found
        return found

    def _all_children(self) -> defaultdict[int, list[int]]:
        """The same for every process, where the kernel keeps no lists."""
        found: defaultdict[int, list[int]] = defaultdict(list)
        for name in os.listdir(self._proc):
            one = self._look(int(name)) if name.isdigit() else None
            if one is not None:
                found[one.parent].append(int(name))
        return found

    def _look(self, pid: int) -> _Process | None:
        """One process; None when it is gone."""
        try:
            # The name in parentheses may hold anything, parentheses and blanks included.
            fields = _bytes(f"{self._proc}/{pid}/stat").rpartition(b")")[2].split()
            own, waited = (
                (int(fields[11]) + int(fields[12])) / _TICKS,
                (int(fields[13]) + int(fields[14])) / _TICKS,
            )
            memory, parent, born = int(fields[21]) * _PAGE, int(fields[1]), int(fields[19])
        except (OSError, ValueError, IndexError):
            return None
        dead = fields[0] in (b"Z", b"X")
        return _Process(parent, born, own, waited, memory, self._disk(pid), dead)

    def _disk(self, pid: int) -> tuple[int, int] | None:
        try:
            rows = dict(line.split(b": ") for line in _bytes(f"{self._proc}/{pid}/io").splitlines())
            return int(rows[b"read_bytes"]), int(rows[b"write_bytes"])
        except (OSError, ValueError, KeyError):
            return None

    def _gpus(self) -> dict[str, float]:
        if not self._asked:
            self._asked, self._nvml = True, nvml()
        found: dict[str, float] = {}
        if self._nvml is None:
            return found
        count = len(self._nvml.handles)
        for index in range(count) if self._devices is None else self._devices:
            if index < count:
                for name, value in self._nvml.sample(index)._asdict().items():
                    if value is not None:
                        found[f"system.gpu.{index}.{name}"] = value
        return found


def _disk_rates(
    tree: dict[int, _Process], same: dict[int, _Process], gone: list[tuple[int, _Process]], passed: float
) -> dict[str, float]:
    """The same for disks; nothing where no process tells."""
    now = [(pid, one.disk) for pid, one in tree.items() if one.disk is not None]
    rates = {}
    for index, name in enumerate(("read", "write") if now else ()):
        before = [same[pid].disk or disk if pid in same else (0, 0) for pid, disk in now]
        taken = sum(old.disk[index] for heir, old in gone if heir in same and old.disk is not None)
        count = sum(disk[index] for _, disk in now) - sum(disk[index] for disk in before) - taken
        rates[f"system.disk_{name}"] = max(0, count) / passed
    return rates


def _bytes(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.read()


def _number(path: str) -> int:
    try:
        return int(_bytes(path))
    except (OSError, ValueError):
        return 0


def _usage(root: str, pid: int) -> list[str]:
    """Files that say how many bytes the control group of a process holds, of either version. The group of all processes
    has none."""
    try:
        lines = _bytes(f"{root}/proc/{pid}/cgroup").decode(errors="replace").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, names, path = [*line.split(":", 2), "", ""][:3]
        if names == "":
            found.append(f"{root}/sys/fs/cgroup{path}/memory.current")
        elif "memory" in names.split(","):
            found.append(f"{root}/sys/fs/cgroup/memory{path}/memory.usage_in_bytes")
    return found


def _network(path: str) -> tuple[int, int] | None:
    """Bytes received and sent by all interfaces of a process's network but the loopback; None where it is not told."""
    try:
        lines = _bytes(path).splitlines()[2:]
        rows = [line.split(b":", 1) for line in lines]
        counts = [row[1].split() for row in rows if row[0].strip() != b"lo"]
        return sum(int(one[0]) for one in counts), sum(int(one[8]) for one in counts)
    except (OSError, ValueError, IndexError):
        return None


class Pace:
    """When samples are due: the first after a second, then every five seconds, growing to fifteen."""

    def __init__(self) -> None:
        self.next, self._gap = time.monotonic() + FIRST, SHORT

    def taken(self) -> None:
        """One was taken now."""
        self.next = time.monotonic() + self._gap
        self._gap = min(LONG, self._gap * _GROWTH)
