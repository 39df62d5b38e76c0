"""Early stopping and the guard against NaN, against what they say of themselves."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pinyon import EarlyStopping, NanGuard

VALUES = st.lists(st.floats(-1e6, 1e6) | st.just(math.nan), max_size=40)


def oracle(values: list[float], patience: int, delta: float, goal: str, least: int) -> list[bool]:
    """By looking back over everything, each time."""
    said = []
    for count in range(1, len(values) + 1):
        best, best_at = None, -1
        for at, value in enumerate(values[:count]):
            gain = None if best is None else (best - value if goal == "minimize" else value - best)
            if not math.isnan(value) and (gain is None or gain > delta):
                best, best_at = value, at
        said.append(count - 1 - best_at >= patience and count >= least)
    return said


@given(
    VALUES, st.integers(1, 5), st.floats(0, 10), st.sampled_from(["minimize", "maximize"]), st.integers(0, 10)
)
@example([math.nan, math.nan], 2, 0.0, "minimize", 0)
def test_it_stops_when_a_look_back_says_so(
    values: list[float], patience: int, delta: float, goal: str, least: int
) -> None:
    stop = EarlyStopping(patience, delta, goal, least)
    assert [stop(value) for value in values] == oracle(values, patience, delta, goal, least)


@given(VALUES, VALUES, st.integers(1, 5))
def test_it_goes_on_from_a_checkpoint(before: list[float], after: list[float], patience: int) -> None:
    whole, first, second = EarlyStopping(patience), EarlyStopping(patience), EarlyStopping(patience)
    for value in before:
        whole(value)
        first(value)
    second.load_state_dict(first.state_dict())
    assert [second(value) for value in after] == [whole(value) for value in after]
    assert (second.best, second.best_step) == (whole.best, whole.best_step)


@pytest.mark.parametrize(
    "bad", [{"patience": 0}, {"patience": 1, "goal": "best"}, {"patience": 1, "min_delta": math.nan}]
)
def test_what_makes_no_sense_is_refused(bad: dict) -> None:
    with pytest.raises(ValueError, match=r"goal is|patience"):
        EarlyStopping(**bad)
    with pytest.raises(ValueError, match="times"):
        NanGuard(0)


@given(st.lists(st.sampled_from([0.5, math.nan, math.inf, -math.inf]), max_size=20), st.integers(1, 4))
def test_the_guard_counts_in_a_row(values: list[float], times: int) -> None:
    guard = NanGuard(times)
    for count, value in enumerate(values, 1):
        last = values[max(0, count - times) : count]
        assert guard(value) == (len(last) == times and not any(map(math.isfinite, last)))
