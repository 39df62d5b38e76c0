"""A project and a goal in it: the graph, and what it was read from."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pinyon.execute import fingerprint
from pinyon.execute.statcache import StatCache
from pinyon.model.graph import Graph, Stage
from pinyon.model.project import Goal, Project
from pinyon.plan.build import Need, build, graph_of
from pinyon.plan.check import first_look, refuse_made, sources
from pinyon.session.reading import Reading
from pinyon.session.records import Records, records_of
from pinyon.spec.load import find_root, load_project
from pinyon.spec.pointer import find_pointers
from pinyon.store.local import home_store
from pinyon.store.place import DVC, HOME, SPEC_FILES, STORE, project_around

if TYPE_CHECKING:
    from pinyon.bridges.dvc.write import Written
    from pinyon.capture.imports import Imports
    from pinyon.execute.frozen import Frozen
    from pinyon.session.study import Growth


class Session(NamedTuple):
    """Records, and the graph of a goal with the parameter files it was built from."""

    records: Records
    project: Project
    graph: Graph
    params: Mapping[str, Any]
    stats: StatCache
    imports: Imports
    opened: int  # wall clock in ns, before anything was read
    heard: Collection[str] = ()  # files that told what commands can be given
    growth: Growth | None = None  # of an experiment: ``graph`` is then over assumed winners

    def freeze(self) -> Frozen:
        """What isolated attempts are made from."""
        from pinyon.execute.frozen import freeze  # what it imports is of no use in place

        return freeze(self.graph, self.params, self.records.root, self.records.store, self.stats)

    def drift(self) -> tuple[str, ...]:
        """What of the environment differs from that which the newest execution found, in words. It stands in no key."""
        from pinyon.session.drift import drift  # only those who ask why need it

        return drift(self)

    def write_locks(self, *, dry: bool = False, with_bytes: bool = True) -> list[Written]:
        """Bring every dvc.lock up to date with what is finished here; see `pinyon.bridges.dvc.write.write_locks`."""
        from pinyon.bridges.dvc.write import write_locks

        root, store, _, state = self.records
        return write_locks(self.graph, state, root, store.cache, self.stats, dry=dry, with_bytes=with_bytes)

    def remember(self, question: str, summary: dict[str, Any], imported: Iterable[str]) -> None:
        """Nothing was to be done: let the next call with this question find out by looking at time stamps alone.

        Args:
            imported: files that were looked at though no dep names them.
        """
        root, store = self.records.root, self.records.store
        journals = store.root / "journals"
        read = {name for name, content in self.params.items() if content is not None}
        # Of the outs of isolated attempts none lies in the project.
        looked = sources(self.graph) if self.graph.goal.isolated else first_look(self.graph)
        there = [*self.project.files, *read, *looked, *imported, *self.heard]
        others = [
            *(root / name for name in {*SPEC_FILES, *self.params} - {*self.project.files, *read}),
            root / STORE / HOME,
            journals,
        ]
        others += [journals / name for name in self.records.fold.growing()]
        others += [root / name for name in (*self.project.folders, DVC)]  # where a new dvc.yaml may come
        facts = fingerprint.Facts(self.opened, [str(root / name) for name in there], list(map(str, others)))
        with suppress(OSError):  # a cache that another user keeps; then the next call takes its time
            fingerprint.record(str(store.cache), question, str(root), facts, summary)


def open_session(start: Path, goal: Goal, stack: ExitStack, adhoc: Stage | None = None) -> Session:
    """Read the project around ``start`` and resolve a goal in it. Writes only caches.

    Args:
        adhoc: a stage that stands in no file; then none is read, and ``start`` itself may be the project.

    Raises:
        SpecError, PlanError: the files make no graph for this goal.
    """
    opened = time.time_ns()
    project = _anonymous(start) if adhoc else load_project(find_root(start))
    store = home_store(Path(project.root))
    imports = stack.enter_context(closing(_imports(project)))
    reading = Reading(project, imports)
    growth = None
    if adhoc:
        graph = graph_of([adhoc], goal)
        records = records_of(Path(project.root), store, stack, project)
    elif goal.skip or goal.only or project.settings.get("experiments"):
        records = records_of(Path(project.root), store, stack, project)
        graph, growth = _any(project, goal, reading, records)
    else:
        graph = _load(project, goal, reading)
        records = records_of(Path(project.root), store, stack, project)
    stats = stack.enter_context(closing(StatCache(records.store.cache / "stat.sqlite")))
    return Session(records, project, graph, reading.params, stats, imports, opened, reading.files, growth)


def _any(project: Project, goal: Goal, reading: Reading, records: Records) -> tuple[Graph, Growth | None]:
    """The graph of a goal that may be an experiment; that one over assumed winners."""
    from pinyon.session.study import Growth, named  # of no use to projects without experiments

    goal = named(project, goal)
    if not goal.experiment:
        return _load(project, goal, reading), None
    growth = Growth(project, goal, reading, records.fold)
    return _pointed(Path(project.root), growth.graph(assume=True)), growth


def _anonymous(start: Path) -> Project:
    root = project_around(str(start)) or os.path.abspath(start)
    return Project(root, os.path.basename(root) or "project", (), ())


def load(project: Project, goal: Goal, imports: Imports | None = None) -> tuple[Graph, dict[str, Any]]:
    """The graph of a goal and the parameter files it needed, by path; None for one that does not exist. No command is
    asked what it can be given, as `open_session` does."""
    reading = Reading(project, imports or _imports(project), asks=False)
    return _load(project, goal, reading), reading.params


def _load(project: Project, goal: Goal, reading: Reading) -> Graph:
    while isinstance(graph := build(project, goal, reading.params, reading.imported, reading.heard), Need):
        reading.answer(graph)
    return _pointed(Path(project.root), graph)


def _pointed(root: Path, graph: Graph) -> Graph:
    outs = (out.path for task in graph.tasks.values() for out in task.stage.outs)
    found = (*graph.pointers, *find_pointers(root, graph.sources, outs))
    graph = graph._replace(pointers=found) if found else graph
    refuse_made(graph)
    return graph


def _imports(project: Project) -> Imports:
    from pinyon.capture.imports import Imports  # of no use to those who only look at records

    return Imports(project.root, str(home_store(Path(project.root)).cache / "imports"))
