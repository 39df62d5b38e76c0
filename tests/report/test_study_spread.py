"""Means and their errors, against the textbook; figures as people read them."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from studies import attempt

from pinyon.model.experiment import Cell
from pinyon.model.study import Replicate
from pinyon.report.study.nouns import Mean, Sample
from pinyon.report.study.spread import difference, interval, mean_of, t95
from pinyon.report.study.words import between, figure, signed, with_error


def samples(*values: float, seeds: tuple[int, ...] = ()) -> tuple[Sample, ...]:
    cell = Cell("c-1", "p", 1, ())
    found = []
    for seed, value in zip(seeds or range(len(values)), values, strict=True):
        one = attempt(str(value), "t", metrics={"m": value})
        found.append(Sample(cell, Replicate((("seed", seed),), (), ""), f"r-{seed}", "run", attempt=one))
    return tuple(found)


@pytest.mark.parametrize("freedom", [1, 2, 3, 5, 10, 29, 30, 31, 60, 200])
def test_95_percent_of_students_t_lie_within(freedom: int) -> None:
    """The density, integrated over the angle atan(t / √ν), where it is a power of the cosine."""
    steps = 20_000
    end = math.atan(t95(freedom) / math.sqrt(freedom))
    angles = [(place + 0.5) / steps for place in range(steps)]
    inside = sum(math.cos(end * a) ** (freedom - 1) for a in angles) * end / steps
    whole = sum(math.cos(math.pi / 2 * a) ** (freedom - 1) for a in angles) * math.pi / 2 / steps
    assert inside / whole == pytest.approx(0.95, abs=2e-4)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=8))
def test_a_mean_has_the_error_of_the_textbook(values: list[float]) -> None:
    mean = mean_of((value, "r") for value in values)
    assert mean.value == pytest.approx(statistics.fmean(values), abs=1e-9)
    assert mean.error == pytest.approx(statistics.stdev(values) / math.sqrt(len(values)), rel=1e-6, abs=1e-9)
    found = interval(mean)
    assert found is not None
    assert found[0] <= statistics.fmean(values) + 1e-9
    assert found[1] >= statistics.fmean(values) - 1e-9


def test_a_missing_replicate_leaves_no_mean() -> None:
    mean = mean_of([(1.0, "r-1"), (None, ""), (2.0, "r-2")])
    assert (mean.value, mean.error, mean.values, mean.runs, mean.of) == (
        None,
        None,
        (1.0, 2.0),
        ("r-1", "r-2"),
        3,
    )
    assert interval(mean) is None


def test_equal_seeds_are_compared_in_pairs() -> None:
    """Seeds differ by far more than the cells: only pairs show it."""
    one, other = samples(1.00, 5.01, 9.02), samples(0.90, 4.90, 8.92)
    found = difference(one, other, "m")
    assert found is not None
    assert found.paired
    assert found.value == pytest.approx(0.10333, abs=1e-4)
    assert found.beyond_noise
    apart = difference(one, samples(0.90, 4.90, 8.92, seeds=(7, 8, 9)), "m")
    assert apart is not None
    assert not apart.paired
    assert not apart.beyond_noise


def test_two_standard_errors_of_three_seeds_are_no_proof() -> None:
    """With two degrees of freedom the 95 % interval is 4.3 standard errors wide on each side."""
    found = difference(samples(0.1, 0.2, 0.3), samples(0.0, 0.0, 0.0), "m")
    assert found is not None
    assert found.error is not None
    assert 3 < found.value / found.error < 4
    assert not found.beyond_noise


def test_one_seed_is_never_beyond_the_noise() -> None:
    found = difference(samples(1.0), samples(100.0), "m")
    assert found is not None
    assert found.error is None
    assert not found.beyond_noise


@pytest.mark.parametrize("values", [(math.inf, 1.0), (1e308, -1e308), (math.nan, 1.0)])
def test_what_has_no_finite_mean_is_not_compared(values: tuple[float, float]) -> None:
    found = difference(samples(*values), samples(0.0, 1.0), "m")
    assert found is None or not found.beyond_noise


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"), (33314, "33,314"), (33314.0, "33,314"), (0.8, "0.8000"), (-0.25, "−0.2500"), (0.0, "0"), (1.0, "1"),
        (1e-7, "1.000e−07"), (1e20, "1.000e+20"), (math.inf, "∞"), (-math.inf, "−∞"), (math.nan, "–"),
    ],
)  # fmt: skip
def test_figures(value: float | None, shown: str) -> None:
    assert figure(value) == shown


@pytest.mark.parametrize(
    ("value", "error", "shown"),
    [
        (0.95413, 0.00234, "0.9541 ± 0.0023"), (0.9, 0.0, "0.9000"), (0.9, None, "0.9000"),
        (123456.7, 890.0, "123,460 ± 890"),
        (0.5, 1e-17, "0.5000"), (-3.14159, 0.2, "−3.14 ± 0.20"), (1e20, 1e18, "1.000e+20 ± 1e+18"), (None, None, "–"),
    ],
)  # fmt: skip
def test_a_mean_is_shown_as_far_as_its_error_reaches(
    value: float | None, error: float | None, shown: str
) -> None:
    assert with_error(Mean(value, error)) == shown


def test_signs_and_intervals_in_words() -> None:
    assert (signed(0.5), signed(-0.5), signed(None)) == ("+0.5000", "−0.5000", "–")
    assert between(mean_of([(1.0, "r")])) == "Only one seed, so no error can be estimated"
    assert between(mean_of([(1.0, "r"), (1.0, "s")])) == "All 2 seeds gave the same"
    assert between(mean_of([(1.0, "r"), (2.0, "s"), (3.0, "t")])) == "95 % interval −0.4843 to 4.484, 3 seeds"
