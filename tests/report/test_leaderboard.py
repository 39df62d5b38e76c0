"""All distinct cells over all phases in one order, with the intervals that runs give themselves."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from studies import attempt, change, choose, lstm, model_of, promoted

from pinyon.model.experiment import Cell, Experiment, Objective, Phase
from pinyon.model.study import PhaseStudy, Replicate, Study, StudyResult
from pinyon.report.study import study_html, study_json, study_markdown, study_text, study_view


@pytest.fixture(scope="module")
def result() -> StudyResult:
    return promoted()


def said(result: StudyResult) -> str:
    return study_markdown(study_view(result)).replace("\\", "")


def section(text: str, name: str) -> str:
    return text.partition(f"\n## {name}\n")[2].partition("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """A Markdown table's rows, without what makes them bold."""
    lines = [line for line in text.splitlines() if line.startswith("|") and "---" not in line]
    return [[field.strip().strip("*`") for field in line.strip("|").split("|")] for line in lines]


def grid(numbers: list[tuple[float, float | None, float | None]], goal: str = "maximize") -> StudyResult:
    """One phase with a cell for each (metric, low, high), and one seed."""
    cells, attempts = [], {}
    for number, values in enumerate(numbers, 1):
        pairs = (("lr", number),)
        cells.append((Cell(f"c-{number}", "p", number, pairs), (Replicate((), pairs, f"r{number}"),)))
        names = ("f1", "f1_low", "f1_high")
        metrics = {name: value for name, value in zip(names, values, strict=True) if value is not None}
        attempts[f"r{number}"] = attempt(f"r{number}", "train", metrics=metrics, seconds=1.0)
    phase = PhaseStudy(Phase("p", grid=(("lr", tuple(range(1, len(numbers) + 1))),)), (), tuple(cells))
    objective = Objective("f1", goal)  # type: ignore[arg-type]
    chosen = choose(phase, attempts, objective, {})
    study = Study(Experiment("e", "train", (phase.phase,), objective), (phase,))
    return StudyResult(study, attempts, selections={"p": chosen})


# The order


def test_each_distinct_cell_stands_once_with_all_its_names(result: StudyResult) -> None:
    found = study_json(study_view(result))["leaderboard"]
    assert len(found) == 13  # 15 cells: two are winners of the phase before
    assert [row["rank"] for row in found] == [*range(1, 12), None, None]
    means = [row["objective"]["mean"] for row in found[:11]]
    assert means == sorted(means, reverse=True)
    twins = [[(one["phase"], one["number"]) for one in row["cells"]] for row in found]
    assert sum(map(len, twins)) == 15
    assert twins[0] == [("time-warp", 3), ("architecture", 1), ("pretraining", 1)]
    assert found[0]["won"] == ["time-warp", "architecture", "pretraining"]
    assert found[0]["sets"] == {
        "augment.time_warp_sigma": 0.15, "model.hidden_size": 64, "model.num_heads": 4, "model.num_layers": 1,
        "pretrain.epochs": 50,
    }  # fmt: skip


def test_what_cannot_win_stands_last_without_a_rank(result: StudyResult) -> None:
    table = rows(section(said(result), "Leaderboard"))
    assert table[0] == [
        "rank", "cell", "verdict", "accuracy", "class_1_accuracy", "n_parameters", "time_warp_sigma", "hidden_size",
        "num_heads", "num_layers", "epochs", "runs",
    ]  # fmt: skip
    assert [row[1] for row in table[-2:]] == ["architecture/6", "architecture/8"]
    for row in table[-2:]:
        assert (row[0], row[2], row[5]) == ("–", "cannot win", "223,202 ✗")
    assert table[1][1:3] == ["time-warp/3, architecture/1, pretraining/1", "★ winner"]
    assert table[2][6:11] == ["0.12", "–", "–", "–", "–"]  # a first phase sets nothing else


def test_it_stands_before_the_phases_and_not_for_one_phase(result: StudyResult) -> None:
    text = said(result)
    order = [
        text.index(f"\n## {name}") for name in ("Leaderboard", "Targets", "Promotion", "Phase 1", "Final")
    ]
    assert order == sorted(order)
    assert "## Leaderboard" not in said(grid([(0.1, None, None), (0.2, None, None)]))
    assert len(study_json(study_view(grid([(0.1, None, None), (0.2, None, None)])))["leaderboard"]) == 2


def test_winners_of_phases_and_what_is_as_good_are_told() -> None:
    table = rows(section(said(lstm()), "Leaderboard"))
    verdicts = {row[1]: row[2] for row in table[1:]}
    assert verdicts["pretraining/3"] == "★ winner"
    assert verdicts["time-warp/1, architecture/1, pretraining/1"] == "won time-warp, architecture"
    assert verdicts["architecture/5"] == "cannot win"
    assert verdicts["time-warp/2"] == "≈ the best of time-warp"


def test_what_an_experiment_sets_throughout_is_no_difference(result: StudyResult) -> None:
    fixed = (("data.train_windows", 1200), ("model.num_heads", 4))
    experiment = result.study.experiment._replace(fixed=fixed)
    phases = tuple(one._replace(base=(*fixed, *one.base)) for one in result.study.phases)
    study = result.study._replace(experiment=experiment, phases=phases)
    found = study_view(result._replace(study=study))
    assert "Base: data.train_windows=1200 (set throughout)" in study_markdown(found)
    (first, *_) = study_json(found)["leaderboard"]
    assert "data.train_windows" not in first["sets"]
    assert first["sets"]["model.num_heads"] == 4  # a phase varies it


def test_many_parameters_share_a_column() -> None:
    pairs = tuple((f"p{at}", at) for at in range(9))
    cells = tuple(
        (Cell(f"c-{n}", name, n, pairs), (Replicate((), pairs, f"{name}{n}"),))
        for name in "ab"
        for n in (1, 2)
    )
    attempts = {row.recipe: attempt(row.recipe, "train", metrics={"f1": 0.5}) for _, (row,) in cells}
    phases = tuple(PhaseStudy(Phase(n), (), tuple(c for c in cells if c[0].phase == n)) for n in "ab")
    experiment = Experiment("e", "train", tuple(one.phase for one in phases), Objective("f1", "minimize"))
    table = rows(section(said(StudyResult(Study(experiment, phases), attempts)), "Leaderboard"))
    assert table[0] == ["rank", "cell", "verdict", "f1", "sets", "runs"]
    assert table[1][4].startswith("p0=0, p1=1, p2=2")


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=8), st.sampled_from(["maximize", "minimize"]))
def test_the_order_is_that_of_the_objective(values: list[float], goal: str) -> None:
    found = study_json(study_view(grid([(value, None, None) for value in values], goal)))["leaderboard"]
    assert [row["objective"]["mean"] for row in found] == sorted(values, reverse=goal == "maximize")
    assert [row["rank"] for row in found] == list(range(1, len(values) + 1))


# Intervals that runs give themselves


def test_an_interval_stands_behind_its_number(result: StudyResult) -> None:
    text = said(result)
    table = rows(section(text, "Leaderboard"))
    assert table[1][3] == "0.9596 (0.952 to 0.966)"
    final = section(text, "Final stages, on the winner only")
    assert [row[:2] for row in rows(final)[:4]] == [
        ["metric", "train.seed=0"], ["accuracy", "0.9239 (0.861 to 0.967)"], ["class_0_accuracy", "0.9510"],
        ["class_1_accuracy", "0.6100 (0.28 to 0.81)"],
    ]  # fmt: skip
    assert "One replicate, so no error over seeds can be estimated." in final
    assert "_low" not in final


def test_the_headline_counts_the_cells_within_the_winners_interval() -> None:
    three = [(0.95, 0.91, 0.97), (0.92, 0.9, 0.93), (0.91, 0.9, 0.92), (0.5, 0.4, 0.6)]
    text = said(grid(three))
    assert (
        "**How sure:** Only one seed, so no error can be estimated. The winner's own interval, 0.91 to 0.97, holds 2 of"
        " the 3 other cells: by this measurement they cannot be told apart."
    ) in text
    alone = said(grid([(0.95, 0.93, 0.97), (0.5, 0.4, 0.6)]))
    assert "holds not the other cell, though the intervals may overlap." in alone
    pair = said(grid([(0.95, 0.9, 0.97), (0.94, None, None)]))
    assert "holds the other cell: by this measurement the two cannot be told apart." in pair
    assert "says how sure this one number is." in said(grid([(0.95, 0.9, 0.97)]))


def test_the_same_runs_are_no_other_cell(result: StudyResult) -> None:
    assert "holds 4 of the 12 other cells" in said(result)  # 13 distinct ones


@pytest.mark.parametrize(
    "ends",
    [(None, 0.97), (0.9, None), (0.97, 0.9), (float("nan"), 0.97), ("low", "high"), (True, True)],
)
def test_what_is_no_interval_is_none(ends: tuple[Any, Any]) -> None:
    text = said(grid([(0.95, *ends), (0.94, *ends)]))
    assert "own interval" not in text.partition("## How to read")[0]
    assert "| **0.9500** |" in text


def test_ends_of_no_interval_stay_metrics_of_their_own() -> None:
    shown = {
        "whole": {"f1": 0.5, "f1_low": 0.4, "f1_high": 0.6, "pass_low": 1.0},
        "half": {"f1": 0.5, "f1_low": 0.4},
        "reversed": {"f1": 0.5, "f1_low": 0.6, "f1_high": 0.4},
    }
    found = {}
    for name, metrics in shown.items():
        one = promoted()
        attempts = {
            recipe: row._replace(metrics=metrics) if row.stage == "evaluate" else row
            for recipe, row in one.attempts.items()
        }
        final = section(said(one._replace(attempts=attempts)), "Final stages, on the winner only")
        table = rows(final.partition("### latency")[0])
        found[name] = [row[0] for row in table[1:]]
    assert found == {
        "whole": ["f1", "pass_low"],
        "half": ["f1", "f1_low"],
        "reversed": ["f1", "f1_low", "f1_high"],
    }


def test_over_several_seeds_the_error_is_that_of_the_seeds() -> None:
    text = said(promoted(seeds=(0, 1, 2)))
    head = text.partition("\n## ")[0]
    assert "95 % interval 0.9404 to 0.9777, 3 seeds" in head
    assert "own interval" not in head
    assert "(0.9" not in section(text, "Leaderboard")
    final = section(text, "Final stages, on the winner only")
    assert final.count("0.9239 (0.861 to 0.967)") == 3  # each replicate's own
    assert "All 3 seeds gave the same" in final


def test_what_came_afterwards_stands_at_the_top() -> None:
    for seeds, shown in (((0,), "0.9239 (0.861 to 0.967)"), ((0, 1, 2), "0.9239")):
        head = said(promoted(seeds)).partition("\n## ")[0]
        assert f"**Afterwards:** evaluate gave accuracy {shown}; it played no part in choosing." in head
    assert "0.9" in said(lstm()).partition("**Afterwards:** evaluate gave accuracy ")[2][:16]
    assert "Afterwards" not in said(grid([(0.5, None, None)]))
    one = promoted()
    twice = {"val.accuracy": 0.9, "test.accuracy": 0.8}  # nobody knows which
    attempts = {
        recipe: row._replace(metrics=twice) if row.stage == "evaluate" else row
        for recipe, row in one.attempts.items()
    }
    assert "Afterwards" not in said(one._replace(attempts=attempts))


def test_a_metric_called_by_its_end_has_its_interval(result: StudyResult) -> None:
    attempts = {
        recipe: one._replace(metrics={f"val.{name}": value for name, value in one.metrics.items()})
        for recipe, one in result.attempts.items()
    }
    found = said(result._replace(attempts=attempts))
    assert section(found, "Leaderboard") == section(said(result), "Leaderboard")
    assert "0.9239 (0.861 to 0.967)" in section(found, "Targets")


# In the terminal


def test_in_the_terminal_the_first_cells_and_the_targets(result: StudyResult) -> None:
    model = model_of(result, change(1, 2), staging=2)
    lines = study_text(study_view(result, model=model), 3).splitlines()
    assert lines[0].startswith("winner      pretraining/1 (augment.time_warp_sigma=0.15")
    assert lines[1].startswith("how sure    Only one seed, so no error can be estimated.")
    assert (
        lines[2]
        == "afterwards  evaluate gave accuracy 0.9239 (0.861 to 0.967); it played no part in choosing."
    )
    assert lines[3] == "targets     5 of 5 met; beyond them 4 of 5 stretch goals."
    assert lines[4].startswith("promotion   staging is lstm@2, this winner")
    assert lines[5].startswith("counted     15 cells, 15 replicates, 13 distinct runs")
    board = lines[7:11]
    assert board[0].split()[:4] == ["rank", "cell", "verdict", "accuracy"]
    assert [line.split()[0] for line in board[1:]] == ["1", "2", "3"]
    ends = {line.index(")") for line in board[1:]}
    assert ends == {board[0].index("accuracy") + len("accuracy") - 1}  # numbers end where their column does
    assert lines[11] == ""
    assert lines[12].split() == ["metric", "target", "stretch", "measured", "met?", "run"]
    assert len(lines) == 18
    assert all(line == line.rstrip() for line in lines)


def test_in_the_terminal_without_a_winner_or_targets() -> None:
    impossible = grid([(0.5, None, None)])
    text = study_text(study_view(impossible._replace(selections={})), 5)
    assert text.startswith("result   No winner, because nothing has been chosen in the phase p yet.\n")
    assert "target" not in text


def test_a_terminal_gets_no_commands() -> None:
    one = promoted()
    experiment = one.study.experiment
    phases = tuple(
        phase._replace(
            cells=tuple((c._replace(assignment=(("x", "\x1b[2J\r\u202e"),)), r) for c, r in phase.cells)
        )
        for phase in one.study.phases
    )
    found = one._replace(study=one.study._replace(experiment=experiment, phases=phases))
    text = study_text(study_view(found), 20)
    assert all(line.isprintable() for line in text.split("\n"))


def test_pages_have_the_same_rows(result: StudyResult) -> None:
    html = study_html(study_view(result)).partition('id="leaderboard"')[2].partition("</table>")[0]
    assert html.count("<tr") == 14
    assert "★ winner" in html
