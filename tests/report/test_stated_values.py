"""What somebody expected beforehand, beside what was measured."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from studies import STATED, attempt, promoted

from pinyon.model.experiment import Cell, Expected, Experiment, Pairs, Phase
from pinyon.model.outcome import Attempt, Output
from pinyon.model.study import PhaseStudy, Replicate, Study, StudyResult
from pinyon.report.study import study_json, study_markdown, study_view

MINUTES = [minutes for rows in STATED.values() for _, _, minutes in rows]


@pytest.fixture(scope="module")
def text() -> str:
    return said(promoted())


def said(result: StudyResult) -> str:
    return study_markdown(study_view(result)).replace("\\", "")


def section(text: str, name: str) -> str:
    return text.partition(f"\n## {name}\n")[2].partition("\n## ")[0]


def part(text: str, phase: str) -> str:
    """The table of a phase with what was stated of its cells."""
    return (
        section(text, "Stated beforehand and measured")
        .partition(f"\n### {phase}\n")[2]
        .partition("\n### ")[0]
    )


def row(text: str, name: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
    return [field.strip() for field in line.strip("|").split("|")]


def grid(expect: list[Expected], measured: dict[tuple[Any, ...], Any], *names: str) -> StudyResult:
    """One phase over these parameters; ``measured`` has the metric m of each cell, None for one without a result."""
    names = names or ("x",)
    cells, attempts = [], {}
    for number, (values, metric) in enumerate(measured.items(), 1):
        pairs = tuple(zip(names, values, strict=True))
        cells.append((Cell(f"c-{number}", "p", number, pairs), (Replicate((), pairs, f"r{number}"),)))
        if metric is not None:
            attempts[f"r{number}"] = attempt(f"r{number}", "train", metrics={"m": metric}, seconds=30.0)
    values = tuple((name, tuple(one[at] for one in measured)) for at, name in enumerate(names))
    phase = PhaseStudy(Phase("p", grid=values, expect=tuple(expect)), (("base", 1),), tuple(cells))
    return StudyResult(Study(Experiment("e", "train", (phase.phase,)), (phase,)), attempts)


def expecting(cells: Pairs, low: float, high: float) -> Expected:
    return Expected(cells, (("m", (low, high)),))


# Beside each other


def test_a_count_that_was_stated_stands_beside_the_measured_one(text: str) -> None:
    stated = section(text, "Stated beforehand and measured")
    assert row(part(text, "architecture"), "1")[:4] == ["1", "64", "4", "1"]
    assert row(part(text, "architecture"), "1")[-1] == "stated 45,000 · measured 33,314 (−26 %)"
    assert row(part(text, "architecture"), "8")[-1] == "stated 120,000 · measured 223,202 (+86 %)"
    assert "- n_parameters: of 8 cells with a stated value, 5 above, 3 below." in stated


def test_a_range_says_on_which_side_the_measured_value_lies(text: str) -> None:
    stated = section(text, "Stated beforehand and measured")
    assert row(part(text, "time-warp"), "1")[-1] == "stated 0.72 to 0.75 · measured 0.9552: above"
    assert "- accuracy: of 4 cells with a stated value, 4 above." in stated
    assert "It decided nothing" in stated


@pytest.mark.parametrize(
    ("low", "high", "measured", "shown"),
    [
        (5, 5, 5, "stated 5 · measured 5"), (4, 4, 5, "stated 4 · measured 5 (+25 %)"),
        (0, 0, 5, "stated 0 · measured 5"), (4, 6, 5, "stated 4 to 6 · measured 5: within"),
        (5, 6, 5, "stated 5 to 6 · measured 5: within"), (6, 7, 5, "stated 6 to 7 · measured 5: below"),
        (1, 4, 5, "stated 1 to 4 · measured 5: above"), (1, 4, None, "stated 1 to 4 · not measured"),
        (1, 4, "NaN", "stated 1 to 4 · not measured"),
    ],
)  # fmt: skip
def test_each_way_a_value_can_lie(low: float, high: float, measured: Any, shown: str) -> None:
    stated = section(
        said(grid([expecting((), low, high)], {(1,): measured})), "Stated beforehand and measured"
    )
    assert row(stated, "1")[-1] == shown


def test_a_row_is_about_the_cells_that_it_picks() -> None:
    expect = [
        expecting((("x", 1),), 1, 1), expecting((("x", 2.0),), 2, 2), expecting((("x", True),), 3, 3),
        expecting((("x", 4),), 4, 4), expecting((("x", 4), ("base", 1)), 5, 5), expecting((("x", 9), ("y", 1)), 6, 6),
    ]  # fmt: skip
    measured = {(1,): 0, (2,): 0, (4,): 0, (9,): 0}
    found = study_json(study_view(grid(expect, measured)))["phases"][0]["cells"]
    stated = {cell["assignment"]["x"]: cell["stated"]["metrics"] for cell in found}
    assert stated == {1: {"m": (1, 1)}, 2: {"m": (2, 2)}, 4: {"m": (5, 5)}, 9: {}}  # the later row counts


def test_what_was_not_stated_is_not_shown() -> None:
    assert "Stated beforehand" not in said(grid([], {(1,): 1}))


# Parameters without an effect


def test_a_parameter_that_changes_nothing_is_told(text: str) -> None:
    assert (
        "- model.num_heads does not change n_parameters: 2 values, equal in each of 4 sets of cells that differ in nothing"
        " else."
    ) in text
    assert text.count("does not change") == 1


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=2, max_size=9, unique=True), st.data()
)
def test_without_an_effect_means_equal_in_every_set(
    cells: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Against a plain reading of the table: cells equal in x and different in y."""
    value = st.sampled_from([1, 2, None])
    measured = {cell: data.draw(value) for cell in cells}
    stated = {cell: data.draw(st.sampled_from([1.0, 2.0, None])) for cell in cells}
    expect = [expecting((("x", x), ("y", y)), s, s) for (x, y), s in stated.items() if s is not None]
    sets = [[cell for cell in cells if cell[0] == x] for x in range(3)]
    sets = [some for some in sets if len(some) > 1 and all(measured[cell] is not None for cell in some)]
    equal = all(len({measured[cell] for cell in some}) == 1 for some in sets)
    asked = any(len({stated[cell] for cell in some} - {None}) > 1 for some in sets)
    text = said(grid(expect, measured, "x", "y"))
    assert ("y does not change m" in text) == bool(sets and equal and asked)
    if sets and equal and asked:
        values = len({y for some in sets for _, y in some})
        assert (
            f"y does not change m: {values} values, equal in {'each of ' * (len(sets) > 1)}{len(sets)} set"
            in text
        )


# Times


def test_the_stated_times_are_summed_beside_the_measured_ones(text: str) -> None:
    low, high = (sum(pair[at] for pair in MINUTES) for at in (0, 1))
    assert (low, high) == (1175, 1295)  # 19.6 and 21.6 hours, as one adds them up by hand
    sums = section(text, "Expected and measured durations")
    declared = row(sums, "15 replicates with a stated time, and all they need")
    assert declared[1:] == ["24 h 52 min", "stated 19 h 35 min to 21 h 35 min"]
    once = row(sums, "13 distinct runs with a stated time, and all they need")
    assert once[1:] == ["20 h", "stated 17 h 5 min to 19 h 5 min"]
    assert row(sums, "24 distinct runs of all stages, one after another")[1] == "20 h"
    assert row(sums, "critical path: room for everything at once")[1] == "5 h 57 min"


def chain(*, twice: bool) -> StudyResult:
    """Two cells that need one pretrain of 100 s; they take 20 s and 30 s."""
    made = (Output("pretrain.safetensors", "blake3:p", 1),)
    needs = {"deps": [["pretrain.safetensors", "blake3:p"]]}
    attempts: dict[str, Attempt] = {"p": attempt("p", "pretrain", seconds=100.0, outputs=made)}
    for recipe, took in (("a", 20.0), ("b", 30.0)):
        attempts[recipe] = attempt(recipe, "train", seconds=took, inputs=needs)
    expect = (Expected((), (), (60.0, 60.0)), Expected((("x", "b"),), (), (120.0, 180.0)))
    phases = []
    for name in ("one", "two")[: 1 + twice]:
        cells = tuple(
            (Cell(f"c-{recipe}", name, number, (("x", recipe),)), (Replicate((), (), recipe),))
            for number, recipe in enumerate("ab", 1)
        )
        phases.append(PhaseStudy(Phase(name, expect=expect), (), cells))
    experiment = Experiment("e", "train", tuple(one.phase for one in phases))
    return StudyResult(Study(experiment, tuple(phases)), attempts)


def test_a_replicate_takes_its_own_time_and_that_of_all_it_needs() -> None:
    stated = part(said(chain(twice=False)), "one")
    assert row(stated, "1")[-1] == "stated 1 min · measured 2 min (+100 %)"
    assert row(stated, "2")[-1] == "stated 2 min to 3 min · measured 2 min 10 s: within"


def test_what_is_shared_counts_once_or_as_declared() -> None:
    found = study_json(study_view(chain(twice=True)))["times"]
    assert found["stated"]["replicates"] == 4
    assert (found["stated"]["low"], found["stated"]["high"]) == (360.0, 480.0)
    assert found["stated"]["seconds"] == 500.0
    assert found["distinct"]["replicates"] == 2
    assert (found["distinct"]["low"], found["distinct"]["high"]) == (180.0, 240.0)
    assert found["distinct"]["seconds"] == found["serial"] == 150.0
    assert study_json(study_view(grid([], {(1,): 1})))["times"]["stated"] is None


def test_every_cell_of_the_study_has_what_was_stated() -> None:
    """The source's three tables, in the same order."""
    cells = itertools.chain.from_iterable(
        sorted(phase["cells"], key=lambda one: one["number"])
        for phase in study_json(study_view(promoted()))["phases"]
    )
    seconds = [cell["stated"]["seconds"] for cell in cells]
    assert seconds == [(60.0 * low, 60.0 * high) for low, high in MINUTES]


def test_what_was_stated_of_no_cell_is_named() -> None:
    """A grid changes, and what was once expected of a value that it had is still there."""
    expect = [Expected((("x", 1),), (("m", (1.0, 1.0)),)), Expected((("x", 3),), (("m", (2.0, 2.0)),))]
    text = said(grid(expect, {(1,): 1.0, (2,): 2.0}))
    assert "the phase p has no cell x=3, of which something was expected" in section(
        text, "What is missing or doubtful"
    )
    assert "no cell x=1" not in text
