"""The report of a study like the LSTM one: what it says is counted, and what is chance is called chance."""

from __future__ import annotations

import csv
import io
import math
import re
from collections import defaultdict
from typing import Any

import pytest
from studies import BEFORE, NOW, OBJECTIVE, attempt, choose, digest, learning_curves, lstm

from pinyon.model.condition import Comparison
from pinyon.model.experiment import Cell, Choice, Experiment, Phase, Range, Selection
from pinyon.model.ids import run_id
from pinyon.model.outcome import Output
from pinyon.model.study import PhaseStudy, Replicate, Study, StudyResult
from pinyon.report.study import study_html, study_json, study_markdown, study_table, study_view
from pinyon.report.study.nouns import StudyView


@pytest.fixture(scope="module")
def result() -> StudyResult:
    return lstm()


@pytest.fixture(scope="module")
def view(result: StudyResult) -> StudyView:
    return study_view(result, learning_curves(result))


@pytest.fixture(scope="module")
def text(view: StudyView) -> str:
    return study_markdown(view)


def winner_of(text: str) -> dict[str, str]:
    """By phase, the winning cell, chosen again from the exported table and from nothing else."""
    cells: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for row in csv.DictReader(io.StringIO(text, newline="")):
        cells[row["phase"], row["cell"]].append(row)

    def mean(rows: list[dict[str, str]], metric: str) -> float:
        return sum(float(row.get(f"metric:{metric}") or "nan") for row in rows) / len(rows)

    chosen = {}
    for phase in dict.fromkeys(phase for phase, _ in cells):
        fit = []
        for (at, cell), rows in cells.items():
            rule, value = rows[0], mean(rows, rows[0]["objective"])
            bounds = [part.split() for part in filter(None, rule["subject_to"].split(" and "))]
            holds = [
                eval(f"{mean(rows, m)!r} {op} {n}", {"nan": math.nan}) for m, op, n in bounds
            ]  # the test's own text
            if at == phase and all(holds) and not math.isnan(value):
                values = [float(row[f"metric:{rule['objective']}"]) for row in rows]
                spread = math.sqrt(
                    sum((v - value) ** 2 for v in values) / max(len(values) - 1, 1) / len(values)
                )
                fit.append(
                    (
                        value if rule["goal"] == "minimize" else -value,
                        spread,
                        mean(rows, rule["prefer"]),
                        cell,
                    )
                )
        if fit:
            best = min(fit)
            chosen[phase] = min((p, v, c) for v, _, p, c in fit if v - best[0] <= best[1])[2]
    return chosen


def test_the_winner_can_be_chosen_again_from_the_exported_table(result: StudyResult, view: StudyView) -> None:
    assert winner_of(study_table(view)) == {name: one.winner for name, one in result.selections.items()}


def test_the_exported_table_has_every_replicate_with_all_digits(result: StudyResult, view: StudyView) -> None:
    rows = list(csv.DictReader(io.StringIO(study_table(view), newline="")))
    assert len(rows) == 45
    states = [row["state"] for row in rows]
    assert {state: states.count(state) for state in states} == {
        "reused": 2,
        "run": 36,
        "shared": 6,
        "failed": 1,
    }
    for row in rows:
        found = result.attempts.get(row["recipe"])
        if found is None:
            assert row["note"].startswith("exit code 137")
            assert row["metric:accuracy"] == row["run"] == ""
        else:
            assert (row["run"], row["key"]) == (run_id(found.key), found.key)
            assert float(row["seconds"]) == found.seconds
            assert row["metric:accuracy"] == str(found.metrics["accuracy"])
            assert row["outs"] == f"train.safetensors={found.outputs[0].digest}"
    winners = {(row["phase"], row["cell"]) for row in rows if row["winner"] == "true"}
    assert winners == {(name, one.winner) for name, one in result.selections.items()}


def test_everything_is_counted(view: StudyView, text: str) -> None:
    assert "15 cells, 45 replicates, 39 distinct runs: 36 run, 2 reused, 1 failed." in text
    counts = view.counts
    assert counts.run + counts.reused + counts.failed + counts.missing == counts.distinct


def test_counts_follow_from_content_not_from_the_grid() -> None:
    found = lstm(seeds=[0])
    assert study_view(found).counts.distinct == 13  # 15 cells: two of them are winners of the phase before
    assert "15 cells, 15 replicates, 13 distinct runs: 12 run, 1 reused." in study_markdown(study_view(found))


def test_the_head_says_who_won_and_how_sure_that_is(view: StudyView, text: str) -> None:
    head = text.partition("## Phase 1")[0]
    assert view.winner is not None
    assert "**Winner:** pretraining/3 (augment.time_warp_sigma=0.1, model.hidden_size=64" in head
    assert "95 % interval 0.9404 to 0.9777, 3 seeds" in head
    assert "cannot be told apart from 1 other cell" in head
    assert "within the noise, so no improvement" in head
    assert "the replicate with the median accuracy" in head


def test_a_phase_that_chose_what_was_there_says_that_it_changed_nothing(text: str) -> None:
    architecture = text.partition("## Phase 2")[2].partition("## Phase 3")[0]
    assert (
        "These are the very runs of the winner of time-warp: the phase has changed nothing." in architecture
    )
    assert "Base: augment.time_warp_sigma=0.1 (winner of time-warp)." in architecture


def test_cells_that_cannot_win_say_why(text: str) -> None:
    assert "- time-warp/4: accuracy is NaN in 1 of 3 replicates" in text
    assert "- architecture/6: n_parameters 223202 is not \\<= 150000" in text
    assert "- architecture/5: it has no result in 1 of 3 replicates: exit code 137" in text
    phase = text.partition("## Phase 2")[2]
    row = next(line for line in phase.splitlines() if "223,202" in line)
    assert "223,202 (−73,202) ✗" in row
    assert row.startswith("| – |")


def test_problems_are_named_with_their_causes(text: str) -> None:
    problems = text.partition("## What is missing")[2].partition("## How to read")[0]
    assert "- time-warp/4, train.seed=1, run r-39483f207d263914: accuracy is NaN" in problems
    assert (
        "- architecture/5, train.seed=2 failed: exit code 137: killed by signal 9, out of memory" in problems
    )


def test_reuse_says_what_and_why(text: str) -> None:
    reused = text.partition("## What was reused")[2].partition("## Expected")[0]
    assert (
        f"time-warp/1, train.seed=0; time-warp/1, train.seed=1: made before, by execution {BEFORE}" in reused
    )
    assert "architecture/1 (all 3 replicates): the same keys, and so the same runs, as time-warp/1" in reused
    assert "pretraining/1 (all 3 replicates): the same keys, and so the same runs, as time-warp/1" in reused


def test_a_run_that_another_recipe_of_this_execution_made_counts_as_run(result: StudyResult) -> None:
    first = result.study.phases[0].cells[1][1]
    twin = result.attempts[first[0].recipe]
    attempts = {**result.attempts, first[1].recipe: twin}  # two recipes came to one key
    found = study_view(result._replace(attempts=attempts, reused=result.reused | {first[1].recipe}))
    assert [one.state for one in found.phases[0].cells[1].samples] == ["run", "shared", "run"]
    assert (found.counts.distinct, found.counts.run, found.counts.reused) == (38, 35, 2)


def test_times_are_summed_over_distinct_runs_and_along_the_chain(
    result: StudyResult, view: StudyView
) -> None:
    seconds = {one.key: one.seconds for one in result.attempts.values()}
    assert view.times.serial == pytest.approx(sum(seconds.values()))
    assert view.times.critical < view.times.serial / 5
    trains = [one.seconds for one in result.attempts.values() if one.stage == "train"]
    assert view.times.critical > max(trains) + 1800  # a pretrain before it
    assert view.times.gpu == pytest.approx(sum(trains))


def test_a_chain_is_as_long_as_its_stages() -> None:
    made = Output("data.npz", "blake3:d1", 1)
    one = attempt("a", "prepare", seconds=10.0, outputs=(made,))
    result = lstm(seeds=[0])
    recipe = result.study.phases[0].cells[0][1][0].recipe
    two = attempt(recipe, "train", seconds=5.0, inputs={"deps": [["data.npz", "blake3:d1"]]})
    found = study_view(
        result._replace(attempts={"a": one, recipe: two}, study=result.study._replace(final=()))
    )
    assert found.times.critical == found.times.serial == 15.0


def test_a_later_phase_does_not_wait_again_for_runs_that_are_there() -> None:
    """Phase 2 has the winner of phase 1 and another cell, which both need the same pretrain."""
    needs = {"deps": [["pretrain.safetensors", "blake3:p"]]}
    made = (Output("pretrain.safetensors", "blake3:p", 1),)
    attempts = {"p": attempt("p", "pretrain", seconds=100.0, outputs=made)}
    for recipe, took in (("a", 1.0), ("b", 20.0), ("c", 3.0)):
        attempts[recipe] = attempt(recipe, "train", seconds=took, inputs=needs, metrics={"m": took})
    phases = []
    for name, recipes in (("first", "ab"), ("second", "bc")):
        rows = [(Cell(recipe, name, 1, ()), (Replicate((), (), recipe),)) for recipe in recipes]
        phases.append(PhaseStudy(Phase(name), (), tuple(rows)))
    experiment = Experiment("e", "train", tuple(one.phase for one in phases))
    times = study_view(StudyResult(Study(experiment, tuple(phases)), attempts)).times
    assert times.serial == 124.0
    assert times.critical == (100.0 + 20.0) + 3.0


def test_the_winner_of_all_is_the_only_one_in_bold_among_all_cells(text: str) -> None:
    rows = text.partition("## Leaderboard")[2].partition("## Phase 1")[0].splitlines()
    (bold,) = [row for row in rows if "**" in row]
    assert bold.startswith("| **1** | **pretraining/3** | **★ winner** |")


def test_a_cause_of_several_lines_stays_in_its_field(result: StudyResult) -> None:
    cause = 'Traceback\r\nline 2\rline 3\n, "quoted"'
    view = study_view(result._replace(failed=dict.fromkeys(result.failed, cause)))
    rows = list(csv.DictReader(io.StringIO(study_table(view), newline="")))
    assert len(rows) == 45
    assert cause in [row["note"] for row in rows]
    bare = study_view(result._replace(failed=dict.fromkeys(result.failed, "a\rb")))
    assert len(list(csv.DictReader(io.StringIO(study_table(bare), newline="")))) == 45
    assert 'train.seed=2 failed: Traceback  line 2 line 3 , "quoted"' in study_markdown(view)


def test_expected_stands_beside_measured(text: str) -> None:
    table = text.partition("## Expected")[2].partition("## What is missing")[0]
    rows = {line.split("|")[1].strip(): line for line in table.splitlines() if line.startswith("|")}
    assert rows["architecture/1"] == "| architecture/1 | 56 min 10 s | 1 h | −6 % |"
    assert "no estimate" in rows["evaluate"]
    assert rows["pretrain"].startswith("| pretrain | 9 | 5 h 15 min | 4 h 30 min | +17 % |")


def test_final_stages_have_a_mean_and_its_interval(text: str) -> None:
    final = text.partition("## Final stages")[2].partition("## Learning curves")[0]
    assert "They played no part in choosing." in final
    assert "| metric | train.seed=0 | train.seed=1 | train.seed=2 | mean ± s.e. | how sure |" in final
    assert re.search(r"\| accuracy (\| 0\.\d+ ){3}\| 0\.\d+ ± 0\.\d+ \| 95 % interval 0\.\d+ to", final)
    assert len(re.findall(r"- train\.seed=\d: run r-[0-9a-f]{16}\n", final)) == 3


def test_the_promoted_replicate_has_the_median_objective(view: StudyView) -> None:
    assert view.winner is not None
    assert view.promoted is not None
    assert view.promoted.attempt is not None
    values = sorted(one.attempt.metrics["accuracy"] for one in view.winner.samples if one.attempt)
    assert view.promoted.attempt.metrics["accuracy"] == values[1]


def test_one_seed_has_no_error(result: StudyResult) -> None:
    text = study_markdown(study_view(lstm(seeds=[0])))
    assert "Only one seed, so no error can be estimated" in text
    assert "±" not in text.partition("## How to read")[0].replace("± s.e.", "")
    assert "improvement" not in text
    assert "better" not in text.partition("## How to read")[0]


def test_what_is_beyond_the_noise_is_called_so(result: StudyResult) -> None:
    attempts = dict(result.attempts)
    for _, replicates in result.study.phases[2].cells[2:]:
        for place, one in enumerate(replicates):
            metrics = {**attempts[one.recipe].metrics, "accuracy": 0.99 + 0.001 * place}
            attempts[one.recipe] = attempts[one.recipe]._replace(metrics=metrics)
    text = study_markdown(study_view(result._replace(attempts=attempts)))
    assert (
        "better by more than chance gives (95 %), though picked as the best of 3."
        in text.partition("## Phase 3")[2].partition("## Final")[0]
    )


def test_a_smaller_objective_may_be_the_better_one() -> None:
    found = lstm()
    experiment = found.study.experiment._replace(objective=OBJECTIVE._replace(goal="minimize"))
    phase = found.study.phases[0]
    attempts = dict(found.attempts)
    for cell, replicates in phase.cells:
        for place, one in enumerate(replicates):
            metrics = {
                "accuracy": cell.number + 0.001 * place * cell.number,
                "class_1_accuracy": 0.9,
                "n_parameters": 10,
            }
            attempts[one.recipe] = attempts[one.recipe]._replace(metrics=metrics)
    chosen = choose(phase, attempts, OBJECTIVE._replace(goal="minimize"), {})
    study = found.study._replace(
        experiment=experiment._replace(phases=experiment.phases[:1]), phases=(phase,), final=()
    )
    view = study_view(StudyResult(study, attempts, frozenset(), {"time-warp": chosen}))
    assert [cell.cell.number for cell in view.phases[0].cells] == [1, 2, 3, 4]
    assert winner_of(study_table(view)) == {"time-warp": chosen.winner}
    assert "accuracy −1.00100 ± 0.00058, over pairs of 3 equal seeds: better" in study_markdown(view)
    assert "better by more than chance" in study_markdown(view)


def without_winner(result: StudyResult, **more: Any) -> StudyResult:
    impossible = Comparison("class_1_accuracy", ">=", 0.99)
    objective = OBJECTIVE._replace(subject_to=(impossible,))
    phase = result.study.phases[0]
    chosen = choose(phase, result.attempts, objective, result.failed)
    experiment = result.study.experiment._replace(objective=objective, **more)
    study = result.study._replace(experiment=experiment, phases=(phase,), final=())
    return result._replace(study=study, selections={"time-warp": chosen})


def test_no_winner_is_said_first_and_why(result: StudyResult) -> None:
    text = study_markdown(study_view(without_winner(result)))
    first = text.splitlines()[2]
    assert first.startswith(
        "No winner, because in the phase time-warp: no cell meets class_1_accuracy \\>= 0.99"
    )
    assert "c-" not in first  # the closest cell by its name, not by its id
    assert "the phase architecture has not begun" in text
    assert "promotion" not in text.partition("## ")[0]
    assert winner_of(study_table(study_view(without_winner(result)))) == {}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"selections": {}}, "No winner, because nothing has been chosen in the phase time-warp yet."),
        ({"objective": None}, "No winner, because the experiment states no objective."),
        ({"phases": ()}, "No winner, because the phase time-warp has not begun."),
        (
            {"attempts": {}},
            "45 replicates, 39 distinct runs: 0 run, 0 reused, 1 failed, 38 without a result.",
        ),
    ],
)
def test_a_study_that_is_not_finished(result: StudyResult, change: dict[str, Any], said: str) -> None:
    experiment = result.study.experiment
    if "objective" in change:
        change = {"study": result.study._replace(experiment=experiment._replace(objective=None))}
    if "phases" in change:
        change = {"study": result.study._replace(phases=(), final=()), "selections": {}}
    view = study_view(result._replace(**change))
    assert said in study_markdown(view)
    assert study_html(view).endswith("</html>\n")


def test_a_skipped_phase_keeps_its_recorded_winner(result: StudyResult) -> None:
    first, second, third = result.study.phases
    skipped = second._replace(cells=(), skipped=True, assumed="the recorded winner: model.hidden_size=64")
    study = result.study._replace(phases=(first, skipped, third))
    selections = {name: one for name, one in result.selections.items() if name != "architecture"}
    text = study_markdown(study_view(result._replace(study=study, selections=selections)))
    assert "The phase was skipped; the recorded winner: model.hidden_size=64." in text
    assert "model.hidden_size=64 (recorded winner of architecture)" in text
    assert "**Winner:** pretraining/3" in text


def test_a_last_phase_that_was_skipped_leaves_the_winner_before_it(result: StudyResult) -> None:
    first, second, third = result.study.phases
    study = result.study._replace(phases=(first, second, third._replace(cells=(), skipped=True)), final=())
    selections = {name: one for name, one in result.selections.items() if name != "pretraining"}
    text = study_markdown(study_view(result._replace(study=study, selections=selections)))
    assert "**Winner:** architecture/1 (augment.time_warp_sigma=0.1, model.hidden_size=64" in text


def test_a_choice_made_from_other_numbers_is_doubtful(result: StudyResult) -> None:
    chosen = result.selections["pretraining"]
    first = chosen.standings[0]._replace(mean=0.5)
    selections = {
        **result.selections,
        "pretraining": chosen._replace(standings=(first, *chosen.standings[1:])),
    }
    text = study_markdown(study_view(result._replace(selections=selections)))
    assert "pretraining/3: when the winner was chosen its mean was 0.5000" in text


def test_one_key_with_different_outs_is_not_deterministic(result: StudyResult) -> None:
    one = next(iter(result.attempts.values()))
    other = one._replace(id="a-other", outputs=(Output("train.safetensors", f"blake3:{digest('x')}", 1),))
    text = study_markdown(study_view(result._replace(attempts={**result.attempts, "elsewhere": other})))
    assert (
        f"run {run_id(one.key)} is not deterministic: attempts {one.id}, a-other left different outs" in text
    )


def test_executions_say_who_where_and_which_code(result: StudyResult) -> None:
    told = {
        NOW: {
            "actor": {"kind": "person", "name": "ada"},
            "host": "box",
            "git": {"commit": "5f3c9d", "dirty": True},
            "pinyon": "0.1.0",
        },
        BEFORE: {"git": None, "git_note": "not a git repository"},
    }
    text = study_markdown(study_view(result, executions=told))
    assert f"| {NOW} | 48 | ada | box | 5f3c9d, with uncommitted changes | 0.1.0 |" in text
    assert f"| {BEFORE} | 2 | – | – | not a git repository | – |" in text


def test_a_brief_report_leaves_out_the_table_of_runs_only(view: StudyView, text: str) -> None:
    brief = study_markdown(view, brief=True)
    assert text.startswith(brief.rstrip("\n"))
    rest = text.removeprefix(brief.rstrip("\n")).strip().splitlines()
    assert rest[0].startswith("| run | stage | for |")
    assert len(rest) == 2 + len(view.runs)


def test_every_run_stands_at_the_end_with_its_digests(result: StudyResult, text: str) -> None:
    end = text.partition("## Where the numbers come from")[2]
    for one in result.attempts.values():
        (row,) = [line for line in end.splitlines() if line.startswith(f"| `{run_id(one.key)}` |")]
        assert one.key in row
        assert one.id in row
        assert one.outputs[0].digest in row


def test_a_metric_may_be_called_by_the_end_of_its_name(result: StudyResult, text: str) -> None:
    attempts = {
        recipe: one._replace(metrics={f"val.{name}": value for name, value in one.metrics.items()})
        for recipe, one in result.attempts.items()
    }
    found = study_markdown(study_view(result._replace(attempts=attempts)))
    assert found.partition("## Final stages")[0] == text.partition("## Final stages")[0]


def test_for_programs(result: StudyResult, view: StudyView) -> None:
    found = study_json(view)
    assert found["winner"] == result.selections["pretraining"].winner
    assert found["counts"]["distinct"] == 39
    (first,) = [cell for cell in found["phases"][0]["cells"] if cell["rank"] == 1]
    assert first["objective"]["mean"] == pytest.approx(0.9582, abs=1e-4)
    assert set(first["objective"]["runs"]) <= found["runs"].keys()


def test_a_selection_that_names_no_cell_is_no_winner(result: StudyResult) -> None:
    selections = {**result.selections, "pretraining": Selection("c-gone", "it was best")}
    found = study_view(result._replace(selections=selections))
    assert found.phases[2].winner is None
    assert found.winner is None


def test_runs_of_all_executions_of_the_experiment_count_as_run(result: StudyResult) -> None:
    """A study that was stopped and went on, seen from outside: the last look ran nothing."""
    seen = result._replace(reused=frozenset(result.attempts))
    assert study_view(seen).counts.run == 0
    goal = {"goal": {"experiment": "lstm-optimization-2025"}}
    counts = study_view(seen, executions={NOW: goal, BEFORE: {"goal": {"experiment": "other"}}}).counts
    assert (counts.run, counts.reused) == (36, 2)
    counts = study_view(seen, executions={NOW: goal, BEFORE: goal}).counts
    assert (counts.run, counts.reused) == (38, 0)


def test_a_search_says_how_it_searched(result: StudyResult) -> None:
    first, *rest = result.study.phases
    space = (("train.lr", Range(1e-4, 1e-2, log=True)), ("gat.dim", Choice((8, 16))))
    stop = (Comparison("accuracy", "<", 0.2),)
    phase = first.phase._replace(grid=(), space=space, trials=32, stop=stop, quorum=0.9)
    study = result.study._replace(phases=(first._replace(phase=phase, open=True), *rest))
    assert (
        "A search over train.lr from 0.0001000 to 0.01000 (log); gat.dim in 8, 16: 32 trials proposed by tpe; each with"
        " train.seed = 0, 1, 2; ended early where accuracy \\< 0.2; decided once 90 % of the replicates had ended. More"
        " cells may follow."
    ) in study_markdown(study_view(result._replace(study=study)))
