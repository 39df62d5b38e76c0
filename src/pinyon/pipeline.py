"""The whole story: from a project and a goal to outputs that verify.

`plan` and `run` call the same `decide`; only what performs the actions differs. Read this file first.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from pinyon.errors import PlanError, StageFailedError, TargetError
from pinyon.execute import fingerprint
from pinyon.execute.bundle import freeze
from pinyon.execute.driver import Driver, Frozen
from pinyon.execute.local import LocalTarget
from pinyon.execute.locks import DriverLock
from pinyon.execute.observe import observe
from pinyon.execute.restore import sound
from pinyon.execute.statcache import StatCache
from pinyon.model.event import Event
from pinyon.model.graph import Graph
from pinyon.model.outcome import Attempt, Output
from pinyon.model.project import Goal, Project
from pinyon.plan import overlay
from pinyon.plan.actions import Action, Look, Reason, Repair, Reuse, Run, Stop, Verdict, Wait
from pinyon.plan.build import Need, build
from pinyon.plan.decide import Settled, decide, forecast
from pinyon.plan.state import ABSENT, Seen
from pinyon.query.index import Index
from pinyon.query.state import ProjectState
from pinyon.spec.load import find_root, load_project, read_params
from pinyon.spec.params import write_params
from pinyon.store.local import LocalStore

STORE = ".pinyon"
_PATIENCE = 0.5  # seconds between two looks at another execution's attempts


class Told(NamedTuple):
    """Something worth telling a person while it happens. ``kind``: plan, run, reuse, repair, wait, end, note."""

    kind: str
    stage: str = ""
    text: str = ""
    attempt: Attempt | None = None


Tell = Callable[[Told], None]


class Session(NamedTuple):
    """A project opened for one call."""

    project: Project
    graph: Graph
    params: Mapping[str, Any]
    store: LocalStore
    index: Index
    state: ProjectState
    stats: StatCache

    @property
    def root(self) -> Path:
        """The project's directory."""
        return Path(self.project.root)


class Result(NamedTuple):
    """How a call to `run` ended: a verdict for each task by recipe, and how many did what."""

    graph: Graph
    verdicts: Mapping[str, Verdict]
    counts: Mapping[str, int]
    execution: str = ""


class Plan(NamedTuple):
    """What `run` would do: the first actions, and a verdict for every task."""

    graph: Graph
    actions: list[Action]
    verdicts: Mapping[str, Verdict]


def open_session(start: Path, goal: Goal, stack: ExitStack) -> Session:
    """Read the project around ``start`` and everything known about it. Writes only caches.

    Raises:
        SpecError, PlanError: the files make no graph for this goal.
    """
    project = load_project(find_root(start))
    read: dict[str, Any] = {}
    while isinstance(graph := build(project, goal, read), Need):
        read |= {path: read_params(Path(project.root), path) for path in graph.paths}
    store, index, state = open_state(Path(project.root), stack)
    stats = stack.enter_context(closing(StatCache(store.cache / "stat.sqlite")))
    return Session(project, graph, read, store, index, state, stats)


def open_state(root: Path, stack: ExitStack) -> tuple[LocalStore, Index, ProjectState]:
    """The store of a project and the fold of its journals, up to date."""
    store = LocalStore(root / STORE)
    index = stack.enter_context(closing(Index(store.cache / "index.sqlite", store.journals)))
    index.catch_up()
    return store, index, ProjectState(index, lambda attempt: sound(store.blobs, attempt.outputs))


def plan(start: Path, goal: Goal) -> Plan:
    """What `run` would do, and why; performs nothing."""
    with ExitStack() as stack:
        session = open_session(start, goal, stack)
        graph, state, done = session.graph, session.state, Settled()
        files = observe(session.root, _first_look(graph), session.stats)
        _refuse_absent(graph, files)
        while True:
            alive = frozenset(a.id for a in state.open() if a.supervisor and a.supervisor.alive() is not False)
            actions = decide(graph, state, Seen(files=files, alive=alive), done)
            pretend = [action for action in actions if isinstance(action, (Look, Reuse, Repair))]
            if not pretend:
                return Plan(graph, actions, forecast(graph, state, done))
            for action in pretend:
                match action:
                    case Look(paths):
                        files |= observe(session.root, list(paths), session.stats)
                    case Reuse(_, _, restored, _):
                        files |= {output.path: output.digest for output in restored}
                    case Repair(attempt, reason):
                        state.apply(Event("", 0, "lost", 0.0, {"attempt": attempt.id, "reason": reason.text}))


def run(start: Path, goal: Goal, *, jobs: int = 1, tell: Tell = lambda told: None) -> Result:
    """Carry the goal out.

    Raises:
        StageFailedError: a stage failed; everything that could be done without it was, with ``keep_going``.
        WorkspaceLockedError: another driver works here in place.
        KeyboardInterrupt: after a clean stop; children have ended and the state is true.
    """
    with ExitStack() as stack:
        session = open_session(start, goal, stack)
        session.store.prepare(session.project.name)
        stack.enter_context(nullcontext() if goal.isolated else DriverLock(session.store.url))
        session.state.refresh()  # what the holder before us wrote before we had the lock
        frozen = _freeze(session) if goal.isolated else None
        target = LocalTarget(session.root, session.store)
        driver = Driver(
            session.root, session.store, target, session.graph, session.stats,
            jobs=jobs, apply=session.state.apply, frozen=frozen,
        )  # fmt: skip
        stack.callback(driver.close)
        driver.look(_first_look(session.graph))
        _refuse_absent(session.graph, driver.files)
        result = _Loop(session, driver, tell).run()
        session.index.catch_up()
        return result


def _freeze(session: Session) -> Frozen:
    graph, store = session.graph, session.store
    frozen_outs = {o.path for t in graph.tasks.values() if t.stage.frozen for o in t.stage.outs}
    outs = {o.path for t in graph.tasks.values() for o in t.stage.outs} - frozen_outs
    bundle = freeze(session.root, store, session.stats, exclude=sorted(outs), extra=[*graph.sources, *sorted(frozen_outs)])
    overlays = []
    for file, content in overlay.apply(session.params, graph.goal.overrides).items():
        if file in overlay.files_of(graph.goal.overrides):
            data = write_params(content, os.path.splitext(file)[1])
            overlays.append(Output(file, store.blobs.put(data), len(data)))
    return Frozen(bundle, tuple(overlays))


class _Loop:
    """decide → perform, until there is nothing left to do."""

    def __init__(self, session: Session, driver: Driver, tell: Tell) -> None:
        self.session, self.driver, self.tell = session, driver, tell
        self.done = Settled()
        self.ran: Counter[str] = Counter()

    def run(self) -> Result:
        graph, state = self.session.graph, self.session.state
        try:
            while actions := decide(graph, state, self.driver.seen(state.open()), self.done):
                self.perform(actions)
        except KeyboardInterrupt:
            self._interrupted()
            raise
        except BaseException:
            self.driver.finish("FAILED", self.ran)
            raise
        self.driver.finish("SUCCEEDED", self.ran)
        return Result(graph, self.done.verdicts, self.ran, self.driver.execution)

    def perform(self, actions: list[Action]) -> None:
        """The only place with effects."""
        runs = [action for action in actions if isinstance(action, Run)]
        for action, name in zip(runs, self._start(runs), strict=False):
            self.tell(Told("run", action.task.stage.name, action.reason.text, self.session.state.attempt(name)))
        for action in actions:
            match action:
                case Look(paths):
                    self.driver.look(paths)
                case Reuse(task, attempt, _, reason):
                    if self.driver.reuse(action):
                        self.ran["reused"] += 1
                        self.tell(Told("reuse", task.stage.name, reason.text, attempt))
                case Repair(attempt, reason):
                    self.tell(Told("repair", attempt.stage, reason.text, attempt))
                    self.driver.repair(action)
                case Wait(attempts, adopted):
                    self._wait(attempts, adopted) if not runs else None
                case Stop(failed, reason):
                    raise StageFailedError(
                        f"{len(failed)} stage{'s' * (len(failed) > 1)} failed: {', '.join(failed[:5])}",
                        why=reason.text, next=f"pinyon logs {failed[0]}",
                    )  # fmt: skip

    def _start(self, runs: list[Run]) -> list[str]:
        try:
            return [name for _, name in self.driver.start(runs)] if runs else []
        except TargetError:
            self.driver.supervisor_lost()
            return []

    def _wait(self, attempts: tuple[str, ...], adopted: bool) -> None:
        if adopted:
            self.tell(Told("wait", text=f"another execution is at work ({attempts[0]})"))
        self._hear(_PATIENCE if adopted else 60.0)
        if adopted:
            self.session.state.refresh()

    def _hear(self, timeout: float) -> None:
        try:
            events = self.driver.wait(timeout)
        except TargetError as error:
            self.driver.supervisor_lost()
            self.tell(Told("note", text=str(error)))
            return
        for event in events:
            attempt = self.session.state.attempt(event.body.get("attempt", ""))
            if event.kind == "ended" and attempt is not None:
                self.ran[attempt.state.lower()] += 1
                self.tell(Told("end", attempt.stage, attempt.message, attempt))

    def _interrupted(self) -> None:
        self.tell(Told("note", text="stopping: the children get SIGTERM, then SIGKILL"))
        self.driver.cancel()
        while self.driver.running:
            self._hear(1.0)
        self.driver.finish("CANCELLED", self.ran)


def _first_look(graph: Graph) -> list[str]:
    """Sources of every stage before anything runs, and the outs that may be there already."""
    outs = [out.path for task in graph.tasks.values() for out in task.stage.outs]
    return list(dict.fromkeys((*graph.sources, *outs)))


def _refuse_absent(graph: Graph, files: Mapping[str, str]) -> None:
    for task in graph.tasks.values():
        stage = task.stage
        paths = (*(item.path for item in task.inputs if not item.producers), *stage.env)
        absent = [path for path in paths if files.get(path) == ABSENT]
        if absent and not stage.frozen:
            raise PlanError(
                f"stage '{stage.name}' depends on {absent[0]}, which does not exist", where=str(stage.origin),
                why="no stage makes it", next=f"make {absent[0]}, or correct the path",
            )  # fmt: skip
