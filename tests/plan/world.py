"""A world to decide in: files, blobs, attempts and drivers, all in memory, with crashes between any two actions.

Contents are texts and stages are pure functions of what they read, so that what should come out can be computed without
any engine: `World.expected`. A driver performs one action per `Driver.act`; it may be forgotten at any time (a crash), and
so may its supervisor, with whatever a dying attempt had half written.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

from pinyon.model.graph import Graph, Stage, Task
from pinyon.model.outcome import FAILED, FINAL, LOST, RUNNING, SUCCEEDED, Attempt, Output
from pinyon.model.project import Goal
from pinyon.plan import admit
from pinyon.plan.actions import Action, Look, Repair, Reuse, Run, Stop, Wait
from pinyon.plan.build import graph_of
from pinyon.plan.check import first_look, refuse_absent
from pinyon.plan.decide import Settled, decide
from pinyon.plan.reasons import inputs_of
from pinyon.plan.state import ABSENT, Gpu, Machine, Seen

Files = dict[str, str]


def digest(value: object) -> str:
    return f"blake3:{blake2b(repr(value).encode(), digest_size=32).hexdigest()}"


def below(files: Files, path: str) -> Files:
    """What lies in a directory, by path relative to it."""
    prefix = "" if path == "." else f"{path}/"
    return {name[len(prefix) :]: text for name, text in files.items() if name.startswith(prefix)}


def name_of(files: Files, path: str) -> str:
    if path in files:
        return digest(files[path])
    inside = below(files, path)
    return digest(sorted(inside.items())) + "/" if inside else ABSENT


def remove(files: Files, path: str) -> Files:
    """Take a file or directory away; gives what was there."""
    gone = {name: text for name, text in files.items() if name == path or name.startswith(f"{path}/")}
    for name in gone:
        del files[name]
    return gone


def make(stage: Stage, deps: Iterable[tuple[str, str]]) -> Files:
    """What a stage writes: it depends on everything that is keyed and on nothing else; ``constant`` reads nothing."""
    made: Files = {}
    deps = () if stage.command.parts == ("constant",) else deps
    params = [(param.file, param.name, float(param.value)) for param in stage.params]  # 1 is 1.0
    for out in stage.outs:
        text = digest((stage.command, params, sorted(deps), out.path))
        names = (
            [f"{out.path}/a", f"{out.path}/b"] if out.path.rpartition("/")[2].startswith("d") else [out.path]
        )
        made |= {name: f"{name} {text}" for name in names}
    return made


class History:
    """`State` over a plain dictionary of attempts, and a count of the answers that were asked for."""

    def __init__(self) -> None:
        self.attempts: dict[str, Attempt] = {}
        self.asked = 0
        self._open: set[str] = set()
        self._found: dict[tuple[str, ...], list[str]] = {}

    def add(self, attempt: Attempt) -> None:
        self.attempts[attempt.id] = attempt
        self._open.add(attempt.id)
        execution = attempt.execution
        for place in (
            ("key", attempt.key),
            ("of", execution),
            ("of", execution, attempt.recipe),
            ("by", attempt.stage),
        ):
            self._found.setdefault(place, []).append(attempt.id)

    def change(self, name: str, **fields: object) -> None:
        self.attempts[name] = self.attempts[name]._replace(**fields)  # type: ignore[arg-type]
        if self.attempts[name].state in FINAL:
            self._open.discard(name)

    def _at(self, *place: str) -> list[Attempt]:
        return sorted(
            (self.attempts[name] for name in self._found.get(place, ())), key=lambda found: found.order
        )

    def at(self, key: str) -> tuple[Attempt, ...]:
        self.asked += 1
        return tuple(self._at("key", key))

    def answer(self, attempts: Iterable[Attempt], *, stored: bool = False) -> Attempt | None:
        good = [a for a in attempts if a.state == SUCCEEDED and a.reusable]
        if stored:
            good = [a for a in good if all(out.stored for out in a.outputs)]
        forced = [a for a in good if a.forced]
        return forced[-1] if forced else good[0] if good else None

    def latest(self, stage: str) -> Attempt | None:
        names = self._found.get(("by", stage))
        return self.attempts[names[-1]] if names else None

    def baseline(self, stage: str) -> Attempt | None:
        good = [self.attempts[n] for n in self._found.get(("by", stage), ())]
        good = [attempt for attempt in good if attempt.state == SUCCEEDED]
        return next((a for a in reversed(good) if a.mode != "isolated"), good[-1] if good else None)

    def tried(self, attempts: Iterable[Attempt]) -> list[Attempt]:
        known = list(attempts)
        if any(attempt.state == SUCCEEDED for attempt in known):
            return []
        return [attempt for attempt in known if attempt.state in (FAILED, LOST)]

    def of_execution(self, execution: str, recipe: str) -> list[Attempt]:
        return self._at("of", execution, recipe)

    def failures(self, execution: str) -> list[Attempt]:
        return [a for a in self._at("of", execution) if a.state in FINAL and a.state != SUCCEEDED]

    def durations(self, by: str, names: Iterable[str]) -> dict[str, list[float]]:
        fields = {
            "key": lambda a: a.key,
            "stage": lambda a: a.stage,
            "group": lambda a: a.stage.partition("@")[0],
        }
        good = [a for a in reversed(self.attempts.values()) if a.state == SUCCEEDED]
        found = {name: [a.seconds for a in good if fields[by](a) == name][:5] for name in names}
        return {name: seconds for name, seconds in found.items() if seconds}

    def open(self) -> list[Attempt]:
        return [self.attempts[name] for name in sorted(self._open)]


class Live(NamedTuple):
    """An attempt whose supervisor lives: what it runs, and how it found the world."""

    run: Run
    driver: Driver
    isolated: bool


class World:
    """Everything that survives a driver: the workspace, the store, and the supervisors."""

    machine = Machine(4.0, 8, (Gpu("0", vram=4), Gpu("1", vram=8)))

    def __init__(self, files: Files) -> None:
        self.files = dict(files)
        self.blobs: dict[str, Files] = {}
        self.history = History()
        self.live: dict[str, Live] = {}
        self.aside: dict[str, Files] = {}
        self.broken: set[str] = set()  # commands that fail
        self.finished: dict[str, Run] = {}  # by attempt, in order: all that ever succeeded
        self._count = 0

    def next_id(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}-{self._count:06d}"

    # -- what supervisors do --------------------------------------------------------------------------------------------

    def start(self, run: Run, driver: Driver, isolated: bool) -> str:
        name = self.next_id("a")
        stage = run.task.stage
        self.history.add(
            Attempt(
                name, run.key, run.task.recipe, stage.name, driver.execution, run.epoch,
                "isolated" if isolated else "in place", RUNNING,
                inputs=inputs_of(stage, run.deps), forced=driver.graph.goal.force,
                resources=admit.record(stage.resources, run.devices),
            )
        )  # fmt: skip
        if not isolated:
            outs = {
                out.path
                for live in self.live.values()
                if not live.isolated
                for out in live.run.task.stage.outs
            }
            assert outs.isdisjoint(out.path for out in stage.outs), "two write one place"
            self.aside[name] = {}
            for out in stage.outs:
                self.keep(out.path, name_of(self.files, out.path))
                self.aside[name] |= remove(self.files, out.path)
        self.live[name] = Live(run, driver, isolated)
        return name

    def keep(self, path: str, name: str) -> None:
        """Put what lies at a path into the store."""
        if name != ABSENT:
            self.blobs[name] = {"": self.files[path]} if path in self.files else below(self.files, path)

    def end(self, name: str) -> None:
        """An attempt ends by itself, and its supervisor says so; its driver hears of it if it still lives."""
        run, driver, isolated = self.live.pop(name)
        stage = run.task.stage
        if stage.command.parts[0] in self.broken:
            self.files |= self.aside.pop(name, {})
            self.history.change(name, state=FAILED, detail="exit", exit_code=1)
            driver.heard_failure(run)
            return
        self.aside.pop(name, None)
        made = make(stage, run.deps)
        outputs = []
        for out in stage.outs:
            path_name = name_of(made, out.path)
            stored = out.cache or isolated
            if stored:
                self.blobs[path_name] = {"": made[out.path]} if out.path in made else below(made, out.path)
            outputs.append(Output(out.path, path_name, 1, stored=stored))
        if not isolated:
            self.files |= made
        self.history.change(name, state=SUCCEEDED, outputs=tuple(outputs))
        self.finished[name] = run
        driver.heard_outputs(outputs)

    def kill(self, driver: Driver, half_written: bool) -> None:
        """The supervisor of a driver dies, and its attempts with it; nobody writes how they ended."""
        for name in [name for name, live in self.live.items() if live.driver is driver]:
            run, _, isolated = self.live.pop(name)
            if half_written and not isolated:
                self.files |= dict.fromkeys(make(run.task.stage, run.deps), "half")

    def repair(self, name: str) -> None:
        for path in self.history.attempts[name].inputs["outs"]:
            if name in self.aside:
                remove(self.files, path)
        self.files |= self.aside.pop(name, {})
        self.history.change(name, state=LOST, detail="lost")

    # -- what should come out -------------------------------------------------------------------------------------------

    def expected(self, graph: Graph) -> Files:
        """The project's files after everything has been made, in the order of the graph; frozen outs as they are."""
        files = dict(self.files)
        for task in graph.tasks.values():
            if not task.stage.frozen:
                for out in task.stage.outs:
                    remove(files, out.path)
                files |= make(task.stage, [(path, name_of(files, path)) for path in task.stage.deps])
        return files


class Driver:
    """One execution: performs what `decide` answers, one action at a time.

    ``ended`` is "" while it is at work, else ``done``, ``stopped`` or ``refused``.
    """

    def __init__(self, world: World, stages: list[Stage], goal: Goal, jobs: int) -> None:
        self.world, self.jobs = world, jobs
        self.graph = graph_of(stages, goal)
        self.execution = world.next_id("x")
        self.isolated = goal.isolated
        self.seen_files: dict[str, str] = {}
        self.lost_blobs: set[str] = set()
        self.held: dict[str, str] = {}
        self.others: set[str] = set()
        self.done = Settled()
        self.pending: list[Action] = []
        self.stop: Stop | None = None
        self.ended = ""
        self.runs: list[Run] = []
        made = {out.path for t in self.graph.tasks.values() if not t.stage.frozen for out in t.stage.outs}
        self.bundle = dict(world.files)
        for path in made:
            remove(self.bundle, path)
        self.view = dict(self.bundle)
        tasks = self.graph.tasks.values()
        self.around = [i.path for task in tasks for i in task.inputs if i.producers and not i.exact]
        self.look(first_look(self.graph), ())
        refuse_absent(self.graph, self.seen_files)

    def __repr__(self) -> str:
        return self.execution

    # -- eyes -----------------------------------------------------------------------------------------------------------

    def look(self, paths: Iterable[str], made: Iterable[Output]) -> None:
        for output in made if self.isolated else ():
            self.lay(self.view, output)
        files = self.view if self.isolated else self.world.files
        self.seen_files |= {path: name_of(files, path) for path in paths}

    def lay(self, files: Files, output: Output) -> None:
        content = self.world.blobs.get(output.digest)
        if content is None:
            return  # a frozen out, which lies there already
        remove(files, output.path)
        files |= {f"{output.path}/{rest}" if rest else output.path: text for rest, text in content.items()}

    def seen(self) -> Seen:
        # Nobody tells this driver what the attempts of others wrote into the project: look there again.
        opened = [attempt for attempt in self.world.history.open() if attempt.execution != self.execution]
        still_open = {attempt.id for attempt in opened if attempt.mode == "in place"}
        for name in self.others - still_open:
            for path in self.world.history.attempts[name].inputs["outs"]:
                self.forget(path)
        self.others = still_open
        open_keys = {live.run.key for live in self.world.live.values() if live.driver is not self}
        self.held = {key: who for key, who in self.held.items() if key in open_keys}
        lost, alive = frozenset(self.lost_blobs), frozenset(self.world.live)
        whole = admit.whole(self.world.machine, self.jobs)
        free = admit.without(whole, [a for a in self.world.history.open() if a.execution == self.execution])
        free = admit.without(free, opened, slots=0)
        return Seen(self.execution, self.seen_files, lost, alive, self.held, free, whole)

    @property
    def running(self) -> int:
        return sum(attempt.execution == self.execution for attempt in self.world.history.open())

    def forget(self, path: str) -> None:
        self.seen_files.pop(path, None)
        for other in self.around:
            if other.startswith(f"{path}/") or path.startswith(f"{other}/") or other == ".":
                self.seen_files.pop(other, None)

    def heard_outputs(self, outputs: list[Output]) -> None:
        for output in outputs:
            self.forget(output.path)
            self.seen_files[output.path] = output.digest
            if self.isolated:
                self.lay(self.view, output)

    def heard_failure(self, run: Run) -> None:
        for out in run.task.stage.outs:
            self.forget(out.path)

    # -- hands ----------------------------------------------------------------------------------------------------------

    def decide(self) -> list[Action]:
        return decide(self.graph, self.world.history, self.seen(), self.done)

    def act(self) -> None:
        """Perform one action; decide again when none is left. Waiting is doing nothing."""
        if not self.pending:
            self.pending = self.decide()
        if not self.pending:
            self.ended = "done"
            return
        match self.pending.pop(0):
            case Look(paths, made):
                self.look(paths, made)
            case Run() as run:
                self.start(run)
            case Reuse(_, _, restore, _):
                self.restore(restore)
            case Repair(attempt, _):
                self.world.repair(attempt.id)
                for path in attempt.inputs["outs"]:
                    self.forget(path)
            case Stop() as stop:
                self.stop, self.ended = stop, "stopped"
            case Wait():
                pass

    def start(self, run: Run) -> None:
        world = self.world
        if self.isolated and world.history.at(run.key) != run.known:
            if any(live.run.key == run.key for live in world.live.values()):
                self.held[run.key] = "another driver"
            return  # the claim went to somebody who was quicker: decide again
        self.launch(run)

    def launch(self, run: Run) -> None:
        files = self.world.files
        if self.isolated:
            files = dict(self.bundle)
            for output in run.uses:
                self.lay(files, output)
        assert [(path, name_of(files, path)) for path, _ in run.deps] == list(run.deps), "not what was keyed"
        self.runs.append(run)
        self.world.start(run, self, self.isolated)

    def restore(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            if output.digest not in self.world.blobs:
                self.lost_blobs.add(output.digest)
                return
            self.lay(self.world.files, output)
            self.forget(output.path)
            self.seen_files[output.path] = output.digest

    def finish(self, steps: int = 2000) -> str:
        """Go on to the end, undisturbed: attempts end when there is nothing else to do."""
        for _ in range(steps):
            if self.ended:
                return self.ended
            self.act()
            waiting = not self.pending and (mine := list(self.world.live))
            if waiting:
                self.world.end(mine[0])
        raise AssertionError(f"{self.execution} does not come to an end: {self.decide()}")


def task_of(graph: Graph, name: str) -> Task:
    return next(task for task in graph.tasks.values() if task.stage.name == name)


def plain(actions: list[Action]) -> list[object]:
    """Actions as they must not depend on memory: what starts in order, all else as sets, without reasons."""
    runs = [(a.key, a.epoch, a.deps, a.uses) for a in actions if isinstance(a, Run)]
    reuses = {(a.task.recipe, a.attempt.id, a.restore) for a in actions if isinstance(a, Reuse)}
    looks = {frozenset(what) for a in actions if isinstance(a, Look) for what in (a.paths, a.made)}
    repairs = {a.attempt.id for a in actions if isinstance(a, Repair)}
    waits = {(frozenset(a.attempts), a.adopted) for a in actions if isinstance(a, Wait)}
    stops = {a.failed for a in actions if isinstance(a, Stop)}
    return [runs, reuses, looks, repairs, waits, stops]
