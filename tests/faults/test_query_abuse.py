"""Abuse of `pinyon query`, of saved views and of conditions: nothing outside is read, nothing is changed, all of it ends.

More payloads of a single statement are in tests/query/test_sql_query.py; here are those that are large or slow, and every
way in: a query, a view, several projects, and ``--where``.
"""

# ruff: noqa: T201 - the test prints its load

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pinyon.errors import PinyonError, PlanError
from pinyon.query.board import Asked, list_board
from pinyon.query.index import Index
from pinyon.query.sql import ask
from pinyon.query.tables import Source
from pinyon.query.views import load, save
from pinyon.query.where import parse
from pinyon.store.local import LocalStore

SECRET = "canary-5b1e"
PAYLOADS = [
    "select 1; drop table runs",
    "select 1;\n-- c\ndrop table runs",
    "select 1; /* c */ attach 'FOLDER/x.db' as y",
    "select 1\u037e drop table runs",
    "select 1；drop table runs",
    "select\u00a01; attach ':memory:'",
    "\ufeffselect 1; drop table runs",
    "sel\u200bect * from runs",
    "ѕelect * from runs",
    "drop\u2028table runs",
    "copy runs to 'FOLDER/x.csv'",
    "copy (from runs) to '/dev/stderr'",
    "attach 'FOLDER/x.db'",
    "attach ':memory:' as y",
    "detach store1",
    "use store1",
    "drop view store1.main.runs",
    "insert into store1.main.runs select * from runs",
    "create table store1.main.t as select 1",
    "install httpfs",
    "load httpfs",
    "load 'FILE'",
    "pragma database_list; select 1",
    "pragma enable_profiling",
    "set enable_external_access = true",
    "set allowed_paths = ['FILE']",
    "reset allowed_paths",
    "set memory_limit = '100GB'",
    "create macro m() as 1",
    "create or replace macro upper(x) as 1",
    "create temp table t as select 1",
    "create view v as select 1",
    "create function f() as table select 1",
    "with x as (insert into runs select * from runs returning *) select * from x",
    "select * from read_csv('/etc/passwd')",
    "select * from read_text('FILE')",
    "select * from read_blob('FILE')",
    "select * from 'FILE'",
    'select * from "FILE"',
    "select * from glob('/*')",
    "select * from read_text(['FILE'])",
    "select * from read_csv_auto('FILE')",
    "select * from parquet_scan('/dev/fd/3')",
    "select * from read_text('/proc/self/environ')",
    "select * from read_json_objects('FILE')",
    "select getenv('HOME')",
    "select * from which_secret('x', 's3')",
    "select * from query_table('FILE')",
    "select * from query('select 1; drop table runs')",
    "select write_log('x'), * from enable_logging('all')",
    "export database 'FOLDER/x'",
    "call pragma_version()",
    "checkpoint",
    "explain analyze from runs",
    "vacuum",
    "prepare p as select 1",
    "begin; commit",
    "select " + "(" * 3000 + "1" + ")" * 3000,
    "select '" + "x" * (10 << 20) + "'",
    "select " + "1," * 49_000 + "1; drop table runs",
]
SLOW = [
    "select count(*) from range(1000000) a, range(1000000) b, range(1000000) c where a.range + b.range = c.range - 5",
    "with recursive x as (select 1 as n union all select n + 1 from x) select max(n) from x",
    "select sum(hash(a.range, b.range)) from range(10000000) a, range(10000000) b",
]
LARGE = [
    "select list(range) from range(1000000000)",
    "select string_agg(repeat('x', 10000), '') from range(1000000)",
    "select repeat('x', 2000000000) from range(10)",
]


class Place:
    """Two stores, and a secret beside them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.stores = [LocalStore(root / name / ".pinyon") for name in ("one", "two")]
        for store in self.stores:
            store.prepare("p")
            writer = store.journals.open_writer(project="p")
            writer.append("noted", {"attempt": "a-1", "text": "x"})
            writer.close()
            (store.root.parent / "pinyon.yaml").write_text("stages:\n  train: {cmd: 'true'}\n")
        self.folder = root / "folder"
        self.folder.mkdir()
        self.file = self.folder / "secret.csv"
        self.file.write_text(f"{SECRET}\n1\n")
        self.folds = [Index(root / f"{at}.sqlite", store.journals) for at, store in enumerate(self.stores)]
        for fold in self.folds:
            fold.catch_up()

    def spelled(self, sql: str) -> str:
        return sql.replace("FILE", str(self.file)).replace("FOLDER", str(self.folder))

    def rows(self, sql: str, timeout: float = 10.0, *, several: bool = False) -> list[tuple[object, ...]]:
        others = [Source(self.stores[1], self.folds[1], "two")] if several else []
        with ask(self.stores[0], self.folds[0], sql, timeout, others) as answer:
            return list(answer.rows)

    def bytes(self) -> dict[Path, bytes]:
        return {
            path: path.read_bytes()
            for path in self.root.rglob("*")
            if path.is_file() and "sqlite" not in path.name
        }


@pytest.fixture
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory() as folder:
        found = Place(Path(folder))
        yield found
        for fold in found.folds:
            fold.close()


def test_abuse_is_refused_by_every_way_in(place: Place) -> None:
    assert len(PAYLOADS) >= 50
    before = place.bytes()
    for payload in PAYLOADS:
        text = place.spelled(payload)
        for several in (False, True):
            with pytest.raises(PinyonError) as caught:
                place.rows(text, several=several)
            assert SECRET not in str(caught.value), payload[:80]
            assert caught.value.next, payload[:80]
        assert place.bytes() == before, payload[:80]
    print(f"{len(PAYLOADS)} payloads, in one project and in two")


def test_a_view_with_abuse_in_it_is_no_better_than_a_query(place: Place) -> None:
    for number, payload in enumerate(PAYLOADS[:-3]):
        text = place.spelled(payload)
        view = save(place.stores[0], f"v{number}", "query", {"sql": text}, "person:u")
        before = place.bytes()
        found = load(place.stores[0], f"v{number}", "query")
        assert found
        assert (found.asked["sql"], found.version) == (text, view.version)
        with pytest.raises(PinyonError):
            place.rows(found.asked["sql"])
        assert place.bytes() == before
    for name in ("", " ", "../../x y", "a\nb", "-v", "a\0b", "x" * 500):
        with pytest.raises(PinyonError):
            save(place.stores[0], name, "query", {"sql": "from runs"}, "person:u")
    assert not (place.root / "x").exists()
    print(f"{len(PAYLOADS[:-3])} views")


def test_a_condition_is_never_sql(place: Place) -> None:
    for payload in PAYLOADS:
        text = place.spelled(payload)
        with pytest.raises(PlanError):
            list_board(place.folds[0], Asked(text))
    for text in ('stage = "x\'; drop table attempts; --"', "stage ~ '%' or stage = '_'"):
        assert list_board(place.folds[0], Asked(text)).rows == []
    with pytest.raises(PlanError):
        parse("(" * 100_000 + "a = 1")


def test_what_takes_too_long_or_too_much_ends(place: Place) -> None:
    for sql in SLOW:
        began = time.monotonic()
        with pytest.raises(PinyonError) as caught:
            place.rows(sql, 0.5)
        took = time.monotonic() - began
        assert "took longer than" in str(caught.value) or "memory" in str(caught.value)
        assert took < 60, sql  # it ended, and not by itself
    for sql in LARGE:
        with pytest.raises(PinyonError) as caught:
            place.rows(sql, 2)
        assert caught.value.next
    assert place.rows("select 1") == [(1,)]
    print(f"{len(SLOW)} slow ones and {len(LARGE)} large ones")


def test_through_the_command(place: Place) -> None:
    root = place.root / "one"
    for words in (
        ["query", "select 1; drop table runs"],
        ["query", place.spelled("select * from read_text('FILE')")],
        ["query", "--save", "bad", place.spelled("from 'FILE'")],
        ["query", place.spelled("select * from glob('/*')"), "--with", "../two"],
        ["query", "--timeout", "0.5", SLOW[1]],
        ["query", "../../etc/passwd"],
        ["runs", "../../etc/passwd"],
        ["runs", "--where", "1; drop table runs"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "pinyon.cli", *words], cwd=root, capture_output=True, text=True, timeout=60
        )
        assert done.returncode in (3, 4), (words, done)
        assert "Traceback" not in done.stderr
        assert SECRET not in done.stdout + done.stderr
    assert list(place.folder.iterdir()) == [place.file]
    assert place.stores[0].refs.names("views/") == []
