"""The table contract in DuckDB (docs/FORMAT.md §11): only the tables that are asked for, of Parquet files and of what
lies in journals beyond them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack

from pinyon.model.ids import run_id
from pinyon.query import duck, raw
from pinyon.query.contract import TABLES, Columns
from pinyon.query.cover import covered, open_blob
from pinyon.query.direction import directions
from pinyon.query.index import Index
from pinyon.query.rows import Rows
from pinyon.store.local import LocalStore

# Tables of ours that are no part of the contract, in a schema of their own.
_ATTEMPTS = (("attempt", "VARCHAR"), ("run", "VARCHAR"), ("rank", "BIGINT"), ("project", "VARCHAR"))
_RESUMED = (("attempt", "VARCHAR"), ("step", "BIGINT"))
_FINALS = (
    ("run", "VARCHAR"), ("metric", "VARCHAR"), ("number", "DOUBLE"), ("text", "VARCHAR"), ("project", "VARCHAR"),
)  # fmt: skip
_DIRECTIONS = (("metric", "VARCHAR"), ("goal", "VARCHAR"))
# After a write that failed, a writer writes the same batch again into its next segment; the first may have landed, too. And
# what a dead writer left in its ring is written into a next segment, although a part of it may be in the one before.
_ONCE = """
create table raw.again as
    with begun as (
        select segment, split_part(segment, '.', 1) as writer, number, min(batch) as first
        from raw.every_point group by all
    )
    select segment, min(first) over (
        partition by writer order by number rows between 1 following and unbounded following
    ) as batch from begun qualify batch is not null;
create view raw.all_points as
    select p.* from raw.every_point p left join raw.again a using (segment)
    where a.batch is null or p.batch < a.batch
"""
# A later attempt overrules earlier ones of its run from the step on at which it resumed, but not before its first point.
_CUTS = """
create table raw.cuts as
    with first as (select attempt, min(step) as step from raw.all_points group by attempt),
    began as (
        select run, rank, attempt, greatest(first.step, resumed.step) as step
        from raw.attempts join first using (attempt) left join raw.resumed using (attempt)
    )
    select attempt, min(step) over (
        partition by run order by rank rows between 1 following and unbounded following
    ) as step from began
"""
_SEEN = """
create view raw.seen as
    select a.run, p.attempt, p.metric, p.step, p.t, p.value, coalesce(a.project, '') as project,
        (
            coalesce(p.step, -9223372036854775808), coalesce(a.rank, 0), split_part(p.segment, '.', 1), p.number, p.byte
        ) as place
    from raw.all_points p left join raw.attempts a using (attempt) left join raw.cuts c using (attempt)
    where c.step is null or p.step is null or p.step < c.step
"""
_POINTS = "create view points as select run, attempt, metric, step, t, value, project from raw.seen"
_SUMMARY = """
create view summary as
    with drawn as (
        select run, metric, project, arg_max(value, place) as last,
            min(value) filter (not isnan(value)) as low, max(value) filter (not isnan(value)) as high,
            count(*) as n, count(*) filter (isnan(value)) as nan
        from raw.seen where run is not null group by all
    )
    select run, metric, case when text is null then coalesce(number, last) end as last, text,
        case goal when 'maximize' then high when 'minimize' then low end as best, low as min, high as max,
        coalesce(n, 0) as n, coalesce(nan, 0) as nan, project
    from drawn full join raw.finals using (run, metric, project) left join raw.directions using (metric)
"""
# A write that failed may have landed all the same: then the next segment tells the record again.
_EVENTS = """
create view events as
    select writer, seq, kind, ts, body, project from raw.all_events
    qualify row_number() over (partition by writer, seq order by number, byte) = 1
"""


class Tables:
    """The tables of one store, in a database that is closed to everything else once they are made.

    Attributes:
        connection: the database.
        notes: what had to be left out, for people.
    """

    def __init__(self, store: LocalStore, index: Index, names: Iterable[str], stack: ExitStack) -> None:
        """Args:
            names: of the tables that are wanted.
            stack: closes the database and its files.

        Raises:
            PlanError: DuckDB is not installed.
        """
        self.connection = duck.connect()
        stack.callback(self.connection.close)
        self.notes: list[str] = []
        self._store, self._index, self._stack = store, index, stack
        self._rows = Rows(store, index)
        self._files: list[str] = []
        self._made: set[str] = set()
        self._covered = covered(store)
        self.connection.execute("create schema raw")
        for name in TABLES:
            if name in set(names):
                self._make(name)
        self.notes += [*self._covered.notes, *self._rows.notes]
        duck.lock(self.connection, self._files)

    def _make(self, name: str) -> None:
        if name == "points":
            self._seen()
            self._view(_POINTS)
        elif name == "summary":
            self._seen()
            self._summary()
        elif name == "events":
            self._all("events", "all_events")
            self._view(_EVENTS)
        else:
            duck.create(self.connection, name, TABLES[name])
            duck.fill(self.connection, name, TABLES[name], self._rows.of(name))

    def _view(self, sql: str) -> None:
        self.connection.execute(sql)

    def _fill(self, name: str, columns: Columns, rows: Iterable[tuple[object, ...]]) -> None:
        """A table of our own."""
        duck.create(self.connection, f"raw.{name}", columns)
        duck.fill(self.connection, f"raw.{name}", columns, rows)

    def _seen(self) -> None:
        """Points that no later attempt has overruled."""
        if "seen" in self._made:
            return
        self._made.add("seen")
        self._all("points", "every_point")
        self._view(_ONCE)
        rows = (
            (one.id, run_id(one.key), rank, one.project)
            for rank, one in enumerate(self._index.slim("key != ''"))
        )
        self._fill("attempts", _ATTEMPTS, rows)
        told = ((event.body["attempt"], event.body.get("step")) for event in self._index.told("resumed"))
        steps = [(name, step) for name, step in told if isinstance(step, int) and abs(step) < 2**63]
        self._fill("resumed", _RESUMED, steps)
        self._view(_CUTS)
        self._view(_SEEN)

    def _summary(self) -> None:
        finals = list(self._rows.finals())
        self._fill("finals", _FINALS, finals)
        drawn = self.connection.execute("select distinct metric from raw.all_points").fetchall()
        known = directions(self._index)
        metrics = {metric for (metric,) in drawn} | {duck.clean(row[1]) for row in finals}
        self._fill("directions", _DIRECTIONS, ((name, known.of(name)) for name in sorted(metrics)))
        self._view(_SUMMARY)

    def _all(self, table: str, view: str) -> None:
        """A view of what Parquet files and journals beyond them hold."""
        columns = raw.COLUMNS[table]
        self._fill(table, columns, ())
        for gathered in raw.gather(self._beyond(table)):
            duck.add_columns(self.connection, f"raw.{table}", columns, gathered.columns)
            self.notes += gathered.notes
        files = [self._open(part.blob) for part in self._covered.of(table)]
        self._view(f"create view raw.{view} as {duck.select_all(columns, f'raw.{table}', files)}")

    def _beyond(self, table: str) -> Iterator[raw.Stretch]:
        for _, _, pieces in raw.uncovered(self._store, table, self._covered):
            yield from pieces

    def _open(self, blob: str) -> str:
        self._files.append(open_blob(self._store, blob, self._stack))
        return self._files[-1]
