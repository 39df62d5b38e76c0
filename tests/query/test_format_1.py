"""What format 1 wrote stays readable: two journals, one with a second segment after a torn line (docs/FORMAT.md §12).

The files are never written again. A reader that needs them changed has broken every project there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pinyon.model.outcome import Output, next_epoch
from pinyon.query.fold import fold
from pinyon.query.index import Index
from pinyon.query.runs import list_runs
from pinyon.query.state import ProjectState
from pinyon.query.status import describe
from pinyon.store.journal import LocalJournals

STORE = Path(__file__).parents[1] / "formats" / "store-1"
PREPARE, FAILED, TRAIN = "a-111111111111-1-0000000a", "a-222222222222-1-0000000b", "a-222222222222-2-0000000c"


@pytest.fixture
def old(path: Path) -> Iterator[Index]:
    found = Index(path, LocalJournals(STORE))
    found.catch_up()
    yield found
    found.close()


def test_every_line_is_sound_but_the_torn_one():
    journals = LocalJournals(STORE)
    assert len(journals.segments()) == 3
    damage = [found for segment in journals.segments() for found in journals.verify(segment)]
    assert [found.torn for found in damage] == [True]


def test_the_attempts_are_what_they_were(old):
    found = {attempt.id: attempt for attempt in old.attempts("key != ''")}
    journals = LocalJournals(STORE)
    assert found == fold(event for name in journals.segments() for event, _ in journals.read(name))
    assert {name: (a.stage, a.state, a.detail, a.epoch, a.forced) for name, a in found.items()} == {
        PREPARE: ("prepare", "SUCCEEDED", "", 1, False),
        FAILED: ("train", "FAILED", "exit", 1, False),
        TRAIN: ("train", "SUCCEEDED", "", 2, True),
    }
    assert found[PREPARE].outputs == (
        Output("data", "blake3:" + "c" * 64 + "/", 4096),
        Output("log.txt", "blake3:" + "d" * 64, 12, executable=True, stored=False),
    )
    assert (found[PREPARE].durable, found[TRAIN].durable) == (True, False)
    assert found[FAILED].log == ("logs/x-00000000000000aa/0.log", 120, 200)
    assert found[TRAIN].metrics == {"accuracy": 0.75, "loss": "NaN"}


def test_they_still_answer(old):
    state = ProjectState(old, lambda attempt: attempt.id == TRAIN)
    answers = [state.answer(state.at(key * 64)) for key in "12"]
    assert [answer.id for answer in answers if answer] == [PREPARE, TRAIN]
    assert next_epoch(state.at("2" * 64)) == 3
    latest = state.latest("train")
    assert latest is not None
    assert latest.inputs["params"] == [["params.yaml", "train.lr", 0.1]]


def test_they_are_still_listed(old):
    assert [(row.stage, row.status, row.params) for row in list_runs(old)] == [
        ("prepare", "SUCCEEDED", {}), ("train", "SUCCEEDED", {"train.lr": 0.1}),
    ]  # fmt: skip
    last = describe(old)["last"]
    assert last is not None
    assert (last["state"], last["actor"], last["counts"]) == (
        "SUCCEEDED", {"kind": "person", "name": "ana"}, {"succeeded": 2, "failed": 1},
    )  # fmt: skip
