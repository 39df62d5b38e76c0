"""`decide`: what happens next, and why. Pure; one function serves plan, run, status and ``--dry-run``.

The loop calls it again after every change. `Settled` remembers which tasks need no further thought, so that a call visits
only the frontier: tasks whose needs are settled and that are not settled themselves. It is nothing but memory: an empty one
gives the same actions.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping

from pinyon.model.graph import Graph, Input, Task
from pinyon.model.outcome import CANCELLED, FINAL, LOST, PRUNED, SUCCEEDED, Attempt, Output, next_epoch
from pinyon.plan import admit
from pinyon.plan.actions import Action, Look, Reason, Repair, Reuse, Run, Stop, Verdict, Wait
from pinyon.plan.keys import key_of
from pinyon.plan.reasons import last_words, why_run
from pinyon.plan.state import ABSENT, Free, Seen, State

# A supervisor that died is not the stage's fault: such attempts are repeated this often whatever `retry` says.
_LOST_AGAIN = 3
_ELSEWHERE = "another execution is making it right now"
# Ready tasks that are asked whether they fit beside the one that waits for room; more would make a call cost by the
# number of ready tasks.
_BESIDE = 16


class Settled:
    """What `decide` needs not think about again. Belongs to one graph and one execution."""

    def __init__(self) -> None:
        self.outputs: dict[str, tuple[Output, ...]] = {}
        self.verdicts: dict[str, Verdict] = {}
        self.failed: dict[str, Reason] = {}
        self.answers: dict[str, Attempt] = {}  # whose outputs are taken instead of running
        self.results: dict[str, Attempt] = {}  # whose outputs count, whoever ran them and when
        self._rank: dict[str, int] = {}
        self._open: dict[str, int] = {}
        self._frontier: list[int] = []  # a heap
        self._kept: list[int] = []
        self._names: list[str] = []

    def begin(self, graph: Graph) -> None:
        """Take in the tasks that are new: all of them at first, later those of an experiment's next cells."""
        if len(graph.tasks) == len(self._names):
            return
        for recipe, task in graph.tasks.items():
            if recipe in self._rank:
                continue
            rank = self._rank[recipe] = len(self._names)
            self._names.append(recipe)
            self._open[recipe] = sum(need not in self.outputs for need in task.needs)
            if lost := next((need for need in task.needs if self.given_up(need)), None):
                self._stop(graph, recipe, graph.tasks[lost].stage.name)
            elif not self._open[recipe]:
                heapq.heappush(self._frontier, rank)

    def next(self) -> str | None:
        """The first task of the frontier in the graph's order; None at its end. `keep` what the visit does not settle."""
        return self._names[heapq.heappop(self._frontier)] if self._frontier else None

    def keep(self, recipe: str) -> None:
        """Visit this task again at the next call."""
        self._kept.append(self._rank[recipe])

    def end(self) -> None:
        """What was kept is the frontier again, beside what was not visited."""
        for rank in self._kept:
            heapq.heappush(self._frontier, rank)
        self._kept.clear()

    def settle(self, graph: Graph, recipe: str, outputs: tuple[Output, ...], verdict: Verdict) -> None:
        """This task has these outputs for good; what waited for it alone joins the frontier."""
        self.outputs[recipe] = outputs
        # A task that ran is settled later as unchanged; what people want to read is that it ran.
        if verdict.kind != "unchanged" or recipe not in self.verdicts:
            self.verdicts[recipe] = verdict
        for follower in graph.followers[recipe]:
            self._open[follower] -= 1
            if not self._open[follower]:
                heapq.heappush(self._frontier, self._rank[follower])

    def after(self, recipe: str, other: str) -> bool:
        """Whether a task comes after another one in the graph's order."""
        return self._rank[recipe] > self._rank[other]

    def in_order(self, recipes: Iterable[str]) -> list[str]:
        """Tasks as the graph orders them."""
        return sorted(recipes, key=self._rank.__getitem__)

    def given_up(self, recipe: str) -> bool:
        """Whether a task has failed for good, or needs one that has."""
        verdict = self.verdicts.get(recipe)
        return verdict is not None and verdict.kind == "stop"

    def fail(self, graph: Graph, recipe: str, reason: Reason) -> None:
        """This task cannot be had, and neither can what needs it."""
        self.failed[recipe] = reason
        self.verdicts[recipe] = Verdict("stop", reason)
        for follower in graph.followers[recipe]:
            self._stop(graph, follower, graph.tasks[recipe].stage.name)

    def _stop(self, graph: Graph, recipe: str, because: str) -> None:
        todo = [recipe]
        while todo:
            follower = todo.pop()
            if not self.given_up(follower):
                self.verdicts[follower] = Verdict("stop", Reason(f"needs {because}, which failed"))
                todo += graph.followers[follower]


def decide(graph: Graph, state: State, seen: Seen, done: Settled) -> list[Action]:
    """The actions that are possible now; an empty list means that the goal is reached.

    Args:
        done: memory of earlier calls for the same graph and execution; may be new.
    """
    done.begin(graph)
    call = _Call(graph, state, seen, done)
    call.repairs()
    call.failures()
    call.visit()
    return call.answer()


class _Call:
    """One call of `decide`: its inputs, and the actions found so far."""

    def __init__(self, graph: Graph, state: State, seen: Seen, done: Settled) -> None:
        self.graph, self.state, self.seen, self.done = graph, state, seen, done
        self.actions: list[Action] = []
        self.looks: dict[str, dict[str, None]] = {}  # by label
        self.made: dict[str, list[Output]] = {}
        self.mine: list[Attempt] = []
        self.others: list[str] = []
        self.free = seen.free
        self.spare: Free | None = None  # of the whole machine, beside the first task that waits for room
        self.beside = _BESIDE
        self.opened: set[str] = set()
        self.elsewhere: dict[str, Attempt] = {}
        self.writing: list[tuple[str, Attempt]] = []
        self.halted = False

    def repairs(self) -> None:
        """Open attempts: those that nobody lives to finish, this execution's own, and those of others."""
        for attempt in self.state.open():
            self.opened.add(attempt.id)
            foreign = attempt.id in self.seen.foreign
            if attempt.id not in self.seen.alive:
                if foreign:
                    continue
                words = f"{attempt.stage}: its supervisor is gone and left no result"
                self.actions.append(Repair(attempt, Reason(words)))
            elif attempt.execution == self.seen.execution:
                self.mine.append(attempt)
            else:
                self.elsewhere[attempt.key] = attempt
                if attempt.mode == "in place" and not foreign and not self.graph.goal.isolated:
                    self.writing += [(path, attempt) for path in attempt.inputs.get("outs", ())]

    def failures(self) -> None:
        """Unless told to keep going, nothing new starts once an attempt of this execution has failed for good.

        Asked of the state and before the visit, so that neither the memory nor the order of tasks has a say in it.
        """
        if self.graph.goal.keep_going or self.graph.study or not self.seen.execution:
            return  # the cells of an experiment are each other's equals: one that fails says nothing about the others
        for attempt in self.state.failures(self.seen.execution):
            history = self.state.of_execution(self.seen.execution, attempt.recipe)
            if history[-1].state in FINAL and history[-1].state != SUCCEEDED:
                task = self.graph.tasks[attempt.recipe]
                self.halted = self.halted or _try_again(task, history) is None

    def visit(self) -> None:
        """Go through the frontier, and what joins it on the way, in the graph's order."""
        if self.actions:
            return  # a repair may put old outs back: first that, then look again
        while self.beside and (
            self.free is None or self.free.slots > 0
        ):  # else there is nothing to do but wait
            recipe = self.done.next()
            if recipe is None:
                break
            self._task(self.graph.tasks[recipe])
        self.done.end()

    def answer(self) -> list[Action]:
        """The actions in the order they should be performed."""
        for label, paths in self.looks.items():
            self.actions.append(Look(tuple(paths), tuple(self.made.get(label, ())), label))
        mine = [attempt.id for attempt in self.mine]
        if mine or self.others:
            self.actions.append(Wait((*mine, *self.others), adopted=not mine))
        if not self._stuck():
            return self.actions
        if not self.actions:
            failed = self.done.in_order(self.done.failed)
            names = tuple(self.graph.tasks[recipe].stage.name for recipe in failed)
            self.actions.append(Stop(names, self.done.failed[failed[0]]))
        return self.actions

    def _stuck(self) -> bool:
        """Whether something that has failed is in the way; of an experiment, see what is next first."""
        if self.graph.study is None:
            return bool(self.done.failed)
        from pinyon.plan import phases  # most goals are stages

        step = phases.step(self.graph.study, self.done, self.seen.whole.slots if self.seen.whole else 1)
        if step is not None:
            self.actions.append(step)
        return phases.stuck(self.graph.study, self.done)

    def _task(self, task: Task) -> None:
        """Decide about one task whose needs are settled."""
        if task.recipe in self.done.failed:
            return
        history = self.state.of_execution(self.seen.execution, task.recipe) if self.seen.execution else []
        if history and history[-1].state not in FINAL:
            self.done.keep(task.recipe)
        elif history and history[-1].state == SUCCEEDED:
            ran = self.done.verdicts.get(task.recipe, Verdict("run", Reason("ran")))
            self.done.results[task.recipe] = history[-1]
            self._settle(task, history[-1].outputs, ran)
        elif task.stage.frozen:
            self._frozen(task)
        else:
            self._unfinished(task, history)

    def _settle(self, task: Task, outputs: tuple[Output, ...], verdict: Verdict) -> None:
        self.done.settle(self.graph, task.recipe, outputs, verdict)

    def _frozen(self, task: Task) -> None:
        names = {out.path: self._name(out.path) for out in task.stage.outs}
        if None in names.values():
            self.done.keep(task.recipe)
            return
        outputs = tuple(Output(path, name, 0) for path, name in names.items() if name and name != ABSENT)
        self._settle(task, outputs, Verdict("unchanged", Reason("frozen: its outs count as they are")))

    def _unfinished(self, task: Task, history: list[Attempt]) -> None:
        writer = next((attempt for path, attempt in self.writing if _writes(path, task)), None)
        if writer is not None:
            self.others.append(writer.id)
            self.done.verdicts[task.recipe] = Verdict("wait", Reason(_ELSEWHERE))
            self.done.keep(task.recipe)
            return
        deps = self._deps(task)
        if deps is None:
            self.done.keep(task.recipe)
            return
        absent = [path for path, name in deps if name == ABSENT]
        if absent:
            self.done.fail(self.graph, task.recipe, self._absent(task, absent[0]))
            return
        env = [dep for dep in deps if dep[0] in task.stage.env]
        key = key_of(task.stage, [dep for dep in deps if dep[0] not in task.stage.env], env)
        known = self.state.at(key)
        hopeless = next((a for a in known if a.state == CANCELLED and a.detail == PRUNED), None)
        if hopeless and self.graph.study and not self.graph.goal.force:
            self.done.fail(self.graph, task.recipe, Reason(last_words(hopeless, ""), (), hopeless))
            return
        if self.seen.lasting and not history:
            history = self.state.tried(known)
        reason = self._why_not_reused(task, known, deps, history)
        if reason is not None:
            self._run(task, key, known, deps, reason)

    def _absent(self, task: Task, path: str) -> Reason:
        makers = [need for item in task.inputs if item.path == path for need in item.producers]
        if not makers:
            return Reason(f"{path} does not exist and no stage makes it")
        maker = self.graph.tasks[makers[0]].stage
        if maker.frozen:
            return Reason(f"{path} does not exist, and {maker.name}, which makes it, is frozen")
        return Reason(f"{path} does not exist: {maker.name} did not leave it")

    def _deps(self, task: Task) -> list[tuple[str, str]] | None:
        """(path, name) of every dep and env file, in order; None as long as one has not been looked at."""
        deps: list[tuple[str, str]] = []
        unknown = False
        for item in task.inputs:
            name = self._made(item.producers[0], item.path) if item.exact else self._lies(item)
            unknown = unknown or name is None
            deps.append((item.path, name or ""))
        for path in task.stage.env:
            name = self._name(path)
            unknown = unknown or name is None
            deps.append((path, name or ""))
        return None if unknown else deps

    def _made(self, producer: str, path: str) -> str:
        return next((out.digest for out in self.done.outputs[producer] if out.path == path), ABSENT)

    def _lies(self, item: Input) -> str | None:
        """What lies at a dep that outs lie in or around; in an experiment it depends on whose outs those are."""
        label = "\n".join(item.producers) if self.graph.study else ""
        name = self._name(item.path, label)
        if name is None:
            outs = [out for producer in item.producers for out in self.done.outputs[producer]]
            self.made.setdefault(label, []).extend(outs)
        return name

    def _name(self, path: str, label: str = "") -> str | None:
        """What the driver saw at a path; None, and a look asked for, if it has not looked."""
        name = self.seen.files.get(path + label)
        if name is None:
            self.looks.setdefault(label, {})[path] = None
        return name

    def _why_not_reused(
        self, task: Task, known: tuple[Attempt, ...], deps: list[tuple[str, str]], history: list[Attempt]
    ) -> Reason | None:
        """A reason to run; None when there is none, or it is too early to say."""
        stage = task.stage
        again = _try_again(task, history) if history else None
        if history and again is None:
            self.done.fail(self.graph, task.recipe, Reason(last_words(history[-1], ""), (), history[-1]))
            return None
        if self.graph.goal.force:
            return again or Reason("forced (-f)")
        if stage.unconditional and not self.seen.lasting:
            return again or Reason(
                "always_changed"
                if stage.always_changed
                else "it declares no deps and no params, so it always runs"
            )
        answer = self.state.answer(known, stored=self.graph.goal.isolated)
        if answer is None and self.graph.goal.isolated and self.state.answer(known):
            return again or Reason("its outs were made before, but not kept in the store (cache: false)")
        if answer is None:
            return again or why_run(stage, known, deps, self.state)
        if self.graph.goal.isolated:
            gone = [out.path for out in answer.outputs if out.digest in self.seen.lost_blobs]
            if gone:
                return Reason(f"{gone[0]} is not in the store any more")
            self.done.answers[task.recipe] = self.done.results[task.recipe] = answer
            self._settle(task, answer.outputs, Verdict("reuse", Reason("made before", about=answer)))
            return None
        return self._in_place(task, answer)

    def _in_place(self, task: Task, answer: Attempt) -> Reason | None:
        """Compare the outs that lie in the project with those of the attempt that answers the key."""
        names = {out.path: self._name(out.path) for out in answer.outputs}
        if None in names.values():
            self.done.keep(task.recipe)
            return None
        differing = tuple(out for out in answer.outputs if names[out.path] != out.digest)
        if not differing:
            self.done.answers[task.recipe] = self.done.results[task.recipe] = answer
            self._settle(
                task, answer.outputs, Verdict("unchanged", Reason("nothing it depends on has changed"))
            )
            return None
        for out in differing:
            what = "is missing" if names[out.path] == ABSENT else "was edited"
            if not out.stored:
                return Reason(f"{out.path} {what}, and its bytes are not kept (cache: false)")
            if out.digest in self.seen.lost_blobs:
                return Reason(f"{out.path} {what}, and its bytes in the store are damaged or gone")
        lacking = ", ".join(out.path for out in differing[:3]) + (", …" if len(differing) > 3 else "")
        state = "missing" if all(names[out.path] == ABSENT for out in differing) else "different"
        reason = Reason(f"{lacking} {state} here; made before", about=answer)
        self.actions.append(Reuse(task, answer, differing, reason))
        self.done.verdicts[task.recipe] = Verdict("reuse", reason)
        self.done.keep(task.recipe)
        return None

    def _run(
        self, task: Task, key: str, known: tuple[Attempt, ...], deps: list[tuple[str, str]], reason: Reason
    ) -> None:
        self.done.keep(task.recipe)
        if self.halted:
            return
        holder = self.seen.held.get(key)
        other = self.elsewhere.get(key) or self._begun_meanwhile(known)
        if other is not None or holder is not None:
            self.others.append(other.id if other else str(holder))
            self.done.verdicts[task.recipe] = Verdict("wait", Reason(_ELSEWHERE))
            return
        devices = self._admit(task)
        if devices is None:
            return
        self.done.verdicts[task.recipe] = Verdict("run", reason)
        uses = [out for need in task.needs for out in self.done.outputs[need] if _touches(out.path, task)]
        self.actions.append(
            Run(task, key, next_epoch(known), reason, tuple(deps), tuple(uses), devices, known)
        )

    def _begun_meanwhile(self, known: tuple[Attempt, ...]) -> Attempt | None:
        """An attempt of others that was not among the open ones when this call began: nobody knows yet whether it lives."""
        open_ = (a for a in known if a.state not in FINAL and a.execution != self.seen.execution)
        return next((attempt for attempt in open_ if attempt.id not in self.opened), None)

    def _admit(self, task: Task) -> tuple[str, ...] | None:
        """The devices of a task that may start now; None when it has to wait for room, or can never have it.

        The first in the graph's order that does not fit is next: what comes after it may start only in what is left of the
        whole machine when that one, and everything after it that runs already, have their part. So nothing small that
        starts later can delay it.
        """
        free, asked = self.free, task.stage.resources
        if free is None:
            return ()
        devices = admit.fit(free if self.spare is None else admit.meet(free, self.spare), asked)
        if devices is not None:
            self.free = admit.take(free, asked, devices)
            self.spare = admit.take(self.spare, asked, devices) if self.spare else None
        elif self.seen.whole and (lacking := admit.lacking(self.seen.whole, asked)):
            self.done.fail(self.graph, task.recipe, Reason(f"it asks for {lacking}"))
        else:
            self._wait_for_room(task)
        return devices

    def _wait_for_room(self, task: Task) -> None:
        self.done.verdicts[task.recipe] = Verdict(
            "wait", Reason("it waits for cpus, memory or GPUs that others use")
        )
        self.beside -= 1
        self.others += [a.id for a in self.elsewhere.values() if a.resources and a.id not in self.others]
        if self.spare is None and self.seen.whole:
            behind = [a for a in self.mine if self.done.after(a.recipe, task.recipe)]
            spare = admit.without(self.seen.whole, behind)
            devices = admit.fit(spare, task.stage.resources)
            if devices is None:
                self.beside = 0  # those that were there before it take too much: nobody starts until they end
            else:
                self.spare = admit.take(spare, task.stage.resources, devices)


def _try_again(task: Task, history: list[Attempt]) -> Reason | None:
    """The reason for one more attempt after one that did not succeed; None to give up."""
    last, retry = history[-1], task.stage.retry
    lost = last.state == LOST
    cause = "lost" if lost else last.detail
    # Supervisors that died leave the stage its own tries, and the other way round.
    tried = sum((attempt.state == LOST) == lost for attempt in history)
    limit = max(retry.times if cause in retry.on else 0, _LOST_AGAIN if lost else 0)
    if last.state == CANCELLED or tried > limit:
        return None
    return Reason(f"try {tried + 1} of {limit + 1} after {cause}")


def _writes(path: str, task: Task) -> bool:
    """Whether a task writes to a place, inside it or around it."""
    places = (out.path for out in task.stage.outs)
    return any(p == path or p.startswith(f"{path}/") or path.startswith(f"{p}/") for p in places)


def _touches(path: str, task: Task) -> bool:
    """Whether a task reads an out, something inside it, or a directory around it."""
    return any(
        item.path == path
        or item.path.startswith(f"{path}/")
        or path.startswith(f"{item.path}/")
        or item.path == "."
        for item in task.inputs
    )


def forecast(graph: Graph, state: State, done: Settled) -> Mapping[str, Verdict]:
    """A verdict for every task, those included that `decide` cannot reach before others have run."""
    verdicts: dict[str, Verdict] = {}
    for recipe, task in graph.tasks.items():
        verdict = done.verdicts.get(recipe)
        if verdict is None:
            first = next(
                (graph.tasks[n].stage.name for n in task.needs if verdicts[n].kind in ("run", "wait")),
                "something",  # whose needs have not been looked at yet
            )
            own = why_run(task.stage, (), None, state).details
            text = (
                "forced (-f)"
                if graph.goal.force
                else f"{first} runs first and may change what this stage reads"
            )
            verdict = Verdict("run", Reason(text, own))
        verdicts[recipe] = verdict
    return verdicts
