"""Listings for people: runs, one run, status, logs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from journals import ALIVE, AWAY, DEAD, MemoryJournals, Writer, ended, intent

from pinyon.errors import PlanError
from pinyon.model.outcome import Attempt
from pinyon.query import logs
from pinyon.query.alive import status
from pinyon.query.index import Index
from pinyon.query.runs import describe_run, find, list_runs
from pinyon.query.status import describe

KEY1, KEY2, KEY3 = "abcd1" + "0" * 59, "abcd2" + "0" * 59, "feed0" + "0" * 59


def told(index: Index, journals: MemoryJournals, *rows: dict[str, Any]) -> None:
    """Whole attempts ``a-0``, ``a-1``, …; ``state`` None leaves one open."""
    for number, row in enumerate(rows):
        name, more = row.pop("id", f"a-{number}"), dict(row)
        state, outs = more.pop("state", "SUCCEEDED"), more.pop("outs", None)
        writer = Writer(f"w-{number}")
        journals.add(writer.opened(), intent(writer, name, ts=float(number), **more))
        if state:
            journals.add(*ended(writer, name, state, **({"outs": outs} if outs else {})))
    index.catch_up()


# -- runs ---------------------------------------------------------------------------------------------------------------


def test_a_run_is_a_stage_at_a_key_and_shows_its_newest_success(index, journals):
    told(
        index, journals, {"key": KEY1}, {"key": KEY2, "state": "FAILED"}, {"key": KEY1, "epoch": 2},
        {"key": KEY1, "epoch": 3, "state": "FAILED"}, {"key": KEY3, "stage": "other"},
    )  # fmt: skip
    rows = list_runs(index)
    assert [(row.run, row.status, row.attempt.id, row.attempts) for row in rows] == [
        ("r-abcd200000000000", "FAILED", "a-1", 1),
        ("r-abcd100000000000", "SUCCEEDED", "a-2", 3),
        ("r-feed000000000000", "SUCCEEDED", "a-4", 1),
    ]
    assert [row.attempt.id for row in list_runs(index, "other")] == ["a-4"]
    assert rows[1].as_dict()["outputs"] == {"out": "blake3:" + "a" * 64}


def test_equal_keys_with_different_outs_are_not_deterministic(index, journals):
    other = [["out", "blake3:" + "b" * 64, 1, False, True]]
    told(
        index,
        journals,
        {"key": KEY1},
        {"key": KEY1, "epoch": 2, "outs": other},
        {"key": KEY2},
        {"key": KEY2, "epoch": 2},
    )
    assert {row.run[2:7]: row.deterministic for row in list_runs(index)} == {"abcd1": False, "abcd2": True}


def test_parameters_are_named_as_the_user_writes_them(index, journals):
    params = [
        ["params.yaml", "lr", 0.1],
        ["params.yaml", "", {}],
        ["conf/a.json", "x.y", 1],
        ["b.toml", "", {"k": 1}],
    ]
    told(index, journals, {"inputs": {"params": params}})
    (row,) = list_runs(index)
    assert row.params == {"lr": 0.1, "params.yaml": {}, "conf/a.json:x.y": 1, "b.toml": {"k": 1}}


@pytest.mark.parametrize(
    ("supervisor", "state", "shown"),
    [
        (ALIVE, None, "SUBMITTED"), (DEAD, None, "LOST"), (AWAY, None, "UNKNOWN"), ((), None, "LOST"),
        (DEAD, "SUCCEEDED", "SUCCEEDED"), (ALIVE, "FAILED", "FAILED"),
    ],
)  # fmt: skip
def test_nobody_is_shown_at_work_who_is_known_to_be_dead(index, journals, supervisor, state, shown):
    told(index, journals, {"supervisor": list(supervisor), "state": state})
    assert [row.status for row in list_runs(index)] == [shown]
    assert status(index, index.attempts("id = 'a-0'")[0]) == shown


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a-abc-1", ["a-abc-1"]),
        ("a-abc", ["a-abc-1", "a-abc-2"]),
        ("r-abcd1", ["a-abc-1", "a-abc-2"]),
        ("r-" + KEY1[:16], ["a-abc-1", "a-abc-2"]),
        (KEY1, ["a-abc-1", "a-abc-2"]),
        ("abcd2", ["a-xyz-1"]),
        ("train", ["a-xyz-1"]),
        ("feed", ["a-feed"]),
        ("feed0", ["a-other"]),
        ("a-stage", ["a-last"]),
    ],
)
def test_a_run_is_found_by_its_names_and_their_beginnings(index, journals, name, found):
    told(
        index, journals, {"id": "a-abc-1", "key": KEY1}, {"id": "a-abc-2", "key": KEY1, "epoch": 2},
        {"id": "a-other", "key": KEY3, "stage": "other"}, {"id": "a-feed", "key": "1" * 64, "stage": "feed"},
        {"id": "a-xyz-1", "key": KEY2}, {"id": "a-last", "key": "2" * 64, "stage": "a-stage"},
    )  # fmt: skip
    assert [attempt.id for attempt in find(index, name)] == found


@pytest.mark.parametrize("name", ["abcd", "r-abcd", "a-"])
def test_a_beginning_of_two_runs_is_refused_with_both(index, journals, name):
    told(index, journals, {"key": KEY1}, {"key": KEY2})
    with pytest.raises(PlanError, match=r"could be several runs: r-abcd1.*, r-abcd2"):
        find(index, name)


@pytest.mark.parametrize("name", ["nothing", "a-9", "abc", "r-12", "%", ""])
def test_what_nobody_knows_is_told(index, journals, name):
    told(index, journals, {"key": KEY1})
    with pytest.raises(PlanError, match="no run, attempt or stage"):
        find(index, name)


def test_everything_about_one_run(index, journals):
    driver = Writer("w-x")
    journals.add(
        driver("execution", execution="x-1", actor={"name": "me"}, argv=["run"], git={"commit": "c"}, goal={})
    )
    told(index, journals, {"key": KEY1, "state": "FAILED"}, {"key": KEY1, "epoch": 2})
    about = describe_run(index, find(index, "train"))
    assert (about["attempts"], about["git"], about["actor"], about["argv"]) == (
        2,
        {"commit": "c"},
        {"name": "me"},
        ["run"],
    )
    assert [row["state"] for row in about["history"]] == ["FAILED", "SUCCEEDED"]


# -- status -------------------------------------------------------------------------------------------------------------


def execution(
    journals: MemoryJournals, index: Index, process: Any = ALIVE, **finished: Any
) -> dict[str, Any]:
    driver = Writer("w-driver", process)
    journals.add(driver.opened(), driver("execution", 9.0, execution="x-1", actor={}, goal={"stages": []}))
    if finished:
        journals.add(driver("finished", execution="x-1", **finished))
    index.catch_up()
    last = describe(index)["last"]
    assert last is not None
    return dict(last)


def test_nothing_has_happened_yet(index):
    assert describe(index) == {"open": [], "last": None}


@pytest.mark.parametrize(("process", "state"), [(ALIVE, "RUNNING"), (AWAY, "UNKNOWN"), (DEAD, "LOST")])
def test_an_execution_lives_while_its_driver_does(index, journals, process, state):
    assert execution(journals, index, process)["state"] == state


def test_an_execution_lives_on_in_its_attempts(index, journals):
    told(index, journals, {"state": None, "supervisor": list(ALIVE)})
    assert execution(journals, index, DEAD)["state"] == "RUNNING"
    (row,) = describe(index)["open"]
    assert (row["attempt"], row["stage"], row["status"], row["host"]) == (
        "a-0",
        "train",
        "SUBMITTED",
        ALIVE.host,
    )


def test_how_an_execution_ended(index, journals):
    last = execution(journals, index, DEAD, state="FAILED", counts={"failed": 1})
    assert (last["state"], last["counts"]) == ("FAILED", {"failed": 1})


def test_a_damaged_journal_does_not_hide_the_status(index, journals):
    journals.add(Writer("w-9")("finished", 99.0, execution="x-torn", state="SUCCEEDED", counts={}))
    assert execution(journals, index)["execution"] == "x-1"


# -- logs ---------------------------------------------------------------------------------------------------------------


def attempt(state: str = "SUCCEEDED", log: Any = ("logs/x/0.log", 6, 12)) -> Attempt:
    return Attempt("a", "k", "r", "s", "x", 1, "in place", state, log=log)


def written(root: Path, text: bytes = b"first\nmine\n\nlater\n") -> str:
    (root / "logs" / "x").mkdir(parents=True)
    (root / "logs" / "x" / "0.log").write_bytes(text)
    return str(root)


def test_an_attempt_has_its_own_part_of_the_slots_log(tmp_path):
    store = written(tmp_path)
    assert logs.read(store, attempt()) == b"mine\n\n"
    assert logs.read(store, attempt(), 2) == b"ne\n\n"
    assert logs.read(store, attempt(), 100) == b""
    assert logs.tail(store, attempt(), 5, 100) == ["mine"]


def test_while_it_runs_the_end_is_the_files(tmp_path):
    store = written(tmp_path)
    assert logs.read(store, attempt("RUNNING", ("logs/x/0.log", 6, -1))) == b"mine\n\nlater\n"
    assert logs.tail(store, attempt("RUNNING", ("logs/x/0.log", 6, -1)), 1, 100) == ["later"]


def test_a_progress_bar_shows_what_stands_there_last(tmp_path):
    store = written(tmp_path, b"10%\r50%\r100%\r\nnext\n")
    assert logs.tail(store, attempt(log=("logs/x/0.log", 0, 19)), 2, 100) == ["100%", "next"]


@pytest.mark.parametrize("log", [None, ("logs/gone.log", 0, 5)])
def test_no_log_is_no_output(tmp_path, log):
    assert logs.read(str(tmp_path), attempt(log=log)) == b""
    assert logs.tail(str(tmp_path), attempt(log=log), 5, 100) == []
