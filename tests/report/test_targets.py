"""Targets beside what was measured, and what the winner became as a model."""

from __future__ import annotations

from typing import Any

import pytest
from studies import NOW, PROMOTION, TEST, change, model_of, promoted, taken

from pinyon.model.condition import Comparison, parse
from pinyon.model.experiment import Promotion
from pinyon.model.ids import run_id
from pinyon.model.registry import Checked, Model
from pinyon.model.study import StudyResult
from pinyon.report.study import study_html, study_json, study_markdown, study_view


@pytest.fixture(scope="module")
def result() -> StudyResult:
    return promoted()


def said(result: StudyResult, model: Model | None = None, **more: Any) -> str:
    return study_markdown(study_view(result, model=model, **more)).replace("\\", "")


def head(text: str, lead: str) -> str:
    """The paragraph of the head that begins so, which stands before every section."""
    (line,) = [line for line in text.partition("\n## ")[0].splitlines() if line.startswith(f"**{lead}:**")]
    return line.removeprefix(f"**{lead}:** ")


def section(text: str, name: str) -> str:
    return text.partition(f"\n## {name}\n")[2].partition("\n## ")[0]


def asking(result: StudyResult, **more: Any) -> StudyResult:
    experiment = result.study.experiment._replace(promote=PROMOTION._replace(**more))
    return result._replace(study=result.study._replace(experiment=experiment))


def terms(text: str) -> tuple[Comparison, ...]:
    return parse(text).terms


# Targets


def test_every_target_stands_beside_its_number_and_the_run_that_said_it(result: StudyResult) -> None:
    text = said(result)
    assert head(text, "Targets") == "5 of 5 met; beyond them 4 of 5 stretch goals."
    (row,) = [row for row in section(text, "Targets").splitlines() if "evaluate.accuracy" in row]
    (test,) = [one for one in result.attempts.values() if one.stage == "evaluate"]
    assert row == (
        "| evaluate.accuracy | > 0.75 | > 0.8 | 0.9239 (0.861 to 0.967) | target ✓ stretch ✓"
        f" | `{run_id(test.key)}` |"
    )
    (row,) = [row for row in section(text, "Targets").splitlines() if "n_parameters" in row]
    assert row == (
        f"| n_parameters | < 150,000 | < 100,000 | 33,314 | target ✓ stretch ✓ | `{run_id(taken(result).key)}` |"
    )
    assert "target ✓ stretch ✗" in section(text, "Targets")  # 7.25 ms


def test_a_missed_target_is_said_first_with_its_number() -> None:
    text = said(promoted(class_0_accuracy=0.79))
    assert head(text, "Targets") == (
        "4 of 5 met; missed: evaluate.class_0_accuracy > 0.8 (0.7900); beyond them 3 of 5 stretch goals."
    )
    assert "| evaluate.class_0_accuracy | > 0.8 | > 0.85 | 0.7900 | target ✗ stretch ✗ |" in text


@pytest.mark.parametrize("metric", ["evaluate.f1", "control.accuracy", "f1"])
def test_what_nobody_measured_is_missed(result: StudyResult, metric: str) -> None:
    text = said(asking(result, gate=terms(f"{metric} > 0.5"), stretch=()))
    assert head(text, "Targets") == f"0 of 1 met; missed: {metric} > 0.5 (not measured)."
    assert f"| {metric} | > 0.5 | – | not measured | target ✗ | – |" in text


def test_the_numbers_are_those_of_the_promoted_replicate() -> None:
    """Of three seeds the one with the median objective: its own runs, and the final stages on it."""
    result = promoted(seeds=(0, 1, 2))
    mine = next(recipes for one, recipes in result.study.final if one.recipe == taken(result).recipe)
    attempts = dict(result.attempts)
    for _, recipes in result.study.final:
        value = 0.9 if recipes == mine else 0.1
        attempts[recipes[0]] = attempts[recipes[0]]._replace(metrics={**TEST, "accuracy": value})
    found = study_json(study_view(result._replace(attempts=attempts)))["targets"]
    assert found[0]["value"] == 0.9
    assert found[0]["run"] == run_id(attempts[mine[0]].key)
    assert found[3]["value"] == taken(result).metrics["n_parameters"]


def test_what_a_script_told_at_the_end_can_be_a_target(result: StudyResult) -> None:
    asked = asking(result, gate=terms("f1 > 0.5 and accuracy > 0.2"), stretch=())
    summaries = {taken(result).id: {"f1": 0.6, "accuracy": 0.1}}  # the metrics file says more of accuracy
    assert head(said(asked, summaries=summaries), "Targets") == "2 of 2 met."


def test_clauses_about_one_metric_are_paired_in_order(result: StudyResult) -> None:
    gate = terms("accuracy > 0.5 and n_parameters < 9 and accuracy < 0.99")
    rows = study_json(study_view(asking(result, gate=gate, stretch=terms("accuracy > 0.7"))))["targets"]
    assert [(row["target"], row["stretch"], row["met"], row["stretch_met"]) for row in rows] == [
        ("accuracy > 0.5", "accuracy > 0.7", True, True), ("accuracy < 0.99", None, True, None),
        ("n_parameters < 9", None, False, None),
    ]  # fmt: skip


def test_a_number_whose_interval_reaches_over_the_bound_is_doubtful(result: StudyResult) -> None:
    targets = section(said(result), "Targets")
    assert (
        "- evaluate.class_1_accuracy > 0.3: met, but the interval of the measurement, 0.28 to 0.81, has values on both"
        " sides of the bound."
    ) in targets
    assert targets.count("both sides") == 1


def test_an_ambiguous_metric_is_told_with_both(result: StudyResult) -> None:
    text = said(asking(result, gate=terms("class_0_accuracy > 0.5 and seconds > 0"), stretch=()))
    assert head(text, "Targets").startswith("1 of 2 met")  # only one stage has that metric
    attempts = {
        recipe: one._replace(metrics={**one.metrics, "seconds": 1.0})
        if one.stage in ("evaluate", "latency")
        else one
        for recipe, one in result.attempts.items()
    }
    found = asking(result._replace(attempts=attempts), gate=terms("seconds > 0"), stretch=())
    assert (
        "- seconds: the metric 'seconds' is ambiguous; the stage evaluate has seconds and the stage latency has seconds"
        " → write evaluate.seconds"
    ) in section(said(found), "Targets")


def test_without_a_winner_nothing_is_measured(result: StudyResult) -> None:
    study = result.study._replace(complete=False, final=())
    text = said(result._replace(study=study, selections={}))
    assert "Nothing is measured, for nobody has won yet." in section(text, "Targets")
    assert head(text, "Targets") == "Nothing is measured, for nobody has won yet."
    assert "| not decided |" in section(text, "Leaderboard")
    assert head(text, "Promotion") == (
        "Nothing became lstm, for nobody has won yet. Next: pinyon run lstm-optimization-2025"
    )


def test_a_winner_without_a_complete_replicate(result: StudyResult) -> None:
    text = said(result._replace(study=result.study._replace(complete=False, final=())))
    assert head(text, "Targets") == "Nothing is measured, for no replicate of the winner is complete."


def test_an_experiment_that_promotes_nothing_has_no_targets(result: StudyResult) -> None:
    experiment = result.study.experiment._replace(promote=None)
    found = result._replace(study=result.study._replace(experiment=experiment))
    text = said(found, model_of(result, staging=2))
    assert "## Targets" not in text
    assert "## Promotion" not in text
    assert "**Candidate for promotion:**" in text
    assert study_json(study_view(found))["promotion"] is None


# Promotion

AT = "2026-01-01 00:0"


def test_promoted(result: StudyResult) -> None:
    gate = tuple(Checked(clause, 0.5, True, "r-0123456789abcdef") for clause in PROMOTION.gate)
    by = {"experiment": "lstm-optimization-2025", "execution": NOW}
    model = model_of(
        result, change(1, 1, why="first try"), change(2, 2, before=1, gate=gate, by=by, actor="agent:night"),
        staging=2, champion=2,
    )  # fmt: skip
    text = said(result, model)
    words = f"staging is lstm@2, this winner, since {AT}2 UTC by agent:night; so is champion. More: pinyon model show lstm"
    assert head(text, "Promotion") == words
    promotion = section(text, "Promotion")
    assert "- evaluate.accuracy > 0.75: 0.5000 ✓, run r-0123456789abcdef" in promotion  # as it was then
    assert f"| 1 | {AT}1 UTC | staging | promoted | – | @1 | – | ada | first try |" in promotion
    assert f"| 2 | {AT}2 UTC | staging | promoted | @1 | @2 | 5 of 5 held | agent:night | – |" in promotion
    found = study_json(study_view(result, model=model))["promotion"]
    assert (found["state"], found["version"], found["names"]) == ("promoted", 2, ("staging", "champion"))
    assert found["change"]["by"] == by
    assert [row["number"] for row in found["changes"]] == [1, 2]


def test_rolled_back_since(result: StudyResult) -> None:
    back = change(3, 1, "rolled_back", before=2, why="wrong on left arms", actor="person:bob")
    text = said(result, model_of(result, change(1, 1), change(2, 2, before=1), back, staging=1))
    assert head(text, "Promotion") == (
        f"lstm@2, this winner, was staging on {AT}2 UTC by ada; then it was rolled back to lstm@1 on {AT}3 UTC by bob"
        " (wrong on left arms), and staging is lstm@1 now. More: pinyon model show lstm"
    )
    assert (
        study_json(study_view(result, model=model_of(result, change(2, 2), back, staging=1)))["promotion"][
            "state"
        ]
        == "moved"
    )


def test_replaced_and_taken_away_since(result: StudyResult) -> None:
    moved = said(result, model_of(result, change(1, 2), change(2, 1, before=2), staging=1))
    assert "then it was moved on to lstm@1" in head(moved, "Promotion")
    gone = said(result, model_of(result, change(1, 2), change(2, None, "unset", before=2)))
    assert "then it was taken away" in head(gone, "Promotion")
    assert "and nothing is staging now. More" in head(gone, "Promotion")
    kept = model_of(result, change(1, 2), change(2, None, "unset", before=2), champion=2)._replace(
        archived=(2,)
    )
    assert "nothing is staging now; it is archived and champion now." in head(said(result, kept), "Promotion")


def test_rolled_back_to_this_winner(result: StudyResult) -> None:
    changes = (change(1, 2), change(2, 1, before=2), change(3, 2, "rolled_back", before=1))
    text = said(result, model_of(result, *changes, staging=2))
    assert head(text, "Promotion").startswith(f"staging is lstm@2, this winner, since {AT}3 UTC")


def test_the_gate_refuses(result: StudyResult) -> None:
    refused = promoted(class_0_accuracy=0.79)
    clause = "the gate refuses it: evaluate.class_0_accuracy > 0.8 (0.7900)"
    text = said(refused, model_of(refused, change(1, 1), staging=1))
    assert head(text, "Promotion") == (
        f"The winner is lstm@2, and not staging; {clause}. More: pinyon model show lstm"
    )
    assert head(said(refused), "Promotion") == (
        "The winner is not promoted to staging of lstm; the gate would refuse it: evaluate.class_0_accuracy > 0.8"
        " (0.7900). Next: pinyon run lstm-optimization-2025"
    )


def test_not_promoted_yet(result: StudyResult) -> None:
    assert head(said(result), "Promotion") == (
        "The winner is not promoted to staging of lstm; it is no version yet. Next: pinyon run lstm-optimization-2025"
    )
    assert head(said(result, model_of(result, change(1, 1), staging=1, champion=2)), "Promotion") == (
        "The winner is lstm@2 (champion), and not staging; nobody has promoted it. More: pinyon model show lstm"
    )


def test_forced_through_a_gate(result: StudyResult) -> None:
    gate = (Checked(PROMOTION.gate[0], None, False),)
    text = said(result, model_of(result, change(1, 2, gate=gate, forced=True, why="demo"), staging=2))
    assert "and somebody went on though a clause did not hold" in section(text, "Promotion")
    assert "- evaluate.accuracy > 0.75: not measured ✗" in section(text, "Promotion")
    assert "| 0 of 1 held, forced | ada | demo |" in section(text, "Promotion")


def test_the_version_is_found_by_its_content_too(result: StudyResult) -> None:
    """The same bytes were registered from another run; another out of the same run is another model."""
    model = model_of(result, change(1, 2), staging=2)
    other = model.versions[1]._replace(run="r-fedcba9876543210")
    assert "staging is lstm@2" in said(result, model._replace(versions=(model.versions[0], other)))
    strange = other._replace(digest="blake3:00", run=model.versions[1].run)
    assert "no version yet" in said(result, model._replace(versions=(model.versions[0], strange)))
    assert "no version yet" in said(asking(result, path="encoder.safetensors"), model)


def test_a_long_history_shows_its_end(result: StudyResult) -> None:
    changes = [change(at, 2 - at % 2, before=1 + at % 2) for at in range(1, 31)]
    promotion = section(said(result, model_of(result, *changes, staging=2)), "Promotion")
    assert "| 30 |" in promotion
    assert "| 11 |" in promotion
    assert "| 10 |" not in promotion
    assert "10 earlier changes are on record." in promotion


EVIL = "<script>alert(1)</script>\"'&<img src=x onerror=alert(2)>"


def test_names_and_reasons_are_text(result: StudyResult) -> None:
    asked = Promotion(EVIL, EVIL, (Comparison(EVIL, ">", 0.5),), (Comparison(EVIL, ">", 0.7),))
    experiment = result.study.experiment._replace(promote=asked)
    found = result._replace(study=result.study._replace(experiment=experiment))
    gate = (Checked(asked.gate[0], 0.5, True, EVIL),)
    changes = tuple(
        change(at, version, why=EVIL, actor=f"person:{EVIL}", gate=gate)._replace(alias=EVIL)
        for at, version in ((1, 2), (2, 1))
    )
    for aliases in ({EVIL: 1}, {EVIL: 2, EVIL * 2: 2}):
        model = model_of(result, *changes)._replace(name=EVIL, aliases=aliases)
        html = study_html(study_view(found, model=model))
        assert "<script" not in html
        assert "<img" not in html
        assert "&lt;script&gt;" in html
