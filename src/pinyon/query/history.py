"""One metric of one run, point by point: what counts of it, from Parquet files and journals."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any, NamedTuple

from pinyon.model.outcome import Attempt
from pinyon.query import duck
from pinyon.query.counted import Counted
from pinyon.query.cover import ROWS
from pinyon.query.index import Index
from pinyon.store.local import LocalStore

_POINTS = "select step, t, value from raw.seen where attempt = $1 and metric = $2 and object is null"
# Text that Python's own reader of JSON takes apart costs a third of handing over values one by one.
_LINE = f"""
select to_json(list(step)), to_json(list(t)), to_json(list(value)) from (
    {_POINTS} order by step nulls first, segment, number, byte
)
"""
# Most lines have every step once and lie in their order: then nobody need sort them, and their steps need no telling.
_RANGE = f"""
with whole as (
    select list(step) as steps, list(t) as ts, list(value) as vs, min(step) as low, max(step) as high from ({_POINTS})
)
select low, high, to_json(ts), to_json(vs) from whole
where high::HUGEINT - low = len(steps) - 1 and steps = case when high::HUGEINT - low = len(steps) - 1
    then range(low, low + len(steps)) end
"""


class Line(NamedTuple):
    """What one attempt adds to a curve, by step: columns of equal length, ``t`` in seconds since the attempt began."""

    attempt: str
    step: list[int | None]
    t: list[float | None]
    value: list[float]


class History(NamedTuple):
    """Lines in the order of their attempts, each of which begins where the one before ends.

    Attributes:
        metrics: every metric that the run has points of.
        notes: what had to be left out.
    """

    lines: tuple[Line, ...]
    metrics: tuple[str, ...]
    notes: tuple[str, ...]


def history(store: LocalStore, index: Index, attempts: Iterable[Attempt], metric: str) -> History:
    """The points of a metric that count. What later attempts overrule is left out, NaN is kept.

    Args:
        attempts: all attempts of one run, in their order.

    Raises:
        PlanError: DuckDB is not installed.
    """
    names = [attempt.id for attempt in attempts]
    metric = duck.clean(metric)
    with ExitStack() as stack:
        connection = duck.connect()
        stack.callback(connection.close)
        counted = Counted(connection, store, index, stack, {ROWS}, names)
        told = connection.execute(
            "select distinct attempt, metric from raw.whole where attempt in $1 and not object", [names]
        ).fetchall()
        lines = [Line(name, *_columns(connection, name, metric)) for name in names if (name, metric) in told]
    return History(tuple(lines), tuple(sorted({name for _, name in told})), tuple(counted.notes))


def _columns(
    connection: duck.Connection, attempt: str, metric: str
) -> tuple[list[Any], list[Any], list[Any]]:
    whole = connection.execute(_RANGE, [attempt, metric]).fetchall()
    if whole:
        low, high, ts, values = whole[0]
        return list(range(low, high + 1)), json.loads(ts), json.loads(values)
    steps, ts, values = connection.execute(_LINE, [attempt, metric]).fetchall()[0]
    return json.loads(steps or "[]"), json.loads(ts or "[]"), json.loads(values or "[]")
