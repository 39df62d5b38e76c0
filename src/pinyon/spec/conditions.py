"""Conditions as they stand in project files: lists of ``METRIC OP NUMBER``."""

from __future__ import annotations

import math
from typing import Any

from pinyon.model.condition import Comparison, parse
from pinyon.spec.checks import Path, SchemaError, list_of, named, text

_texts = list_of(text, "a list of conditions", "accuracy >= 0.75")


def clauses_of(value: Any, path: Path) -> tuple[Comparison, ...]:
    """The clauses of a list of conditions, each of which may join several by ``and``.

    Raises:
        SchemaError: no list, or one of them is no condition on a finite number.
    """
    _texts(value, path)
    return tuple(clause for index, entry in enumerate(value) for clause in _clauses(entry, (*path, index)))


def _clauses(entry: str, path: Path) -> tuple[Comparison, ...]:
    try:
        found = parse(entry).terms
    except ValueError as error:
        what, _, form = str(error).partition("; write ")
        raise SchemaError(path, f"{named(path)}: {what}", next=form and f"write {form}") from None
    for clause in found:
        if not math.isfinite(clause.number):
            raise SchemaError(path, f"{named(path)} compares {clause.metric} with no finite number")
    return found
