"""Compaction changes how soon a query is answered, and never what the answer is."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stores import Told, point, spelled

from pinyon.errors import FormatVersionError
from pinyon.query import compact as module
from pinyon.query import cover, raw
from pinyon.query.compact import compact, compact_if_worthwhile
from pinyon.query.contract import TABLES
from pinyon.query.cover import covered
from pinyon.sync.gc import Policy, collect

ALL = ("points", "summary", "events")


def batch(attempt: str, *steps: int) -> list[dict[str, Any]]:
    return [
        point(attempt, step, step / 8, loss=1 / (step + 1), odd="NaN" if step % 2 else step) for step in steps
    ]


@pytest.fixture
def filled(told: Told) -> Told:
    told.attempt(1, state="FAILED")
    told.points(batch("a-1-1", 0, 1, 2), batch("a-1-1", 3), tail=batch("a-1-1", 4))
    told.attempt(1, epoch=2)
    told.tell("resumed", attempt="a-1-2", step=2, digest="blake3:" + "e" * 64, **{"from": "a-1-1"})
    told.points(batch("a-1-2", 2, 3))
    return told


def test_tables_are_the_same_afterwards_and_the_journals_too(filled):
    before = filled.tables(*TABLES)
    journals = {path: path.read_bytes() for path in (filled.store.root / "journals").iterdir()}
    done = compact(filled.store)
    assert next((one.table, one.rows) for one in done.files) == ("points", 12)
    assert filled.tables(*ALL) == {name: before[name] for name in ALL}
    assert {path: path.read_bytes() for path in (filled.store.root / "journals").iterdir()} == journals
    assert compact(filled.store).files == ()
    assert list((filled.store.root / "tmp").iterdir()) == []


def test_a_covered_segment_is_not_read_again(filled):
    compact(filled.store)
    before = filled.tables(*ALL)
    for path in (filled.store.root / "journals").glob("w-0002.points*"):
        path.write_bytes(path.read_bytes()[::-1])  # nobody looks
    assert filled.tables("points")["points"] == before["points"]


def test_what_comes_later_is_added(filled):
    compact(filled.store)
    filled.points(batch("a-1-2", 4, 5))
    with open(filled.store.root / "journals" / "w-0002.points.0.jsonl", "ab") as file:
        file.write(spelled(batch("a-1-2", 6)))
    filled.attempt(2)
    steps = [step for (step,) in filled.rows("select step from points where metric = 'loss' order by 1")]
    assert steps == [0, 1, 2, 3, 4, 5, 6]
    assert filled.rows("select count(*) from events where kind = 'ended'") == [(3,)]
    assert {one.table for one in compact(filled.store).files} == {"points", "events"}
    assert [
        step for (step,) in filled.rows("select step from points where metric = 'loss' order by 1")
    ] == steps


def test_many_files_become_one(filled):
    for step in range(10, 20):
        filled.points(batch("a-1-2", step))
        done = compact(filled.store)
    assert done.merged == 0
    known = cover.told(filled.store)
    assert 1 <= len(known.of("points")) <= 8
    assert filled.rows("select count(*), min(step), max(step) from points") == [(28, 0, 19)]


@pytest.mark.parametrize(
    "spoil",
    [lambda path: path.unlink(), lambda path: path.write_bytes(b"PAR1" + path.read_bytes()[4:-1] + b"?")],
)
@pytest.mark.parametrize("which", ["blob", "list"])
def test_a_parquet_file_that_is_lost_or_rotten_covers_nothing(filled, spoil, which):
    before = filled.tables(*ALL)
    compact(filled.store)
    for part in cover.told(filled.store).parts:
        path = filled.store.blobs.path(getattr(part, which))
        path.chmod(0o644)
        spoil(path)
    assert filled.tables(*ALL) == before
    assert "is read from the journals instead" in filled.notes("points")[0]
    compact(filled.store)
    assert filled.tables(*ALL) == before


def test_a_ref_that_cannot_be_read_is_only_slow(filled):
    before = filled.tables(*ALL)
    compact(filled.store)
    file = filled.store.root / "refs" / "tables" / "000001"
    file.chmod(0o644)
    file.write_text("{}")
    assert filled.tables(*ALL) == before
    done = compact(filled.store)
    assert done.lost
    assert "the ref 'tables' cannot be used" in done.notes[0]


def test_files_that_overlap_are_not_counted_twice(filled):
    before = filled.tables(*ALL)
    compact(filled.store)
    ref = filled.store.refs.get("tables")
    filled.store.refs.set("tables", {"files": ref.value["files"] * 2}, expect=ref.version)
    assert filled.tables(*ALL) == before


def test_a_repaired_segment_is_read(filled):
    path = filled.points(batch("a-1-2", 6), batch("a-1-2", 7), batch("a-1-2", 8))
    good = path.read_bytes()
    path.write_bytes(good.replace(b'"step": 7', b'"step": 9', 1))
    compact(filled.store)
    count = "select count(*) from points where step > 5"
    assert filled.rows(count) == [(4,)]
    path.write_bytes(good)
    assert filled.rows(count) == [(6,)]
    compact(filled.store)
    assert filled.rows(count) == [(6,)]


def test_what_a_newer_release_wrote_is_left_for_it(filled):
    newer = spelled([point("a-1-2", 6), {"v": 2, "attempt": "a-1-2", "points": "in another way"}])
    path = filled.points()
    path.write_bytes(newer)
    compact(filled.store)
    assert path.name not in {name for part in covered(filled.store, "points").parts for name in part.covers}


def test_killed_before_the_ref_nothing_has_changed(filled, monkeypatch):
    before = filled.tables(*ALL)
    with monkeypatch.context() as patch:
        patch.setattr(type(filled.store.refs), "set", lambda *args, **more: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            compact(filled.store)
    assert cover.told(filled.store).parts == ()
    assert filled.tables(*ALL) == before
    assert compact(filled.store).files


@pytest.mark.parametrize("name", ["put", "flush"])
def test_killed_before_the_blobs_nothing_has_changed(filled, monkeypatch, name):
    with monkeypatch.context() as patch:
        patch.setattr(type(filled.store.blobs), name, lambda *args, **more: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            compact(filled.store)
    assert filled.store.refs.get("tables") is None
    assert list((filled.store.root / "tmp").iterdir()) == []


def test_a_disk_that_takes_no_file_is_told_and_nobodys_run_fails(filled, monkeypatch):
    monkeypatch.setattr(module, "new_id", lambda _: "no/such/folder/x")
    with pytest.raises(OSError, match="no/such/folder"):
        compact(filled.store)
    monkeypatch.setattr(module, "_OFTEN", 0)
    monkeypatch.setattr(module, "_SEGMENTS", 1)
    assert compact_if_worthwhile(filled.store) is None


def test_of_two_at_once_one_wins(filled, monkeypatch):
    before = filled.tables(*ALL)
    real, raced = module.value_of, []

    def race(parts: Any) -> Any:
        if not raced:
            raced.append(1)
            raced.append(compact(filled.store))
        return real(parts)

    monkeypatch.setattr(module, "value_of", race)
    assert compact(filled.store).lost
    assert raced[1].files
    assert filled.store.refs.get("tables").version == 1
    assert filled.tables(*ALL) == before


def test_gc_keeps_what_the_newest_version_names_and_only_that(filled):
    policy = Policy((), lambda scan: set(), frozenset())
    old = compact(filled.store)
    filled.store.refs.set("tables", {"files": []}, expect=1)
    filled.points(batch("a-1-2", 9))
    new = compact(filled.store)
    swept = collect(filled.store, policy, now=2**40, dry_run=True)
    kept = {name for one in new.files for name in (one.blob, one.list, one.summary) if name}
    gone = {name for one in old.files for name in (one.blob, one.list, one.summary) if name}
    assert set(swept.condemned) == gone - kept
    assert gone - kept


def test_a_large_segment_is_read_in_pieces(filled, monkeypatch):
    path = filled.points(*(batch("a-1-2", step) for step in range(20, 60)), tail=batch("a-1-2", 60))
    rotten = filled.points(*(batch("a-1-2", step) for step in range(70, 90)))
    rotten.write_bytes(rotten.read_bytes().replace(b'"step": 75', b'"step": 95'))
    before, notes = filled.tables(*ALL), filled.notes("points")
    monkeypatch.setattr(raw, "_CHUNK", 1000)
    assert path.stat().st_size > 5000
    assert (filled.tables(*ALL), filled.notes("points")) == (before, notes)
    assert len(notes) == 1
    compact(filled.store)
    [stretch] = next(part for part in covered(filled.store, "points").parts).covers[path.name]
    assert stretch == (0, path.stat().st_size - len(spelled(tail=batch("a-1-2", 60))))
    assert filled.tables(*ALL) == before


def test_a_store_of_a_newer_format_is_not_written_to(filled):
    (filled.store.root / "format.json").write_text('{"format": 99, "project": "p-1"}')
    with pytest.raises(FormatVersionError):
        compact(filled.store)
    assert filled.store.refs.get("tables") is None


def test_a_store_that_is_not_there_is_not_made(tmp_path):
    from pinyon.store.local import LocalStore

    store = LocalStore(tmp_path / ".pinyon")
    assert compact(store).files == ()
    assert not store.root.exists()


def test_it_is_done_by_itself_only_where_it_is_worth_it_and_little_at_a_time(filled, monkeypatch):
    monkeypatch.setattr(module, "_OFTEN", 0)
    assert compact_if_worthwhile(filled.store) is None
    monkeypatch.setattr(module, "_SEGMENTS", 3)
    before = filled.tables(*ALL)
    assert compact_if_worthwhile(filled.store).files
    assert compact_if_worthwhile(filled.store) is None
    assert filled.tables(*ALL) == before
    monkeypatch.setattr(module, "_AT_MOST", 500)
    for number in range(4):
        filled.points(batch("a-1-2", 2 * number), batch("a-1-2", 2 * number + 1))
    assert 0 < compact_if_worthwhile(filled.store).files[0].rows < 16  # as far as 500 bytes go


def test_without_duckdb_nothing_happens_by_itself(filled, monkeypatch):
    monkeypatch.setattr(module, "_SEGMENTS", 1)
    monkeypatch.setattr(module.duck, "installed", lambda: False)
    assert compact_if_worthwhile(filled.store) is None


def test_a_folder_that_looks_like_a_pattern(tmp_path):
    told = Told(tmp_path / "we[ir]d 'x' *?")
    told.attempt(1)
    told.points(batch("a-1-1", 1))
    before = told.tables(*ALL)
    compact(told.store)
    assert told.tables(*ALL) == before
    told.close()


# -- any history, any schedule ------------------------------------------------------------------------------------------

moves = st.lists(
    st.one_of(
        st.just(("compact",)),
        st.tuples(st.just("attempt"), st.integers(1, 2), st.integers(1, 3)),
        st.tuples(st.just("resumed"), st.integers(1, 2), st.integers(1, 3), st.integers(0, 4)),
        st.tuples(
            st.just("points"),
            st.integers(0, 2),
            st.integers(1, 2),
            st.integers(1, 3),
            st.integers(0, 4),
            st.booleans(),
        ),
        st.tuples(st.just("rot"), st.integers(0, 2)),
        st.tuples(st.just("lose"), st.integers(0, 9)),
    ),
    max_size=12,
)


@settings(max_examples=15)
@given(moves)
def test_for_any_history_and_any_schedule_the_tables_are_equal(history):
    with tempfile.TemporaryDirectory() as folder:
        one, other = Told(Path(folder) / "one"), Told(Path(folder) / "other")
        for move in history:
            if move[0] == "compact":
                compact(one.store)
                continue
            if move[0] == "lose":
                parts = cover.told(one.store).parts
                if parts:
                    one.store.blobs.path(parts[move[1] % len(parts)].blob).unlink()
                continue
            for told in (one, other):
                _move(told, move)
        compact(one.store)
        assert _without_writers(one) == _without_writers(other)
        for told in (one, other):
            told.close()


def _move(told: Told, move: tuple[Any, ...]) -> None:
    if move[0] == "attempt":
        told.attempt(move[1], epoch=move[2])
    elif move[0] == "resumed":
        told.tell("resumed", attempt=f"a-{move[1]}-{move[2]}", step=move[3])
    else:
        path = told.store.root / "journals" / f"w-{move[1]}.points.0.jsonl"
        old = path.read_bytes() if path.exists() else b""
        if move[0] == "rot":
            # Never what was settled: that is `verify`'s to find, and what a Parquet file has is not read again.
            path.write_bytes(old + b"!rotten!\n")
        else:
            _, _, number, epoch, step, flushed = move
            points = batch(f"a-{number}-{epoch}", step, step + 1)
            path.write_bytes(old + (spelled(points) if flushed else spelled(tail=points)))


def _without_writers(told: Told) -> dict[str, Any]:
    found = told.tables("points", "summary")
    return {**found, "events": told.rows("select seq, kind, project from events order by seq")}


def test_what_is_left_over_is_taken_by_the_next_run_and_not_only_by_the_sixty_fourth(filled, monkeypatch):
    monkeypatch.setattr(module, "_SEGMENTS", 1)
    monkeypatch.setattr(module, "_BYTES", 1)
    monkeypatch.setattr(module, "_AT_MOST", 300)
    rounds = 0
    while (done := compact_if_worthwhile(filled.store)) is not None and done.more:
        rounds += 1
    assert rounds >= 1
    assert compact(filled.store).files == ()
    before = filled.tables(*ALL)
    assert filled.rows("select count(*) from events") == [(len(before["events"]),)]


def test_it_is_not_asked_after_every_run(filled, monkeypatch):
    monkeypatch.setattr(module, "_SEGMENTS", 1)
    monkeypatch.setattr(module, "_OFTEN", 3)
    assert compact_if_worthwhile(filled.store).files
    asked = []
    monkeypatch.setattr(module, "_worthwhile", lambda store: asked.append(store) or False)
    for number in range(7):
        (filled.store.root / "journals" / f"w-{number:016}.facts.0.jsonl").touch()
        assert compact_if_worthwhile(filled.store) is None
    assert len(asked) == 2
