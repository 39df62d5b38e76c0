"""A query is one SELECT, reads the tables, and can do nothing else."""

from __future__ import annotations

import builtins
import json
import os
import threading
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest
from stores import Told, point

from pinyon.errors import ExecuteError, PinyonError, PlanError
from pinyon.query.contract import TABLES
from pinyon.query.sql import ask, spelled

SECRET = "canary-9f3a"
# What must be refused, each with part of why. FILE is an existing file with a secret, FOLDER one that may be written to.
ABUSE = [
    "attach 'FOLDER/x.db'",
    "attach ':memory:' as y",
    "detach memory",
    "use memory",
    "copy runs to 'FOLDER/x.csv'",
    "copy runs from 'FILE'",
    "copy (select 1) to 'FOLDER/x.parquet' (format parquet)",
    "export database 'FOLDER/x'",
    "import database 'FOLDER'",
    "install httpfs",
    "load httpfs",
    "force install httpfs from 'http://127.0.0.1:1'",
    "set threads = 1",
    "set enable_external_access = true",
    "reset enable_external_access",
    "pragma version",
    "pragma enable_profiling",
    "call pragma_version()",
    "checkpoint",
    "vacuum",
    "analyze",
    "begin",
    "commit",
    "explain select 1",
    "explain analyze select 1",
    "prepare x as select 1",
    "execute x",
    "deallocate x",
    "select 1; select 2",
    "select 1; drop table runs",
    "drop table runs",
    "delete from runs",
    "update runs set run = 1",
    "insert into runs select * from runs",
    "truncate runs",
    "create table t (a int)",
    "create view v as select 1",
    "create macro m() as 1",
    "create secret s (type s3)",
    "alter table runs add column x int",
    "comment on table runs is 'x'",
    "merge into runs using runs r on true when matched then delete",
    "",
    ";",
    "-- nothing",
    "\0",
    "with x as (insert into runs select * from runs returning *) select * from x",
    "with x as (delete from runs returning *) select * from x",
    "with x as (update runs set stage = 'y' returning *) select * from x",
    "select * from read_csv('FILE')",
    "select * from 'FILE'",
    "from 'FILE'",
    "select * from read_text('FILE')",
    "select * from read_blob('FILE')",
    "select * from read_json('FILE')",
    "select * from read_parquet('FILE')",
    "select * from glob('FOLDER/*')",
    "select * from sniff_csv('FILE')",
    "select * from parquet_metadata('FILE')",
    "select * from read_csv('/dev/stdin')",
    "select * from read_csv('http://127.0.0.1:1/x')",
    "select * from 'FOLDER/*.csv'",
    "select * from query('copy runs to ''FOLDER/x''')",
    "select * from query('select 1; select 2')",
    "select getenv('HOME')",
    "select * from enable_logging()",
    "select * from sqlite_scan('FILE', 'x')",
    "select * from postgres_scan('host=127.0.0.1', 'x', 'y')",
    "select nextval('s')",
    "pivot runs on stage using count(*)",
    "select * from answer",
    "select * from store",
    "select * from told",
    "select (select content from read_text('FILE'))",
    "from runs, read_text('FILE')",
    "select * from runs where run in (select content from read_text('FILE'))",
]


@pytest.mark.parametrize("sql", ABUSE)
def test_abuse_is_refused_and_changes_nothing(told: Told, tmp_path: Path, sql: str, capfd):
    told.attempt(1)
    told.index.catch_up()
    folder = tmp_path / "folder"
    folder.mkdir()
    file = folder / "secret.csv"
    file.write_text(f"{SECRET}\n1\n")
    store = {path: path.read_bytes() for path in told.store.root.rglob("*") if path.is_file()}
    text = sql.replace("FILE", str(file)).replace("FOLDER", str(folder))
    with pytest.raises(PinyonError) as caught:
        told.rows(text)
    assert SECRET not in str(caught.value)
    assert caught.value.next
    assert list(folder.iterdir()) == [file]
    assert {path: path.read_bytes() for path in told.store.root.rglob("*") if path.is_file()} == store
    assert not Path("x.db").exists()


@pytest.mark.parametrize(
    "sql",
    [
        "select * from runs",
        "FROM runs",
        "with x as (from runs) select * from x",
        "values (1)",
        "select 1;",
        "/* c */ select 1 -- c",
        "table runs",
        "describe runs",
        "show tables",
        "(select 1) union all (select 2)",
        "from information_schema.tables",
    ],
)
def test_what_reads_is_answered(told, sql):
    told.attempt(1)
    assert told.rows(sql)


def test_only_tables_that_are_named_are_made(told, monkeypatch):
    told.attempt(1)
    made = []
    real = type(told.store.journals).read
    monkeypatch.setattr(type(told.store.journals), "read", lambda *args: made.append(args) or real(*args))
    told.index.catch_up()
    made.clear()
    told.rows("select count(*) from runs")
    assert not made
    assert told.rows("select count(*) from Events") == [(6,)]
    assert {
        name for (name,) in told.rows("select table_name from information_schema.tables")
    } >= TABLES.keys()


def test_files_beside_the_covered_ones_stay_closed(told):
    from pinyon.query.compact import compact

    told.attempt(1)
    told.points([point("a-1-1", 1, loss=1)])
    compact(told.store)
    blob = next(path for path in told.store.root.glob("blobs/*/*") if path.read_bytes()[:4] != b"PAR1")
    for sql in (
        f"from read_text('{blob}')",
        "from read_text('/dev/fd/0')",
        "from read_blob('/proc/self/environ')",
    ):
        with pytest.raises(PlanError, match="reads the tables and nothing else"):
            told.rows(f"select * from points, ({sql})")
    assert len(told.rows("from points")) == 1


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select * from rums", "did you mean runs"),
        ("select acuracy from runs", "the columns are run, key"),
        ("select sage from runs", "did you mean stage"),
        ("select r.sage from runs r", "did you mean stage"),
        ("select * from zzz", "the tables are executions, runs"),
        ("selec 1", "syntax error"),
        ("select 1 +", "syntax error"),
        ("select cast('x' as int)", "Could not convert"),
        ("select nope(1)", "nope does not exist"),
    ],
)
def test_a_mistake_is_named_with_what_was_meant(told, sql, message):
    with pytest.raises(PlanError) as caught:
        told.rows(sql)
    assert message in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_query_that_never_ends_is_ended(told):
    told.index.catch_up()
    began = monotonic()
    with (
        pytest.raises(ExecuteError, match=r"longer than 0\.3 s"),
        ask(
            told.store, told.index, "select count(*) from range(1000000000000) a, range(1000000) b", 0.3
        ) as answer,
    ):
        list(answer.rows)
    assert monotonic() - began < 60  # it would take years
    assert threading.active_count() == 1


def test_reading_what_a_query_gives_is_part_of_its_time(told):
    told.index.catch_up()
    with ask(told.store, told.index, "from range(5000)", 3600) as answer:
        assert len(list(answer.rows)) == 5000
    with ask(told.store, told.index, "from range(5000)", 0.01) as answer:
        threading.Event().wait(0.05)
        with pytest.raises(ExecuteError):
            list(answer.rows)


def test_a_query_that_eats_all_memory_is_ended(told):
    told.index.catch_up()
    sql = "select list(a.range order by b.range) from range(100000000) a, range(10) b"
    with pytest.raises(ExecuteError, match="more memory"), ask(told.store, told.index, sql, 300):
        pass


def test_values_as_json_has_them(told):
    rows = told.rows(
        "select 'nan'::double, '-inf'::double, 1::hugeint, date '2026-01-01', {'a': [1, null]}, 'x'::blob, true"
    )
    assert [spelled(value) for value in rows[0]] == [
        "NaN",
        "-Infinity",
        1,
        "2026-01-01",
        {"a": [1, None]},
        "b'x'",
        True,
    ]
    assert json.dumps([spelled(value) for value in rows[0]], allow_nan=False)


@pytest.mark.parametrize(
    "sql",
    [
        "select " + "(" * 5000 + "1" + ")" * 5000,
        "x" * 200_000,
        "select '\ud800'",
        "select " + "1+" * 20_000 + "1",
    ],
)
def test_bombs_are_refused_or_answered(told, sql):
    began = monotonic()
    with suppress(PinyonError):
        told.rows(sql)
    assert monotonic() - began < 60


def test_without_duckdb_it_says_what_to_install(told, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **more):
        if name == "duckdb":
            raise ImportError(name)
        return real(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(PlanError) as caught:
        told.rows("select 1")
    assert caught.value.next == "pip install 'pinyon[sql]'"


def test_files_are_closed_afterwards(told):
    from pinyon.query.compact import compact

    told.attempt(1)
    compact(told.store)
    before = sorted(os.listdir("/dev/fd"))
    for _ in range(3):
        told.rows("from events")
    assert sorted(os.listdir("/dev/fd")) == before
