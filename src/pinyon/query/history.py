"""One metric of one run, point by point: what counts of it, from Parquet files and journals."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from typing import NamedTuple

from pinyon.model.outcome import Attempt
from pinyon.query import duck
from pinyon.query.counted import Counted
from pinyon.query.cover import ROWS
from pinyon.query.index import Index
from pinyon.store.local import LocalStore


class History(NamedTuple):
    """Columns of equal length, by step, then attempt; ``t`` in seconds since its attempt began.

    Attributes:
        metrics: every metric that the run has points of.
        notes: what had to be left out.
    """

    attempt: list[str]
    step: list[int | None]
    t: list[float | None]
    value: list[float]
    metrics: list[str]
    notes: list[str]


def history(store: LocalStore, index: Index, attempts: Iterable[Attempt], metric: str) -> History:
    """The points of a metric that count. What later attempts overrule is left out, NaN is kept.

    Args:
        attempts: all attempts of one run.

    Raises:
        PlanError: DuckDB is not installed.
    """
    names = {attempt.id for attempt in attempts}
    with ExitStack() as stack:
        connection = duck.connect()
        stack.callback(connection.close)
        counted = Counted(connection, store, index, stack, {ROWS}, names)
        told = connection.execute(
            "select distinct metric from raw.whole where attempt in $1", [sorted(names)]
        )
        metrics = sorted(name for (name,) in told.fetchall())
        rows = connection.execute(
            "select attempt, step, t, value from raw.seen where attempt in $1 and metric = $2 and object is null"
            " order by step, attempt, segment, number, byte",
            [sorted(names), duck.clean(metric)],
        ).fetchall()
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], [], []]
    return History(*columns, metrics, counted.notes)
