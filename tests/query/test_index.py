"""The index is the fold, on disk: whatever the schedule, whoever else writes it, and however it is damaged."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from journals import AWAY, DEAD, MemoryJournals, Writer, ended, histories, intent

from pinyon.model.event import Event
from pinyon.model.outcome import FINAL, Attempt
from pinyon.query import index as module
from pinyon.query.fold import fold
from pinyon.query.index import Index
from pinyon.store.journal import LocalJournals
from pinyon.store.local import LocalStore


def known(index: Index) -> dict[str, Attempt]:
    return {attempt.id: attempt for attempt in index.attempts("key != ''")}


def everything(journals: MemoryJournals) -> dict[str, Attempt]:
    return fold(event for events in journals.records.values() for event in events)


def one_attempt(journals: MemoryJournals, name: str = "a-1", **more: Any) -> None:
    driver = Writer(f"w-{name}")
    journals.add(driver.opened(), intent(driver, name, **more), *ended(driver, name), driver("closed"))


# -- the same as the fold -----------------------------------------------------------------------------------------------


@settings(max_examples=40, suppress_health_check=[HealthCheck.large_base_example])
@given(histories(), st.data())
def test_any_schedule_of_catching_up_gives_the_fold_of_everything(segments, data):
    with tempfile.TemporaryDirectory() as directory:
        journals = MemoryJournals()
        journals.born = data.draw(st.sampled_from([0, time.time_ns()]))
        index = Index(Path(directory) / "index.sqlite", journals)
        left = {name: list(events) for name, events in segments.items()}
        while left:
            name = data.draw(st.sampled_from(sorted(left)))
            count = data.draw(st.integers(0, len(left[name])))
            if left[name][0].body.get("process") == list(DEAD):
                count = len(left[name])  # whoever is dead has written all that he will
            journals.records.setdefault(name, []).extend(left[name][:count])
            left[name] = left[name][count:]
            if not left[name]:
                del left[name]
            if data.draw(st.booleans()):
                index.catch_up()
                assert known(index) == everything(journals)
        index.catch_up()
        assert known(index) == everything(journals)
        assert {a.id for a in index.attempts("open")} == {
            n for n, a in known(index).items() if a.state not in FINAL
        }
        index.close()


def test_old_journals_are_read_the_first_time(index, journals):
    """A directory that has long been quiet is believed to be listed; believing must not come before reading."""
    one_attempt(journals)
    assert index.catch_up() == 5
    assert known(index) == everything(journals) != {}
    assert index.catch_up() == 0


def test_a_segment_that_was_empty_when_it_was_listed_is_read_later(index, journals):
    journals.records["w-late.facts.0.jsonl"] = []
    index.catch_up()
    one_attempt(journals, "a-2")
    index.catch_up()
    writer = Writer("w-late")
    journals.add(writer.opened(), intent(writer, "a-9"))
    index.catch_up()
    assert set(known(index)) == {"a-2", "a-9"}


def test_a_failure_half_way_leaves_nothing_half_known(index, journals, monkeypatch):
    one_attempt(journals)
    one_attempt(journals, "a-2")
    with monkeypatch.context() as patch:
        patch.setattr(module.Batch, "write", lambda batch: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            index.catch_up()
    assert known(index) == {}
    index.catch_up()
    assert known(index) == everything(journals)


# -- what it costs ------------------------------------------------------------------------------------------------------


def test_a_quiet_past_is_neither_read_nor_listed(path):
    journals = MemoryJournals()
    for number in range(100):
        writer = Writer(f"w-{number}")
        journals.add(writer.opened())
        for attempt in range(100):
            name = f"a-{number}-{attempt}"
            journals.add(intent(writer, name, key=name), *ended(writer, name))
        journals.add(writer("closed"))
    first = Index(path, journals)
    assert first.catch_up() == 100 * 302
    first.close()
    journals.calls.clear()
    again = Index(path, journals)
    assert again.catch_up() == 0
    assert again.growing() == []
    assert dict(journals.calls) == {}
    assert [attempt.epoch for attempt in again.attempts("key = ?", "a-7-7")] == [1]
    again.close()


def test_only_segments_that_may_grow_are_looked_at(index, journals):
    for name in ("a-1", "a-2", "a-3"):
        one_attempt(journals, name)
    away = Writer("w-away", AWAY)
    journals.add(away.opened())
    index.catch_up()
    journals.calls.clear()
    journals.add(intent(away, "a-9"))
    assert index.catch_up() == 1
    assert journals.calls["read"] == 1
    assert index.growing() == ["w-away.facts.0.jsonl"]


def test_a_fresh_directory_is_listed_again(index, journals):
    """A file made in the same tick of the clock as the listing would otherwise be missed for ever."""
    journals.born = time.time_ns()
    one_attempt(journals)
    index.catch_up()
    journals.stamp = lambda: (1, journals.born)  # the next file leaves the time stamp as it was
    one_attempt(journals, "a-2")
    index.catch_up()
    assert set(known(index)) == {"a-1", "a-2"}


def test_the_last_words_of_who_dies_while_we_look_are_heard(index, journals, monkeypatch):
    other, driver = Writer("w-0"), Writer("w-1", AWAY)
    journals.add(other.opened(), driver.opened(), intent(driver, "a-1"))
    index.catch_up()
    journals.add(other("heartbeat"))  # so that there is something to fold, whoever lives
    words = ended(driver, "a-1")

    def dies(process: str) -> bool:
        """Asked whether it is dead, it writes its last and is."""
        if json.loads(process) != list(AWAY):
            return False
        journals.add(*words)
        words.clear()
        return True

    monkeypatch.setattr(module, "_dead", dies)
    index.catch_up()
    assert known(index)["a-1"].state == "SUCCEEDED"


@pytest.mark.parametrize(("process", "growing"), [(DEAD, False), (AWAY, True)])
def test_who_is_provably_dead_writes_no_more(index, journals, process, growing):
    writer = Writer("w-1", process)
    journals.add(writer.opened(), intent(writer, "a-1"))
    index.catch_up()
    index.catch_up()
    assert bool(index.growing()) is growing


# -- durable ------------------------------------------------------------------------------------------------------------


def test_durable_may_come_in_a_later_call(index, journals):
    driver, host = Writer("w-1"), Writer("w-2")
    journals.add(driver.opened(), host.opened(), intent(driver, "a-1"), *ended(host, "a-1"))
    index.catch_up()
    assert not known(index)["a-1"].durable
    journals.add(host("durable", through=2))
    index.catch_up()
    assert known(index)["a-1"].durable
    journals.add(host("durable", through=1))
    index.catch_up()
    assert known(index)["a-1"].durable


def test_what_another_process_has_folded_is_seen(path, index, journals):
    driver, host = Writer("w-1"), Writer("w-2")
    journals.add(driver.opened(), host.opened(), intent(driver, "a-1"), *ended(host, "a-1"))
    index.catch_up()
    assert not known(index)["a-1"].durable
    journals.add(host("durable", through=2))
    other = Index(path, journals)
    assert other.catch_up() == 1
    other.close()
    assert index.catch_up() == 0
    assert known(index)["a-1"].durable


# -- damage -------------------------------------------------------------------------------------------------------------


def spoil_version(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("update meta set value = '0' where key = 'version'")
    db.commit()
    db.close()


def spoil_boot(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("update meta set value = 'before the power cut' where key = 'boot'")
    db.commit()
    db.close()


def drop_a_table(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("drop table meta")
    db.execute("create table meta (something text)")
    db.commit()
    db.close()


def scribble(path: Path, start: int = 1) -> None:
    """The first pages stay, everything behind them is noise."""
    size = path.stat().st_size
    assert size > 4096 * (start + 2)
    with open(path, "r+b") as file:
        file.seek(4096 * start)
        file.write(b"\xa5" * (size - 4096 * start))


DAMAGE = {
    "absent": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "not a database": lambda path: path.write_bytes(b"x" * 10000),
    "half": lambda path: path.write_bytes(path.read_bytes()[:5000]),
    "noise": scribble,
    "noise behind a sound beginning": lambda path: scribble(path, 3),
    "noise at the end": lambda path: scribble(path, 8),
    "another version": spoil_version,
    "before the last boot": spoil_boot,
    "another schema": drop_a_table,
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_spoilt_index_is_made_again(what, path, journals):
    for number in range(30):
        one_attempt(journals, f"a-{number}")
    first = Index(path, journals)
    first.catch_up()
    first.close()
    DAMAGE[what](path)
    again = Index(path, journals)
    again.catch_up()
    assert known(again) == everything(journals)
    assert len(known(again)) == 30
    again.close()


def test_a_busy_index_is_not_thrown_away(path, index, journals, monkeypatch):
    one_attempt(journals)
    index.catch_up()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("begin exclusive")
    holder.execute("update meta set value = value")
    monkeypatch.setattr(module, "_PATIENCE", 0.05)
    inode = path.stat().st_ino
    Index(path, journals).close()
    new = Index(path, journals)
    one_attempt(journals, "a-2")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        new.catch_up()
    new.close()
    holder.execute("rollback")
    holder.close()
    assert path.stat().st_ino == inode
    index.catch_up()
    assert known(index) == everything(journals)


# -- two processes ------------------------------------------------------------------------------------------------------

CHILD = """
import sys, time
from pathlib import Path
from pinyon.query.index import Index
from pinyon.store.journal import LocalJournals
from pinyon.store.local import LocalStore
root, go = Path(sys.argv[1]), Path(sys.argv[2])
print("ready", flush=True)
while not go.exists():
    pass
for _ in range(5):
    index = Index(root / "cache" / "index.sqlite", LocalJournals(root))
    index.catch_up()
    print(len(index.attempts("key != ''")), flush=True)
    index.close()
"""


def test_processes_that_open_and_fold_at_once_do_not_hurt_each_other(tmp_path):
    LocalStore(tmp_path).prepare("p")
    writer = LocalJournals(tmp_path).open_writer()
    for number in range(200):
        writer.append("intent", intent(Writer("w"), f"a-{number}", key=f"k{number}").body)
    writer.close()
    go = tmp_path / "go"
    command = [sys.executable, "-W", "error", "-c", CHILD, str(tmp_path), str(go)]
    children = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    go.touch()
    for child in children:
        out, err = child.communicate(timeout=60)
        assert (out.split(), err) == (["200"] * 5, "")


def test_making_the_index_at_the_same_time_leaves_no_lock_behind(path, journals, monkeypatch):
    """The other process makes the tables between our look and our begin."""
    real = Index._make
    calls = []

    def late(self: Index, db: sqlite3.Connection) -> None:
        if not calls:
            calls.append(1)
            Index(path, journals).close()
        real(self, db)

    monkeypatch.setattr(Index, "_make", late)
    index = Index(path, journals)
    one_attempt(journals)
    assert index.catch_up() == 5
    index.close()


# -- asking -------------------------------------------------------------------------------------------------------------


def test_executions_newest_first(index, journals):
    driver = Writer("w-1")
    for number, ts in ((1, 5.0), (2, 9.0), (3, 7.0)):
        journals.add(driver("execution", ts, execution=f"x-{number}", actor={}, goal={}))
    journals.add(driver("finished", 20.0, execution="x-3", state="SUCCEEDED", counts={}))
    index.catch_up()
    assert [name for name, _ in index.executions()] == ["x-2", "x-3", "x-1"]
    ((_, document),) = index.executions("id = ?", "x-3")
    assert set(document) == {"execution", "finished"}


def test_a_document_keeps_what_nobody_knows_yet(index, journals):
    driver = Writer("w-1")
    journals.add(
        intent(driver, "a-1", invented={"deep": [1]}), Event("w-1", 9, "invented", 0.0, {"attempt": "a-1"})
    )
    index.catch_up()
    assert index.document("a-1")["intent"][3]["invented"] == {"deep": [1]}
    assert index.document("a-2") == {}
    assert index.attempts("key = ?", "never") == []


# -- what every record of counts ----------------------------------------------------------------------------------------


def test_what_is_told_is_the_same_in_whatever_pieces_it_came(tmp_path):
    writers = [Writer("w-1"), Writer("w-2")]
    events = [writer.opened() for writer in writers]
    for number, kind in enumerate(
        ["summary", "tagged", "noted", "artifact", "checkpoint", "resumed", "params"] * 3
    ):
        events.append(writers[number % 2](kind, float(number % 4), attempt=f"a-{number % 2}", number=number))
    events += [
        writers[0](kind, 1.0, experiment="e", execution="x-1") for kind in ("cells", "selected", "proposed")
    ]
    events += [writers[0]("summary", 1.0, attempt=None), writers[0]("cells", 1.0)]  # about nothing
    whole, slow = MemoryJournals(), MemoryJournals()
    whole.add(*events)
    one, other = Index(tmp_path / "one.sqlite", whole), Index(tmp_path / "other.sqlite", slow)
    one.catch_up()
    for event in events:
        slow.add(event)
        other.catch_up()
    for kind in (
        "summary",
        "tagged",
        "noted",
        "artifact",
        "checkpoint",
        "resumed",
        "params",
        "cells",
        "selected",
        "proposed",
    ):
        told = one.told(kind)
        assert told == other.told(kind)
        assert told == sorted((e for e in events if e in told), key=lambda e: (e.ts, e.writer, e.seq))
        assert len(told) == (1 if kind in ("cells", "selected", "proposed") else 3)
        assert one.told(kind, ["a-1"]) == [event for event in told if event.body.get("attempt") == "a-1"]
    one.close()
    other.close()
