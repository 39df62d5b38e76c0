"""The best of a phase or of all, and what a program reads of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinyon.errors import PlanError
from pinyon.model.condition import Comparison
from pinyon.model.experiment import Cell, Experiment, Objective, Pairs, Phase
from pinyon.model.ids import run_id
from pinyon.model.outcome import SUCCEEDED, Attempt
from pinyon.model.study import PhaseStudy, Replicate, Study, StudyResult
from pinyon.report.choice import Choice, choice_of, winner_fields

BEST = Objective("acc", "maximize")


def attempt(recipe: str, metrics: dict[str, Any]) -> Attempt:
    key = recipe.encode().hex().ljust(64, "0")
    return Attempt(f"a-{recipe}", key, recipe, "train", "x-1", 1, "isolated", SUCCEEDED, metrics=metrics)


def phase(name: str, cells: list[tuple[Pairs, list[str]]], base: Pairs = ()) -> PhaseStudy:
    rows = tuple(
        (
            # The id is that of the assignment, as it is in truth: equal in several phases.
            Cell(f"c-{pairs}", name, number, pairs),
            tuple(Replicate((("seed", n),), pairs, recipe) for n, recipe in enumerate(recipes)),
        )
        for number, (pairs, recipes) in enumerate(cells, 1)
    )
    return PhaseStudy(Phase(name), base, rows)


def result(phases: list[PhaseStudy], metrics: dict[str, dict[str, Any]]) -> StudyResult:
    experiment = Experiment("e", "train", tuple(one.phase for one in phases), BEST)
    attempts = {recipe: attempt(recipe, found) for recipe, found in metrics.items()}
    return StudyResult(Study(experiment, tuple(phases)), attempts)


def of(metrics: dict[str, Any], pairs: Pairs = (("a", 1),), base: Pairs = ()) -> Choice:
    """The choice among one cell with one run."""
    only = phase("p", [(pairs, ["r"])], base)
    return choice_of(result([only], {"r": metrics}), {}, BEST, only)


studies = st.lists(
    st.lists(st.lists(st.sampled_from("uvwxyz"), min_size=1, max_size=1), min_size=1, max_size=4),
    min_size=1, max_size=3,
)  # fmt: skip
scores = st.fixed_dictionaries({recipe: st.integers(0, 5) for recipe in "uvwxyz"})


@given(studies, scores, st.integers(0, 5))
def test_the_best_of_all_is_that_of_the_oracle(recipes, score, bound):
    phases = [
        phase(f"p{n}", [((("a", number),), made) for number, made in enumerate(cells)])
        for n, cells in enumerate(recipes)
    ]
    objective = BEST._replace(subject_to=(Comparison("acc", "<=", float(bound)),))
    found = choice_of(
        result(phases, {name: {"acc": value} for name, value in score.items()}), {}, objective, None
    )
    flat = [made[0] for cells in recipes for made in cells]
    names = {made[0]: f"p{n}/{k}" for n, cells in enumerate(recipes) for k, made in enumerate(cells, 1)}
    order = list(dict.fromkeys(flat))
    feasible = sorted(
        (recipe for recipe in order if score[recipe] <= bound), key=lambda r: (-score[r], order.index(r))
    )
    rest = [recipe for recipe in order if score[recipe] > bound]
    assert [one.name for one in found.rows] == [names[recipe] for recipe in (*feasible, *rest)]
    assert [one.rank for one in found.rows] == [*range(1, len(feasible) + 1), *([0] * len(rest))]
    assert (found.winner and found.winner.name) == (names[feasible[0]] if feasible else None)
    assert [row["run"] for row in found.as_dict()["ranking"]] == [
        run_id(attempt(r, {}).key) for r in (*feasible, *rest)
    ]
    assert bool(feasible) or found.refusal().exit_code == 6


def test_the_run_is_the_one_in_the_middle_and_numbers_are_means():
    only = phase("p", [((("m.lr", 0.1),), ["r0", "r1", "r2"])], (("m.size", 3),))
    values = {
        f"r{n}": {"val.acc": acc, "n": 7, "text": f"t{n}", "same": "x"} for n, acc in enumerate((3, 1, 2))
    }
    fields = winner_fields(choice_of(result([only], values), {}, BEST, only))
    assert (fields["run_id"], fields["run_seed"], fields["seeds"]) == (
        run_id(attempt("r2", {}).key),
        {"seed": 2},
        3,
    )
    assert (fields["acc"], fields["val_acc"], fields["n"], fields["same"]) == (2, 2, 7, "x")
    assert "text" not in fields["metrics"]
    assert fields["params"] == {"m.size": 3, "m.lr": 0.1}
    assert (fields["m_size"], fields["size"], fields["m_lr"], fields["lr"]) == (3, 3, 0.1, 0.1)


def test_of_equal_names_parameters_go_before_metrics_and_nothing_is_lost():
    fields = winner_fields(
        of({"acc": 1, "epochs": 99, "why": 5}, (("a.epochs", 1), ("a.phase", "x")), (("b.phase", "y"),))
    )
    assert (fields["epochs"], fields["metrics"]["epochs"]) == (1, 99)
    assert (fields["phase"], fields["a_phase"], fields["b_phase"]) == ("p", "x", "y")
    assert fields["why"].startswith("acc 1")
    assert fields["metrics"]["why"] == 5


def test_parameters_of_other_files_have_plain_names():
    fields = winner_fields(of({"acc": 1}, (("conf/x.json:opt.lr", 2), ("n-1", 3))))
    assert (fields["opt_lr"], fields["lr"], fields["n_1"]) == (2, 2, 3)
    assert fields["params"] == {"opt.lr": 2, "n-1": 3}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), "NaN", None, True, [1]])
def test_whatever_a_metric_holds_is_json(value):
    fields = winner_fields(of({"acc": 1, "odd": value}))
    text = json.dumps(fields, allow_nan=False)
    assert json.loads(text)["odd"] in (None, True, [1], "NaN", "Infinity", "-Infinity")


def test_a_name_that_fits_several_metrics_is_refused():
    with pytest.raises(PlanError, match="ambiguous"):
        of({"a.acc": 1, "b.acc": 2})


def test_a_cell_without_a_result_says_why():
    only = phase("p", [((("a", 1),), ["r"]), ((("a", 2),), ["s"])])
    found = choice_of(result([only], {"r": {"acc": 1}}), {"s": "exit code 3"}, BEST, only)
    assert [one.why for one in found.rows] == ["", "infeasible, because it has no result: exit code 3"]
    assert found.as_dict()["ranking"][1]["run"] is None
