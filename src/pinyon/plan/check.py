"""What must be looked at first, and what can be refused before anything runs."""

from __future__ import annotations

from collections.abc import Mapping

from pinyon.errors import PlanError
from pinyon.model.graph import Graph
from pinyon.model.project import Pointer
from pinyon.plan.paths import parents, touch
from pinyon.plan.state import ABSENT


def first_look(graph: Graph) -> list[str]:
    """Sources of every stage before anything runs, and the outs that may be there already."""
    outs = [out.path for task in graph.tasks.values() for out in task.stage.outs]
    return list(dict.fromkeys((*sources(graph), *outs)))


def sources(graph: Graph) -> list[str]:
    """What no stage makes: sources, and what pointers at, in or around them name."""
    return [*graph.sources, *(pointer.path for pointer in graph.pointers)]


def refuse_absent(graph: Graph, files: Mapping[str, str]) -> None:
    """Raise `PlanError` for a source that does not exist; a frozen stage may lack its own."""
    for task in graph.tasks.values():
        stage = task.stage
        paths = (*(item.path for item in task.inputs if not item.producers), *stage.env)
        absent = [path for path in paths if files.get(path) == ABSENT]
        if absent and not stage.frozen:
            why, advice = _about(graph, absent[0])
            raise PlanError(
                f"stage '{stage.name}' depends on {absent[0]}, which does not exist",
                where=str(stage.origin),
                why=why,
                next=advice,
            )


def _about(graph: Graph, path: str) -> tuple[str, str]:
    """Why a source is absent, and what to do."""
    pointer = next((one for one in graph.pointers if one.path == path or touch(one.path, path)), None)
    if pointer is None and (graph.goal.single or graph.goal.downstream):
        return "what makes it is not part of this call", "call it without -s and --downstream"
    if pointer is None:
        return "no stage makes it", f"make {path}, or correct the path"
    if pointer.kind == "dvc":
        why = f"{pointer.origin.file} names it, and DVC's cache does not have its bytes"
        return why, "dvc pull" if graph.goal.pull else "pinyon run --pull, or dvc pull"
    return f"{pointer.origin.file} names it", f"put the data at {pointer.path}"


def refuse_made(graph: Graph) -> None:
    """Raise `PlanError` for an out that a pointer names, or that lies in or around what one names."""
    named = {pointer.path: pointer for pointer in graph.pointers}
    around = {parent: pointer for pointer in graph.pointers for parent in parents(pointer.path)}
    for task in graph.tasks.values() if named else ():
        for out in task.stage.outs:
            above = next((named[parent] for parent in parents(out.path) if parent in named), None)
            pointer = named.get(out.path) or above or around.get(out.path)
            if pointer is not None:
                raise PlanError(
                    f"stage '{task.stage.name}' makes {out.path}, and {pointer.origin} names it too",
                    where=str(task.stage.origin),
                    why="a place has one producer",
                    next=f"rm {pointer.origin.file}, or give the out another path",
                )


def to_fetch(graph: Graph, files: Mapping[str, str]) -> tuple[Pointer, ...]:
    """Pointers whose data some source needs and which is absent, as far as ``files`` tells of the pointers' own paths."""
    return tuple(
        pointer
        for pointer in graph.pointers
        if pointer.digest and files.get(pointer.path) == ABSENT and _is_wanted(graph, pointer.path)
    )


def _is_wanted(graph: Graph, path: str) -> bool:
    above = set(parents(path))
    return any(source == path or source in above or path in parents(source) for source in graph.sources)
