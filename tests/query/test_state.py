"""The state that decide asks: the index, and over it what this driver has seen since."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from journals import ALIVE, AWAY, MemoryJournals, Writer, ended, histories, intent

from pinyon.model.event import Event
from pinyon.model.outcome import FINAL, SUCCEEDED, Attempt, next_epoch
from pinyon.query.fold import fold
from pinyon.query.index import Index
from pinyon.query.state import ProjectState

BEFORE = ALIVE._replace(boot="the boot before")
OUTS = [["out", "blake3:" + "b" * 64, 1, False, False]]


def never(attempt: Attempt) -> bool:
    raise AssertionError(f"{attempt.id} was hashed again without need")


def state_of(index: Index, journals: MemoryJournals, *events: Event, verify: Any = never) -> ProjectState:
    journals.add(*events)
    index.catch_up()
    return ProjectState(index, verify)


def attempt(
    name: str, key: str = "k1", state: str = "SUCCEEDED", durable: bool = False, **more: Any
) -> list[Event]:
    """A whole attempt, by writers of its own."""
    driver, host = Writer(f"w-d{name}"), Writer(f"w-s{name}")
    about = {k: more.pop(k) for k in ("reusable", "outs") if k in more}
    events = [
        driver.opened(),
        host.opened(),
        intent(driver, name, key, **more),
        *ended(host, name, state, **about),
    ]
    return [*events, host("durable", through=9)] if durable else events


# -- answers ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attempts", "answer"),
    [
        ([], None),
        ([{"state": "FAILED"}], None),
        ([{"reusable": False}], None),
        ([{}], "a-0"),
        ([{"epoch": 2}, {"epoch": 1}], "a-1"),
        ([{"epoch": 1}, {"epoch": 1}], "a-0"),
        ([{"epoch": 1, "state": "FAILED"}, {"epoch": 2}], "a-1"),
        ([{"epoch": 1}, {"epoch": 2, "forced": True}, {"epoch": 3}], "a-1"),
        ([{"epoch": 2, "forced": True}, {"epoch": 3, "forced": True}], "a-1"),
        ([{"epoch": 1}, {"epoch": 2, "forced": True, "state": "FAILED"}], "a-0"),
        ([{"key": "k2"}], None),
    ],
)
def test_the_first_success_answers_until_one_is_forced(index, journals, attempts, answer):
    events = [event for number, one in enumerate(attempts) for event in attempt(f"a-{number}", **one)]
    state = state_of(index, journals, *events)
    found = state.answer(state.at("k1"))
    assert (found.id if found else None) == answer


def test_who_needs_the_bytes_gets_an_answer_that_has_them(index, journals):
    state = state_of(index, journals, *attempt("a-1", outs=OUTS), *attempt("a-2", epoch=2))
    known = state.at("k1")
    assert [found.id for found in (state.answer(known), state.answer(known, stored=True)) if found] == [
        "a-1",
        "a-2",
    ]
    state = state_of(index, journals, *attempt("a-3", "k3", outs=OUTS))
    assert state.answer(state.at("k3"), stored=True) is None


def test_after_a_power_cut_what_was_not_durable_is_hashed_once(index, journals):
    asked: list[str] = []

    def verify(attempt: Attempt) -> bool:
        asked.append(attempt.id)
        return attempt.id != "a-1"

    cut = {"supervisor": list(BEFORE)}
    events = [*attempt("a-1", **cut), *attempt("a-2", epoch=2, **cut), *attempt("a-3", epoch=3, **cut)]
    state = state_of(index, journals, *events, verify=verify)
    for _ in range(3):
        found = state.answer(state.at("k1"))
        assert found is not None
        assert found.id == "a-2"
    assert asked == ["a-1", "a-2"]


@pytest.mark.parametrize(
    "more", [{"supervisor": list(BEFORE), "durable": True}, {}, {"supervisor": list(ALIVE)}]
)
def test_what_is_durable_or_of_this_boot_is_believed(index, journals, more):
    state = state_of(index, journals, *attempt("a-1", **more))
    assert state.answer(state.at("k1")) is not None


def test_nobody_believes_another_machines_page_cache(index, journals):
    state = state_of(index, journals, *attempt("a-1", supervisor=list(AWAY)), verify=lambda attempt: False)
    assert state.answer(state.at("k1")) is None


# -- the rest of what decide asks -----------------------------------------------------------------------------------------


def test_epochs_count_attempts_of_any_outcome(index, journals):
    state = state_of(index, journals, *attempt("a-1", epoch=4, state="FAILED"))
    assert (next_epoch(state.at("k1")), next_epoch(state.at("k2"))) == (5, 1)
    state.apply(intent(Writer("w-9"), "a-2", epoch=7))
    assert next_epoch(state.at("k1")) == 8


def test_latest_is_the_newest_by_the_clocks_and_then_what_was_just_started(index, journals):
    state = state_of(index, journals, *attempt("a-1", ts=5.0), *attempt("a-2", "k2", ts=3.0))
    assert state.latest("never") is None
    assert state.latest("train") == state.attempt("a-1")
    state.apply(intent(Writer("w-9"), "a-3", "k3", ts=1.0))
    latest = state.latest("train")
    assert latest is not None
    assert latest.id == "a-3"


def test_attempts_and_failures_of_this_execution(index, journals):
    state = state_of(index, journals, *attempt("a-0", execution="x-0", state="FAILED"))
    driver, host = Writer("w-8"), Writer("w-9")
    assert list(state.failures("x-2")) == []
    for event in (
        intent(driver, "a-2", execution="x-2", epoch=2),
        intent(driver, "a-1", execution="x-2", epoch=1),
    ):
        state.apply(event)
    assert [a.id for a in state.of_execution("x-2", "recipe-k1")] == ["a-1", "a-2"]
    assert [a.id for a in state.open()] == ["a-2", "a-1"]
    state.apply(driver("lost", attempt="a-1", reason="gone"))
    assert [a.id for a in state.failures("x-2")] == ["a-1"]
    for event in ended(host, "a-1"):
        state.apply(event)
    assert list(state.failures("x-2")) == []
    assert [a.id for a in state.open()] == ["a-2"]


# -- the index and what came after it -----------------------------------------------------------------------------------


@settings(max_examples=40, suppress_health_check=[HealthCheck.large_base_example])
@given(histories(), st.data())
def test_applied_or_folded_the_state_is_the_same(segments, data):
    """Records may come by the journals, by word of mouth, or by both, before or after: nothing changes the answers."""
    events = [event for written in segments.values() for event in written]
    with tempfile.TemporaryDirectory() as directory:
        journals = MemoryJournals()
        index = Index(Path(directory) / "index.sqlite", journals)
        early = [event for event in events if data.draw(st.booleans())]
        state = state_of(index, journals, *early, verify=lambda attempt: True)
        for event in events:
            if data.draw(st.booleans()) or event not in early:
                state.apply(event)
        journals.records = {name: list(written) for name, written in segments.items()}
        if data.draw(st.booleans()):
            state.refresh()
        expected = fold(events)
        for attempt in expected.values():
            mine = state.attempt(attempt.id)
            assert mine is not None
            assert mine._replace(durable=True) == attempt._replace(durable=True)
        assert {a.id for a in state.open()} == {a.id for a in expected.values() if a.state not in FINAL}
        for key in ("k1", "k2"):
            good = [a for a in expected.values() if (a.key, a.state, a.reusable) == (key, SUCCEEDED, True)]
            good.sort(key=lambda a: (not a.forced, -a.epoch if a.forced else a.epoch, a.id))
            found = state.answer(state.at(key))
            assert (found.id if found else None) == (good[0].id if good else None)
            at_key = [attempt for attempt in expected.values() if attempt.key == key]
            assert next_epoch(state.at(key)) == next_epoch(at_key)
        index.close()


def test_what_others_write_is_seen_after_a_refresh(index, journals):
    driver, host = Writer("w-1"), Writer("w-2")
    state = state_of(
        index, journals, driver.opened(), host.opened(), intent(driver, "a-1", execution="x-other")
    )
    assert [a.id for a in state.open()] == ["a-1"]
    journals.add(*ended(host, "a-1"))
    assert state.answer(state.at("k1")) is None
    state.refresh()
    assert list(state.open()) == []
    found = state.answer(state.at("k1"))
    assert found is not None
    assert found.state == SUCCEEDED


def test_what_another_process_has_folded_is_seen_after_a_refresh(path, index, journals):
    driver, host = Writer("w-1"), Writer("w-2")
    state = state_of(
        index, journals, driver.opened(), host.opened(), intent(driver, "a-1", execution="x-other")
    )
    assert [a.id for a in state.open()] == ["a-1"]
    journals.add(*ended(host, "a-1"))
    other = Index(path, journals)
    other.catch_up()
    other.close()
    state.refresh()
    assert list(state.open()) == []


def test_a_supervisor_that_was_thought_dead_may_yet_speak(index, journals):
    """This driver called the attempt lost; then its supervisor, on another host, writes how it ended after all."""
    driver, host = Writer("w-1"), Writer("w-2", AWAY)
    state = state_of(index, journals, driver.opened(), host.opened(), intent(driver, "a-1"))
    state.apply(Writer("w-3")("lost", attempt="a-1", reason="gone"))
    found = state.attempt("a-1")
    assert found is not None
    assert found.state == "LOST"
    journals.add(*ended(host, "a-1"))
    state.refresh()
    found = state.attempt("a-1")
    assert found is not None
    assert (found.state, [out.path for out in found.outputs]) == (SUCCEEDED, ["out"])


def restored(writer: Writer, name: str, ts: float) -> Event:
    return writer("reused", ts, execution="x-9", stage="train", recipe="r", key="k", attempt=name)


@pytest.mark.parametrize(
    ("attempts", "back", "baseline"),
    [
        ([], None, None),
        ([{"state": "FAILED"}, {"state": "LOST"}], None, None),
        ([{}, {}], None, "a-1"),
        ([{}, {"state": "FAILED"}, {"state": "CANCELLED"}], None, "a-0"),
        ([{}, {"mode": "isolated"}], None, "a-0"),
        ([{"mode": "isolated"}, {"mode": "isolated"}, {"state": "FAILED"}], None, "a-1"),
        ([{"mode": "adopted"}, {"mode": "isolated"}], None, "a-0"),
        ([{}, {}], ("a-0", 7.0), "a-0"),
        ([{}, {}], ("a-0", 1.5), "a-1"),
        ([{"mode": "isolated"}, {}], ("a-0", 7.0), "a-0"),
    ],
)
def test_the_baseline_is_what_was_last_put_into_the_project(index, journals, attempts, back, baseline):
    events = [
        event
        for number, more in enumerate(attempts)
        for event in attempt(f"a-{number}", f"k{number}", ts=1.0 + number, **more)
    ]
    if back:
        events.append(restored(Writer("w-9"), *back))
    state = state_of(index, journals, *events)
    found = state.baseline("train")
    assert (found and found.id) == baseline
    assert state.baseline("other") is None


def test_what_is_restored_twice_counts_by_the_last_time(index, journals):
    writer = Writer("w-9")
    later = [restored(writer, "a-0", 9.0), restored(writer, "a-0", 2.5), restored(Writer("w-8"), "a-1", 8.0)]
    state = state_of(index, journals, *attempt("a-0", "k0", ts=1.0), *attempt("a-1", "k1", ts=2.0), *later)
    assert state.baseline("train") == state.attempt("a-0")


def test_keys_are_listed_by_their_newest_attempt(index, journals):
    state_of(
        index,
        journals,
        *attempt("a-0", "k0", ts=1.0),
        *attempt("a-1", "k1", ts=2.0),
        *attempt("a-2", "k0", ts=3.0),
    )
    assert index.newest_keys(9) == [("k0", "train"), ("k1", "train")]
    assert index.newest_keys(1) == [("k0", "train")]
