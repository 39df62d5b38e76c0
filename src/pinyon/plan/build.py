"""From a project and a goal to a graph, or the list of files that must be read first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from pinyon.errors import CycleError, OutputConflictError, PlanError
from pinyon.model.flags import Heard
from pinyon.model.graph import Graph, Input, Stage, Task
from pinyon.model.project import Goal, Pointer, Project, StageTemplate
from pinyon.plan import expand, handed, imports, overlay
from pinyon.plan.goals import Known, reach, wanted, within
from pinyon.plan.interpolate import Budget, resolve
from pinyon.plan.keys import digest, recipe_of
from pinyon.plan.params import Lack
from pinyon.plan.paths import is_url, join, parents
from pinyon.plan.resolve import Resolved, resolve_stage
from pinyon.plan.scope import Files, Scope, UnreadFileError, scope_of


class Need(NamedTuple):
    """Files that `build` must be given before it can go on; paths relative to the root. ``importers`` are stages of which
    it must know what they import, ``speakers`` those of which it must know what their command can be given."""

    paths: tuple[str, ...]
    importers: tuple[Stage, ...] = ()
    speakers: tuple[Stage, ...] = ()


class Stages(NamedTuple):
    """Every stage of a project, resolved. ``lacks``: by stage, the parameters that are not there (yet)."""

    stages: list[Stage]
    lacks: dict[str, list[Lack]]


def build(
    project: Project,
    goal: Goal,
    read: Mapping[str, Any],
    imported: Mapping[str, tuple[str, ...]] | None = None,
    heard: Mapping[str, Heard] | None = None,
) -> Graph | Need:
    """The graph of everything that the goal needs.

    Args:
        read: content of parameter files by path; None for a file that does not exist.
        imported: files that a stage with ``strict_deps`` imports, by its name.
        heard: what a stage's command can be given, by its name.

    Raises:
        PlanError: unknown goals or parameters, cycles, overlapping outs; nothing has been run or written.
    """
    found = resolve_all(project, goal, read, heard or {})
    if isinstance(found, Need):
        return found
    known = imported or {}
    importers = tuple(stage for stage in found.stages if stage.strict_deps and stage.name not in known)
    if importers:
        return Need((), importers)
    return graph_of(imports.strict(found.stages, known), goal, project, found.lacks)


def resolve_all(
    project: Project, goal: Goal, read: Mapping[str, Any], heard: Mapping[str, Heard] = MappingProxyType({})
) -> Stages | Need:
    """Every stage of the project; or what must be read first, all of it that can be known now."""
    if goal.overrides and (absent := [file for file in overlay.files_of(goal.overrides) if file not in read]):
        return Need(tuple(absent))
    in_files = handed.in_files(project, read, goal.overrides)
    files = Files(overlay.apply(read, in_files), Budget())
    scopes = _Scopes(project, files)
    stages: dict[str, Stage] = {}
    lacks: dict[str, list[Lack]] = {}
    missing: dict[str, None] = {}
    for template in project.stages:
        for found in _resolved(template, scopes, files):
            if isinstance(found, UnreadFileError):
                missing[found.path] = None
                continue
            stage, lacking = found
            if stage.name in stages:
                raise _twice(stage, stages[stage.name])
            stages[stage.name] = stage
            if lacking:
                lacks[stage.name] = lacking
        if len(stages) > expand.LIMIT:
            expand.refuse_many(len(stages), "this project", str(template.origin))
    try:
        _check_sections(project, scopes)
    except UnreadFileError as need:
        missing[need.path] = None
    speakers = handed.unheard(stages.values(), goal.overrides, heard)
    if missing or speakers:
        return Need(tuple(missing), (), speakers)
    return Stages(handed.hand(list(stages.values()), heard, goal.overrides, in_files, read), lacks)


class _Scopes:
    """What ``${…}`` sees in each directory, computed once."""

    def __init__(self, project: Project, files: Files) -> None:
        self._variables = project.variables
        self._files = files
        self._known: dict[str, Scope] = {}

    def of(self, base: str, file: str) -> Scope:
        """The scope of a directory; ``file`` is named in errors."""
        if base not in self._known:
            self._known[base] = scope_of(base, self._variables.get(base, ()), self._files, file)
        return self._known[base]


def _resolved(template: StageTemplate, scopes: _Scopes, files: Files) -> Iterator[Resolved | UnreadFileError]:
    """The stages of a template, or for each the file that it needs first: all that can be known is asked for at once."""
    try:
        scope = scopes.of(template.base, template.origin.file)
        if not expand.is_loop(template):
            yield resolve_stage(template, scope, files)
            return
        inner, copies = expand.inner(template), expand.copies(template, scope.values, files.budget)
    except UnreadFileError as need:
        yield need
        return
    for copy in copies:
        try:
            yield resolve_stage(inner, scope, files, copy.name, copy.values)
        except UnreadFileError as need:
            yield need


def _twice(stage: Stage, first: Stage) -> PlanError:
    return PlanError(
        f"two stages are called '{stage.name}'",
        where=str(stage.origin),
        why=f"the first comes from {first.origin}",
        next="rename one of them",
    )


def _check_sections(project: Project, scopes: _Scopes) -> None:
    """Expressions in metrics, plots, params and artifacts of a whole file have a value, or it is refused, as DVC does."""
    for file, sections in project.sections.items():
        scope = scopes.of(file.rpartition("/")[0], file)
        for section in ("params", "metrics", "plots", "artifacts", "datasets"):
            if section in sections:
                resolve(sections[section], scope.values, lambda file=file: file)  # type: ignore[misc]


def graph_of(
    stages: Sequence[Stage],
    goal: Goal,
    project: Project | None = None,
    lacks: Mapping[str, list[Lack]] | None = None,
) -> Graph:
    """Edges by path, checked; then only what the goal reaches, producers first.

    Args:
        project: names loops, files and pointers, where stages come from one.
        lacks: by stage, parameters that are not there; fatal only for stages that the goal reaches.
    """
    known = _known(stages, project)
    asked = wanted(known, goal)
    makers = _makers(stages)
    pointers = project.pointers if project else ()
    _check_pointers(makers, pointers)
    _check_files(makers, {stage.origin.file for stage in stages} | {one.origin.file for one in pointers})
    made = _made(makers, stages, lacks or {})
    by_name = (
        {name: _with_made(stage, made, lacks or {}) for name, stage in known.stages.items()}
        if made
        else known.stages
    )
    inputs = {name: _inputs(stage, makers) for name, stage in by_name.items()}
    order = _order(by_name, inputs, tuple(by_name))
    frozen = {name: () for name, stage in by_name.items() if stage.frozen}
    if goal.stages or goal.directory or frozen:  # a cycle anywhere has been refused by now, as DVC does
        inputs |= frozen  # what never runs needs nothing
        if goal.single or goal.downstream:
            chosen = reach(order, {name: _needs(inputs[name]) for name in order}, goal, asked)
            inputs = {name: within(inputs[name], chosen) for name in order if name in chosen}
            asked = list(inputs)
        order = _order(by_name, inputs, asked)
    for name in order:
        _refuse_lacks(by_name[name], made, (lacks or {}).get(name, ()))
    return _graph(goal, [(by_name[name], inputs[name]) for name in order], pointers)


def _known(stages: Sequence[Stage], project: Project | None) -> Known:
    by_name = {stage.name: stage for stage in stages}
    if project is None:
        return Known(by_name)
    loops = [template.name for template in project.stages if expand.is_loop(template)]
    return Known(by_name, loops, project.files)


def _graph(
    goal: Goal, chosen: Sequence[tuple[Stage, tuple[Input, ...]]], pointers: Sequence[Pointer]
) -> Graph:
    """The graph of stages in order, with the names of their producers turned into recipes."""
    tasks: dict[str, Task] = {}
    recipes: dict[str, str] = {}
    followers: dict[str, list[str]] = {}
    sources: dict[str, None] = {}
    for stage, inputs in chosen:
        recipe = recipe_of(stage, inputs, recipes)
        if (
            recipe in tasks
        ):  # another stage says the same and makes nothing; it is a vertex of its own all the same
            recipe = digest([recipe, stage.name])
        resolved = tuple([i._replace(producers=tuple([recipes[p] for p in i.producers])) for i in inputs])
        needs = tuple(dict.fromkeys([producer for item in resolved for producer in item.producers]))
        recipes[stage.name] = recipe
        tasks[recipe] = Task(recipe, stage, resolved, needs)
        followers[recipe] = []
        for need in needs:
            followers[need].append(recipe)
        sources.update([(item.path, None) for item in resolved if not item.producers])
        sources.update([(path, None) for path in stage.env])
    touched = _touched(goal, pointers, sources)
    return Graph(
        goal, tasks, {recipe: tuple(names) for recipe, names in followers.items()}, tuple(sources), touched
    )


def _refuse_lacks(stage: Stage, made: Collection[str], lacks: Iterable[Lack]) -> None:
    """Refuse to run a stage without something that it declares; what never runs may lack it."""
    if stage.frozen:
        return
    for lack in lacks:
        if lack.file not in made:
            raise lack.error
    for path in stage.deps:
        if "://" in path and is_url(path):
            raise PlanError(
                f"stage '{stage.name}' depends on {path}",
                where=str(stage.origin),
                why="this version of Pinyon cannot look at what lies elsewhere",
                next="download it in a stage of its own, or say frozen: true",
            )


def _made(makers: _Makers, stages: Sequence[Stage], lacks: Mapping[str, list[Lack]]) -> set[str]:
    """Parameter files that a stage writes."""
    files = {param.file for stage in stages for param in stage.params}
    files |= {lack.file for lacking in lacks.values() for lack in lacking}
    return {
        file
        for file in files
        if file in makers.exact or any(parent in makers.exact for parent in parents(file))
    }


def _with_made(stage: Stage, made: Collection[str], lacks: Mapping[str, list[Lack]]) -> Stage:
    """Parameters from a file that a stage writes have no value yet: the whole file is a dep."""
    files = [param.file for param in stage.params] + [lack.file for lack in lacks.get(stage.name, ())]
    more = [file for file in files if file in made]
    if not more:
        return stage
    params = tuple(param for param in stage.params if param.file not in made)
    return stage._replace(params=params, deps=tuple(dict.fromkeys([*stage.deps, *more])))


def _check_pointers(makers: _Makers, pointers: Sequence[Pointer]) -> None:
    """A place has one producer: what a pointer names no stage writes, and no other pointer of its kind names."""
    seen: dict[tuple[str, str], Pointer] = {}
    for pointer in pointers:
        inside = next((path for path in (pointer.path, *parents(pointer.path)) if path in makers.exact), None)
        owner = makers.exact[inside] if inside else next(iter(makers.below.get(pointer.path, ())), None)
        if owner is not None:
            raise OutputConflictError(
                f"{pointer.origin.file} keeps {pointer.path}, which stage '{owner}' writes",
                where=str(pointer.origin),
                why="a place has one producer",
                next=f"remove {pointer.origin.file}, or give the stage another out",
            )
        first = seen.setdefault((pointer.kind, pointer.path), pointer)
        if first is pointer:
            first = next(
                (seen[pointer.kind, up] for up in parents(pointer.path) if (pointer.kind, up) in seen),
                pointer,
            )
        if first is not pointer:
            raise OutputConflictError(
                f"{first.origin.file} and {pointer.origin.file} both keep {pointer.path}",
                where=str(pointer.origin),
                next="remove one of them",
            )


def _check_files(makers: _Makers, files: Collection[str]) -> None:
    """A file that declares stages or data lies in nobody's out: it would be deleted before the stage runs."""
    for file in files:
        for path in (file, *parents(file)):
            if path in makers.exact and path:
                raise OutputConflictError(
                    f"stage '{makers.exact[path]}' writes {path}, in which {file} lies",
                    why="an out is removed before its stage runs",
                    next="give the stage another out, or move the file",
                )


def _touched(goal: Goal, pointers: Sequence[Pointer], sources: Collection[str]) -> tuple[Pointer, ...]:
    """Pointers to data at, in or around a source, and those that the goal names by their file."""
    if not pointers:
        return ()
    around = {parent for source in sources for parent in parents(source)}
    named = {join(directory, text) for text in goal.stages for directory in (goal.directory, "")}
    return tuple(
        pointer
        for pointer in pointers
        if pointer.path in sources
        or pointer.path in around
        or pointer.origin.file in named
        or any(parent in sources for parent in parents(pointer.path))
    )


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
