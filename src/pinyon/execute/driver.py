"""The driver's hands and eyes: it performs what `decide` answered, and keeps what it has seen up to date.

It writes the driver's records and nothing else; what attempts do, their supervisor writes.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import pinyon
from pinyon.capture import facts
from pinyon.errors import CorruptError, MissingBlobError, RefConflictError, TargetError
from pinyon.execute.machine import environment
from pinyon.execute.observe import observe
from pinyon.execute.protocol import ADHOC, INPLACE, AttemptSpec, SpecOut, StatNote, Target
from pinyon.execute.restore import restore
from pinyon.execute.statcache import StatCache
from pinyon.execute.virtual import VirtualTree
from pinyon.model.actor import current_actor
from pinyon.model.event import Event
from pinyon.model.graph import Graph, Stage, Task
from pinyon.model.ids import ProcessId, attempt_id, host_name, new_id, read_process, run_id
from pinyon.model.outcome import FINAL, SUCCEEDED, Attempt, Output
from pinyon.plan import admit
from pinyon.plan.actions import Repair, Reuse, Run
from pinyon.plan.estimate import Estimate
from pinyon.plan.imports import uncovered
from pinyon.plan.reasons import inputs_of
from pinyon.plan.state import ABSENT, Machine, Seen
from pinyon.store.protocol import JournalWriter, Store

if TYPE_CHECKING:
    from pinyon.capture.imports import Imports
    from pinyon.execute.frozen import Frozen


class Ledger(Protocol):
    """What the driver tells of, and asks about, attempts."""

    def apply(self, event: Event) -> None:
        """Take in a record."""
        ...

    def refresh(self, *, own: bool = True) -> None:
        """Take in what has been written; of what this driver's own attempts have, only if ``own``."""
        ...

    def at(self, key: str) -> tuple[Attempt, ...]:
        """Every attempt at a key."""
        ...

    def attempt(self, name: str) -> Attempt | None:
        """One attempt by id."""
        ...

    @property
    def ours(self) -> Callable[[Attempt], bool]:
        """Whether an attempt worked in this project's directory."""
        ...


class Holder(NamedTuple):
    """Who has the claim on a key."""

    execution: str
    supervisor: ProcessId


class Driver:
    """Effects of one execution.

    Args:
        root: the project's directory.
        jobs: how many attempts may run at once.
        machine: what they share.
        ledger: takes each record in, and knows the attempts at a key.
        imports: finds what Python imports.
        frozen: for isolated attempts; None runs in place.
        project: its name, for the records.
        shared: other projects use the store, so that keys have to be claimed in place, too.
        lasting: one call of many (`pinyon tick`).
        cache: a directory for what is found out about code and environment; the null device remembers nothing.
    """

    def __init__(
        self,
        root: Path,
        store: Store,
        target: Target,
        graph: Graph,
        stats: StatCache,
        *,
        jobs: int,
        machine: Machine,
        ledger: Ledger,
        imports: Imports,
        frozen: Frozen | None = None,
        project: str = "",
        shared: bool = False,
        lasting: bool = False,
        cache: str = os.devnull,
    ) -> None:
        self.execution = new_id("x")
        self.files: dict[str, str] = {}
        self.settled = 0  # tasks that needed nothing, as long as nothing is on record
        self._root, self._store, self._target, self._graph, self._stats = root, store, target, graph, stats
        self._ledger, self._imports, self._frozen = ledger, imports, frozen
        self._whole = admit.whole(machine, jobs)
        self._host = host_name()
        self._project, self._claiming = project or root.name, shared or frozen is not None
        self._lasting, self._cache = lasting, cache
        self._actor = current_actor()
        self._journal: JournalWriter | None = None
        self._supervisor: ProcessId | None = None
        self._running: dict[str, Run] = {}
        self._lost_blobs: set[str] = set()
        self._captured = False
        self._held: dict[str, Holder] = {}
        self._others: dict[str, Iterable[str]] = {}
        self._unlocked = any(task.stage.adhoc.nonce for task in graph.tasks.values())
        self._virtual = VirtualTree(store.blobs, frozen.bundle) if frozen else None
        self.grow(graph)
        for overlay in frozen.overlays if frozen else ():
            assert self._virtual is not None
            self._virtual.lay(overlay)

    def grow(self, graph: Graph) -> None:
        """The graph has got more tasks, those of an experiment's next cells."""
        self._graph = graph
        # Deps that are neither sources nor exactly an out: the only ones that an out changes sideways.
        tasks = graph.tasks.values()
        self._around = [
            item.path for task in tasks for item in task.inputs if item.producers and not item.exact
        ]

    # -- eyes -----------------------------------------------------------------------------------------------------------

    def look(self, paths: Iterable[str], made: Iterable[Output] = (), label: str = "") -> None:
        """Learn what lies at these paths; isolated, after laying these outs where attempts would find them."""
        if self._virtual is not None:
            for output in made:
                self._virtual.lay(output)
            self.files.update({path + label: name for path, name in self._virtual.names(paths).items()})
        else:
            self.files.update(observe(self._root, list(paths), self._stats))

    def seen(self, open_attempts: Iterable[Attempt]) -> Seen:
        """What `decide` may know of the present."""
        opened = list(open_attempts)
        alive = frozenset(attempt.id for attempt in opened if self._alive(attempt))
        foreign = frozenset(attempt.id for attempt in opened if not self._ledger.ours(attempt))
        here = [a for a in opened if a.id in alive and a.supervisor and a.supervisor.host == self._host]
        free = admit.without(self._whole, (a for a in here if a.execution == self.execution))
        free = admit.without(free, (a for a in here if a.execution != self.execution), slots=0)
        others = [a for a in opened if a.execution != self.execution and a.id not in foreign]
        self._watch([attempt for attempt in others if attempt.mode == "in place"])
        self._held = {key: holder for key, holder in self._held.items() if self._still_holds(key, holder)}
        held = {key: f"{holder.execution} on {holder.supervisor.host}" for key, holder in self._held.items()}
        lost, whole = frozenset(self._lost_blobs), self._whole
        return Seen(self.execution, self.files, lost, alive, held, free, whole, foreign, self._lasting)

    def _watch(self, theirs: list[Attempt]) -> None:
        """What others were making in place when we last looked, and make no longer, has to be looked at again."""
        now = {attempt.id: attempt.inputs.get("outs", ()) for attempt in theirs}
        for name in self._others.keys() - now.keys():
            for path in self._others[name]:
                self._forget(path)
        self._others = now

    def _alive(self, attempt: Attempt) -> bool:
        if attempt.supervisor is None:
            return False
        if attempt.supervisor == self._supervisor:
            return True
        if self._unlocked and attempt.inputs.get("outs"):
            return True  # whose outs to put back is for a driver that holds the lock
        # Another host's processes cannot be asked; only a proof of death makes an attempt lost.
        return attempt.supervisor.alive() is not False

    @property
    def running(self) -> int:
        """Attempts of this execution that have not ended."""
        return len(self._running)

    @property
    def supervised(self) -> bool:
        """Whether a supervisor of ours is there."""
        return self._supervisor is not None

    # -- records --------------------------------------------------------------------------------------------------------

    def _write(self, kind: str, body: dict[str, Any]) -> None:
        if self._journal is None:
            self._journal = self._store.journals.open_writer(actor=self._actor, project=self._project)
            self._ledger.apply(self._journal.append("execution", self._execution()))
        self._ledger.apply(self._journal.append(kind, body))

    def _execution(self) -> dict[str, Any]:
        goal, status = self._graph.goal, self._status
        return {
            "execution": self.execution,
            "actor": self._actor.as_dict(),
            "argv": sys.argv[1:],
            "goal": {
                **goal._asdict(),
                "stages": list(goal.stages),
                "skip": list(goal.skip),
                "only": list(goal.only),
                "overrides": [list(pair) for pair in goal.overrides],
            },
            "project": self._project,
            "root": str(self._root),
            "host": host_name(),
            "pinyon": pinyon.__version__,
            "git": status.git,
            **({"git_note": status.note} if status.note else {}),
            "stages": len(self._graph.tasks),
            "settled": self.settled,
            **({"tick": True} if self._lasting else {}),
        }

    @cached_property
    def _status(self) -> facts.Status:
        """What git says at the beginning."""
        return facts.status(self._root)

    def _capture(self) -> None:
        """Record the code, the environment and the machine, once: something is about to run."""
        if self._captured:
            return
        from pinyon.capture.captured import captured  # where nothing runs it is of no use
        from pinyon.capture.code import Project

        self._captured = True
        stages = [task.stage for task in self._graph.tasks.values()]
        made = frozenset(out.path for stage in stages for out in stage.outs)
        project = Project(self._root, self._store.blobs, Path(self._cache), made)
        bundle = self._frozen.bundle if self._frozen else ""
        body = captured(project, self._status, (stage.command for stage in stages), bundle=bundle)
        self._write("captured", {"execution": self.execution, **body})

    @property
    def recording(self) -> bool:
        """Whether anything of this execution is on record."""
        return self._journal is not None

    def record(self, kind: str, body: Mapping[str, Any]) -> None:
        """Write what a goal's experiment has come to."""
        self._write(kind, {**body, "execution": self.execution})

    def finish(self, state: str, counts: Mapping[str, int]) -> None:
        """Record the end of the execution, if anything of it was recorded at all."""
        if self._journal is not None:
            self._write("finished", {"execution": self.execution, "state": state, "counts": dict(counts)})
            self._journal.close()
            self._journal = None

    # -- hands ----------------------------------------------------------------------------------------------------------

    def start(self, runs: list[Run], expected: Mapping[str, Estimate]) -> list[tuple[Run, str]]:
        """Write the intents, then submit; gives the attempt ids. ``expected`` is recorded, by recipe."""
        if self._supervisor is None:
            self._supervisor = self._target.start()
        if self._claiming:
            runs = [claimed for run in runs if (claimed := self._claim(run)) is not None]
        chosen = [(run, attempt_id(run.key, run.epoch)) for run in runs]
        if chosen:
            self._capture()
        for run, name in chosen:
            self._write("intent", self._intent(run, name, expected.get(run.task.recipe)))
            self._running[name] = run
        for run, name in chosen:
            self._target.submit(self._spec(run, name))
        return chosen

    def _claim(self, run: Run) -> Run | None:
        """Take the claim on a key, so that no other driver makes the same; None when one does already."""
        name = f"claims/{run.key}"
        newest = self._store.refs.get(name)
        if newest is not None:
            holder = Holder(newest.value["execution"], read_process(newest.value["supervisor"]))
            if self._still_holds(run.key, holder):
                self._held[run.key] = holder
                return None
        self._ledger.refresh(own=False)  # of our own, messages tell: what nobody heard, nobody tells of
        if {a.id: a.state for a in run.known} != {a.id: a.state for a in self._ledger.at(run.key)}:
            # Somebody has tried it since this was decided, or the dead had a last word: decide again. If anybody tries
            # from now on, `set` will fail.
            return None
        version = newest.version if newest else 0
        value = {"execution": self.execution, "supervisor": list(self._supervisor or ())}
        try:
            claim = self._store.refs.set(name, value, expect=version, actor=str(self._actor))
        except RefConflictError:
            return self._claim(run)  # somebody was quicker: now theirs is the newest
        epoch = max(run.epoch, claim.version)
        self._write("claim", {"key": run.key, "epoch": epoch, "execution": self.execution})
        return run._replace(epoch=epoch)

    def _still_holds(self, key: str, holder: Holder) -> bool:
        """A claim ends with its attempt, or with the proof that its supervisor is dead."""
        if holder.execution == self.execution or holder.supervisor.alive() is False:
            return False
        theirs = [attempt for attempt in self._ledger.at(key) if attempt.execution == holder.execution]
        return not theirs or any(attempt.state not in FINAL for attempt in theirs)

    def _intent(self, run: Run, name: str, expected: Estimate | None) -> dict[str, Any]:
        body: dict[str, Any] = {
            "attempt": name,
            "execution": self.execution,
            "project": self._project,
            "root": os.path.realpath(self._root),
            "key": run.key,
            "recipe": run.task.recipe,
            "stage": run.task.stage.name,
            "epoch": run.epoch,
            "mode": self._mode,
            "supervisor": list(self._supervisor or ()),
            "reason": run.reason.text,
            "inputs": inputs_of(run.task.stage, run.deps) | self._imported(run.task.stage),
        }
        resources = admit.record(run.task.stage.resources, run.devices)
        body |= {"resources": resources} if resources else {}
        body |= {"estimate": expected.seconds} if expected else {}
        if self._frozen:
            body["bundle"] = self._frozen.bundle  # the code that ran, for whoever asks later; gc keeps it
        return {**body, "forced": True} if self._graph.goal.force else body

    def _imported(self, stage: Stage) -> dict[str, Any]:
        """What Python of the project's own will read though no dep names it."""
        found = self._imports.of(stage)
        files = uncovered(stage, found.files)
        self.look(path for path in files if path not in self.files)
        rows = {"imports": [[path, self.files[path]] for path in files]} if files else {}
        return {**rows, "unparsed": list(found.unparsed)} if found.unparsed else rows

    @property
    def _mode(self) -> str:
        return "isolated" if self._frozen else "in place"

    def _spec(self, run: Run, name: str) -> AttemptSpec:
        stage = run.task.stage
        outs = tuple(
            SpecOut(out.path, out.role, out.cache, out.persist, self._there(out.path)) for out in stage.outs
        )
        overlays = (*self._frozen.overlays, *self._cells_files(run.task), *run.uses) if self._frozen else ()
        return AttemptSpec(
            attempt=name,
            execution=self.execution,
            stage=stage.name,
            root=str(self._root),
            mode=self._mode,
            command=stage.command,
            wdir=stage.wdir,
            env=environment(stage, run.devices, self._whole.cpus / self._whole.slots)
            | self._told_training(run),
            deps=run.deps,
            outs=outs,
            timeout=stage.resources.time,
            bundle=self._frozen.bundle if self._frozen else None,
            inputs=tuple((out.path, out.digest, out.executable) for out in overlays),
            lock=ADHOC if stage.adhoc.nonce else INPLACE,
            metrics=stage.adhoc.metrics,
            # A script may save what it has when Ctrl-C reaches it, as it would without us.
            interrupt=int(signal.SIGINT if stage.name.startswith("@") else signal.SIGTERM),
        )

    def _told_training(self, run: Run) -> dict[str, str]:
        """What a training script is told of its run: its name, and when to give up."""
        stop = {"PINYON_STOP_WHEN": run.task.stop} if run.task.stop else {}
        return {"PINYON_RUN": run_id(run.key), **stop}

    def _cells_files(self, task: Task) -> tuple[Output, ...]:
        """The parameter files with what a cell sets."""
        if not task.overlay or not self._frozen:
            return ()
        from pinyon.execute.frozen import lay

        return lay(self._frozen, self._store, task.overlay)

    def _there(self, path: str) -> str | None:
        name = self.files.get(path, ABSENT)
        return None if name == ABSENT or self._frozen else name

    def reuse(self, action: Reuse) -> bool:
        """Restore the outs of an earlier attempt; False when the store cannot give them (the stage will run then)."""
        for output in action.restore:
            try:
                restore(self._store.blobs, self._root, output)
            except (CorruptError, MissingBlobError):
                self._lost_blobs.add(output.digest)
                return False
            self._now(output)
        run = {"execution": self.execution, "stage": action.task.stage.name, "recipe": action.task.recipe}
        self._write("reused", {**run, "key": action.attempt.key, "attempt": action.attempt.id})
        return True

    def repair(self, action: Repair) -> None:
        """Clean up after an attempt that nobody will finish, and say that it is lost."""
        self._target.repair(action.attempt)
        self._write("lost", {"attempt": action.attempt.id, "reason": action.reason.text})
        self._running.pop(action.attempt.id, None)
        for path in action.attempt.inputs.get("outs", ()):
            self._forget(path)

    def wait(self, timeout: float) -> list[Event]:
        """Records that arrive within ``timeout`` seconds, taken in."""
        events: list[Event] = []
        for message in self._target.poll(timeout):
            if isinstance(message, StatNote):
                self._stats.learn([message])
                continue
            self._ledger.apply(message)
            self._heed(message)
            events.append(message)
        return events

    def _heed(self, event: Event) -> None:
        if event.kind == "outputs" and event.body["attempt"] in self._running:
            for row in event.body["outs"]:
                self._now(Output(*row))
        elif event.kind == "ended":
            self._end(event.body["attempt"], event.body["state"])

    def reconcile(self) -> list[Attempt]:
        """Heed outcomes that reached the journal but not us, because their supervisor died in between; gives them."""
        known = map(self._ledger.attempt, list(self._running))
        final = [attempt for attempt in known if attempt is not None and attempt.state in FINAL]
        for attempt in final:
            self._end(attempt.id, attempt.state)
            for output in attempt.outputs if attempt.state == SUCCEEDED else ():
                self._now(output)
        return final

    def _end(self, name: str, state: str) -> None:
        run = self._running.pop(name, None)
        if run is not None and state != SUCCEEDED:
            for out in run.task.stage.outs:
                self._forget(out.path)

    def supervisor_lost(self) -> None:
        """The supervisor has died: its open attempts are dead, and the next one starts afresh."""
        self._supervisor = None

    def cancel(self) -> None:
        """End everything that runs; the records of it follow, unless the supervisor is gone."""
        try:
            self._target.cancel()
        except TargetError:
            self.supervisor_lost()

    def close(self) -> None:
        """Let the supervisor end."""
        self._target.close()

    def _now(self, output: Output) -> None:
        """An out has this content now; what was seen of directories around it or files inside it no longer counts."""
        self._forget(output.path)
        self.files[output.path] = output.digest
        if self._virtual is not None:
            self._virtual.lay(output)

    def _forget(self, path: str) -> None:
        self.files.pop(path, None)
        for other in self._around:
            if other.startswith(f"{path}/") or path.startswith(f"{other}/") or other == ".":
                self.files.pop(other, None)
