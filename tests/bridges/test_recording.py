"""Runs that are recorded for others: they count like any other, and only once they are told to the end."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pinyon.bridges import recording
from pinyon.bridges.recording import Pen, Recorder, begin, join, key_of
from pinyon.model.ids import ProcessId, boot_id, host_name, run_id, this_process
from pinyon.query.index import FILE, Index
from pinyon.query.runs import RunRow, list_runs
from pinyon.query.tables import Tables
from pinyon.store.local import LocalStore

_BEGAN = 1_700_000_000.25


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    made = LocalStore(tmp_path / ".pinyon")
    made.prepare("p")
    return made


@pytest.fixture
def index(store: LocalStore) -> Iterator[Index]:
    index = Index(store.cache / FILE, store.journals)
    yield index
    index.close()


def _runs(index: Index) -> list[RunRow]:
    index.catch_up()
    return list_runs(index)


def _imported(store: LocalStore, **more: Any) -> Recorder:
    key = key_of("wandb", "1")
    return begin(
        store, key=key, stage="@lstm", started=_BEGAN, params={"lr": 0.1}, tags={"who": "ann"}, **more
    )


def _points(store: LocalStore, index: Index, table: str = "points", what: str = "*") -> list[Any]:
    index.catch_up()
    with ExitStack() as stack:
        tables = Tables(store, index, [table], stack)
        return tables.connection.execute(f"select {what} from {table} order by all").fetchall()


def test_what_is_told_afterwards_counts_with_its_end_and_not_before(store: LocalStore, index: Index) -> None:
    told = _imported(store)
    told.log([(_BEGAN + 1, 0, {"loss": 0.5}), (_BEGAN + 2, 1, {"loss": math.nan})])
    assert _runs(index) == []
    told.end("FAILED", _BEGAN + 60, message="out of luck")
    (row,) = _runs(index)
    assert (row.run, row.stage, row.status) == (run_id(key_of("wandb", "1")), "@lstm", "FAILED")
    assert (row.attempt.started, row.attempt.seconds, row.attempt.message) == (_BEGAN, 60, "out of luck")
    assert (row.params, row.tags) == ({"lr": 0.1}, {"who": "ann"})
    first, second = _points(store, index)
    assert first[:6] == (row.run, row.attempt.id, "loss", 0, 1.0, 0.5)
    assert math.isnan(second[5])


def test_a_live_one_is_running_until_its_process_dies(store: LocalStore, index: Index) -> None:
    _imported(store, process=this_process())
    dead = ProcessId(host_name(), boot_id(), 2**22 + 1, 1)
    begin(store, key=key_of("other"), stage="@lstm", started=_BEGAN + 1, process=dead)
    assert [row.status for row in _runs(index)] == ["RUNNING", "LOST"]


def test_an_attempt_that_adds_overrules_nothing(store: LocalStore, index: Index) -> None:
    first = _imported(store)
    first.log([(_BEGAN, step, {"loss": float(step)}) for step in range(3)])
    first.end("SUCCEEDED", _BEGAN + 1)
    second = _imported(store, epoch=2, resumes=first.attempt)
    second.log([(_BEGAN + 5, 0, {"loss": 9.0})])
    second.end("SUCCEEDED", _BEGAN + 6)
    (row,) = _runs(index)
    assert row.attempts == 2
    assert sorted(one[5] for one in _points(store, index)) == [0.0, 1.0, 2.0, 9.0]


def test_another_process_can_add_to_it_later(store: LocalStore, index: Index) -> None:
    told = _imported(store)
    told.end("SUCCEEDED", _BEGAN + 1)
    more = join(store, attempt=told.attempt, key=told.key, started=_BEGAN)
    more.params({"seed": 3})
    more.tags({"who": None, "good": ""})
    more.summary({"f1": 0.9})
    digest = more.artifact("plots/roc.svg", b"<svg/>", role="figure")
    more.close()
    (row,) = _runs(index)
    assert row.params == {"lr": 0.1, "seed": 3}
    assert (row.metrics, store.blobs.read(digest)) == ({"f1": 0.9}, b"<svg/>")
    assert _points(store, index, "artifacts")[0][:7] == (
        row.run, told.attempt, "plots/roc.svg", "plots/roc.svg", digest, 6, "figure",
    )  # fmt: skip


def test_journals_and_points_of_it_verify(store: LocalStore) -> None:
    told = _imported(store)
    told.log([(_BEGAN, 0, {"a": math.inf, "b": 1.0})])
    told.end("SUCCEEDED", _BEGAN)
    for segment in [*store.journals.segments(), *store.journals.points()]:
        assert list(store.journals.verify(segment)) == []


def test_a_pen_that_rolls_takes_new_files_and_loses_nothing(
    store: LocalStore, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "_LARGE", 1000)
    monkeypatch.setattr(recording, "_MANY", 50)
    pen = Pen(store, "p", rolls=True)
    told = [
        begin(
            store, key=key_of(str(n)), stage="@s", started=_BEGAN, process=this_process(), project="p", pen=pen
        )
        for n in range(20)
    ]  # fmt: skip
    for step in range(10):
        for n, one in enumerate(told):
            one.log([(_BEGAN + step, step, {"m": n * 100 + step})])
    for one in told:
        one.end("SUCCEEDED", _BEGAN + 10)
        one.flush()
    assert len(store.journals.points()) > 5
    assert len(store.journals.segments()) > 5
    names = [*store.journals.points(), *store.journals.segments()]
    assert [damage for name in names for damage in store.journals.verify(name)] == []
    assert {(row.stage, row.status) for row in _runs(index)} == {("@s", "SUCCEEDED")}
    rows = _points(store, index, what="value")
    assert [row[0] for row in rows] == [n * 100 + step for n in range(20) for step in range(10)]
    pen.close()


def test_whoever_closes_a_pen_can_write_on(store: LocalStore, index: Index) -> None:
    told = _imported(store, process=this_process())
    told.log([(_BEGAN, 0, {"m": 1.0})])
    told.close()
    told.log([(_BEGAN + 1, 1, {"m": 2.0})])
    told.end("SUCCEEDED", _BEGAN + 2)
    assert len(_points(store, index)) == 2
