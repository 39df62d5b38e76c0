"""What the points of runs sum up to, by metric: what leaderboards ask for beside final values."""

from __future__ import annotations

from contextlib import ExitStack
from typing import NamedTuple

from pinyon.query import duck
from pinyon.query.counted import Counted
from pinyon.query.cover import SUMMARY
from pinyon.query.index import Index
from pinyon.store.local import LocalStore


class Drawn(NamedTuple):
    """Of the points of one run and metric, as the table ``summary`` has it: ``best`` is None where nobody knows which way a
    metric is better; so are all but the counts where every value is NaN."""

    last: float | None
    best: float | None
    min: float | None
    max: float | None
    n: int
    nan: int


ASKS = Drawn._fields  # METRIC.best and so on


class Sums:
    """All that points sum up to. ``notes`` says what had to be left out.

    Raises:
        PlanError: DuckDB is not installed.
    """

    def __init__(self, store: LocalStore, index: Index) -> None:
        self._connection = duck.connect()
        with ExitStack() as stack:
            counted = Counted(self._connection, store, index, stack, {SUMMARY})
            counted.directions(())
            self._connection.execute(
                "create table sums as select run, project, metric, last, case goal when 'maximize' then high"
                " when 'minimize' then low end as best, low, high, n, nan"
                " from raw.drawn left join raw.directions using (metric)"
            )
        self.notes = counted.notes
        self._known: dict[str, dict[tuple[str, str], Drawn]] = {}

    def of(self, metric: str) -> dict[tuple[str, str], Drawn]:
        """By run and project."""
        if metric not in self._known:
            rows = self._connection.execute(
                "select run, project, last, best, low, high, n, nan from sums where metric = ?",
                [duck.clean(metric)],
            ).fetchall()
            self._known[metric] = {(run, project): Drawn(*told) for run, project, *told in rows}
        return self._known[metric]

    def metrics(self) -> list[str]:
        """Every metric that has points."""
        return [
            name
            for (name,) in self._connection.execute("select distinct metric from sums order by 1").fetchall()
        ]
