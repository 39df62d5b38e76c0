"""Timing a call on a core of its own; what other processes disturbed is thrown away, and counted. Linux only."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

BATCH = 4  # calls between two looks at the switches: a millisecond or so


class BusyError(Exception):
    """Too little ran undisturbed."""


class Timed(NamedTuple):
    """Calls that nothing disturbed, and their share of those tried."""

    seconds: list[float]
    share: float


def switches() -> int:
    """How often this thread has had to leave its CPU, because another process wanted it or to wait for something."""
    used = resource.getrusage(resource.RUSAGE_THREAD)
    return used.ru_nivcsw + used.ru_nvcsw


Ticks = dict[int, tuple[int, int]]


def cpu_ticks() -> Ticks:
    """Of each CPU, hundredths of a second since the machine began: idle ones, and all."""
    rows = [line.split() for line in Path("/proc/stat").read_text().splitlines()]
    of_one = [row for row in rows if row[0][:3] == "cpu" and row[0] != "cpu"]
    return {int(row[0][3:]): (int(row[4]), sum(map(int, row[1:9]))) for row in of_one}


def idle_share(before: Ticks, after: Ticks, cpus: set[int]) -> float:
    """The part, 0..1, of their time that these CPUs had nothing to do; 1 where nothing is known, as in some containers."""
    known = cpus & before.keys() & after.keys()
    idle, everything = (sum(after[cpu][i] - before[cpu][i] for cpu in known) for i in (0, 1))
    return idle / everything if everything else 1.0


@contextmanager
def one_cpu(look: float = 0.2) -> Iterator[int]:
    """Keep this thread on one CPU: that which is most idle for `look` seconds. Which one it is."""
    allowed = os.sched_getaffinity(0)
    before = cpu_ticks()
    time.sleep(look)
    after = cpu_ticks()
    cpu = max(sorted(allowed), key=lambda cpu: idle_share(before, after, {cpu}))
    os.sched_setaffinity(0, {cpu})
    try:
        yield cpu
    finally:
        os.sched_setaffinity(0, allowed)


def undisturbed(
    call: Callable[[], object],
    wanted: int,
    limit: float,
    switches: Callable[[], int] = switches,
    clock: Callable[[], float] = time.perf_counter,
) -> Timed:
    """The seconds of `wanted` calls, none in a batch with a switch, nor in the one after it: its caches are cold.

    Raises:
        BusyError: they did not come together in `limit` seconds.
    """
    kept: list[float] = []
    tried, quiet = 0, True
    end = clock() + limit
    while len(kept) < wanted:
        if clock() > end:
            raise BusyError(
                f"in {limit:g} s, {len(kept)} of {tried} calls ran undisturbed, and {wanted} are needed: "
                f"other processes want this CPU"
            )
        before, was_quiet = switches(), quiet
        batch = [_seconds(call, clock) for _ in range(BATCH)]
        quiet = switches() == before
        tried += BATCH
        kept += batch if quiet and was_quiet else []
    return Timed(kept, len(kept) / tried)


def _seconds(call: Callable[[], object], clock: Callable[[], float]) -> float:
    began = clock()
    call()
    return clock() - began
