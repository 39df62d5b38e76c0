"""Grids: how many cells, in which order, under which ids, and what `where` leaves of them."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pinyon.errors import PlanError
from pinyon.model.condition import parse
from pinyon.model.experiment import Phase
from pinyon.model.project import Origin
from pinyon.plan.cells import cell_of, cells_of, meets, replicates

names = st.text(alphabet="abc._", min_size=1, max_size=4)
leaf = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.5, 1.0, 1e-4])
    | st.sampled_from("xyz")
)
values = st.recursive(leaf, lambda inner: st.lists(inner, max_size=2), max_leaves=3)


def spelled(value: Any) -> Any:
    """As cells compare values: 1 and 1.0 are one, True is not 1."""
    if isinstance(value, list):
        return tuple(map(spelled, value))
    return (type(value).__name__, value) if isinstance(value, (bool, str)) or value is None else float(value)


grids = st.dictionaries(
    names, st.lists(values, min_size=1, max_size=4, unique_by=spelled), min_size=1, max_size=3
).map(lambda grid: tuple((name, tuple(found)) for name, found in grid.items()))


@given(grids)
def test_every_combination_once_in_the_order_they_are_written(grid: Any) -> None:
    cells = cells_of(Phase("p", grid))
    expected = [
        tuple(zip([name for name, _ in grid], combination, strict=True))
        for combination in itertools.product(*[found for _, found in grid])
    ]
    assert [cell.assignment for cell in cells] == expected
    assert [cell.number for cell in cells] == list(range(1, len(expected) + 1))
    assert {cell.phase for cell in cells} == {"p"}


@given(grids)
def test_ids_are_unique_and_short(grid: Any) -> None:
    ids = [cell.id for cell in cells_of(Phase("p", grid))]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("c-[0-9a-f]{12}", one) for one in ids)


@given(grids, st.randoms(use_true_random=False))
def test_ids_do_not_depend_on_any_order_nor_on_the_phase(grid: Any, random: Any) -> None:
    shuffled = tuple((name, tuple(random.sample(found, len(found)))) for name, found in grid)
    shuffled = tuple(random.sample(shuffled, len(shuffled)))

    def known(phase: Phase) -> dict[str, Any]:
        return {
            cell.id: frozenset((name, spelled(value)) for name, value in cell.assignment)
            for cell in cells_of(phase)
        }

    assert known(Phase("p", grid)) == known(Phase("q", shuffled))


def test_an_id_stays_the_same_in_the_next_version() -> None:
    assert cell_of("p", 1, (("model.hidden", 128), ("sigma", 0.1))).id == "c-2dbe9658d904"


def test_one_equals_one_point_zero_and_not_true() -> None:
    ids = [cell_of("p", 1, (("a", value),)).id for value in (1, 1.0, True, "1", [1], [1.0])]
    assert ids[0] == ids[1]
    assert ids[4] == ids[5]
    assert len(set(ids)) == 4


numeric = st.dictionaries(
    st.sampled_from(["a", "b.c", "d"]),
    st.lists(st.integers(-3, 3), min_size=1, max_size=4, unique=True),
    min_size=1,
).map(lambda grid: tuple((name, tuple(found)) for name, found in grid.items()))


@given(numeric, st.integers(-3, 3), st.integers(-3, 3))
def test_where_leaves_the_cells_that_meet_all_conditions(grid: Any, low: int, other: int) -> None:
    name, last = grid[0][0], grid[-1][0]
    assume(any(value >= low for value in grid[0][1]))
    assume(any(value != other and (name != last or value >= low) for value in grid[-1][1]))
    cells = cells_of(Phase("p", grid, where=parse(f"{name} >= {low} and {last} != {other}").terms))
    every = [cell.assignment for cell in cells_of(Phase("p", grid))]
    assert [cell.assignment for cell in cells] == [
        one for one in every if dict(one)[name] >= low and dict(one)[last] != other
    ]
    assert [cell.number for cell in cells] == list(range(1, len(cells) + 1))


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("a >= 2 and b > 7", "pinyon.yaml:9: phase 'p' has no cells: b > 7 leaves out the last 4; b is 1, 2"),
        (
            "a > 9 and b > 7",
            "pinyon.yaml:9: phase 'p' has no cells: a > 9 leaves out the last 6; a is 1, 2, 3",
        ),
        (
            "c > 1",
            "pinyon.yaml:9: phase 'p' has no cells: c > 1 leaves out the last 6; the grid does not vary c",
        ),
    ],
)
def test_no_cell_left_names_the_condition(where: str, message: str) -> None:
    phase = Phase(
        "p", (("a", (1, 2, 3)), ("b", (1, 2))), where=parse(where).terms, origin=Origin("pinyon.yaml", 9)
    )
    with pytest.raises(PlanError) as caught:
        cells_of(phase)
    assert str(caught.value) == f"{message} → loosen this condition of where, or add values to the grid"


def test_a_long_axis_is_shown_in_part() -> None:
    phase = Phase("p", (("a", tuple(range(9))),), where=parse("a > 9").terms, origin=Origin("pinyon.yaml"))
    with pytest.raises(PlanError, match="a is 0, 1, 2, 3, 4, 5, …"):
        cells_of(phase)


@pytest.mark.parametrize("value", ["5", True, None, [5], "NaN"])
def test_what_is_no_number_meets_no_condition(value: Any) -> None:
    assert not meets((("a", value),), parse("a > 0").terms)
    assert not meets((("a", value),), parse("a <= 0").terms)


def test_an_endless_integer_is_a_number() -> None:
    assert meets((("a", 10**400),), parse("a > 0").terms)


def test_a_search_has_no_cells_yet() -> None:
    assert cells_of(Phase("p", trials=8)) == ()


@given(st.dictionaries(names, st.lists(st.integers(), min_size=1, max_size=3), max_size=3))
def test_replicates_are_the_product_of_the_seeds(seeds: dict[str, list[int]]) -> None:
    found = replicates(tuple((name, tuple(found)) for name, found in seeds.items()))
    assert list(found) == [
        tuple(zip(seeds, combination, strict=True)) for combination in itertools.product(*seeds.values())
    ]


def test_without_seeds_there_is_one_replicate_that_sets_nothing() -> None:
    assert replicates(()) == ((),)
