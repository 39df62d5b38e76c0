"""Which attempts may run beside each other: arithmetic over what they ask for and what there is.

What a stage does not ask for it does not count against: without ``resources`` only ``-j`` limits.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from pinyon.errors import PlanError
from pinyon.model.graph import Graph, Resources
from pinyon.model.outcome import Attempt
from pinyon.model.units import show_bytes
from pinyon.plan.actions import Verdict
from pinyon.plan.state import Free, Gpu, Machine

_DUST = 1e-9  # what adding up shares of a GPU may lose: ten times 0.1 is not quite 1


def whole(machine: Machine, slots: int) -> Free:
    """What there is to take while nothing runs."""
    return Free(slots, machine.cpus, machine.memory, machine.gpus)


def shares(asked: Resources) -> list[float]:
    """What is asked of each device: the part of one first, then whole ones. ``vram`` alone means one whole device."""
    number = (1.0 if asked.vram else 0.0) if asked.gpus is None else asked.gpus
    part, count = math.modf(number)
    return [part] * (part > _DUST) + [1.0] * int(count)


def fit(free: Free, asked: Resources) -> tuple[str, ...] | None:
    """The devices an attempt would get if it started now, in the order of `shares`; None when it does not fit.

    Of the devices that would do it takes the one with the least to spare, so that large ones stay whole.
    """
    if free.slots < 1 or (asked.cpus or 0) > free.cpus + _DUST or (asked.memory or 0) > free.memory:
        return None
    chosen: list[str] = []
    for share in shares(asked):
        rest = [gpu for gpu in free.gpus if gpu.id not in chosen]
        good = [gpu for gpu in rest if gpu.share >= share - _DUST and gpu.vram >= (asked.vram or 0)]
        if not good:
            return None
        chosen.append(min(good, key=lambda gpu: (gpu.share, gpu.vram)).id)
    return tuple(chosen)


def take(free: Free, asked: Resources, devices: Iterable[str], slots: int = 1) -> Free:
    """What is left when somebody has taken this, these devices included."""
    parts = dict(zip(devices, shares(asked), strict=False))
    gpus = tuple(
        gpu._replace(share=gpu.share - parts[gpu.id], vram=gpu.vram - (asked.vram or 0))
        if gpu.id in parts
        else gpu
        for gpu in free.gpus
    )
    return Free(free.slots - slots, free.cpus - (asked.cpus or 0), free.memory - (asked.memory or 0), gpus)


def meet(one: Free, other: Free) -> Free:
    """What both have; the devices are the same."""
    gpus = tuple(
        Gpu(a.id, min(a.share, b.share), min(a.vram, b.vram))
        for a, b in zip(one.gpus, other.gpus, strict=True)
    )
    return Free(min(one.slots, other.slots), min(one.cpus, other.cpus), min(one.memory, other.memory), gpus)


def without(free: Free, attempts: Iterable[Attempt], slots: int = 1) -> Free:
    """What is left beside attempts, by their records; each takes as many ``slots``."""
    for attempt in attempts:
        record = attempt.resources
        asked = Resources(*(record.get(name) for name in ("cpus", "memory", "gpus", "vram")))
        free = take(free, asked, record.get("devices", ()), slots)
    return free


def record(asked: Resources, devices: Iterable[str]) -> dict[str, Any]:
    """What an intent says of resources (docs/FORMAT.md §4); empty when nothing was asked for."""
    found = {name: value for name, value in asked._asdict().items() if value is not None}
    chosen = list(devices)
    return {**found, "devices": chosen} if chosen else found


def lacking(there: Free, asked: Resources) -> str:
    """What is asked for that the machine does not have, beside what it has; "" when it would fit while nothing runs."""
    if (asked.cpus or 0) > there.cpus + _DUST:
        return f"{asked.cpus:g} cpus, and there are {there.cpus:g}"
    if (asked.memory or 0) > there.memory:
        return f"{show_bytes(asked.memory or 0)} of memory, and there are {show_bytes(int(there.memory))}"
    if fit(there, asked) is not None:
        return ""
    needed, count = len(shares(asked)), len(there.gpus)
    gpus = f"{asked.gpus:g} GPU{'s' * (asked.gpus != 1)}" if asked.gpus is not None else "a GPU"
    if count < needed or not asked.vram:
        return f"{gpus}, and there {'is' if count == 1 else 'are'} {count or 'none'}"
    largest = sorted((gpu.vram for gpu in there.gpus), reverse=True)[needed - 1]
    return f"{gpus} with {show_bytes(asked.vram)} of vram, and there is one with {show_bytes(largest)}"


def too_large(graph: Graph, there: Free) -> dict[str, str]:
    """Tasks that this machine could never run, by recipe, and what they lack. Frozen ones are not asked."""
    found = {
        recipe: lacking(there, task.stage.resources)
        for recipe, task in graph.tasks.items()
        if not task.stage.frozen and any(task.stage.resources[:4])
    }
    return {recipe: words for recipe, words in found.items() if words}


def refuse_too_large(graph: Graph, there: Free, verdicts: Mapping[str, Verdict]) -> None:
    """Raise `PlanError` for the first task that would have to run and asks for more than the machine has."""
    for recipe, words in too_large(graph, there).items():
        if verdicts[recipe].kind in ("run", "wait"):
            stage = graph.tasks[recipe].stage
            raise PlanError(
                f"stage '{stage.name}' asks for {words}",
                where=str(stage.origin),
                why="it could never start here",
                next=f"ask for less in resources of {stage.name}, or run it on a machine that has it",
            )
