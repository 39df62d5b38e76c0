"""Durations and sizes."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinyon.model.units import seconds, show_bytes, show_seconds, size


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("90m", 5400),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("30s", 30),
        ("250ms", 0.25),
        ("1.5d", 129600),
        ("2w", 1209600),
        (90, 90),
        (0.5, 0.5),
        ("90", 90),
        ("0.5", 0.5),
        (0, 0),
        ("1m1s", 61),
    ],
)
def test_seconds(text: str | float, value: float):
    assert seconds(text) == value


@pytest.mark.parametrize(
    "text", ["", " ", "m", "90x", "-1s", "1h-30m", "1,5h", "nan", "inf", True, -1, math.nan, math.inf]
)
def test_what_is_no_duration_is_refused(text: object):
    with pytest.raises(ValueError, match="not a duration"):
        seconds(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("20GB", 20 * 10**9),
        ("512MiB", 2**29),
        ("1.5 kb", 1500),
        ("0.1GB", 10**8),
        ("12", 12),
        (12, 12),
        ("3T", 3 * 10**12),
        ("9007199254740993", 2**53 + 1),
        (2**60 + 1, 2**60 + 1),
        (1e20, 10**20),
        ("1.0000000001GiB", 2**30),
    ],
)
def test_size(text: str | float, value: int):
    assert size(text) == value


@pytest.mark.parametrize(
    "text", ["", "GB", "20 XB", "-1", "1e9", "20GBs", True, -1, math.nan, math.inf, "1 2"]
)
def test_what_is_no_size_is_refused(text: object):
    with pytest.raises(ValueError, match="not a size"):
        size(text)


@given(st.integers(0, 10**17))
def test_sizes_are_exact_and_shown_with_three_digits_before_the_point(value: int):
    assert size(value) == size(str(value)) == value
    shown = re.fullmatch(r"(\d+)(\.\d)? (B|kB|MB|GB|TB)", show_bytes(value))
    assert shown
    assert len(shown[1]) <= 3 or shown[3] == "TB"


@given(st.floats(0, 1e9))
def test_durations_are_shown_within_a_minute(value: float):
    parts = re.findall(r"([\d.]+) (h|min|s)", show_seconds(value))
    shown = sum(float(number) * {"h": 3600, "min": 60, "s": 1}[unit] for number, unit in parts)
    assert abs(shown - value) <= (60 if value >= 3600 else 0.5)
    assert all(float(number) < 60 for number, unit in parts if unit != "h")
