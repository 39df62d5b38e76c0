"""The table contract in DuckDB (docs/FORMAT.md §11): only the tables that are asked for, of Parquet files and of what
lies in journals beyond them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from pinyon.errors import PinyonError
from pinyon.query import duck, raw
from pinyon.query.contract import TABLES, Columns
from pinyon.query.counted import Counted
from pinyon.query.cover import OBJECTS, ROWS, SUMMARY, covered, open_blob
from pinyon.query.index import Index
from pinyon.query.rows import Rows
from pinyon.store.local import LocalStore

_WANTED = {"points": ROWS, "summary": SUMMARY, "media": OBJECTS}  # what these need of the points
_FINALS = (  # a table of ours that is no part of the contract, in a schema of its own
    ("run", "VARCHAR"), ("metric", "VARCHAR"), ("number", "DOUBLE"), ("text", "VARCHAR"), ("project", "VARCHAR"),
)  # fmt: skip
_POINTS = """
create view points as select run, attempt, metric, step, t, value, project from raw.seen where object is null
"""
_SUMMARY = """
create view summary as
    select run, metric, case when text is null then coalesce(number, last) end as last, text,
        case goal when 'maximize' then high when 'minimize' then low end as best, low as min, high as max,
        coalesce(n, 0) as n, coalesce(nan, 0) as nan, project
    from raw.drawn full join raw.finals using (run, metric, project) left join raw.directions using (metric)
"""
# What lies in the journal, and what was too large for it.
_MEDIA = """
create view media as
    select run, attempt, metric as name, object->>'type' as type, step, t, object as value, null::VARCHAR as digest,
        null::BIGINT as size, project from raw.seen where object is not null
    union all by name from raw.kept
"""
# A write that failed may have landed all the same: then the next segment tells the record again.
_EVENTS = """
create view events as
    select writer, seq, kind, ts, body, project from raw.all_events
    qualify row_number() over (partition by writer, seq order by number, byte) = 1
"""


class Source(NamedTuple):
    """A store whose tables are wanted. ``name`` tells several apart: the column ``store``."""

    store: LocalStore
    fold: Index
    name: str = ""


class Tables:
    """The tables of one store, or of several in one, in a database that is closed to everything else once they are made.

    Attributes:
        connection: the database.
        notes: what had to be left out, for people.
    """

    def __init__(
        self,
        store: LocalStore,
        index: Index,
        names: Collection[str],
        stack: ExitStack,
        others: Sequence[Source] = (),
    ) -> None:
        """Args:
            names: of the tables that are wanted.
            stack: closes the database and its files.
            others: stores whose tables are joined to those of the first, whose name is ".". Every table then has a last
                column ``store``. One that cannot be read is left out and named.

        Raises:
            PlanError: DuckDB is not installed.
        """
        self.connection = duck.connect()
        stack.callback(self.connection.close)
        self.notes: list[str] = []
        files: list[str] = []
        if not others:
            files = self._add(One(self.connection, store, index, names, stack))
        else:
            files = self._join([Source(store, index, "."), *others], names, stack)
        duck.lock(self.connection, files)

    def _add(self, one: One) -> list[str]:
        self.notes += one.notes
        return one.files

    def _join(self, sources: Sequence[Source], names: Collection[str], stack: ExitStack) -> list[str]:
        """Each store in a database of its own in memory, and over them views of all."""
        files: list[str] = []
        joined: list[tuple[str, str]] = []
        for number, source in enumerate(sources):
            database = f"store{number}"
            self.connection.execute(f"attach ':memory:' as {database}")
            self.connection.execute(f"use {database}")
            try:
                files += self._add(One(self.connection, source.store, source.fold, names, stack))
            except (PinyonError, OSError, duck.module().Error) as error:
                if not number:
                    raise
                self.notes.append(f"the store {source.name} is left out: {error}")
                continue
            joined.append((database, source.name))
        self.connection.execute("use memory")
        for name in names:
            rows = " union all ".join(
                f"select *, {duck.quoted(duck.clean(label))} as store from {database}.main.{name}"
                for database, label in joined
            )
            self.connection.execute(f"create view {name} as {rows}")
        return files


class One:
    """Makes the tables of one store where the database stands.

    Attributes:
        files: that the database has to read for them.
        notes: what had to be left out, for people.
    """

    def __init__(
        self,
        connection: duck.Connection,
        store: LocalStore,
        index: Index,
        names: Collection[str],
        stack: ExitStack,
    ) -> None:
        self.connection = connection
        self.files: list[str] = []
        self.notes: list[str] = []
        self._store, self._index, self._stack = store, index, stack
        self._rows = Rows(store, index)
        wanted = {which for name, which in _WANTED.items() if name in names}
        if wanted:
            self._counted = Counted(self.connection, store, index, stack, wanted)
            self.files += self._counted.files
            self.notes += self._counted.notes
        self.connection.execute("create schema if not exists raw")
        for name in TABLES:
            if name in names:
                self._make(name)
        self.notes += [*index.unreadable, *self._rows.notes]

    def _make(self, name: str) -> None:
        if name == "points":
            self._view(_POINTS)
        elif name == "summary":
            finals = list(self._rows.finals())
            self._fill("finals", _FINALS, finals)
            self._counted.directions(row[1] for row in finals)
            self._view(_SUMMARY)
        elif name == "media":
            self._fill("kept", TABLES[name], self._rows.of(name))
            self._view(_MEDIA)
        elif name == "events":
            self._events()
        else:
            duck.create(self.connection, name, TABLES[name])
            duck.fill(self.connection, name, TABLES[name], self._rows.of(name))

    def _view(self, sql: str) -> None:
        self.connection.execute(sql)

    def _fill(self, name: str, columns: Columns, rows: Iterable[tuple[object, ...]]) -> None:
        """A table of our own."""
        duck.create(self.connection, f"raw.{name}", columns)
        duck.fill(self.connection, f"raw.{name}", columns, rows)

    def _events(self) -> None:
        """Of Parquet files and of journals beyond them."""
        known = covered(self._store, "events")
        self.notes += known.notes
        duck.create(self.connection, "raw.events", raw.EVENTS)
        stretches = (one for _, _, some in raw.uncovered(self._store, "events", known) for one in some)
        for gathered in raw.gather(stretches):
            raw.put(self.connection, "events", "raw.events", gathered.columns)
            self.notes += gathered.notes
        sources = ["from raw.events"]
        for part in known.parts:
            self.files.append(open_blob(self._store, part.blob, self._stack))
            sources.append(raw.stored(self.connection, "events", self.files[-1]))
        self._view(f"create view raw.all_events as {' union all '.join(sources)}")
        self._view(_EVENTS)
