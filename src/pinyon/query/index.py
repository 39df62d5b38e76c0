"""The index on disk: the fold by key, so that a look-up costs nothing of history (docs/FORMAT.md §10).

Disposable. It is thrown away when it is of another version, unreadable or from before the last boot: sqlite runs without
fsync here, so a power cut may have spoilt it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pinyon.model.event import Event
from pinyon.model.ids import ProcessId, boot_id, read_process
from pinyon.model.outcome import Attempt
from pinyon.query.batch import Batch
from pinyon.query.fold import Document, attempt_of
from pinyon.store.place import make_cache
from pinyon.store.protocol import Journals

_T = TypeVar("_T")
IndexFailed = sqlite3.Error  # what asking an index may raise when its file goes away
_VERSION = "11"
FILE = f"index-{_VERSION}.sqlite"  # in the cache; another release keeps its own beside it
_SCHEMA = """
create table meta (key text primary key, value text) without rowid;
create table segments (
    name text primary key, offset integer, final integer, process text, rotten integer
) without rowid;
create index segments_rotten on segments (name, rotten) where rotten;
create table attempts (
    id text primary key, key text, stage text, execution text, recipe text, epoch integer, ts real, open integer,
    project text, seconds real, state text, started real, took real, params text, metrics text, doc text
) without rowid;
create index attempts_key on attempts (key, epoch, id, started, state, stage, project);
create index attempts_stage on attempts (stage, ts, seconds);
create index attempts_execution on attempts (execution, recipe);
create index attempts_open on attempts (id) where open;
create index attempts_leaves on attempts (id, params, metrics);
create table executions (id text primary key, ts real, project text, doc text) without rowid;
create table restored (stage text, ts real, attempt text, primary key (stage, attempt)) without rowid;
create table told (
    kind text, about text, ts real, writer text, seq integer, doc text, primary key (kind, about, ts, writer, seq)
) without rowid;
create table durable (writer text primary key, through integer) without rowid;
"""
# A directory's time stamp moves in steps of the kernel's clock: a listing this fresh may have missed a file of the
# same step.
_RACY_NS = 2_000_000_000
_STUDY_KINDS = frozenset({"cells", "proposed", "selected"})
# Seconds to wait for another process that holds the index.
_PATIENCE = 30.0
_STILL = 5.0  # seconds for which a writer that was alive is not asked for again


class Slim(NamedTuple):
    """What listings filter attempts by; see `Attempt`."""

    id: str
    key: str
    recipe: str
    stage: str
    execution: str
    state: str
    started: float
    took: float
    project: str


class Index:
    """The fold of all journals of one store, brought up to date by `catch_up`.

    Args:
        path: of the file, on a local disk.
        project: whose attempts listings show unless told otherwise; "" shows everybody's.
    """

    def __init__(self, path: Path, journals: Journals, project: str = "") -> None:
        self.project = project
        self._path = path
        self._journals = journals
        self._unread: list[str] = []  # by the last `catch_up`
        self._db = self._connect()
        self._durable: dict[str, int] | None = None
        self._lived: dict[str, float] = {}  # by process: when it was last seen alive, by our monotonic clock

    def _connect(self) -> sqlite3.Connection:
        try:
            return self._on_disk()
        except (OSError, sqlite3.DatabaseError) as error:
            if isinstance(error, sqlite3.DatabaseError) and _busy(error):
                raise
        return self._in_memory()

    def _in_memory(self) -> sqlite3.Connection:
        """Where nothing can be written, a full disk or a read-only project, everything can still be read."""
        db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._ready(db)
        return db

    def _on_disk(self) -> sqlite3.Connection:
        deadline = time.monotonic() + _PATIENCE
        spoilt = 0
        while True:
            db = self._open()
            try:
                if self._ready(db) or spoilt > 1:
                    return db
                spoilt += 1
            except sqlite3.DatabaseError as error:
                spoilt += not _busy(error)
                if spoilt > 2 or time.monotonic() > deadline:
                    db.close()
                    raise
                if _busy(error):
                    db.close()
                    time.sleep(0.01)
                    continue
            db.close()
            self._discard()

    def _open(self) -> sqlite3.Connection:
        make_cache(str(self._path.parent))
        if not self._path.exists():
            # sqlite itself lets nobody but the owner write, whatever the umask; the cache serves all users.
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666))
        return sqlite3.connect(self._path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)

    def _ready(self, db: sqlite3.Connection) -> bool:
        """Make the tables if there are none; whether they are of this version and this boot."""
        if db.execute("pragma journal_mode").fetchone()[0] != "wal":
            db.execute("pragma journal_mode = wal")
        db.execute("pragma synchronous = off")
        if not _made(db):
            self._make(db)
        return dict(db.execute("select key, value from meta where key in ('version', 'boot')")) == _stamp()

    def _make(self, db: sqlite3.Connection) -> None:
        db.execute("begin immediate")
        try:
            if not _made(db):  # another process may have been quicker
                for statement in _SCHEMA.split(";"):
                    db.execute(statement)
                db.executemany("insert into meta values (?, ?)", _stamp().items())
            db.execute("commit")
        except BaseException:
            if db.in_transaction:  # sqlite gives some up by itself, as on a full disk
                db.execute("rollback")
            raise

    def _discard(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    # -- bringing up to date ------------------------------------------------------------------------------------------

    def catch_up(self) -> int:
        """Fold what journals have gained since the last time; gives the number of new records."""
        return self._sound(self._catch_up)

    def _sound(self, ask: Callable[[], _T]) -> _T:
        """An answer of the index; if damage comes to light on the way, of one that is made again from the journals."""
        try:
            return ask()
        except sqlite3.DatabaseError as error:
            if _busy(error):
                raise
        self._db.close()
        try:
            self._discard()
            self._db = self._connect()
            self._catch_up()
        except (OSError, sqlite3.DatabaseError):
            self._db = self._in_memory()
            self._catch_up()
        return ask()

    def _rows(self, sql: str, *values: object) -> list[Any]:
        return self._sound(lambda: self._db.execute(sql, values).fetchall())

    def _catch_up(self) -> int:
        self._durable = None  # another process may have folded meanwhile
        self._unread.clear()
        stamp = self._journals.stamp()
        if not self._new_segments(stamp) and not any(self._grown()):
            self._listed(stamp)
            return 0
        # Everything under one write lock: two processes that fold at once would overwrite each other's documents.
        self._db.execute("begin immediate")
        try:
            # Known from now on, empty ones too: nothing but its size will tell that one of them grows.
            rows = [(name, 0, 0, "", 0) for name in self._new_segments(stamp)]
            self._db.executemany("insert into segments values (?,?,?,?,?)", rows)
            batch = Batch(self._db)
            for name, offset, process, size in self._grown():
                if size == offset:
                    batch.segments[name] = (offset, 1, process, 0)
                else:
                    self._read(name, offset, process, batch)
            batch.write()
            self._listed(stamp)
            self._db.execute("commit")
        except BaseException:
            with contextlib.suppress(sqlite3.DatabaseError):  # the first error is the one that counts
                self._db.execute("rollback")
            raise
        return batch.count

    def _grown(self) -> Iterator[tuple[str, int, str, int]]:
        """Segments that are longer than what was folded, or whose writer has died: name, offset, process, size."""
        known = self._db.execute("select name, offset, process from segments where not final order by name")
        for name, offset, process in known.fetchall():
            # Asked before its size: who dies after the question may still have written something before.
            dead = bool(process) and self._gone(process)
            size = self._journals.size(name)
            if size > offset or dead:
                yield name, offset, process, size

    def _read(self, name: str, offset: int, process: str, batch: Batch) -> None:
        final = 0
        # Asked before reading: a process that dies after the question may still write before the reading.
        dead = bool(process) and self._gone(process)
        rotten: list[int] = []
        try:
            for event, end in self._journals.read(name, offset, rotten.append):
                offset = end
                if event.kind == "opened":
                    process = json.dumps(event.body.get("process"))
                elif event.kind == "closed":
                    final = 1
                batch.add(event)
        except OSError as error:  # it hides no other
            self._unread.append(f"{name} cannot be read ({error.strerror}), and what it tells is missing")
        batch.segments[name] = (max(offset, *rotten, 0), int(final or dead), process, len(rotten))

    def _gone(self, process: str) -> bool:
        """Whether a writer is provably dead, so that its segments need no more looks; one that lived a moment ago may wait,
        since what it wrote is read all the same."""
        now = time.monotonic()
        if now < self._lived.get(process, float("-inf")) + _STILL:
            return False
        dead = _dead(process)
        if not dead:
            self._lived[process] = now
        return dead

    def _new_segments(self, stamp: tuple[int, ...]) -> list[str]:
        """Segments that are not known; ``stamp`` is from before the call."""
        row = self._db.execute("select value from meta where key = 'journals'").fetchone()
        if row and row[0] == json.dumps(stamp):
            return []
        known = {name for (name,) in self._db.execute("select name from segments")}
        return [name for name in self._journals.segments() if name not in known]

    def _listed(self, stamp: tuple[int, ...]) -> None:
        """Every segment of a directory with this stamp is known: until it changes, nobody need list it again."""
        if stamp and time.time_ns() - stamp[-1] > _RACY_NS:
            self._db.execute("insert or replace into meta values ('journals', ?)", (json.dumps(stamp),))

    @property
    def unreadable(self) -> list[str]:
        """What could not be read of journals, for people."""
        rows = self._rows("select name, rotten from segments where rotten order by name")
        damaged = [
            f"{name} has {count} damaged line{'s' * (count > 1)}, and what stood there is missing (pinyon verify)"
            for name, count in rows
        ]
        return [*self._unread, *damaged]

    def growing(self) -> list[str]:
        """Segments that may still get records: the only ones a later call must look at."""
        return [name for (name,) in self._rows("select name from segments where not final")]

    @property
    def cache(self) -> Path:
        """The directory of the file."""
        return self._path.parent

    def heard(self) -> dict[ProcessId, int]:
        """How many bytes of facts are known of each process whose journal is still open: more mean that it lives."""
        rows = self._rows(
            "select process, sum(offset) from segments where not final and process != '' group by process"
        )
        return {read_process(json.loads(process)): total for process, total in rows}

    def process(self, writer: str) -> ProcessId | None:
        """The process behind a writer; None when its ``opened`` is not known."""
        found = self._rows(
            "select process from segments where name > ? and name < ? and process != ''",
            f"{writer}.",
            f"{writer}/",
        )
        return read_process(json.loads(found[0][0])) if found else None

    # -- asking ---------------------------------------------------------------------------------------------------------

    def attempts(self, where: str, *values: object) -> list[Attempt]:
        """Attempts by a condition over the columns of the index, in (epoch, id) order."""
        found = (self.attempt_of(name, document) for name, document in self.documents(where, *values))
        return [attempt for attempt in found if attempt is not None]

    def documents(self, where: str, *values: object) -> list[tuple[str, Document]]:
        """The same attempts as their records tell them, with those that tell of none we know."""
        rows = self._rows(f"select id, doc from attempts where {where} order by epoch, id", *values)
        return [(name, json.loads(doc)) for name, doc in rows]

    def slim(self, where: str, *values: object) -> list[Slim]:
        """The same attempts without most of what is known of them: a tenth of the time."""
        return list(map(Slim._make, self.columns(Slim._fields, where, *values)))

    def columns(self, wanted: Iterable[str], where: str, *values: object) -> list[tuple[Any, ...]]:
        """Of the same attempts some columns, or what SQL makes of them; values of these come before those of ``where``."""
        return self._rows(
            f"select {', '.join(wanted)} from attempts where {where} order by epoch, id", *values
        )

    def leaves(self, wanted: Iterable[str], where: str, *values: object) -> list[tuple[Any, ...]]:
        """As `columns`, in no order, of ``id``, ``params`` and ``metrics`` only: those lie apart from the documents."""
        return self._rows(
            f"select {', '.join(wanted)} from attempts indexed by attempts_leaves where {where}", *values
        )

    def keys(self, attempts: Iterable[str] | None = None) -> list[tuple[str, str, str]]:
        """Id, key and project of all attempts, or of these, in (epoch, id) order."""
        some = "" if attempts is None else "and id in (select value from json_each(?))"
        return self._rows(
            f"select id, key, project from attempts where key != '' {some} order by epoch, id",
            *([] if attempts is None else [json.dumps(list(attempts))]),
        )

    def newest(self, where: str, most: int, *values: object) -> list[Attempt]:
        """Those of `attempts` that ended last, by their clocks."""
        rows = self._rows(
            f"select id from attempts where {where} order by started + took desc limit {most:d}", *values
        )
        return self.attempts("id in (select value from json_each(?))", json.dumps([name for (name,) in rows]))

    def count(self, kind: str) -> int:
        """How many records of a kind there are of which every one counts; see `told`."""
        return int(self._rows("select count(*) from told where kind = ?", kind)[0][0])

    def outcomes(self, execution: str) -> list[tuple[str, str]]:
        """Recipe and state of every attempt of an execution."""
        return self._rows("select recipe, state from attempts where execution = ?", execution)

    def told(self, kind: str, about: Iterable[str] | None = None) -> list[Event]:
        """Records of a kind of which every one counts, oldest first by their clocks (then writer and number).

        Args:
            kind: summary, tagged, noted, artifact, checkpoint, resumed, params, tracked, dropped, cells, selected,
                proposed, refused or added.
            about: only those of these attempts, experiments, models or paths.
        """
        some = "" if about is None else "and about in (select value from json_each(?))"
        rows = self._rows(
            f"select writer, seq, ts, doc from told where kind = ? {some} order by ts, writer, seq",
            kind,
            *([] if about is None else [json.dumps(list(about))]),
        )
        return [Event(writer, seq, kind, ts, json.loads(doc)) for writer, seq, ts, doc in rows]

    def seen_by(self, project: str | None) -> tuple[str, tuple[str, ...]]:
        """A condition over attempts or executions, and its values: those that ``project`` sees as its own, older ones
        without a project included. None means the project of this index, "all" everybody's."""
        who = self.project if project is None else "" if project == "all" else project
        return ("project in (?, '')", (who,)) if who else ("1", ())

    def baseline(self, stage: str) -> Attempt | None:
        """See `pinyon.plan.state.State.baseline`."""
        mine, project = self.seen_by(None)
        good = f"{mine} and json_extract(doc, '$.ended[3].state') = 'SUCCEEDED'"
        here = f"{good} and json_extract(doc, '$.intent[3].mode') != 'isolated'"
        rows = self._rows(
            f"select id, ts from (select id, ts from attempts where stage = ? and {here} order by ts desc limit 1)"
            " union all select attempt, ts from restored where stage = ? order by ts desc limit 1",
            stage,
            *project,
            stage,
        ) or self._rows(
            f"select id from attempts where stage = ? and {good} order by ts desc, id desc limit 1",
            stage,
            *project,
        )
        return next(iter(self.attempts("id = ?", rows[0][0])), None) if rows else None

    def kin(self) -> dict[str, tuple[str, str]]:
        """Parent and group, as their intents say them, of those attempts that have either; "" for none."""
        which = "parent != '' or grouped != ''"
        parts = (f"coalesce(json_extract(doc, '$.intent[3].{part}'), '')" for part in ("parent", "group"))
        rows = self._rows(
            "select id, parent, grouped from (select id, {} as parent, {} as grouped from attempts)".format(
                *parts
            )
            + f" where {which}"
        )
        return {name: (str(parent), str(group)) for name, parent, group in rows}

    def stages(self) -> list[str]:
        """The stages of all attempts that this project sees, sorted."""
        mine, project = self.seen_by(None)
        found = self._rows(
            f"select distinct stage from attempts where key != '' and {mine} order by 1", *project
        )
        return [stage for (stage,) in found]

    def newest_keys(self, most: int) -> list[tuple[str, str]]:
        """(key, stage) of the newest runs, the newest first."""
        rows = self._rows(
            "select key, stage from attempts where key != '' group by key order by max(ts) desc limit ?", most
        )
        return [(key, stage) for key, stage in rows]

    def document(self, name: str) -> Document:
        """All that is known of one attempt; empty when nothing is."""
        rows = self._rows("select doc from attempts where id = ?", name)
        return json.loads(rows[0][0]) if rows else {}

    def durations(self, by: str, names: Iterable[str]) -> dict[str, list[float]]:
        """See `pinyon.plan.state.State.durations`. One query for all names, each answered from an index."""
        # "@" comes before "A": what begins with "train@" lies between the two.
        match = {"group": "stage >= value || '@' and stage < value || 'A'"}.get(by, f"{by} = value")
        mine, project = self.seen_by(None) if by != "key" else ("1", ())
        rows = self._rows(
            "select value, seconds from json_each(?) join attempts on attempts.id in ("
            f"select id from attempts where {match} and {mine} and seconds is not null order by ts desc limit 5)"
            " order by value, ts desc, attempts.id desc",
            json.dumps(list(names)),
            *project,
        )
        found: dict[str, list[float]] = {}
        for name, seconds in rows:
            found.setdefault(name, []).append(seconds)
        return found

    def studies(self, kind: str, experiment: str) -> list[dict[str, Any]]:
        """Bodies of the ``cells``, ``selected`` or ``proposed`` records of this project's experiment, the newest first."""
        bodies = [event.body for event in reversed(self.told(kind, [experiment]))]
        if not self.project or not bodies:
            return bodies
        whose = self.projects()
        return [body for body in bodies if whose.get(str(body.get("execution")), "") in (self.project, "")]

    def executions(self, where: str = "1", *values: object) -> list[tuple[str, Document]]:
        """Executions, newest first (by their clocks, for people)."""
        rows = self._rows(f"select id, doc from executions where {where} order by ts desc, id", *values)
        return [(name, json.loads(doc)) for name, doc in rows]

    def projects(self) -> dict[str, str]:
        """The project of every execution by its id."""
        return dict(self._rows("select id, project from executions"))

    def attempt_of(self, name: str, document: Document) -> Attempt | None:
        """The attempt that a document of `documents` tells of; None where it tells of none that we know."""
        return attempt_of(name, document, durable=self.is_durable(document))

    def is_durable(self, document: Document) -> bool:
        """Whether an ``ended`` is covered by a ``durable`` of its writer."""
        if "ended" not in document:
            return True
        if self._durable is None:
            self._durable = dict(self._rows("select writer, through from durable"))
        writer, seq = document["ended"][:2]
        return bool(self._durable.get(writer, -1) >= seq)


def _made(db: sqlite3.Connection) -> bool:
    return db.execute("select 1 from sqlite_master where name = 'meta'").fetchone() is not None


def _busy(error: sqlite3.DatabaseError) -> bool:
    """Whether somebody else holds the file; anything else means that it is spoilt."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _dead(process: str) -> bool:
    return read_process(json.loads(process)).alive() is False


def _stamp() -> dict[str, str]:
    return {"version": _VERSION, "boot": boot_id()}
