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
# A list of the leaf and of something else: sqlite writes of a single one what it takes it for, of several the very text.
# What is no JSON for it, as NaN is none, comes whole.
_LEAF = """
case when not json_valid({column}) then {column} when json_type({column}, ?) is null then '[]'
else json_extract({column}, ?, '$.""') end
"""


def leaves(index: Index, column: Column, names: Iterable[str]) -> dict[str, dict[str, Values]]:
    """By name, then by attempt: the value of a leaf, () where there is none. Attempts of a form that we do not know are
    left out."""
    wanted = list(dict.fromkeys(names))
    if not all(map(_ALIKE.fullmatch, wanted)):
        whole = documents(index, column)
        return {name: {one: _leaf(told, name) for one, told in whole.items()} for name in wanted}
    paths = [path for name in wanted for path in [f'$."{name}"'] * 2]
    asked = ["id", *[_LEAF.format(column=column)] * len(wanted)]
    rows = index.leaves(asked, f"{column} != ''", *paths)
    ids, *texts = zip(*rows, strict=True) if rows else [()] * len(asked)
    return {
        name: dict(zip(ids, _parsed(told, name), strict=True))
        for name, told in zip(wanted, texts, strict=True)
    }


def documents(index: Index, column: Column) -> dict[str, dict[str, Any]]:
    """By attempt everything that a column has."""
    rows = index.leaves(("id", column), f"{column} != ''")
    found = json.loads(
        f"[{','.join([text for _, text in rows])}]"
    )  # at once: calls cost more than the parsing
    return {name: told for (name, _), told in zip(rows, found, strict=True)}


def _parsed(texts: Iterable[str], name: str) -> list[Values]:
    found = json.loads(f"[{','.join(texts)}]")
    return [_leaf(one, name) if type(one) is dict else tuple(one[:1]) for one in found]


def _leaf(told: dict[str, Any], name: str) -> Values:
    return (told[name],) if name in told else ()
