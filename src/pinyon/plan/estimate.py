"""How long tasks will take: from what they took before, else from what the user declared. Unknown is never counted as 0."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Mapping
from typing import Literal, NamedTuple, Protocol

from pinyon.model.graph import Graph, Task
from pinyon.plan.actions import Action, Run, Verdict
from pinyon.plan.decide import Settled, decide, forecast
from pinyon.plan.state import Seen, State


class Past(Protocol):
    """What `estimates` asks: a part of `pinyon.plan.state.State`."""

    def durations(
        self, by: Literal["key", "stage", "group"], names: Iterable[str]
    ) -> Mapping[str, list[float]]:
        """See `pinyon.plan.state.State.durations`."""
        ...


class Estimate(NamedTuple):
    """Seconds that an attempt will probably take, and how that is known."""

    seconds: float
    source: Literal["past", "declared"]


class Expected(NamedTuple):
    """What is to run, as `remaining` takes it.

    Attributes:
        recipes: the tasks that are to run, in the graph's order.
        estimates: by recipe, as far as there are any.
        slots: how many may run at once.
    """

    graph: Graph
    recipes: tuple[str, ...]
    estimates: Mapping[str, Estimate]
    slots: int = 1

    @property
    def seconds(self) -> dict[str, float]:
        """By recipe, of those that have an estimate."""
        return {recipe: self.estimates[recipe].seconds for recipe in self.recipes if recipe in self.estimates}

    @property
    def unknown(self) -> list[str]:
        """Stages that are to run, nobody knows for how long."""
        return [
            self.graph.tasks[recipe].stage.name for recipe in self.recipes if recipe not in self.estimates
        ]


def expect(
    graph: Graph, past: Past, actions: Iterable[Action], verdicts: Mapping[str, Verdict], slots: int
) -> Expected:
    """What is to run by these verdicts, and how long it will take; the actions know some keys already."""
    recipes = tuple(recipe for recipe, verdict in verdicts.items() if verdict.kind == "run")
    keys = {action.task.recipe: action.key for action in actions if isinstance(action, Run)}
    return Expected(graph, recipes, estimates([graph.tasks[recipe] for recipe in recipes], past, keys), slots)


def estimates(
    tasks: Iterable[Task], past: Past, keys: Mapping[str, str] | None = None
) -> dict[str, Estimate]:
    """Estimates by recipe; a task whose time nobody knows is left out.

    The same key's own time counts most, then the median of the stage's last five, then that of the stage's group
    (``train@0`` learns from ``train@1``), then what the stage declares.

    Args:
        keys: by recipe, as far as known.
    """
    wanted = {task.recipe: task.stage for task in tasks}
    known = {recipe: key for recipe, key in (keys or {}).items() if recipe in wanted}
    own = past.durations("key", dict.fromkeys(known.values())) if known else {}
    found = {recipe: Estimate(own[key][0], "past") for recipe, key in known.items() if key in own}
    names = dict.fromkeys(stage.name for recipe, stage in wanted.items() if recipe not in found)
    of_stage = past.durations("stage", names) if names else {}
    groups = dict.fromkeys(group for name in names if name not in of_stage and (group := _group(name)))
    of_group = past.durations("group", groups) if groups else {}
    for recipe, stage in wanted.items():
        took = of_stage.get(stage.name) or of_group.get(_group(stage.name))
        if recipe in found:
            continue
        if took:
            found[recipe] = Estimate(_median(took), "past")
        elif stage.estimate is not None:
            found[recipe] = Estimate(stage.estimate, "declared")
    return found


def look_ahead(graph: Graph, state: State, seen: Seen, slots: int) -> Expected:
    """What is to run by what `decide` would say if everything might start at once, and how long it will take."""
    ahead = Settled()
    actions = decide(graph, state, seen._replace(free=None), ahead)
    return expect(graph, state, actions, forecast(graph, state, ahead), slots)


def _median(values: list[float]) -> float:
    ordered, half = sorted(values), len(values) // 2  # `statistics` takes 20 ms to import
    return ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _group(name: str) -> str:
    return name.partition("@")[0] if "@" in name else ""


def critical_path(graph: Graph, seconds: Mapping[str, float]) -> float:
    """The longest chain of tasks that wait for each other: what is left of the time if enough may run at once.

    Args:
        seconds: by recipe; a task that is not there takes no time.
    """
    ends: dict[str, float] = {}
    begin = 0.0
    for wave in _waves(graph):
        for recipe in wave:
            ready = max((ends[need] for need in graph.tasks[recipe].needs), default=0.0)
            ends[recipe] = max(ready, begin) + seconds.get(recipe, 0.0)
        begin = max((ends[recipe] for recipe in wave), default=begin)
    return max(ends.values(), default=0.0)


def _waves(graph: Graph) -> list[list[str]]:
    """Recipes in the graph's order; of an experiment phase by phase, since each waits for the winner of the one before."""
    study = graph.study
    if study is None:
        return [list(graph.tasks)]
    wanted = [[r.recipe for _, replicates in one.cells for r in replicates] for one in study.phases]
    wanted.append([recipe for r, then in study.final for recipe in (r.recipe, *then) if recipe])
    before: set[str] = set()
    waves = []
    for todo in wanted:
        wave: set[str] = set()
        while todo:
            recipe = todo.pop()
            if recipe not in before:
                before.add(recipe)
                wave.add(recipe)
                todo += graph.tasks[recipe].needs
        waves.append([recipe for recipe in graph.tasks if recipe in wave])
    return waves


def makespan(
    graph: Graph, seconds: Mapping[str, float], slots: int, running: Mapping[str, float] | None = None
) -> float:
    """When the last task ends if free slots always take the first ready task of the graph, as `decide` does.

    Args:
        seconds: by recipe, of the tasks that are still to do; all others count as done.
        slots: tasks at once.
        running: of those, the seconds that they have been running for; they hold slots from the beginning.
    """
    begun = running or {}
    waves = ({r: seconds[r] for r in wave if r in seconds} for wave in _waves(graph))
    return sum(_makespan(graph, wave, slots, begun) for wave in waves)


def _makespan(graph: Graph, seconds: Mapping[str, float], slots: int, begun: Mapping[str, float]) -> float:
    open_needs = {r: sum(need in seconds for need in graph.tasks[r].needs) for r in seconds}
    rank = {recipe: number for number, recipe in enumerate(graph.tasks) if recipe in seconds}
    ends = [(max(0.0, seconds[r] - begun[r]), rank[r], r) for r in seconds if r in begun]
    ready = [(rank[r], r) for r, count in open_needs.items() if not count and r not in begun]
    heapq.heapify(ends)
    heapq.heapify(ready)
    now = 0.0
    while ready or ends:
        while ready and len(ends) < slots:
            number, recipe = heapq.heappop(ready)
            heapq.heappush(ends, (now + seconds[recipe], number, recipe))
        now, _, recipe = heapq.heappop(ends)
        for follower in graph.followers[recipe]:
            if follower in open_needs:
                open_needs[follower] -= 1
                if not open_needs[follower] and follower not in begun:
                    heapq.heappush(ready, (rank[follower], follower))
    return now


def remaining(expected: Expected, finished: Collection[str], running: Mapping[str, float]) -> float | None:
    """Seconds until everything that is expected has run; None when the time of something that is left is unknown.

    Args:
        expected: what was to run.
        finished: recipes that need no more time: they have run, or turned out to be unchanged or made before.
        running: recipe → seconds since it began. One that takes longer than estimated counts as about to end.
    """
    left = [recipe for recipe in expected.recipes if recipe not in finished]
    if any(recipe not in expected.estimates for recipe in left):
        return None
    seconds = {recipe: expected.estimates[recipe].seconds for recipe in left}
    return makespan(
        expected.graph, seconds, expected.slots, {r: s for r, s in running.items() if r in seconds}
    )
