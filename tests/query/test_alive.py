"""What an attempt is now: proof of life, proof of death, or neither."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journals import ALIVE, AWAY, DEAD, MemoryJournals, Writer, ended, intent

from pinyon.model.outcome import Attempt
from pinyon.model.scheduler import job_of
from pinyon.query import alive
from pinyon.query.alive import HEARTBEAT, TERM, look, verdict
from pinyon.query.index import FILE, Index
from pinyon.query.runs import list_runs

CLOCKS = st.lists(st.tuples(st.floats(0, 200), st.booleans()), max_size=12)


class Clock:
    """Our monotonic clock, moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(alive.time, "monotonic", lambda: self.now)


def of(index: Index, name: str = "a-0") -> Attempt:
    return index.attempts("id = ?", name)[0]


def away(journals: MemoryJournals) -> Writer:
    """An attempt whose supervisor is on another host."""
    supervisor, driver = Writer("w-s", AWAY), Writer("w-d", AWAY)
    journals.add(supervisor.opened(), driver.opened(), intent(driver, "a-0", supervisor=list(AWAY)))
    journals.add(supervisor("running", attempt="a-0", pid=1))
    return supervisor


def test_last_words_that_came_after_the_listing_count(index, journals):
    driver = Writer("w-d", DEAD)
    journals.add(driver.opened(), intent(driver, "a-0", supervisor=list(DEAD)))
    index.catch_up()
    listed = of(index)
    journals.add(*ended(Writer("w-s", DEAD), "a-0"))
    ((attempt, seen),) = look(index, [listed])
    assert (seen.status, attempt.state, attempt.exit_code) == ("SUCCEEDED", "SUCCEEDED", 0)


def test_the_evidence_is_named(index, journals):
    driver = Writer("w-d", ALIVE)
    journals.add(driver.opened(), intent(driver, "a-0"), intent(driver, "a-1", "k2", supervisor=list(DEAD)))
    index.catch_up()
    assert str(ALIVE.pid) in verdict(index, of(index)).why
    assert verdict(index, of(index, "a-1")).why == f"its supervisor, process {DEAD.pid}, is gone"


def test_another_host_lives_while_its_records_keep_coming(index, journals, monkeypatch):
    clock, supervisor = Clock(monkeypatch), away(journals)
    index.catch_up()
    assert verdict(index, of(index))[:2] == ("UNKNOWN", "seen for the first time")
    clock.now += 20
    assert verdict(index, of(index))[:2] == ("UNKNOWN", "not heard of for 20 s")
    journals.add(supervisor("heartbeat", attempts=["a-0"]))
    index.catch_up()
    clock.now += 5
    # It was written after the look before: it lived then, 5 seconds ago.
    seen = verdict(index, of(index))
    assert (seen.status, seen.since) == ("RUNNING", 5)
    clock.now += TERM - 5
    assert verdict(index, of(index)).status == "RUNNING"
    clock.now += 150
    assert verdict(index, of(index))[:2] == ("UNKNOWN", "not heard of for 4 min")
    clock.now += 10**6
    assert verdict(index, of(index)).status == "UNKNOWN"


def test_what_one_call_saw_helps_the_next(index, journals, monkeypatch):
    clock, supervisor = Clock(monkeypatch), away(journals)
    index.catch_up()
    verdict(index, of(index))
    for _ in range(3):
        clock.now += HEARTBEAT
        journals.add(supervisor("heartbeat", attempts=["a-0"]))
        index.catch_up()
        again = Index(index.cache / FILE, journals)  # as another process would
        again.catch_up()
        assert verdict(again, of(again)).status == "RUNNING"
        again.close()


@pytest.mark.parametrize("memory", ["", "{", "[]", '{"boot": "another", "seen": []}', '{"boot": 1}'])
def test_a_spoilt_memory_is_none(index, journals, monkeypatch, memory):
    Clock(monkeypatch)
    away(journals)
    index.catch_up()
    (index.cache / "alive.json").write_text(memory)
    assert verdict(index, of(index)).status == "UNKNOWN"
    assert json.loads((index.cache / "alive.json").read_text())["seen"]


def test_a_journal_that_is_read_again_is_no_sign_of_life():
    sight = alive.Sight(100, 0.0, 0.0)
    for now, size in ((1.0, 0), (2.0, 100), (3.0, 0), (4.0, 100)):
        sight = sight.then(size, now)
    assert sight.alive is None
    assert sight.then(101, 5.0).alive == 4.0


@given(CLOCKS)
def test_running_is_never_said_of_who_was_silent_for_three_heartbeats(steps):
    """Against the truth: when the newest record was really written, as late as it can have been."""
    now, size, sight = 0.0, 100, alive.Sight(100, 0.0, 0.0)
    wrote: float | None = None  # the latest moment that it is known to have lived
    for pause, grows in steps:
        before, now = now, now + pause
        size += grows
        wrote = before if grows else wrote
        sight = sight.then(size, now)
        attempt = Attempt("a", "k", "r", "s", "x", 1, "in place", "RUNNING", supervisor=AWAY)
        seen = alive._far(attempt, AWAY, sight)
        assert (seen.status == "RUNNING") == (wrote is not None and now - wrote <= TERM)
        assert seen.status in ("RUNNING", "UNKNOWN")
        assert seen.since is not None
        assert seen.since >= 0


@pytest.mark.parametrize(
    ("state", "detail", "more", "shown"),
    [
        ("CANCELLED", "shutdown", {}, "preempted"),
        ("CANCELLED", "user", {"signal": 15}, "user"),
        ("CANCELLED", "pruned", {"exit_code": 79}, "pruned"),
        ("FAILED", "signal", {"signal": 15}, "preempted"),
        ("FAILED", "signal", {"signal": 9}, "signal"),
        ("FAILED", "exit", {"exit_code": 143}, "preempted"),
        ("FAILED", "exit", {"exit_code": 1}, "exit"),
        ("FAILED", "timeout", {"signal": 15}, "timeout"),
        ("SUCCEEDED", "", {}, ""),
    ],
)
@pytest.mark.parametrize("scheduled", [True, False])
def test_preempted_is_derived(index, journals, state, detail, more, shown, scheduled):
    driver, supervisor = Writer("w-d", DEAD), Writer("w-s", DEAD)
    journals.add(driver.opened(), intent(driver, "a-0", supervisor=list(DEAD)))
    job: dict[str, Any] = {"scheduler": {"kind": "slurm", "job": "77"}} if scheduled else {}
    journals.add(supervisor("running", attempt="a-0", pid=1, **job))
    journals.add(*ended(supervisor, "a-0", state, detail=detail, **{"exit_code": None, **more}))
    index.catch_up()
    (row,) = list_runs(index)
    assert (row.status, row.detail) == (state, shown if scheduled else detail)
    assert row.attempt.detail == detail  # what is recorded stays what it is: retries go by it


def test_a_job_is_known_by_what_its_scheduler_sets():
    assert job_of({"SLURM_JOB_ID": "42", "HOME": "/"}) == {"kind": "slurm", "job": "42"}
    assert job_of({"PBS_JOBID": " 7.head "}) == {"kind": "pbs", "job": "7.head"}
    assert job_of({"SLURM_JOB_ID": "", "HOME": "/"}) == {}


def test_a_thousand_dead_ones_cost_one_look_at_the_journals(index, journals):
    driver = Writer("w-d", DEAD)
    journals.add(driver.opened())
    journals.add(*(intent(driver, f"a-{n}", f"k{n}", supervisor=list(DEAD)) for n in range(200)))
    index.catch_up()
    journals.calls.clear()
    assert {row.status for row in list_runs(index)} == {"LOST"}
    assert journals.calls["read"] == 0
    assert journals.calls["size"] <= 4
