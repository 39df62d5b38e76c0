"""Which runs belong to which cell of which experiment, as the ``cells`` records tell it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from pinyon.query.index import Index


class Member(NamedTuple):
    """A replicate: a cell at one seed. Runs of its ``project`` at its ``recipe`` are its runs.

    Attributes:
        seed: the value of its seed; ``name=value, …`` where several parameters are seeds; "" without any.
        overlay: everything that it sets: earlier winners, then the cell, then the seed.
        execution: the newest one that declared it so (by the clocks of those who did).
    """

    experiment: str
    phase: str
    cell: str
    number: int
    seed: str
    overlay: dict[str, Any]
    recipe: str
    execution: str
    project: str


def members(index: Index, experiment: str | None = None) -> list[Member]:
    """Every replicate that was ever declared, or those of one experiment; in order of declaration, each once."""
    found: dict[tuple[str, ...], Member] = {}
    records = index.told("cells", None if experiment is None else [experiment])
    projects = index.projects() if records else {}
    for event in records:
        project = projects.get(str(event.body.get("execution")), "")
        try:
            told = list(_told(event.body, project))
        except (KeyError, TypeError, ValueError, AttributeError):
            continue  # not of a form we know
        for one in told:
            found[one.project, one.experiment, one.phase, one.cell, one.seed, one.recipe] = one
    return list(found.values())


def _told(body: dict[str, Any], project: str) -> Iterable[Member]:
    base = dict(body.get("base") or ())
    for cell in body["cells"]:
        for replicate in cell["replicates"]:
            seed = dict(replicate.get("seed") or ())
            yield Member(
                str(body["experiment"]),
                str(body["phase"]),
                str(cell["cell"]),
                int(cell["number"]),
                _spelled(seed),
                {**base, **dict(cell["assignment"]), **seed},
                str(replicate["recipe"]),
                str(body["execution"]),
                project,
            )


def _spelled(seed: dict[str, Any]) -> str:
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in seed.items()}
    if len(texts) == 1:
        return next(iter(texts.values()))
    return ", ".join(f"{name}={text}" for name, text in texts.items())


def by_recipe(found: Iterable[Member]) -> dict[tuple[str, str], list[Member]]:
    """Replicates by project and recipe."""
    known: dict[tuple[str, str], list[Member]] = {}
    for one in found:
        known.setdefault((one.project, one.recipe), []).append(one)
    return known
