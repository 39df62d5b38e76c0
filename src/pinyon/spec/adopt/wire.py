"""Proposed stages made into a graph that holds: one producer a place, no circles, nothing that is not there."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Sequence

from pinyon.spec.adopt.draft import Drafted, Entry, comments

_NAME = re.compile(r"[^\w-]+")  # DVC allows no more in a name


def wired(
    stages: Sequence[Drafted], there: Callable[[str], bool], names: Iterable[str] = ()
) -> tuple[Drafted, ...]:
    """The same stages with unique names, and with a comment in place of each dep or out that no graph could have.

    Args:
        there: whether a path, relative to the root, exists now.
        names: that are taken.
    """
    taken = set(names)
    result = [_named(stage, taken) for stage in stages]
    result = _one_producer(result)
    made = {_full(stage, out): number for number, stage in enumerate(result) for out in _outs(stage)}
    return tuple(_acyclic([_with_deps(stage, n, made, there) for n, stage in enumerate(result)], made))


def _named(stage: Drafted, taken: set[str]) -> Drafted:
    name = _NAME.sub("-", stage.name).strip("-") or "stage"
    number = 1
    while (unique := name if number == 1 else f"{name}-{number}") in taken:
        number += 1
    taken.add(unique)
    return stage._replace(name=unique)


def _outs(stage: Drafted) -> tuple[Entry, ...]:
    return (*stage.outs, *stage.metrics)


def _full(stage: Drafted, entry: Entry) -> str:
    return posixpath.normpath(posixpath.join(stage.wdir, entry.path))


def _doubting(stage: Drafted, doubts: Iterable[str]) -> Drafted:
    return stage._replace(doubts=(*stage.doubts, *comments(f"guess: {doubt}" for doubt in doubts)))


def _one_producer(stages: list[Drafted]) -> list[Drafted]:
    """Of several stages that write one place, or one inside the other's, the first keeps it."""
    owners: dict[str, str] = {}
    result = []
    for stage in stages:
        doubts, gone = [], set()
        reads = {_full(stage, dep) for dep in stage.deps}
        for out in _outs(stage):
            path = _full(stage, out)
            near = next((other for other in owners if _touch(path, other)), None)
            if near is not None:
                gone.add(out)
                if owners[near] != stage.name:
                    doubts.append(f"it writes {out.path}, too, like {owners[near]}; a place has one producer")
            elif path == "." or path.startswith(("/", "..", ".pinyon")):
                gone.add(out)
                doubts.append(f"it writes {path}, which lies outside the project")
            elif stage.loop is not None and "${" not in path:
                gone.add(out)
                doubts.append(f"every item writes {out.path}; to keep all, put the item into its name")
            else:
                owners[path] = stage.name
        stage = stage._replace(
            deps=tuple(
                dep
                for dep in stage.deps
                if _full(stage, dep) not in owners or owners[_full(stage, dep)] != stage.name
            ),
            outs=tuple(_also_read(stage, out, reads) for out in stage.outs if out not in gone),
            metrics=tuple(out for out in stage.metrics if out not in gone),
        )
        result.append(_doubting(stage, doubts))
    return result


def _also_read(stage: Drafted, out: Entry, reads: set[str]) -> Entry:
    if _full(stage, out) not in reads:
        return out
    return out._replace(doubt="it reads it, too; if it goes on from the old one, add: {persist: true}")


def _touch(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _with_deps(stage: Drafted, number: int, made: dict[str, int], there: Callable[[str], bool]) -> Drafted:
    """Deps that exist or that another stage makes; the others become comments."""
    kept, doubts = [], []
    for dep in stage.deps:
        path = _full(stage, dep)
        makers = {owner for out, owner in made.items() if _touch(path, out)}
        if number in makers:
            continue  # what it writes and then reads is its own affair
        if makers or ("${" in path) or (there(path) and path != "." and not path.startswith(("/", ".."))):
            kept.append(
                dep
                if makers or "${" not in path
                else dep._replace(doubt="whether it is there for every item")
            )
        elif path == ".":
            doubts.append("it looks through the whole project")
        elif there(path):
            doubts.append(f"it reads {path}, which lies outside the project")
        else:
            because = f" ({dep.doubt})" if dep.doubt else ""
            doubts.append(f"it reads {dep.path}{because}, which is not here and no stage makes")
    return _doubting(stage._replace(deps=tuple(kept)), doubts)


def _acyclic(stages: list[Drafted], made: dict[str, int]) -> list[Drafted]:
    """Stages in an order in which each comes after what it needs; a dep that closes a circle becomes a comment."""
    needs: list[dict[int, list[Entry]]] = []
    for stage in stages:
        found: dict[int, list[Entry]] = {}
        for dep in stage.deps:
            for out, owner in made.items():
                if _touch(_full(stage, dep), out):
                    found.setdefault(owner, []).append(dep)
        needs.append(found)
    order: list[int] = []
    while len(order) < len(stages):
        before = set(order)
        ready = [n for n in range(len(stages)) if n not in before and not needs[n].keys() - before]
        if ready:
            order.append(ready[0])
            continue
        first = next(n for n in range(len(stages)) if n not in order)
        cut = {dep for owner in needs[first].keys() - set(order) for dep in needs[first][owner]}
        needs[first] = {owner: deps for owner, deps in needs[first].items() if owner in order}
        stage = stages[first]._replace(deps=tuple(dep for dep in stages[first].deps if dep not in cut))
        stages[first] = _doubting(
            stage,
            [f"it reads {dep.path}, which is made from what it writes: a circle" for dep in sorted(cut)],
        )
    return [stages[number] for number in order]
