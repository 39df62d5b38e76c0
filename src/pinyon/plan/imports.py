"""Project files that Python imports though no dep names them: recorded, and told of when one has changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pinyon.model.graph import Graph, Stage
from pinyon.model.outcome import Attempt
from pinyon.plan.actions import Verdict
from pinyon.plan.paths import parents
from pinyon.plan.state import ABSENT


def uncovered(stage: Stage, files: Iterable[str]) -> tuple[str, ...]:
    """Those that neither a dep nor an out of the stage is, or lies around."""
    named = {*stage.deps, *stage.env, *(out.path for out in stage.outs)}
    return tuple(path for path in files if path not in named and named.isdisjoint(parents(path)))


def strict(stages: Iterable[Stage], imported: Mapping[str, tuple[str, ...]]) -> list[Stage]:
    """The stages, those with ``strict_deps`` with what they import among their deps.

    Args:
        imported: files by name of the stage.
    """
    return [
        stage._replace(deps=(*stage.deps, *uncovered(stage, imported[stage.name])))
        if stage.strict_deps
        else stage
        for stage in stages
    ]


def recorded(answers: Mapping[str, Attempt]) -> tuple[str, ...]:
    """Paths of everything that these attempts imported."""
    return tuple(dict.fromkeys(path for attempt in answers.values() for path, _ in _rows(attempt)))


def stale(answers: Mapping[str, Attempt], files: Mapping[str, str]) -> dict[str, list[str]]:
    """Files that are not what attempts imported that are reused all the same: path → recipes of who imported it.

    Args:
        answers: by recipe.
        files: what lies at the paths of `recorded` now.
    """
    found: dict[str, list[str]] = {}
    for recipe, attempt in answers.items():
        for path, name in _rows(attempt):
            if files.get(path, ABSENT) != name:
                found.setdefault(path, []).append(recipe)
    return found


def _rows(attempt: Attempt) -> Iterable[tuple[str, str]]:
    rows: Any = attempt.inputs.get("imports", ())
    return [(path, name) for path, name in rows]


def words(graph: Graph, changed: Mapping[str, list[str]]) -> list[str]:
    """One line about each file of `stale`: who imports it, and what to do."""
    return [_words(graph, path, recipes) for path, recipes in changed.items()]


def _words(graph: Graph, path: str, recipes: list[str]) -> str:
    stage = graph.tasks[recipes[0]].stage
    verb = "run" if path in str(stage.command).split() else "import"
    who = f"{stage.name} and {len(recipes) - 1} more {verb}" if len(recipes) > 1 else f"{stage.name} {verb}s"
    return f"{who} {path}, which changed since; name it in deps, or set strict_deps: true"


def explained(
    graph: Graph, verdicts: Mapping[str, Verdict], changed: Mapping[str, list[str]]
) -> dict[str, Verdict]:
    """The verdicts, with changed imports among the facts behind them."""
    found = dict(verdicts)
    for path, recipes in changed.items():
        for recipe in recipes:
            kind, reason = found[recipe]
            words = _words(graph, path, [recipe]).removeprefix(f"{graph.tasks[recipe].stage.name} ")
            found[recipe] = Verdict(kind, reason._replace(details=(*reason.details, words)))
    return found
