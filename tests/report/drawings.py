"""Graphs from a few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pinyon.model.graph import Command, Graph, Out, Stage
from pinyon.model.project import Goal
from pinyon.plan.build import graph_of


def graph_from(reads: Mapping[str, Sequence[str]]) -> Graph:
    """Stages by name with the stages that each reads from; a stage writes ``NAME.out``, and one without reads ``src``."""
    return graph_of(
        [
            Stage(
                name, Command("shell", (name,)), ".", tuple(f"{need}.out" for need in needs) or ("src",), (),
                (Out(f"{name}.out"),),
            )
            for name, needs in reads.items()
        ],
        Goal(),
    )  # fmt: skip
