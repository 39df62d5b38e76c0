"""How often and how long a call is tried again."""

from __future__ import annotations

import time

import pytest

from pinyon.store.backends.retry import Patience, again


def _calls(outcomes: list[Exception | int]):
    left = outcomes[:]

    def call() -> int:
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return call, left


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    return pauses


def test_what_passes_is_tried_again_and_the_last_error_is_raised(slept: list[float]):
    call, _ = _calls([OSError("1"), OSError("2"), 3])
    assert again(call, lambda _: True) == 3
    assert len(slept) == 2
    call, left = _calls([OSError(str(number)) for number in range(9)])
    with pytest.raises(OSError, match="5"):
        again(call, lambda _: True)
    assert len(left) == 3
    assert len(slept) == 2 + 5


def test_what_does_not_pass_is_raised_at_once(slept: list[float]):
    call, left = _calls([OSError("1"), ValueError("2"), 3])
    with pytest.raises(ValueError, match="2"):
        again(call, lambda error: isinstance(error, OSError))
    assert left == [3]
    assert len(slept) == 1


def test_pauses_grow_to_a_limit_and_differ():
    patience = Patience(tries=9, first=1, longest=10)
    every = [list(patience.waits()) for _ in range(50)]
    for turn, top in enumerate([1, 2, 4, 8, 10, 10, 10, 10]):
        pauses = [waits[turn] for waits in every]
        assert top / 2 <= min(pauses) < max(pauses) <= top
    assert {len(waits) for waits in every} == {8}
