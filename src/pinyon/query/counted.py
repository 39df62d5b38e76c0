"""Which points count, and what they sum up to: of Parquet files and of journals beyond them, in a database.

What sums up is read in parts (`pinyon.query.parts`), ten thousand runs in a few ms. The points themselves are opened where
they are asked for, and where a part is cut.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack

from pinyon.model.ids import run_id
from pinyon.query import duck, parts, raw
from pinyon.query.cover import OBJECTS, ROWS, SUMMARY, Covered, covered, open_blob
from pinyon.query.direction import directions
from pinyon.query.index import Index
from pinyon.store.local import LocalStore

# Tables of ours that are no part of the contract, in a schema of their own.
_ATTEMPTS = (("attempt", "VARCHAR"), ("run", "VARCHAR"), ("rank", "BIGINT"), ("project", "VARCHAR"))
_RESUMED = (("attempt", "VARCHAR"), ("step", "BIGINT"))
_DIRECTIONS = (("metric", "VARCHAR"), ("goal", "VARCHAR"))
# After a write that failed, a writer writes the same batch again into its next segment; the first may have landed, too. And
# what a dead writer left in its ring is written into a next segment, although a part of it may be in the one before.
_ONCE = """
create table raw.again as
    with begun as (
        select segment, split_part(segment, '.', 1) as writer, number, min(low_batch) as first
        from raw.parts group by all
    )
    select segment, min(first) over (
        partition by writer order by number rows between 1 following and unbounded following
    ) as batch from begun qualify batch is not null;
create view raw.all_points as
    select p.* from raw.every_point p left join raw.again a using (segment)
    where a.batch is null or p.batch < a.batch;
create view raw.standing as
    select p.*, case when a.batch is null or p.high_batch < a.batch then 'all'
        when p.low_batch < a.batch then 'cut' else 'none' end as counts
    from raw.parts p left join raw.again a using (segment)
"""
# A later attempt overrules earlier ones of its run from the step on at which it resumed, but not before its first point.
_CUTS = """
create table raw.cuts as
    with first as (select attempt, min(first) as step from raw.once where not object group by attempt),
    began as (
        select run, rank, attempt, greatest(first.step, resumed.step) as step
        from raw.attempts join first using (attempt) left join raw.resumed using (attempt)
    )
    select attempt, min(step) over (
        partition by run order by rank rows between 1 following and unbounded following
    ) as step from began;
create view raw.seen as
    select p.*, a.run, coalesce(a.project, '') as project
    from raw.all_points p left join raw.attempts a using (attempt) left join raw.cuts c using (attempt)
    where c.step is null or p.step is null or p.step < c.step;
create view raw.standing as
    select p.*, case when c.step is null or not p.stepped or p.final < c.step then 'all'
        when p.first < c.step then 'cut' else 'none' end as counts
    from raw.once p left join raw.cuts c using (attempt)
"""
# Of a segment with a part that is cut the points are read again.
_STANDING = """
create table {table} as
    select * exclude (counts) from raw.standing
        where counts = 'all' and segment not in (select segment from raw.standing where counts = 'cut')
"""
_AGAIN = """
insert into {table} by name
    with again as (select * from {points} where segment in (select segment from raw.standing where counts = 'cut'))
"""
_DRAWN = """
create view raw.drawn as
    select a.run, p.metric, a.project, min(low) as low, max(high) as high, sum(n)::BIGINT as n, sum(nan)::BIGINT as nan,
        arg_max(last, (
            coalesce(p.final, -9223372036854775808), a.rank, split_part(p.segment, '.', 1), p.number, p.byte
        )) as last
    from raw.whole p join raw.attempts a using (attempt) where not p.object group by all
"""


class _CutError(Exception):
    """A part is cut, and nobody has opened the points."""


class Counted:
    """Makes ``raw.seen`` (points that count, and objects) and ``raw.drawn`` (what the points sum up to) in a database.

    Args:
        wanted: of ROWS, SUMMARY and OBJECTS.
        attempts: only points of these are wanted; None means all. Others may be there all the same.

    Attributes:
        files: that the database has to read.
        notes: what had to be left out, for people.
    """

    def __init__(
        self,
        connection: duck.Connection,
        store: LocalStore,
        index: Index,
        stack: ExitStack,
        wanted: Collection[str],
        attempts: Collection[str] | None = None,
    ) -> None:
        self.files: list[str] = []
        self.notes: list[str] = []
        self._connection, self._store, self._index, self._stack = connection, store, index, stack
        self._only = attempts
        self._execute("create schema if not exists raw")
        self._attempts()
        try:
            self._make({SUMMARY, *wanted})
        except _CutError:
            self._execute("drop schema raw cascade; create schema raw")
            self.notes.clear()
            self._attempts()
            self._make({SUMMARY, ROWS, *wanted})

    def _execute(self, sql: str) -> None:
        self._connection.execute(sql)

    def _make(self, wanted: set[str]) -> None:
        known = covered(self._store, "points", wanted)
        self.notes += known.notes
        self._open(known, wanted)
        self._execute(_ONCE)
        self._stand("raw.once", "raw.all_points", ROWS in wanted)
        self._execute("drop view raw.standing")
        self._execute(_CUTS)
        self._stand("raw.whole", "raw.seen", ROWS in wanted)
        self._execute("drop view raw.standing")
        self._execute(_DRAWN)

    def _open(self, known: Covered, wanted: set[str]) -> None:
        """Points and parts, of files and of journals beyond them."""
        duck.create(self._connection, "raw.points", raw.POINTS)
        for gathered in raw.gather(self._beyond(known)):
            raw.put(self._connection, "points", "raw.points", gathered.columns)
            self.notes += gathered.notes
        sources, sums = ["from raw.points"], [parts.of_points("raw.points")]
        for part in known.parts:
            opened = {blob: self._file(blob) for blob in set(part.files(wanted))}
            rows = raw.stored(self._connection, "points", opened[part.blob]) if part.blob in opened else ""
            sums.append(
                parts.read(duck.quoted(opened[part.summary]))
                if part.summary
                else parts.of_points(f"({rows})")
            )
            if ROWS in wanted:
                sources.append(rows)
            if OBJECTS in wanted and part.objects:
                sources.append(raw.stored(self._connection, "points", opened[part.objects]))
        self._execute(f"create table raw.parts as {' union all '.join(sums)}")
        self._execute(f"create view raw.every_point as {' union all '.join(sources)}")

    def _stand(self, table: str, points: str, opened: bool) -> None:
        """The parts that count, whole."""
        self._execute(_STANDING.format(table=table))
        cut = self._connection.execute("select 1 from raw.standing where counts = 'cut' limit 1").fetchall()
        if cut and not opened:
            raise _CutError
        if cut:
            self._execute(_AGAIN.format(table=table, points=points) + parts.of_points("again"))

    def _attempts(self) -> None:
        """The attempts, and where they resumed."""
        of = None if self._only is None else sorted(self._only)
        duck.create(self._connection, "raw.attempts", _ATTEMPTS)
        rows = (
            (name, run_id(key), rank, project)
            for rank, (name, key, project) in enumerate(self._index.keys(of))
        )
        duck.fill(self._connection, "raw.attempts", _ATTEMPTS, rows)
        duck.create(self._connection, "raw.resumed", _RESUMED)
        told = ((event.body["attempt"], event.body.get("step")) for event in self._index.told("resumed", of))
        steps = [(name, step) for name, step in told if isinstance(step, int) and abs(step) < 2**63]
        duck.fill(self._connection, "raw.resumed", _RESUMED, steps)

    def directions(self, metrics: Iterable[str]) -> None:
        """Make ``raw.directions`` of metrics, which goes with ``raw.drawn``."""
        known = directions(self._index)
        drawn = self._connection.execute("select distinct metric from raw.parts where not object").fetchall()
        names = {metric for (metric,) in drawn} | {duck.clean(one) for one in metrics}
        duck.create(self._connection, "raw.directions", _DIRECTIONS)
        duck.fill(
            self._connection, "raw.directions", _DIRECTIONS, ((one, known.of(one)) for one in sorted(names))
        )

    def _beyond(self, known: Covered) -> Iterator[raw.Stretch]:
        for _, _, pieces in raw.uncovered(self._store, "points", known, self._only):
            yield from pieces

    def _file(self, blob: str) -> str:
        self.files.append(open_blob(self._store, blob, self._stack))
        return self.files[-1]
