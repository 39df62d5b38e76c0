"""Means with error bars: where they lie, what is marked, and numbers that nothing can be drawn of."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinyon.report.plots import Plot, Series
from pinyon.report.svg import svg_of
from pinyon.report.svgerrors import Bar, ErrorPlot, error_svg
from pinyon.report.svgparts import axis_range

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*bars: Bar, bounds: tuple[tuple[float, str], ...] = ()) -> ElementTree.Element:
    return ElementTree.fromstring(error_svg(ErrorPlot("t", "sigma", "accuracy", bars, bounds)))


def spots(svg: ElementTree.Element, radius: str = "4.5") -> list[tuple[float, float]]:
    return [
        (float(e.get("cx", "")), float(e.get("cy", "")))
        for e in svg.iter(f"{SVG}circle")
        if e.get("r") == radius
    ]


def upright(svg: ElementTree.Element) -> list[tuple[float, float]]:
    """Where error bars begin and end."""
    return [
        (float(e.get("y1", "")), float(e.get("y2", "")))
        for e in svg.iter(f"{SVG}line")
        if e.get("x1") == e.get("x2") and e.get("stroke-width") == "1.5"
    ]


def words(svg: ElementTree.Element) -> list[str]:
    return [e.text or "" for e in svg.iter(f"{SVG}text")]


def test_a_higher_mean_stands_higher_and_a_larger_parameter_more_to_the_right() -> None:
    (x1, y1), (x2, y2) = spots(drawn(Bar(0.1, 0.7), Bar(0.2, 0.8)))
    assert x1 < x2
    assert y1 > y2


def test_bars_in_any_order_lie_where_their_parameter_says() -> None:
    assert spots(drawn(Bar(0.2, 0.8), Bar(0.1, 0.7))) == spots(drawn(Bar(0.1, 0.7), Bar(0.2, 0.8)))


def test_the_error_reaches_as_far_up_as_down() -> None:
    svg = drawn(Bar(1.0, 0.5, 0.1), Bar(2.0, 0.5, 0.0))
    (_, y), _ = spots(svg)
    ((first, last),) = upright(svg)
    assert (first + last) / 2 == pytest.approx(y, abs=0.1)


def test_an_interval_reaches_to_its_own_ends() -> None:
    """What the run gave goes before an error; without any of them there is no bar."""
    svg = drawn(Bar(1.0, 0.5, 0.01, ends=(0.4, 0.53)), Bar(2.0, 0.5, 0.1), Bar(3.0, 0.45))
    given, error = upright(svg)
    (middle, _, _) = (y for _, y in spots(svg))
    unit = (error[0] - middle) / 0.1
    assert given[0] - middle == pytest.approx(0.1 * unit, abs=0.2)
    assert middle - given[1] == pytest.approx(0.03 * unit, abs=0.2)


def test_the_winner_has_a_ring_and_what_cannot_win_is_hollow() -> None:
    svg = drawn(Bar("a", 0.8, tone="winner"), Bar("b", 0.7), Bar("c", 0.9, tone="out"))
    assert len(spots(svg, "8")) == 1
    assert spots(svg, "8")[0] == spots(svg)[0]
    fills = [e.get("fill") for e in svg.iter(f"{SVG}circle") if e.get("r") == "4.5"]
    assert [fill and fill.startswith("var(--card") for fill in fills] == [False, False, True]


def test_rows_stand_in_the_order_given() -> None:
    svg = drawn(Bar("best", 0.9), Bar("worse", 0.5), Bar("middle", 0.7))
    ys = [y for _, y in spots(svg)]
    assert ys == sorted(ys)
    assert [word for word in words(svg) if word in ("best", "worse", "middle")] == ["best", "worse", "middle"]


def test_what_has_no_mean_is_a_cross_with_its_reason() -> None:
    for place in (0.3, "row"):
        svg = drawn(
            Bar(0.1 if place == 0.3 else "other", 0.5),
            Bar(place, None, tone="out", tip="a replicate is missing"),
        )
        (cross,) = list(svg.iter(f"{SVG}path"))
        assert cross[0].text == "a replicate is missing"
        assert len(spots(svg)) == 1


def test_a_bound_is_a_dashed_line_that_is_inside_the_picture() -> None:
    svg = drawn(Bar(1.0, 0.8), Bar(2.0, 0.9), bounds=((0.3, ">= 0.3"),))
    (line,) = [e for e in svg.iter(f"{SVG}line") if e.get("stroke-dasharray")]
    assert line.get("y1") == line.get("y2")
    assert max(y for _, y in spots(svg)) < float(line.get("y1", "")) <= 340 - 48
    assert ">= 0.3" in words(svg)


def test_parameters_over_magnitudes_lie_evenly() -> None:
    svg = drawn(Bar(1e-4, 0.1), Bar(1e-3, 0.2), Bar(1e-2, 0.3))
    (a, _), (b, _), (c, _) = spots(svg)
    assert b - a == pytest.approx(c - b, abs=0.2)
    assert "sigma (log)" in words(svg)
    (a, _), (b, _), (c, _) = spots(drawn(Bar(1.0, 0.1), Bar(2.0, 0.2), Bar(4.0, 0.3)))
    assert c - b == pytest.approx(2 * (b - a), abs=0.2)


def test_replicates_are_faint_dots() -> None:
    svg = drawn(Bar(1.0, 0.5, 0.1, (0.4, 0.5, 0.6)), Bar(2.0, 0.5))
    assert len(spots(svg, "2.5")) == 3


sizes = st.floats() | st.floats(0, 1) | st.sampled_from([1e308, -1e308, 5e-324, 1.0, 1.0 + 2**-52])


rows = st.tuples(
    st.floats() | st.text(max_size=60),
    st.none() | sizes,
    st.none() | sizes.map(abs),
    st.lists(sizes, max_size=3),
    st.none() | st.tuples(sizes, sizes),
)


@given(st.lists(rows, max_size=5), st.lists(sizes, max_size=2))
def test_any_numbers_make_a_picture_within_its_frame(
    found: list[tuple[Any, ...]], bounds: list[float]
) -> None:
    bars = [
        Bar(place, value, error, tuple(single), tip=str(place), ends=ends)
        for place, value, error, single, ends in found
    ]
    text = error_svg(ErrorPlot("t", "x", "y", tuple(bars), tuple((one, "b") for one in bounds)))
    svg = ElementTree.fromstring(text)
    assert "nan" not in re.sub(r"<t(itle|ext).*?</t(itle|ext)>", "", text, flags=re.DOTALL)
    width, height = map(float, (svg.get("width", ""), svg.get("height", "")))
    for x, y in (*spots(svg), *spots(svg, "2.5")):
        assert -1 <= x <= width + 1
        assert -1 <= y <= height + 1


@given(st.lists(st.floats(-1e150, 1e150), min_size=1, max_size=5))
def test_an_axis_holds_its_values_and_has_few_ticks(values: list[float]) -> None:
    low, high, ticks = axis_range(values)
    slack = (high - low) * 1e-6
    assert low - slack <= min(values) <= max(values) <= high + slack
    assert low < high
    assert 2 <= len(ticks) <= 12


def test_values_that_differ_by_rounding_are_one() -> None:
    low, high, _ = axis_range([1.0, 1.0 + 2**-52])
    assert (low, high) == (0.4, 1.6)


def test_muted_lines_are_behind_grey_and_one_entry_of_the_legend() -> None:
    points = ((0.0, 1.0), (1.0, 2.0))
    lines = (Series("", "ours", points), *(Series("", f"other {n}", points, muted=True) for n in range(3)))
    text = svg_of(Plot("t", "linear", "step", "loss", lines))
    assert text.index('stroke-opacity=".5"') < text.index('stroke-width="2"')
    assert "3 others" in text
    assert ">ours<" in text
    assert ">other 1</text>" not in text


def test_control_characters_make_no_broken_picture() -> None:
    text = svg_of(Plot("t", "linear", "a\x1fb", "c\x00d", (Series("", "e\x07", ((0.0, 1.0),)),)))
    assert not set(text) & set(map(chr, range(32))) - set("\t\n\r")
    assert ElementTree.fromstring(text).tag.endswith("svg")
