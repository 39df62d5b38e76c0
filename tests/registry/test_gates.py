"""A gate holds where every number is there and on the good side; what is missing or ambiguous never passes."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinyon.errors import PlanError
from pinyon.model.condition import Comparison, parse
from pinyon.model.registry import Checked, Measured
from pinyon.registry.gates import check


def measured(stage: str, **metrics: Any) -> Measured:
    return Measured(stage, f"r-{stage}", f"a-{stage}", metrics)


def one(text: str, *rows: Measured, own: str = "train") -> Checked:
    (found,) = check(parse(text).terms, rows, own)
    return found


TRAIN = measured("train", accuracy=0.9, n_parameters=33_314, loss="NaN", note="best")
TEST = measured("evaluate", accuracy=0.7, class_1_accuracy=0.4)


@pytest.mark.parametrize(
    ("clause", "value", "holds", "source"),
    [
        ("accuracy > 0.75", 0.9, True, "r-train"),  # of the model's own stage, though another has one too
        ("evaluate.accuracy > 0.75", 0.7, False, "r-evaluate"),
        ("class_1_accuracy >= 0.4", 0.4, True, "r-evaluate"),  # the only stage that has it
        ("class_1_accuracy > 0.4", 0.4, False, "r-evaluate"),
        ("train.n_parameters < 150000", 33_314.0, True, "r-train"),
        ("latency.milliseconds < 10", None, False, ""),  # a stage that has not run
        ("evaluate.n_parameters < 150000", None, False, ""),  # a stage that does not say it
        ("milliseconds != 10", None, False, ""),  # what nobody measured holds nothing
        ("loss != 3", None, False, "r-train"),  # NaN
        ("note > 0", None, False, "r-train"),  # text
    ],
)
def test_a_clause_is_about_one_number(clause: str, value: float | None, holds: bool, source: str) -> None:
    found = one(clause, TRAIN, TEST)
    assert (found.value, found.holds, found.source) == (value, holds, source)
    assert str(found.clause) == clause


def test_clauses_keep_their_order() -> None:
    terms = parse("n_parameters < 10 and accuracy > 0.1 and accuracy > 0.95").terms
    assert [(str(row.clause), row.holds) for row in check(terms, [TRAIN], "train")] == [
        ("n_parameters < 10", False), ("accuracy > 0.1", True), ("accuracy > 0.95", False),
    ]  # fmt: skip
    assert check((), [TRAIN], "train") == ()


def test_a_metric_may_be_called_by_the_end_of_its_name() -> None:
    nested = Measured("evaluate", "r-2", "a-2", {"test.accuracy": 0.8})
    assert one("evaluate.accuracy > 0.75", TRAIN, nested).value == 0.8
    assert one("evaluate.test.accuracy > 0.75", TRAIN, nested).value == 0.8
    assert one("test.accuracy > 0.75", TRAIN, nested).value == 0.8


@pytest.mark.parametrize(
    ("clause", "rows", "named", "then"),
    [
        (
            "f1 > 0", [TRAIN, measured("evaluate", f1=1), measured("audit", f1=2)],
            "the stage evaluate has f1 and the stage audit has f1", "write evaluate.f1",
        ),
        (
            "auc > 0", [Measured("train", "r", "a", {"val.auc": 1, "test.auc": 2})],
            "there are test.auc and val.auc", "write test.auc",
        ),
        (  # a folder of metrics is called like a stage
            "evaluate.accuracy > 0", [Measured("train", "r", "a", {"evaluate.accuracy": 1}), TEST],
            "the stage evaluate has accuracy and the stage train has evaluate.accuracy", "write train.evaluate.accuracy",
        ),
    ],
)  # fmt: skip
def test_an_ambiguous_name_is_refused_with_both(
    clause: str, rows: list[Measured], named: str, then: str
) -> None:
    with pytest.raises(PlanError) as caught:
        one(clause, *rows)
    assert caught.value.why == named
    assert caught.value.next == then
    (fixed,) = check([parse(clause).terms[0]._replace(metric=then.removeprefix("write "))], rows, "train")
    assert fixed.value is not None  # the way out is one


def test_own_metrics_are_not_ambiguous_with_those_of_others() -> None:
    other = Measured("evaluate", "r-2", "a-2", {"a.accuracy": 1, "b.accuracy": 2})
    assert one("accuracy > 0.75", TRAIN, other).source == "r-train"
    assert one("train.accuracy > 0.75", Measured("train", "r", "a", {"train.accuracy": 1})).value == 1.0


def test_of_several_runs_of_a_stage_the_last_one_counts() -> None:
    again = Measured("evaluate", "r-again", "a", {"accuracy": 0.8})
    assert one("evaluate.accuracy > 0.75", TRAIN, TEST, again).source == "r-again"
    assert one("class_1_accuracy > 0", TRAIN, TEST, again).value is None  # it says nothing of it any more


values = st.floats() | st.integers() | st.sampled_from(["NaN", "Infinity", "-Infinity", "text", None, True])


@given(values, st.sampled_from(["<=", ">=", "==", "!=", "<", ">"]), st.floats(allow_nan=False))
def test_only_a_number_holds_a_clause(value: Any, op: str, bound: float) -> None:
    (found,) = check([Comparison("m", op, bound)], [measured("train", m=value)], "train")
    if found.value is None:
        assert not found.holds
        assert isinstance(value, (bool, str)) or value is None or math.isnan(value)
    else:
        assert found.holds == eval(
            f"value {op} bound", {"value": found.value, "bound": bound}
        )  # the test's own text
