"""From a project and a goal to a graph, or the list of files that must be read first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pinyon.errors import CycleError, OutputConflictError, UnknownGoalError
from pinyon.model.graph import Graph, Input, Stage, Task
from pinyon.model.project import Goal, Project
from pinyon.plan import imports, overlay
from pinyon.plan.interpolate import nearest
from pinyon.plan.keys import recipe_of
from pinyon.plan.paths import parents
from pinyon.plan.resolve import Files, UnreadFileError, context_of, resolve_stage


class Need(NamedTuple):
    """Files that `build` must be given before it can go on; paths relative to the root. ``importers`` are stages of which
    it must know what they import."""

    paths: tuple[str, ...]
    importers: tuple[Stage, ...] = ()


def build(
    project: Project,
    goal: Goal,
    read: Mapping[str, Any],
    imported: Mapping[str, tuple[str, ...]] | None = None,
) -> Graph | Need:
    """The graph of everything that the goal needs.

    Args:
        read: content of parameter files by path; None for a file that does not exist.
        imported: files that a stage with ``strict_deps`` imports, by its name.

    Raises:
        PlanError: unknown goals or parameters, cycles, overlapping outs; nothing has been run or written.
    """
    stages = resolve_all(project, goal, read)
    if isinstance(stages, Need):
        return stages
    known = imported or {}
    importers = tuple(stage for stage in stages if stage.strict_deps and stage.name not in known)
    return Need((), importers) if importers else graph_of(imports.strict(stages, known), goal)


def resolve_all(project: Project, goal: Goal, read: Mapping[str, Any]) -> list[Stage] | Need:
    """Every stage of the project, resolved; or what must be read first, all of it that can be known now."""
    if goal.overrides and (absent := [file for file in overlay.files_of(goal.overrides) if file not in read]):
        return Need(tuple(absent))
    files = Files(overlay.apply(read, goal.overrides))
    contexts: dict[str, dict[str, Any]] = {}
    stages: list[Stage] = []
    missing: dict[str, None] = {}
    for template in project.stages:
        try:
            if template.base not in contexts:
                contexts[template.base] = context_of(
                    template.base, project.variables.get(template.base, ()), files
                )
            stages.append(resolve_stage(template, contexts[template.base], files))
        except UnreadFileError as need:
            missing[need.path] = None
    return Need(tuple(missing)) if missing else stages


def graph_of(stages: Sequence[Stage], goal: Goal) -> Graph:
    """Edges by path, checked; then only what the goal needs, producers first."""
    by_name = {stage.name: stage for stage in stages}
    wanted = goal.stages or tuple(by_name)
    for name in wanted:
        if name not in by_name:
            raise UnknownGoalError(
                f"no stage is called '{name}'", why=nearest(name, list(by_name)), next="pinyon plan"
            )
    makers = _makers(stages)
    inputs = {stage.name: _inputs(stage, makers) for stage in stages}
    order = _order(by_name, inputs, tuple(by_name))
    frozen = {name: () for name, stage in by_name.items() if stage.frozen}
    if goal.stages or frozen:  # a cycle anywhere has been refused by now, as DVC does
        inputs |= frozen  # what never runs needs nothing
        order = _order(by_name, inputs, wanted)
    tasks: dict[str, Task] = {}
    recipes: dict[str, str] = {}
    followers: dict[str, list[str]] = {}
    sources: dict[str, None] = {}
    for name in order:
        stage = by_name[name]
        recipe = recipe_of(stage, inputs[name], recipes)
        resolved = tuple(i._replace(producers=tuple(recipes[p] for p in i.producers)) for i in inputs[name])
        needs = tuple(dict.fromkeys(producer for item in resolved for producer in item.producers))
        recipes[name] = recipe
        tasks[recipe] = Task(recipe, stage, resolved, needs)
        followers[recipe] = []
        for need in needs:
            followers[need].append(recipe)
        sources.update((item.path, None) for item in resolved if not item.producers)
        sources.update((path, None) for path in stage.env)
    return Graph(goal, tasks, {recipe: tuple(names) for recipe, names in followers.items()}, tuple(sources))


class _Makers(NamedTuple):
    exact: dict[str, str]  # out → stage
    below: dict[str, list[str]]  # directory → stages with an out somewhere in it


def _makers(stages: Sequence[Stage]) -> _Makers:
    exact: dict[str, str] = {}
    below: dict[str, list[str]] = {}
    for stage in stages:
        for out in stage.outs:
            if out.path in exact:
                raise _overlap(out.path, exact[out.path], out.path, stage.name)
            exact[out.path] = stage.name
            for parent in parents(out.path):
                below.setdefault(parent, []).append(stage.name)
    for path, name in exact.items():
        if path in below:
            inner, owner = next((p, n) for p, n in exact.items() if p.startswith(f"{path}/"))
            raise _overlap(path, name, inner, owner)
    return _Makers(exact, below)


def _overlap(path: str, name: str, other: str, owner: str) -> OutputConflictError:
    same = f"both write {path}" if path == other else f"write {path} and {other}, one inside the other"
    return OutputConflictError(
        f"stages '{name}' and '{owner}' {same}"
        if name != owner
        else f"stage '{name}' names {path} and {other} as outs",
        why="a place has one producer",
        next="give one of them another path",
    )


def _inputs(stage: Stage, makers: _Makers) -> tuple[Input, ...]:
    found = []
    for path in stage.deps:
        if path in makers.exact:
            producers: tuple[str, ...] = (makers.exact[path],)
            exact = True
        else:
            exact = False
            inside = next((makers.exact[parent] for parent in parents(path) if parent in makers.exact), None)
            producers = (inside,) if inside else tuple(dict.fromkeys(makers.below.get(path, ())))
        if stage.name in producers:
            raise CycleError(
                f"stage '{stage.name}' depends on {path}, which it writes itself", where=str(stage.origin)
            )
        found.append(Input(path, producers, exact))
    return tuple(found)


def _order(
    stages: Mapping[str, Stage], inputs: Mapping[str, tuple[Input, ...]], wanted: Sequence[str]
) -> list[str]:
    """Depth first from the wanted stages, without recursion: a chain may have any length."""
    order: list[str] = []
    mark: dict[str, int] = {}  # 1 on the path from the goal, 2 done
    for goal in wanted:
        stack = [(goal, iter(_needs(inputs[goal])))] if goal not in mark else []
        mark.setdefault(goal, 1)
        while stack:
            name, rest = stack[-1]
            for need in rest:
                if need not in mark:
                    mark[need] = 1
                    stack.append((need, iter(_needs(inputs[need]))))
                    break
                if mark[need] == 1:
                    path = [entry for entry, _ in stack]
                    loop = [*path[path.index(need) :], need]
                    raise CycleError(
                        f"stages wait for each other: {' → '.join(reversed(loop))}",
                        where=str(stages[need].origin),
                        next="remove one of these deps",
                    )
            else:
                mark[name] = 2
                order.append(name)
                stack.pop()
    return order


def _needs(inputs: tuple[Input, ...]) -> list[str]:
    return list(dict.fromkeys(producer for item in inputs for producer in item.producers))
