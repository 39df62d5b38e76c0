"""One leaf of a column of JSON, of all attempts at once: sqlite takes it out, so that Python need not read the rest."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Literal

from pinyon.query.index import Index
from pinyon.query.where import Values

Column = Literal["params", "metrics"]
# Names that JSON, as it is written here, and sqlite spell alike.
_ALIKE = re.compile(r"[ !#-\[\]-~]+")
# A list: sqlite writes of a single value what it takes it for, of several the very text. What is no JSON for it, as NaN is
# none, comes whole.
_LEAVES = """case when json_valid({column}) then json_extract({column}, {paths}, '$.""') else {column} end"""


def leaves(index: Index, column: Column, names: Iterable[str]) -> dict[str, dict[str, Values]]:
    """By name, then by attempt: the value of a leaf, () where there is none. Attempts of a form that we do not know are
    left out."""
    wanted = list(dict.fromkeys(names))
    if not wanted:
        return {}
    if not all(map(_ALIKE.fullmatch, wanted)):
        whole = documents(index, column)
        return {name: {one: _leaf(told, name) for one, told in whole.items()} for name in wanted}
    paths = [f'$."{name}"' for name in wanted]
    asked = _LEAVES.format(column=column, paths=", ".join("?" * len(paths)))
    rows = index.leaves(("id", asked), f"{column} != ''", *paths)
    ids, told = [name for name, _ in rows], _parsed([text for _, text in rows])
    found = {name: _values(ids, told, at, name) for at, name in enumerate(wanted)}
    for name, path in zip(wanted, paths, strict=True):
        if (None,) in found[name].values():  # null, or nothing
            nothing = (
                f"{column} != '' and case when json_valid({column}) then json_type({column}, ?) is null end"
            )
            found[name].update({one: () for (one,) in index.leaves(("id",), nothing, path)})
    return found


def documents(index: Index, column: Column) -> dict[str, dict[str, Any]]:
    """By attempt everything that a column has."""
    rows = index.leaves(("id", column), f"{column} != ''")
    found = _parsed([text for _, text in rows])
    return {name: told for (name, _), told in zip(rows, found, strict=True)}


def _parsed(texts: list[str]) -> list[Any]:
    """All at once: calls would cost more than the parsing."""
    found: list[Any] = json.loads(f"[{','.join(texts)}]")
    return found


def _values(ids: list[str], told: list[Any], at: int, name: str) -> dict[str, Values]:
    return {
        one: (values[at],) if type(values) is list else _leaf(values, name)
        for one, values in zip(ids, told, strict=True)
    }


def _leaf(told: dict[str, Any], name: str) -> Values:
    return (told[name],) if name in told else ()
