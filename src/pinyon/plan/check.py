"""What must be looked at first, and what can be refused before anything runs."""

from __future__ import annotations

from collections.abc import Mapping

from pinyon.errors import PlanError
from pinyon.model.graph import Graph
from pinyon.plan.state import ABSENT


def first_look(graph: Graph) -> list[str]:
    """Sources of every stage before anything runs, and the outs that may be there already."""
    outs = [out.path for task in graph.tasks.values() for out in task.stage.outs]
    return list(dict.fromkeys((*graph.sources, *outs)))


def refuse_absent(graph: Graph, files: Mapping[str, str]) -> None:
    """Raise `PlanError` for a source that does not exist; a frozen stage may lack its own."""
    for task in graph.tasks.values():
        stage = task.stage
        paths = (*(item.path for item in task.inputs if not item.producers), *stage.env)
        absent = [path for path in paths if files.get(path) == ABSENT]
        if absent and not stage.frozen:
            raise PlanError(
                f"stage '{stage.name}' depends on {absent[0]}, which does not exist",
                where=str(stage.origin),
                why="no stage makes it",
                next=f"make {absent[0]}, or correct the path",
            )
