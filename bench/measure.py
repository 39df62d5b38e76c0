"""What a command costs with everything it starts, and what a row of results is."""

from __future__ import annotations

import ctypes
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import NamedTuple

_PR_SET_CHILD_SUBREAPER = 36


class Cost(NamedTuple):
    """CPU seconds of a command and all its descendants, and its wall seconds until it returned."""

    cpu: float
    wall: float


Contender = Callable[[], Cost]


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends, so that no supervisor escapes being counted."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def cost_of(command: Sequence[str | Path], cwd: Path, *, log: Path | None = None) -> Cost:
    """Run a command to its end, and whatever it left running too; `adopt_orphans` comes first.

    Raises:
        RuntimeError: it failed; the end of what it said is in the message.
    """
    log = log or cwd / ".bench.log"
    with open(log, "wb") as said:
        began = time.perf_counter()
        child = subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    cpu = usage.ru_utime + usage.ru_stime
    for _ in count():
        try:
            usage = os.wait4(-1, 0)[2]
        except ChildProcessError:
            break
        cpu += usage.ru_utime + usage.ru_stime
    if child.returncode:
        tail = log.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"{' '.join(map(str, command))}: exit {child.returncode}\n{tail}")
    return Cost(cpu, wall)


def cost_here(work: Callable[[], object]) -> Cost:
    """The cost of a call in this process."""
    began, cpu = time.perf_counter(), time.process_time()
    work()
    return Cost(time.process_time() - cpu, time.perf_counter() - began)


def interleave(
    rounds: int, contenders: Mapping[str, Contender], *, warm: bool = True
) -> dict[str, list[Cost]]:
    """Run all contenders in turn, ``rounds`` times; a first turn that fills caches is not counted."""
    if warm:
        for contender in contenders.values():
            contender()
    costs: dict[str, list[Cost]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            costs[name].append(contender())
    return costs


@dataclass(frozen=True)
class Row:
    """One figure: what was measured, every value in its unit, and the most that its median may be.

    No values means that it could not be measured; ``note`` says why.
    """

    what: str
    unit: str = ""
    values: tuple[float, ...] = ()
    limit: float | None = None
    note: str = ""

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.values)

    @property
    def verdict(self) -> str:
        """``met`` or ``missed``; empty where there is no target."""
        if self.limit is None or not self.values:
            return ""
        return "met" if self.median <= self.limit else "missed"


def cpu_row(
    what: str, costs: Sequence[Cost], *, per: int = 1, limit: float | None = None, note: str = ""
) -> Row:
    """Milliseconds of CPU, each divided by ``per`` things; the note tells the wall time too."""
    wall = statistics.median(cost.wall for cost in costs) * 1e3 / per
    note = ", ".join(filter(None, [f"wall {wall:.3g} ms", note]))
    return Row(what, "ms", tuple(cost.cpu * 1e3 / per for cost in costs), limit, note)


def wall_row(what: str, costs: Sequence[Cost], *, limit: float | None = None) -> Row:
    """Milliseconds until the command returned."""
    return Row(what, "ms wall", tuple(cost.wall * 1e3 for cost in costs), limit)


def ratio_row(what: str, ours: Sequence[Cost], theirs: Sequence[Cost], limit: float | None = None) -> Row:
    """How many times the CPU of the other one, pair by pair."""
    return Row(what, "×", tuple(a.cpu / b.cpu for a, b in zip(ours, theirs, strict=False)), limit)


def over_row(what: str, ours: Sequence[Cost], theirs: Sequence[Cost], limit: float | None = None) -> Row:
    """Milliseconds of CPU above the other one, pair by pair."""
    return Row(what, "ms", tuple((a.cpu - b.cpu) * 1e3 for a, b in zip(ours, theirs, strict=False)), limit)
