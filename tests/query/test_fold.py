"""The fold is a join: order, repetition and division of the records do not matter, ranks do."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journals import ALIVE, DEAD, Writer, ended, histories, intent

from pinyon.model.event import Event
from pinyon.query.fold import Document, attempt_of, fold, join, merge, subject


def flat(segments: dict[str, list[Event]]) -> list[Event]:
    return [event for events in segments.values() for event in events]


@given(histories(), st.data())
def test_every_interleaving_and_repetition_folds_to_the_same(segments, data):
    events = flat(segments)
    again = data.draw(st.lists(st.sampled_from(events), max_size=5))
    shuffled = data.draw(st.permutations(events + again))
    assert fold(shuffled) == fold(events)


@given(histories(), st.data())
def test_documents_of_parts_join_to_the_document_of_all(segments, data):
    """What two stores have folded apart is what one would have folded: nothing depends on who saw what first."""
    events = [event for event in flat(segments) if (subject(event) or ("", ""))[1] == "a-0"]
    cut = data.draw(st.integers(0, len(events)))
    left, right = folded(events[:cut]), folded(events[cut:])
    assert merged(left, right) == merged(right, left) == folded(events)
    assert merged(folded(events), folded(events)) == folded(events)


def folded(events: list[Event]) -> Document:
    document: Document = {}
    for event in events:
        join(document, event)
    return document


def merged(one: Document, two: Document) -> Document:
    return merge(copy.deepcopy(one), two)


def state_of(*events: Event) -> tuple[str, str]:
    attempt = fold(events)["a-1"]
    return attempt.state, attempt.detail


def test_the_states_an_attempt_goes_through():
    driver, host = Writer("w-1"), Writer("w-2")
    told = [intent(driver, "a-1")]
    assert state_of(*told) == ("SUBMITTED", "queued")
    told.append(host("setup", attempt="a-1"))
    assert state_of(*told) == ("SUBMITTED", "setup")
    told.append(host("running", 7.5, attempt="a-1", log=["logs/1", 20]))
    assert state_of(*told) == ("RUNNING", "")
    assert fold(told)["a-1"].log == ("logs/1", 20, -1)
    assert fold(told)["a-1"].started == 7.5
    told += ended(host, "a-1", log=["logs/1", 20, 90], message="well")
    done = fold(told)["a-1"]
    assert (done.state, done.log, done.message, done.seconds) == (
        "SUCCEEDED",
        ("logs/1", 20, 90),
        "well",
        1.5,
    )
    assert [out.path for out in done.outputs] == ["out"]
    assert done.metrics == {"m": 1}


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("state", ["SUCCEEDED", "FAILED", "CANCELLED"])
def test_what_the_supervisor_says_outranks_what_the_driver_inferred(state, order):
    driver, host = Writer("w-1"), Writer("w-2")
    told = [intent(driver, "a-1"), driver("lost", attempt="a-1", reason="gone"), *ended(host, "a-1", state)]
    assert state_of(*told[::order])[0] == state
    assert fold(told)["a-1"].message == ""


def test_without_a_word_of_the_supervisor_the_inference_counts():
    driver = Writer("w-1")
    lost = fold([intent(driver, "a-1"), driver("lost", attempt="a-1", reason="gone")])["a-1"]
    assert (lost.state, lost.detail, lost.message) == ("LOST", "lost", "gone")


def test_of_two_records_of_one_kind_the_smaller_name_stays():
    driver, first, second = Writer("w-1"), Writer("w-a"), Writer("w-b")
    said = [intent(driver, "a-1"), *ended(second, "a-1", "FAILED"), *ended(first, "a-1")]
    assert state_of(*said) == state_of(*reversed(said)) == ("SUCCEEDED", "")


def test_an_attempt_without_its_intent_is_not_told_of():
    assert fold(ended(Writer("w-1"), "a-1")) == {}
    assert attempt_of("a-1", {}) is None


def test_ended_is_durable_once_its_writer_says_so():
    driver, host = Writer("w-1"), Writer("w-2")
    told = [intent(driver, "a-1"), *ended(host, "a-1")]
    assert not fold(told)["a-1"].durable
    assert not fold([*told, host("durable", through=0)])["a-1"].durable
    assert not fold([*told, driver("durable", through=9)])["a-1"].durable
    assert fold([*told, host("durable", through=1)])["a-1"].durable


@pytest.mark.parametrize(
    ("kind", "body", "about"),
    [
        ("intent", {"attempt": "a-1"}, ("attempt", "a-1")),
        ("finished", {"execution": "x-1"}, ("execution", "x-1")),
        ("heartbeat", {"attempts": []}, None),
        ("claim", {"key": "k"}, None),
        ("from the future", {}, None),
        ("ended", {"strange": 1}, None),
    ],
)
def test_what_a_record_is_about(kind: str, body: dict[str, Any], about: Any) -> None:
    assert subject(Event("w-1", 0, kind, 0.0, body)) == about


def test_supervisor_and_boot_are_the_intents():
    attempt = fold([intent(Writer("w-1"), "a-1", supervisor=list(DEAD))])["a-1"]
    assert attempt.supervisor == DEAD
    assert attempt.boot == ALIVE.boot
