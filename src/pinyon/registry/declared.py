"""What has to hold before a name of a model moves: what the project's experiments say, and what a call adds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pinyon.errors import PlanError
from pinyon.model.condition import Comparison, parse
from pinyon.model.registry import spelled
from pinyon.spec.experiments import experiments_of
from pinyon.spec.load import find_root, load_project
from pinyon.store.place import SPEC_FILES


def clauses(start: Path, model: str, alias: str, said: Sequence[str]) -> tuple[Comparison, ...]:
    """The clauses of a gate: those of every experiment that promotes ``model`` to ``alias``, and those of ``said``.

    Raises:
        PlanError: a text is no condition.
        SpecError: the project's files say something wrong.
    """
    try:
        terms = [term for text in said for term in parse(text).terms]
    except ValueError as error:
        raise PlanError(str(error), next="write for example --gate 'evaluate.accuracy > 0.75'") from None
    return tuple(dict.fromkeys([*_declared(start, model, spelled(alias)), *terms]))


def _declared(start: Path, model: str, alias: str) -> Iterable[Comparison]:
    root = find_root(start)
    if not any((root / name).exists() for name in SPEC_FILES):
        return []  # models of scripts and notebooks, which no file knows
    asked = (one.promote for one in experiments_of(load_project(root)).values())
    return [
        clause for one in asked if one and (one.model, one.alias) == (model, alias) for clause in one.gate
    ]
