"""A project opened for one call: what the user wrote, and everything known about it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pinyon.execute import fingerprint
from pinyon.execute.restore import present, sound
from pinyon.execute.statcache import StatCache
from pinyon.model.graph import Graph
from pinyon.model.project import Goal, Project
from pinyon.plan.build import Need, build
from pinyon.plan.check import first_look, refuse_made
from pinyon.query.index import Index
from pinyon.query.state import ProjectState
from pinyon.spec.load import find_root, load_project, read_params
from pinyon.spec.pointer import find_pointers
from pinyon.store.local import LocalStore
from pinyon.store.place import SPEC_FILES, STORE

if TYPE_CHECKING:
    from pinyon.execute.frozen import Frozen


class Records(NamedTuple):
    """The store of a project and the fold of its journals, up to date."""

    root: Path
    store: LocalStore
    fold: Index
    state: ProjectState


class Session(NamedTuple):
    """Records, and the graph of a goal with the parameter files it was built from."""

    records: Records
    project: Project
    graph: Graph
    params: Mapping[str, Any]
    stats: StatCache
    opened: int  # wall clock in ns, before anything was read

    def freeze(self) -> Frozen:
        """What isolated attempts are made from."""
        from pinyon.execute.frozen import freeze  # what it imports is of no use in place

        return freeze(self.graph, self.params, self.records.root, self.records.store, self.stats)

    def remember(self, question: str, summary: dict[str, Any]) -> None:
        """Nothing was to be done: let the next call with this question find out by looking at time stamps alone."""
        root, store = self.records.root, self.records.store
        journals = store.root / "journals"
        read = {name for name, content in self.params.items() if content is not None}
        there = [*self.project.files, *read, *first_look(self.graph)]
        others = [
            *(root / name for name in {*SPEC_FILES, *self.params} - {*self.project.files, *read}),
            journals,
        ]
        others += [journals / name for name in self.records.fold.growing()]
        facts = fingerprint.Facts(self.opened, [str(root / name) for name in there], list(map(str, others)))
        fingerprint.record(str(store.cache), question, str(root), facts, summary)


def open_records(start: Path, stack: ExitStack) -> Records:
    """What is known of the project around ``start``. Writes only caches.

    Raises:
        SpecError: there is no project.
    """
    root = find_root(start)
    store = LocalStore(root / STORE)
    fold = stack.enter_context(closing(Index(store.cache / "index.sqlite", store.journals)))
    fold.catch_up()
    state = ProjectState(
        fold,
        lambda attempt: sound(store.blobs, attempt.outputs),
        lambda attempt: present(store.blobs, attempt.outputs),
    )
    return Records(root, store, fold, state)


def open_session(start: Path, goal: Goal, stack: ExitStack) -> Session:
    """Read the project around ``start`` and resolve a goal in it. Writes only caches.

    Raises:
        SpecError, PlanError: the files make no graph for this goal.
    """
    opened = time.time_ns()
    project = load_project(find_root(start))
    graph, params = load(project, goal)
    records = open_records(start, stack)
    stats = stack.enter_context(closing(StatCache(records.store.cache / "stat.sqlite")))
    return Session(records, project, graph, params, stats, opened)


def load(project: Project, goal: Goal) -> tuple[Graph, dict[str, Any]]:
    """The graph of a goal and the parameter files it needed, by path; None for one that does not exist."""
    read: dict[str, Any] = {}
    while isinstance(graph := build(project, goal, read), Need):
        read |= _read(Path(project.root), graph.paths)
    return _pointed(Path(project.root), graph), read


def _pointed(root: Path, graph: Graph) -> Graph:
    outs = (out.path for task in graph.tasks.values() for out in task.stage.outs)
    found = (*graph.pointers, *find_pointers(root, graph.sources, outs))
    graph = graph._replace(pointers=found) if found else graph
    refuse_made(graph)
    return graph


def _read(root: Path, paths: Iterable[str]) -> dict[str, Any]:
    return {path: read_params(root, path) for path in paths}
