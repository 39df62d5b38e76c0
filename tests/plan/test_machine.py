"""decide in a world that crashes: whatever happens, the rerun converges, and nothing that finished runs again."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from world import Driver, World, name_of, plain, remove

from pinyon.errors import PlanError
from pinyon.model.graph import Command, Graph, Out, Param, Resources, Retry, Stage
from pinyon.model.outcome import FINAL, SUCCEEDED, next_epoch
from pinyon.model.project import Goal
from pinyon.plan import admit
from pinyon.plan.actions import Action, Run
from pinyon.plan.decide import Settled, decide
from pinyon.plan.state import ABSENT

SOURCES = ("s0", "s1", "s2")
ASKED = (
    Resources(),
    Resources(cpus=3),
    Resources(memory=5),
    Resources(gpus=0.5, vram=3),
    Resources(gpus=2),
    Resources(vram=7),
)


@st.composite
def projects(draw: st.DrawFn) -> list[Stage]:
    """Up to six stages: files, directories, outs side by side in a directory, deps inside and around them."""
    stages: list[Stage] = []
    readable = list(SOURCES)
    for number in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(["o", "o", "d", "p/o"]))
        deps = draw(st.lists(st.sampled_from(readable), max_size=3, unique=True))
        flags = draw(st.sampled_from(["", "", "", "", "frozen", "always_changed", "no cache", "retry"]))
        out = f"{kind}{number}"
        stages.append(
            Stage(
                f"stage{number}", Command("exec", (f"make{number}",)), ".", tuple(deps),
                (Param("params.yaml", f"p{number}", 0),) if draw(st.booleans()) else (),
                (Out(out, cache=flags != "no cache"),),
                frozen=flags == "frozen", always_changed=flags == "always_changed",
                retry=Retry(1, ("exit",)) if flags == "retry" else Retry(),
                resources=draw(st.sampled_from(ASKED)),
            )
        )  # fmt: skip
        readable += [out, f"{out}/a"] if kind == "d" else [out]
    if draw(st.booleans()) and any(stage.outs[0].path.startswith("p/") for stage in stages):
        around = stages[0]._replace(name="around", command=Command("exec", ("around",)), deps=("p",))
        stages.append(around._replace(outs=(Out("around"),), frozen=False))
    return stages


class Checked(Driver):
    """A driver whose every decision and every start is held against the promises."""

    def decide(self) -> list[Action]:
        seen = self.seen()
        actions = super().decide()
        history = self.world.history
        assert plain(actions) == plain(decide(self.graph, history, seen, Settled())), (
            "memory changed the answer"
        )
        runs = [action for action in actions if isinstance(action, Run)]
        assert seen.free is not None
        assert len(runs) <= seen.free.slots, "more than are free"
        given_up = [
            a for a in history.failures(self.execution)
            if a is history.of_execution(self.execution, a.recipe)[-1] and self.ends_here(a.recipe)
        ]  # fmt: skip
        if given_up and not self.graph.goal.keep_going:
            assert not runs, "something new after a failure"
        return actions

    def ends_here(self, recipe: str) -> bool:
        history = self.world.history.of_execution(self.execution, recipe)
        limit = self.graph.tasks[recipe].stage.retry.times
        return (
            sum(a.state == "FAILED" for a in history) > limit or sum(a.state == "LOST" for a in history) > 3
        )

    def launch(self, run: Run) -> None:
        if not self.isolated:
            assert all(live.run.key != run.key for live in self.world.live.values()), "twice at the same time"
            assert run.epoch == next_epoch(self.world.history.at(run.key))
        assert ABSENT not in dict(run.deps).values()
        assert self.may_run(run), f"{run.task.stage.name} had finished: {run.reason}"
        super().launch(run)
        mine = [attempt for attempt in self.world.history.open() if attempt.execution == self.execution]
        left = admit.without(admit.whole(self.world.machine, self.jobs), mine)
        assert min(left.slots, left.cpus, left.memory) >= 0, "more than there is"
        assert all(gpu.share >= 0 and gpu.vram >= 0 for gpu in left.gpus), "more than a GPU has"

    def may_run(self, run: Run) -> bool:
        """Only what never finished; what is told to; and what finished with outs that nobody can give back."""
        stage, history = run.task.stage, self.world.history
        done = [a for a in history.attempts.values() if a.key == run.key and a.state == SUCCEEDED]
        if not done or self.graph.goal.force or stage.unconditional:
            return all(attempt.execution != self.execution for attempt in done)
        if self.isolated:
            return not any(all(out.stored for out in attempt.outputs) for attempt in done)
        lacking = [out for out in done[0].outputs if name_of(self.world.files, out.path) != out.digest]
        return any(not out.stored or out.digest not in self.world.blobs for out in lacking)


# What happens while drivers are at work: (a) the first or (b) the second acts; the oldest (e) or newest (n) attempt
# ends; a driver dies (d), a supervisor dies at once (k) or in the middle of writing (h).
FATE = "aaaaaaaabbbbbeeeennnndkh"


class Machine(RuleBasedStateMachine):
    """A user who edits between executions, and executions under whatever fate has in store."""

    @initialize(stages=projects(), there=st.booleans())
    def setup(self, stages: list[Stage], there: bool) -> None:
        self.stages = stages
        self.drivers: list[Checked] = []  # those at work
        self.everybody: list[Checked] = []
        self.lossy = False
        self.world = World({source: source for source in SOURCES})
        if there:  # frozen outs that are there from the start
            self.world.files |= {
                s.outs[0].path: "old" for s in stages if s.frozen and s.outs[0].path[0] == "o"
            }

    @precondition(lambda self: not self.world.live)
    @rule(at=st.integers(0, 5), source=st.sampled_from(SOURCES), text=st.sampled_from(["s0", "new"]))
    def edit_source(self, at: int, source: str, text: str) -> None:
        self.world.files[source] = text

    @rule(at=st.integers(0, 5), value=st.sampled_from([0, 1, 1.0]))
    def edit_param(self, at: int, value: float) -> None:
        stage = self.stages[at % len(self.stages)]
        params = tuple(param._replace(value=value) for param in stage.params)
        self.stages[at % len(self.stages)] = stage._replace(params=params)

    @precondition(lambda self: not self.world.live)
    @rule(at=st.integers(0, 5), remove_it=st.booleans())
    def touch_out(self, at: int, remove_it: bool) -> None:
        stage = self.stages[at % len(self.stages)]
        gone = {} if stage.frozen else remove(self.world.files, stage.outs[0].path)
        if not remove_it:
            self.world.files |= dict.fromkeys(gone, "edited")

    @precondition(lambda self: not self.world.live and self.world.blobs)
    @rule(at=st.integers(0, 99))
    def lose_blob(self, at: int) -> None:
        self.lossy = True
        del self.world.blobs[sorted(self.world.blobs)[at % len(self.world.blobs)]]

    @rule(
        force=st.sampled_from([False, False, False, True]), keep_going=st.booleans(), jobs=st.integers(1, 4),
        isolated=st.sampled_from([0, 0, 1, 2, 2]), pick=st.sampled_from([None, None, 2, 5]),
        broken=st.sets(st.integers(0, 5), max_size=2), fate=st.text(FATE, max_size=60), to_the_end=st.booleans(),
    )  # fmt: skip
    def execute(
        self, force: bool, keep_going: bool, jobs: int, isolated: int, pick: int | None, broken: set[int], fate: str,
        to_the_end: bool,
    ) -> None:  # fmt: skip
        """One execution in place, or one or two at the same time in isolation; the last may be left half way."""
        isolated = 0 if self.lossy else isolated
        names = () if pick is None else (self.stages[pick % len(self.stages)].name,)
        self.world.broken = {f"make{number}" for number in broken}
        for _ in range(max(1, isolated)):
            self.begin(Goal(names, (), force, keep_going, isolated > 0), jobs)
        for number, letter in enumerate(fate):
            self.suffer(letter, number)
        while to_the_end and self.drivers:
            for letter in "ab" if any(driver.pending for driver in self.drivers) else "abe":
                self.suffer(letter, 0)
        self.drivers.clear()

    def begin(self, goal: Goal, jobs: int) -> Checked | None:
        try:
            driver = Checked(self.world, self.stages, goal, jobs)
        except PlanError:
            return None
        self.drivers.append(driver)
        self.everybody.append(driver)
        return driver

    def suffer(self, letter: str, number: int) -> None:
        live = sorted(self.world.live)
        if letter in "ab" and len(self.drivers) > "ab".index(letter):
            driver = self.drivers["ab".index(letter)]
            driver.act()
            if driver.ended:
                self.drivers.remove(driver)
                self.judge(driver)
        elif letter in "en" and live:
            self.world.end(live[0 if letter == "e" else -1])
        elif letter == "d" and self.drivers:
            self.drivers.pop(number % len(self.drivers))
        elif letter in "kh" and live:
            self.world.kill(self.world.live[live[number % len(live)]].driver, letter == "h")

    # -- judgement ------------------------------------------------------------------------------------------------------

    def judge(self, driver: Checked) -> None:
        outputs = {out.path: out.digest for outs in driver.done.outputs.values() for out in outs}
        if driver.ended == "done":
            assert set(driver.done.outputs) == set(driver.graph.tasks)
            self.outputs_are_right(driver, outputs)
        else:
            assert driver.stop is not None
            assert not driver.running
            self.failure_is_contained(driver)

    def outputs_are_right(self, driver: Checked, outputs: dict[str, str]) -> None:
        base = World(driver.bundle if driver.isolated else self.world.files)
        expected = base.expected(driver.graph)
        for task in driver.graph.tasks.values():
            for out in task.stage.outs:
                right = name_of(expected, out.path)
                assert outputs.get(out.path, "absent") == right, out.path
                if not driver.isolated:
                    assert name_of(self.world.files, out.path) == right, out.path

    def failure_is_contained(self, driver: Checked) -> None:
        assert driver.stop is not None
        graph = driver.graph
        lost = [recipe for recipe, task in graph.tasks.items() if task.stage.name in driver.stop.failed]
        assert lost
        doomed = downstream(graph, lost)
        undone = set(graph.tasks) - set(driver.done.outputs)
        assert doomed <= undone
        if graph.goal.keep_going:
            assert doomed == undone

    def teardown(self) -> None:
        """After the last crash: mend everything, run once more, and again."""
        if not hasattr(self, "world"):
            return
        for driver in self.everybody:
            self.world.kill(driver, half_written=True)
        self.world.broken.clear()
        first = self.begin(Goal(), 2)
        if first is None:
            return
        ended = first.finish()
        self.judge(first)
        assert all(attempt.state in FINAL for attempt in self.world.history.attempts.values())
        if ended == "stopped":  # only something that nobody makes can stop it now
            assert not self.world.history.failures(first.execution)
        second = self.begin(Goal(), 2)
        assert second is not None
        assert second.finish() == ended
        assert all(run.task.stage.unconditional for run in second.runs), "the second run had work to do"


def downstream(graph: Graph, recipes: list[str]) -> set[str]:
    found: set[str] = set()
    todo = list(recipes)
    while todo:
        recipe = todo.pop()
        if recipe not in found:
            found.add(recipe)
            todo += graph.followers[recipe]
    return found


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=400, stateful_step_count=8, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)  # fmt: skip
