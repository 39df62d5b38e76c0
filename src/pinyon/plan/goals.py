"""Which stages a goal means, and how far it reaches. Names are DVC's addresses: ``train``, ``build`` for all of a loop,
``build@x``, ``sub/dvc.yaml:train``, ``sub/dvc.yaml``, ``data.dvc``; looked up where the user stands, then at the root."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from pinyon.errors import UnknownGoalError
from pinyon.model.graph import Input, Stage
from pinyon.model.project import Goal
from pinyon.plan.interpolate import nearest
from pinyon.plan.paths import join

SPEC_NAMES = ("dvc.yaml", "pinyon.yaml")


class Known(NamedTuple):
    """What a goal can name: stages, the loops among them (some stand for no stage), and files."""

    stages: Mapping[str, Stage]
    loops: Collection[str] = ()
    files: Collection[str] = ()


def wanted(known: Known, goal: Goal) -> list[str]:
    """The names of the stages that a goal asks for, without what they need.

    Raises:
        UnknownGoalError: a goal that names nothing; with the nearest name.
    """
    if not goal.stages:
        here = [join(goal.directory, name) for name in SPEC_NAMES] if goal.directory else []
        if any(file in known.files for file in here):
            return [name for name, stage in known.stages.items() if stage.origin.file in here]
        return list(known.stages)
    found: dict[str, None] = {}
    for text in goal.stages:
        found.update(dict.fromkeys(_named(known, goal, text)))
    return list(found)


def _named(known: Known, goal: Goal, text: str) -> Iterable[str]:
    for directory in dict.fromkeys((goal.directory, "")):
        names = _in(known, directory, text, glob=goal.glob)
        if names is not None:
            return names
    here = f"{goal.directory}/{SPEC_NAMES[0]}:"
    names = [name.removeprefix(here) for name in (*known.stages, *known.loops)]
    below = next((name for name in names if name.endswith(f":{text}")), "")
    raise UnknownGoalError(
        f"no stage {'fits' if goal.glob else 'is called'} '{text}'",
        why=f"did you mean {below}?" if below else nearest(text, names),
        next="pinyon plan" if goal.glob or "*" not in text else f"pinyon plan --glob '{text}'",
    )


def _in(known: Known, directory: str, text: str, *, glob: bool) -> Iterable[str] | None:
    """What ``text`` means to somebody in a directory; None for nothing."""
    group, at, key = text.partition("@")
    file, colon, name = group.rpartition(":")
    if not colon and (path := join(directory, text)) in known.files:
        return [name for name, stage in known.stages.items() if stage.origin.file == path]
    for prefix in _prefixes(directory, file):
        address = f"{prefix}{name}{at}{key}"
        if address in known.stages:
            return [address]
        if address in known.loops:
            return [name for name in known.stages if name.startswith(f"{address}@")]
        if glob:
            cut = len(prefix)
            names = [
                name
                for name, stage in known.stages.items()
                if name.startswith(prefix)
                and (cut or stage.origin.file in SPEC_NAMES or not stage.origin.file)
                and fnmatchcase(name[cut:], address[cut:])
            ]
            if names:
                return names
    return None


def _prefixes(directory: str, file: str) -> list[str]:
    """How addresses begin: nothing for the files at the root, ``sub/dvc.yaml:`` for others."""
    paths = [join(directory, file)] if file else [join(directory, name) for name in SPEC_NAMES]
    return list(dict.fromkeys("" if path in SPEC_NAMES else f"{path}:" for path in paths))


def reach(
    order: Sequence[str], needs: Mapping[str, Collection[str]], goal: Goal, asked: Sequence[str]
) -> set[str]:
    """The stages of a goal that takes what some of them need as it lies there: ``single`` or ``downstream``.

    Args:
        order: every stage, producers first.
        needs: by stage, the stages that it needs.
        asked: the stages that the goal names.
    """
    found = set(asked)
    if not goal.single:
        for name in order:
            if not found.isdisjoint(needs[name]):
                found.add(name)
    return found


def within(inputs: tuple[Input, ...], chosen: Collection[str]) -> tuple[Input, ...]:
    """Inputs whose producers are carried out, too; others lie there as they are."""
    if all(name in chosen for item in inputs for name in item.producers):
        return inputs
    kept = []
    for item in inputs:
        producers = tuple(name for name in item.producers if name in chosen)
        kept.append(Input(item.path, producers, item.exact and bool(producers)))
    return tuple(kept)
