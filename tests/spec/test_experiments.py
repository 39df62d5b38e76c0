"""`experiments:` of a project file: what it becomes, and one message with a line for every mistake."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinyon.errors import SpecError
from pinyon.model.condition import Comparison
from pinyon.model.experiment import Choice, Expected, Experiment, Objective, Phase, Promotion, Range
from pinyon.model.project import Origin, Project
from pinyon.spec.experiments import experiments_of

Load = Callable[..., Project]

GRID = "phases: {p: {grid: {a: [1, 2]}}}"


def experiment(*lines: str) -> str:
    """A file whose experiment ``e`` begins on line 4; the given lines are 5, 6, …"""
    return "\n".join(
        ["stages:", "  t: {cmd: run}", "experiments:", "  e:", *(f"    {line}" for line in lines), ""]
    )


def phase(*lines: str) -> str:
    """A file whose phase ``p`` begins on line 8; the given lines are 9, 10, …"""
    return experiment(
        "stage: t", "objective: {maximize: acc}", "phases:", "  p:", *(f"    {line}" for line in lines)
    )


def search(dimension: str, *lines: str) -> str:
    """A file whose phase ``p`` is a search over ``a`` on line 9."""
    return phase(f"search: {{a: {dimension}}}", *lines)


def expect(rows: str) -> str:
    """A file whose phase ``p`` varies ``m.a`` and expects, on line 10, these rows."""
    return phase("grid: {m.a: [1, 2]}", f"expect: {rows}")


def promote(text: str) -> str:
    """A file whose experiment promotes, on line 7, so."""
    return experiment("stage: t", GRID, f"promote: {text}", "objective: {maximize: acc}")


SEED_3 = """\
stages:
  train: {cmd: run}
experiments:
  lstm-optimization-2025:
    stage: train
    objective: {maximize: accuracy, subject_to: [class_1_accuracy >= 0.30, n <= 150000 and n > 0], prefer: n}
    seeds: {train.seed: [0, 1, 2]}
    set: {data.windows: 1200, model: {kind: lstm}, train.clip: null}
    phases:
      time-warp:    {grid: {sigma: [0.10, 0.12]}, quorum: 0.9, stop: [loss > 100]}
      architecture:
        grid: {hidden: [64, 128], kind: [a, null, [1, 2], {x: 1}, true]}
        where: [hidden >= 100 and hidden < 200]
        expect:
        - {hidden: 128.0, kind: a, n: 45000, acc: [0.72, 0.75], time: [60m, 5400]}
        - {time: 1h30m}
    then: [evaluate]
    promote:
      model: lstm
      stage: Staging
      path: model.safetensors
      gate: [evaluate.accuracy > 0.75, n < 150000 and n > 0]
      stretch: [accuracy > 0.8]
  gat-hpo:
    stage: train_gat
    objective: {minimize: val.loss}
    phases:
      tune:
        search:
          lr: {log: [1.0e-4, 1.0e-2]}
          latent: [8, 16, 32]
          drop: {uniform: [0, 0.5], step: 0.1}
          layers: {int: [1, 9], step: 2}
          width: {int: [16, 1024], log: true}
        trials: 32
        parallel: 8
        sampler: random
"""


def test_an_experiment_with_everything(load: Load) -> None:
    found = experiments_of(load(pinyon=SEED_3))
    where = Origin("pinyon.yaml", 4)
    assert list(found) == ["lstm-optimization-2025", "gat-hpo"]
    assert found["lstm-optimization-2025"] == Experiment(
        name="lstm-optimization-2025",
        stage="train",
        objective=Objective(
            "accuracy",
            "maximize",
            (
                Comparison("class_1_accuracy", ">=", 0.3),
                Comparison("n", "<=", 150000),
                Comparison("n", ">", 0),
            ),
            "n",
        ),
        seeds=(("train.seed", (0, 1, 2)),),
        phases=(
            Phase(
                "time-warp",
                grid=(("sigma", (0.1, 0.12)),),
                quorum=0.9,
                stop=(Comparison("loss", ">", 100),),
                origin=where._replace(line=10),
            ),
            Phase(
                "architecture",
                grid=(("hidden", (64, 128)), ("kind", ("a", None, [1, 2], {"x": 1}, True))),
                where=(Comparison("hidden", ">=", 100), Comparison("hidden", "<", 200)),
                expect=(
                    Expected(
                        (("hidden", 128), ("kind", "a")),
                        (("n", (45000.0, 45000.0)), ("acc", (0.72, 0.75))),
                        (3600.0, 5400.0),
                    ),
                    Expected((), (), (5400.0, 5400.0)),
                ),
                origin=where._replace(line=11),
            ),
        ),
        then=("evaluate",),
        promote=Promotion(
            "lstm",
            "staging",
            (
                Comparison("evaluate.accuracy", ">", 0.75),
                Comparison("n", "<", 150000),
                Comparison("n", ">", 0),
            ),
            (Comparison("accuracy", ">", 0.8),),
            "model.safetensors",
            where._replace(line=18),
        ),
        fixed=(("data.windows", 1200), ("model", {"kind": "lstm"}), ("train.clip", None)),
        origin=where,
    )
    assert found["gat-hpo"] == Experiment(
        name="gat-hpo",
        stage="train_gat",
        objective=Objective("val.loss", "minimize"),
        phases=(
            Phase(
                "tune",
                space=(
                    ("lr", Range(1e-4, 1e-2, log=True)),
                    ("latent", Choice((8, 16, 32))),
                    ("drop", Range(0, 0.5, step=0.1)),
                    ("layers", Range(1, 9, step=2, integer=True)),
                    ("width", Range(16, 1024, log=True, integer=True)),
                ),
                trials=32,
                parallel=8,
                sampler="random",
                origin=where._replace(line=28),
            ),
        ),
        origin=where._replace(line=24),
    )


def test_a_project_without_the_section_has_none(load: Load) -> None:
    assert experiments_of(load(pinyon="stages: {}\n")) == {}


def test_a_sweep_needs_no_objective(load: Load) -> None:
    assert experiments_of(load(pinyon=experiment("stage: t", GRID)))["e"].objective is None
    drawn = "phases: {p: {search: {a: [1, 2]}, trials: 2, sampler: random}}"
    assert experiments_of(load(pinyon=experiment("stage: t", drawn)))["e"].phases[0].trials == 2


@pytest.mark.parametrize(
    ("space", "trials"),
    [
        ("{a: [1, 2, 3]}", 3),
        ("{a: [1, 2, 3], b: {int: [0, 4]}}", 15),
        ("{a: {int: [1, 9], step: 2}}", 5),
        ("{a: {int: [1, 8], step: 2}}", 4),
        ("{a: {uniform: [0, 0.3], step: 0.1}}", 4),
    ],
)
def test_a_grid_sampler_counts_its_trials(load: Load, space: str, trials: int) -> None:
    found = experiments_of(load(pinyon=phase(f"search: {space}", "sampler: grid")))["e"].phases[0]
    assert (found.trials, found.sampler) == (trials, "grid")


@pytest.mark.parametrize("row", ["{a: [20, 50]}", "{a: 7}", "{b.a: 1, acc: 1}"])
def test_a_metric_may_be_called_like_the_end_of_a_parameter(load: Load, row: str) -> None:
    (found,) = experiments_of(load(pinyon=expect(f"[{row}]")))["e"].phases[0].expect
    assert found.cells == ()
    assert found.metrics


@pytest.mark.parametrize(("written", "alias"), [("alias: PRODUCTION", "production"), ("alias: Best", "Best")])
def test_a_stage_is_the_alias_of_that_name(load: Load, written: str, alias: str) -> None:
    found = experiments_of(load(pinyon=promote(f"{{model: m, {written}}}")))["e"].promote
    assert found == Promotion("m", alias, origin=Origin("pinyon.yaml", 7))


def test_a_search_is_expected_where_it_can_go(load: Load) -> None:
    found = experiments_of(load(pinyon=search("{int: [1, 9]}", "trials: 3", "expect: [{a: 9, acc: 1}]")))["e"]
    assert found.phases[0].expect == (Expected((("a", 9),), (("acc", (1.0, 1.0)),)),)


def test_a_sampler_of_an_installed_package_is_known_by_its_entry_point(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "site" / "halton-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: halton\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[pinyon.samplers]\nhalton = halton:Halton\n")
    project = load(pinyon=search("[1, 2]", "trials: 2", "sampler: halton"))
    with pytest.raises(SpecError, match="'halton' is none"):
        experiments_of(project)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert experiments_of(project)["e"].phases[0].sampler == "halton"


def test_a_grid_may_have_a_hundred_thousand_cells(load: Load) -> None:
    axis = list(range(100))
    grid = phase(f"grid: {{a: {axis}, b: {axis}, c: {list(range(10))}}}")
    assert len(experiments_of(load(pinyon=grid))["e"].phases[0].grid) == 3


HUNDRED = list(range(100))
MORE = " → vary less, or let a search choose: {search: …, trials: 100}"
SHORT = {  # what stands in many messages
    "@P": "phase 'p' of experiment 'e'",
    "@E": "experiment 'e'",
    "@KEYS": "allowed are stage, set, objective, seeds, phases, then, promote",
    "@PHASE_KEYS": "allowed are grid, search, trials, parallel, sampler, where, quorum, stop, expect",
    "@NONE": "is not a condition → write for example: accuracy >= 0.75",
    "@AIM": "nothing says which cell wins → add objective: {maximize: METRIC}, or minimize",
    "@COUNT": "must be a whole number of at least",
    "@NAN": "nan cannot be part of a key; it does not equal itself → use a finite number",
    "@MODEL": "a name has 1 to 60 letters, digits, '.', '_' and '-', and begins and ends with a letter or digit",
    "@ROWS": "[{accuracy: [0.72, 0.75], time: 90m}]",
    "@NAME": "a name has 1 to 200 characters that can be printed",
    "@SPACE": "{train.lr: {log: [1.0e-4, 1.0e-2]}}",
    "@PHASES": "{lr: {grid: {train.lr: [0.1, 0.01]}}}",
}
BAD: list[tuple[str, str, str]] = [
    # the section
    (
        "empty section",
        "experiments: {}\n",
        "1: experiments is empty → write for example experiments: {sweep: {stage: train, phases: @PHASES}}",
    ),
    ("section list", "experiments: [a]\n", "1: experiments must be a mapping, not a list"),
    ("experiment nothing", "experiments:\n  e:\n", "2: @E must be a mapping, not nothing"),
    ("experiment list", "experiments:\n  e: [t]\n", "2: @E must be a mapping, not a list"),
    (
        "slash",
        "experiments:\n  a/b: {}\n",
        "2: 'a/b' is no name in experiments; a name has no / and no spaces → write a-b",
    ),
    (
        "space",
        "experiments:\n  a b: {}\n",
        "2: 'a b' is no name in experiments; a name has no / and no spaces → write a-b",
    ),
    ("NUL", 'experiments:\n  "a\\0b": {}\n', "2: 'a\\x00b' is no name in experiments; @NAME"),
    ("empty name", 'experiments:\n  "": {}\n', "2: '' is no name in experiments; @NAME"),
    (
        "number",
        "experiments:\n  3: {}\n",
        "2: a name in experiments must be text, not a number → put it in quotes",
    ),
    # the experiment
    ("no stage", experiment(GRID), "4: @E has no stage → add a line stage: …"),
    ("no phases", experiment("stage: t"), "4: @E has no phases → add a line phases: …"),
    ("stage list", experiment("stage: [t]", GRID), "5: stage of @E must be text, not a list"),
    ("stage empty", experiment("stage: ''", GRID), "5: stage of @E is empty"),
    (
        "unknown key",
        experiment("stage: t", GRID, "obective: {maximize: a}"),
        "7: unknown key 'obective' in @E; @KEYS → did you mean objective?",
    ),
    (
        "grid outside a phase",
        experiment("stage: t", "grid: {a: [1]}"),
        "6: unknown key 'grid' in @E; @KEYS → put it into a phase: phases: {NAME: {grid: …}}",
    ),
    (
        "maximize outside",
        experiment("stage: t", "maximize: acc"),
        "6: unknown key 'maximize' in @E; @KEYS → write objective: {maximize: accuracy}",
    ),
    (
        "template",
        experiment("stage: t", "phases: {p: {grid: {a: ['${lr}']}}}"),
        "6: item 1 of a of grid of @P holds ${…}; what an experiment varies is written out → write the value itself",
    ),
    (
        "then text",
        experiment("stage: t", GRID, "then: evaluate"),
        "7: then of @E must be a list of stages, not text → write for example then: [evaluate]",
    ),
    (
        "promote text",
        experiment("stage: t", GRID, "promote: lstm"),
        "7: promote of @E must be a mapping, not text",
    ),
    (
        "promote nothing",
        experiment("stage: t", GRID, "promote:"),
        "7: promote of @E must be a mapping, not nothing",
    ),
    ("promote without a model", promote("{alias: x}"), "7: promote of @E has no model → add a line model: …"),
    (
        "promote key",
        promote("{model: m, alias: x, gates: []}"),
        (
            "7: unknown key 'gates' in promote of @E;"
            " allowed are model, alias, stage, path, gate, stretch → did you mean gate?"
        ),
    ),
    (
        "promote name",
        promote("{name: m, alias: x}"),
        "7: unknown key 'name' in promote of @E; allowed are model, alias, stage, path, gate, stretch → write model: NAME",
    ),
    ("model a/b", promote("{model: a/b, alias: x}"), "7: model of promote of @E: 'a/b' is no name; @MODEL"),
    ("model list", promote("{model: [a], alias: x}"), "7: model of promote of @E must be text, not a list"),
    (
        "alias number",
        promote("{model: m, alias: '3'}"),
        "7: alias of promote of @E: '3' is no name; a number means a version",
    ),
    (
        "no way",
        promote("{model: m}"),
        "7: promote of @E says neither alias nor stage → write alias: staging",
    ),
    (
        "both ways",
        promote("{model: m, alias: a, stage: staging}"),
        "7: promote of @E says both alias and stage → write alias: staging",
    ),
    (
        "near stage",
        promote("{model: m, stage: stagin}"),
        "7: stage of promote of @E: 'stagin' is none; stages are staging, production, archived → did you mean staging?",
    ),
    (
        "no stage of a model",
        promote("{model: m, stage: candidate}"),
        (
            "7: stage of promote of @E: 'candidate' is none;"
            " stages are staging, production, archived → write alias: candidate instead"
        ),
    ),
    (
        "gate",
        promote("{model: m, alias: a, gate: [accuracy is good]}"),
        "7: item 1 of gate of promote of @E: 'accuracy is good' @NONE",
    ),
    (
        "stretch text",
        promote("{model: m, alias: a, stretch: b > 1}"),
        "7: stretch of promote of @E must be a list of conditions, not text → write for example stretch: [b > 1]",
    ),
    ("path", promote("{model: m, alias: a, path: ''}"), "7: path of promote of @E is empty → name an out"),
    (
        "template in promote",
        promote("{model: 'm${x}', alias: a}"),
        "7: model of promote of @E holds ${…}; what an experiment varies is written out → write the value itself",
    ),
    (
        "promote without objective",
        experiment("stage: t", GRID, "promote: {model: m, alias: a}"),
        "4: @E has promote, but no objective; @AIM",
    ),
    # set
    (
        "set list",
        experiment("stage: t", GRID, "set: [a]"),
        "7: set of @E must be a mapping, not a list → write for example set: {train.lr: 0.01}",
    ),
    (
        "set empty",
        experiment("stage: t", GRID, "set: {}"),
        "7: set of @E is empty → write for example set: {train.lr: 0.01}",
    ),
    ("set NaN", experiment("stage: t", GRID, "set:", "  a: 1", "  b: .nan"), "9: b of set of @E: @NAN"),
    (
        "set number",
        experiment("stage: t", GRID, "set: {3: 1}"),
        "7: a name in set of @E must be text, not a number → put it in quotes",
    ),
    (
        "set template",
        experiment("stage: t", GRID, "set: {a: '${b}'}"),
        "7: a of set of @E holds ${…}; what an experiment varies is written out → write the value itself",
    ),
    # the objective
    (
        "objective text",
        experiment("stage: t", "objective: f1", GRID),
        "6: objective of @E must be a mapping, not text → write objective: {maximize: f1}, or minimize",
    ),
    (
        "objective sentence",
        experiment("stage: t", "objective: the best one", GRID),
        "6: objective of @E must be a mapping, not text → write objective: {maximize: accuracy}, or minimize",
    ),
    (
        "objective empty",
        experiment("stage: t", "objective: {}", GRID),
        "6: objective of @E says neither maximize nor minimize → write objective: {maximize: accuracy}",
    ),
    (
        "both goals",
        experiment("stage: t", "objective: {maximize: a, minimize: b}", GRID),
        "6: objective of @E says both maximize and minimize → write objective: {maximize: accuracy}",
    ),
    (
        "objective key",
        experiment("stage: t", "objective:", "  maximise: a", GRID),
        (
            "7: unknown key 'maximise' in objective of @E;"
            " allowed are maximize, minimize, subject_to, prefer → did you mean maximize?"
        ),
    ),
    (
        "metric list",
        experiment("stage: t", "objective: {maximize: [a]}", GRID),
        "6: maximize of objective of @E must be text, not a list",
    ),
    (
        "prefer empty",
        experiment("stage: t", "objective: {maximize: a, prefer: ' '}", GRID),
        "6: prefer of objective of @E is empty",
    ),
    (
        "constraints text",
        experiment("stage: t", "objective: {maximize: a, subject_to: b > 1}", GRID),
        "6: subject_to of objective of @E must be a list of conditions, not text → write for example subject_to: [b > 1]",
    ),
    (
        "constraint",
        experiment(
            "stage: t", "objective:", "  maximize: a", "  subject_to:", "  - b >= 1", "  - b => 1", GRID
        ),
        "10: item 2 of subject_to of objective of @E: 'b => 1' @NONE",
    ),
    (
        "constraint on NaN",
        experiment("stage: t", "objective: {maximize: a, subject_to: [b > .nan]}", GRID),
        "6: item 1 of subject_to of objective of @E: '.nan' in 'b > .nan' is not a number",
    ),
    (
        "endless constraint",
        experiment("stage: t", "objective: {maximize: a, subject_to: [b < 1e999]}", GRID),
        "6: item 1 of subject_to of objective of @E compares b with no finite number",
    ),
    (
        "phases without objective",
        experiment("stage: t", "phases: {p: {grid: {a: [1]}}, q: {grid: {a: [1]}}}"),
        "4: @E has several phases, but no objective; @AIM",
    ),
    (
        "then without objective",
        experiment("stage: t", GRID, "then: [evaluate]"),
        "4: @E has then, but no objective; @AIM",
    ),
    (
        "tpe without objective",
        experiment("stage: t", "phases: {p: {search: {a: [1, 2]}, trials: 2}}"),
        "4: @E has a search by tpe, but no objective; @AIM",
    ),
    # seeds
    (
        "seeds list",
        experiment("stage: t", "seeds: [0, 1]", GRID),
        "6: seeds of @E must be a mapping, not a list → write for example seeds: {train.seed: [0, 1, 2]}",
    ),
    (
        "seeds empty",
        experiment("stage: t", "seeds: {}", GRID),
        "6: seeds of @E is empty → write for example seeds: {train.seed: [0, 1, 2]}",
    ),
    (
        "seed number",
        experiment("stage: t", "seeds: {train.seed: 3}", GRID),
        "6: train.seed of seeds of @E must be a list of values, not a number → write train.seed: [3]",
    ),
    (
        "no seeds",
        experiment("stage: t", "seeds: {s: []}", GRID),
        "6: s of seeds of @E has no values → write for example s: [1, 2, 3]",
    ),
    (
        "seed twice",
        experiment("stage: t", "seeds:", "  s: [0, 1, 0]", GRID),
        "7: 0 stands twice in s of seeds of @E → remove one of them",
    ),
    (
        "seed in the grid",
        experiment(
            "stage: t", "seeds: {a: [0, 1]}", "phases:", "  p:", "    grid:", "      b: [1]", "      a: [1]"
        ),
        "11: a of grid of @P is a seed, too → keep it in one of them",
    ),
    (
        "seed in the space",
        experiment(
            "stage: t",
            "objective: {maximize: x}",
            "seeds: {a: [0, 1]}",
            "phases: {p: {search: {a: [1]}, trials: 1}}",
        ),
        "8: a of search of @P is a seed, too → keep it in one of them",
    ),
    # phases
    (
        "phases list",
        experiment("stage: t", "phases:", "- {grid: {a: [1]}}"),
        "6: phases of @E must be a mapping of names to phases, not a list → write for example phases: @PHASES",
    ),
    (
        "phases empty",
        experiment("stage: t", "phases: {}"),
        "6: phases of @E is empty → write for example phases: @PHASES",
    ),
    (
        "phase name",
        experiment("stage: t", "phases:", "  p q: {grid: {a: [1]}}"),
        "7: 'p q' is no name in phases of @E; a name has no / and no spaces → write p-q",
    ),
    (
        "phase key",
        phase("grid: {a: [1]}", "quorom: 1"),
        "10: unknown key 'quorom' in @P; @PHASE_KEYS → did you mean quorum?",
    ),
    ("phase nothing", phase(), "8: @P must be a mapping, not nothing"),
    (
        "neither",
        phase("quorum: 1"),
        "8: @P has neither grid nor search → write for example {grid: {train.lr: [0.1, 0.01]}}",
    ),
    (
        "both",
        phase("grid: {a: [1]}", "search: {a: [1]}"),
        "8: @P has a grid and a search → make two phases of it",
    ),
    (
        "trials of a grid",
        phase("grid: {a: [1]}", "trials: 3"),
        "10: trials of @P belongs to a search, not to a grid → remove it",
    ),
    (
        "set in a phase",
        phase("grid: {a: [1]}", "set: {b: 1}"),
        (
            "10: unknown key 'set' in @P; @PHASE_KEYS →"
            " put it beside phases: it holds in all of them, and here a grid sets it: {grid: {train.lr: [0.1]}}"
        ),
    ),
    (
        "expect outside a phase",
        experiment("stage: t", GRID, "expect: []"),
        "7: unknown key 'expect' in @E; @KEYS → put it into a phase",
    ),
    # what is expected
    (
        "expect mapping",
        expect("{acc: 1}"),
        "10: expect of @P must be a list of rows, not a mapping → write for example expect: @ROWS",
    ),
    ("expect text", expect("[acc]"), "10: item 1 of expect of @P must be a mapping, not text"),
    (
        "expects nothing",
        expect("[{m.a: 1}]"),
        "10: item 1 of expect of @P expects nothing → add a metric, as in @ROWS",
    ),
    (
        "the end of a name",
        expect("[{a: 1, acc: 1}]"),
        "10: 'a' in item 1 of expect of @P is nothing that the phase varies → write m.a",
    ),
    (
        "a parameter misspelt",
        phase("grid: {model.hidden: [64]}", "expect: [{model.hiden: 64, acc: 1}]"),
        "10: 'model.hiden' in item 1 of expect of @P is nothing that the phase varies → write model.hidden",
    ),
    (
        "expected text",
        expect("[{acc: 75%}]"),
        "10: acc of item 1 of expect of @P must be a number, or [low, high], not text",
    ),
    (
        "expected NaN",
        expect("[{acc: [0, .nan]}]"),
        "10: item 2 of acc of item 1 of expect of @P must be a finite number, not nan",
    ),
    (
        "expected and endless",
        expect(f"[{{acc: 1{'0' * 400}}}]"),
        "10: acc of item 1 of expect of @P must be a finite number, not inf",
    ),
    (
        "three bounds",
        expect("[{acc: [1, 2, 3]}]"),
        "10: acc of item 1 of expect of @P has 3 values and not two → write acc: [low, high]",
    ),
    (
        "bounds upside down",
        expect("[{acc: [0.8, 0.7]}]"),
        "10: acc of item 1 of expect of @P goes from 0.8 to 0.7; the first must be less",
    ),
    (
        "times upside down",
        expect("[{time: [2h, 90m]}]"),
        "10: time of item 1 of expect of @P goes from 7200 to 5400; the first must be less",
    ),
    (
        "no duration",
        expect("[{time: an hour}]"),
        "10: time of item 1 of expect of @P: 'an hour' is not a duration → write for example 30s, 90m, 1h30m or 2d",
    ),
    (
        "time mapping",
        expect("[{time: {h: 1}}]"),
        "10: time of item 1 of expect of @P must be seconds, a duration such as 90m, or [low, high], not a mapping",
    ),
    (
        "negative time",
        expect("[{time: -1}]"),
        "10: time of item 1 of expect of @P: '-1' is not a duration: it must be finite and not negative",
    ),
    # grids
    (
        "grid empty",
        phase("grid: {}"),
        "9: grid of @P is empty → write for example grid: {train.lr: [0.1, 0.01]}",
    ),
    (
        "grid list",
        phase("grid: [a]"),
        "9: grid of @P must be a mapping, not a list → write for example grid: {train.lr: [0.1, 0.01]}",
    ),
    (
        "axis empty",
        phase("grid:", "  b: [1]", "  a: []"),
        "11: a of grid of @P has no values → write for example a: [1, 2, 3]",
    ),
    (
        "axis number",
        phase("grid: {a: 3}"),
        "9: a of grid of @P must be a list of values, not a number → write a: [3]",
    ),
    (
        "axis true",
        phase("grid: {a: true}"),
        "9: a of grid of @P must be a list of values, not true → write a: [1, 2, 3]",
    ),
    (
        "axis nested",
        phase("grid: {model: {hidden: [64]}}"),
        "9: model of grid of @P must be a list of values, not a mapping → write model.hidden: [1, 2, 3]",
    ),
    (
        "axis name",
        phase("grid: {7: [1]}"),
        "9: a name in grid of @P must be text, not a number → put it in quotes",
    ),
    (
        "twice as a float",
        phase("grid:", "  a: [1, 2, 1.0]"),
        "10: 1.0 stands twice in a of grid of @P; 1 equals 1.0 → remove one of them",
    ),
    (
        "NaN",
        phase("grid:", "  a:", "  - 1", "  - .nan"),
        "12: item 2 of a of grid of @P: @NAN",
    ),
    (
        "NaN in a list",
        phase("grid: {a: [[.nan]]}"),
        "9: item 1 of a of grid of @P: @NAN",
    ),
    (
        "a million",
        phase(f"grid: {{a: {HUNDRED}, b: {HUNDRED}, c: {HUNDRED}}}"),
        f"9: @P declares 1,000,000 cells; 100,000 are allowed{MORE}",
    ),
    (
        "too many under seeds",
        experiment(
            "stage: t",
            "seeds: {s: [1, 2], r: [1, 2, 3]}",
            "phases:",
            f"  p: {{grid: {{a: {HUNDRED}, b: {HUNDRED}, c: [1, 2]}}}}",
        ),
        f"8: @P declares 20,000 cells under 6 seeds, which makes 120,000 runs; 100,000 are allowed{MORE}",
    ),
    # where, quorum, stop
    (
        "where unknown",
        phase("grid: {hidden: [1], layers: [1]}", "where:", "- hiden > 3"),
        (
            "10: where of @P asks for hiden, which the phase does not vary;"
            " it varies hidden, layers → did you mean hidden?"
        ),
    ),
    (
        "where on text",
        phase("grid: {a: [1, x]}", "where: [a > 3]"),
        "10: where of @P compares a with a number, and 'x' is none → name the combinations in phases of their own",
    ),
    (
        "where on true",
        phase("search: {a: [true]}", "trials: 1", "where: [a > 3]"),
        "11: where of @P compares a with a number, and True is none → name the combinations in phases of their own",
    ),
    (
        "where text",
        phase("grid: {a: [1]}", "where: a > 3"),
        "10: where of @P must be a list of conditions, not text → write for example where: [a > 3]",
    ),
    (
        "stop",
        phase("grid: {a: [1]}", "stop: [loss is high]"),
        "10: item 1 of stop of @P: 'loss is high' @NONE",
    ),
    (
        "stop number",
        phase("grid: {a: [1]}", "stop: [3]"),
        "10: item 1 of stop of @P must be text, not a number → put it in quotes",
    ),
    (
        "quorum 90",
        phase("grid: {a: [1]}", "quorum: 90"),
        "10: quorum of @P must lie above 0 and up to 1, not 90; 0.9 waits for nine of ten replicates → write quorum: 0.9",
    ),
    (
        "quorum 0",
        phase("grid: {a: [1]}", "quorum: 0"),
        "10: quorum of @P must lie above 0 and up to 1, not 0; 0.9 waits for nine of ten replicates",
    ),
    (
        "quorum NaN",
        phase("grid: {a: [1]}", "quorum: .nan"),
        "10: quorum of @P must lie above 0 and up to 1, not nan; 0.9 waits for nine of ten replicates",
    ),
    ("quorum true", phase("grid: {a: [1]}", "quorum: true"), "10: quorum of @P must be a number, not true"),
    # searches
    ("search empty", search("[]"), "9: a of search of @P has no values → write for example a: [1, 2, 3]"),
    (
        "space empty",
        phase("search: {}", "trials: 3"),
        "9: search of @P is empty → write for example search: @SPACE",
    ),
    (
        "space list",
        phase("search: [lr]", "trials: 3"),
        "9: search of @P must be a mapping, not a list → write for example search: @SPACE",
    ),
    ("no trials", search("[1, 2]"), "8: @P has no trials → say how many: trials: 32"),
    ("0 trials", search("[1, 2]", "trials: 0"), "10: trials of @P @COUNT 1, not 0"),
    ("-3 trials", search("[1, 2]", "trials: -3"), "10: trials of @P @COUNT 1, not -3"),
    ("1.5 trials", search("[1, 2]", "trials: 1.5"), "10: trials of @P @COUNT 1, not a number"),
    ("trials text", search("[1, 2]", "trials: many"), "10: trials of @P @COUNT 1, not text"),
    (
        "many trials",
        search("[1, 2]", "trials: 1000000"),
        f"9: @P declares 1,000,000 trials; 100,000 are allowed{MORE}",
    ),
    ("parallel", search("[1, 2]", "trials: 3", "parallel: -1"), "11: parallel of @P @COUNT 0, not -1"),
    (
        "sampler",
        search("[1, 2]", "trials: 3", "sampler: TPE2"),
        "11: sampler of @P: 'TPE2' is none; samplers are tpe, random, grid → did you mean tpe?",
    ),
    (
        "sampler list",
        search("[1, 2]", "trials: 3", "sampler: [tpe]"),
        "11: sampler of @P must be text, not a list",
    ),
    (
        "int and uniform",
        search("{uniform: [1, 2], log: true}", "trials: 3"),
        "9: a of search of @P is log and uniform at once; a range is one of log, uniform, int",
    ),
    (
        "log of nothing",
        search("{int: [0, 2], log: true}", "trials: 3"),
        "9: int of a of search of @P begins at 0; a logarithm needs more than 0",
    ),
    (
        "log step of whole numbers",
        search("{int: [1, 9], log: true, step: 2}", "trials: 3"),
        "9: a of search of @P is log, so it has no step; uniform and int may",
    ),
    (
        "a grid without an end",
        search("{log: [1, 2]}", "sampler: grid"),
        "9: a of search of @P has no step, so a grid has no end there → add a step, name choices, or take sampler: tpe",
    ),
    (
        "no dimension",
        search("0.1", "trials: 3"),
        (
            "9: a of search of @P must be a list of choices or a range, not a number"
            " → write [8, 16, 32], {log: [1.0e-4, 1.0e-2]}, {uniform: [0, 1]} or {int: [1, 8]}"
        ),
    ),
    (
        "no range",
        search("{}", "trials: 3"),
        "9: a of search of @P has no range; a range is one of log, uniform, int",
    ),
    (
        "only a step",
        search("{step: 2}", "trials: 3"),
        "9: a of search of @P has no range; a range is one of log, uniform, int",
    ),
    (
        "two ranges",
        search("{log: [1, 2], int: [1, 2]}", "trials: 3"),
        "9: a of search of @P is log and int at once; a range is one of log, uniform, int",
    ),
    (
        "range key",
        search("{unifrom: [0, 1]}", "trials: 3"),
        "9: unknown key 'unifrom' in a of search of @P; allowed are log, uniform, int, step → did you mean uniform?",
    ),
    (
        "bounds",
        search("{log: 3}", "trials: 3"),
        "9: log of a of search of @P must be two numbers, not a number → write log: [low, high]",
    ),
    (
        "three bounds",
        search("{log: [1, 2, 3]}", "trials: 3"),
        "9: log of a of search of @P has 3 numbers and not two → write log: [low, high]",
    ),
    (
        "low is high",
        search("{uniform: [1, 1.0]}", "trials: 3"),
        "9: uniform of a of search of @P goes from 1 to 1; the first must be less",
    ),
    (
        "log of 0",
        search("{log: [0, 1]}", "trials: 3"),
        "9: log of a of search of @P begins at 0; a logarithm needs more than 0",
    ),
    (
        "text bound",
        search("{log: ['1', 2]}", "trials: 3"),
        "9: item 1 of log of a of search of @P must be a number, not text → remove its quotes",
    ),
    (
        "NaN bound",
        search("{uniform: [.nan, 2]}", "trials: 3"),
        "9: item 1 of uniform of a of search of @P must be a number, not nan",
    ),
    (
        "infinite bound",
        search("{uniform: [1, .inf]}", "trials: 3"),
        "9: item 2 of uniform of a of search of @P must be a number, not inf",
    ),
    (
        "half an int",
        search("{int: [1, 2.5]}", "trials: 3"),
        "9: item 2 of int of a of search of @P must be a whole number, not 2.5",
    ),
    (
        "true bound",
        search("{int: [true, 2]}", "trials: 3"),
        "9: item 1 of int of a of search of @P must be a whole number, not true",
    ),
    (
        "endless bound",
        search(f"{{int: [1, 1{'0' * 400}]}}", "trials: 3"),
        "9: item 2 of int of a of search of @P has 401 digits; no sampler can count so far",
    ),
    (
        "log step",
        search("{log: [1, 2], step: 1}", "trials: 3"),
        "9: a of search of @P is log, so it has no step; uniform and int may",
    ),
    (
        "step 0",
        search("{int: [1, 4], step: 0}", "trials: 3"),
        "9: step of a of search of @P is 0; it must lie between 0 and 3",
    ),
    (
        "step wide",
        search("{uniform: [1, 4], step: 4.5}", "trials: 3"),
        "9: step of a of search of @P is 4.5; it must lie between 0 and 3",
    ),
]


@pytest.mark.parametrize(("text", "message"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_a_mistake_is_one_message_with_its_line(load: Load, text: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        experiments_of(load(pinyon=text))
    assert caught.value.exit_code == 2
    for short in sorted(SHORT, key=len, reverse=True):
        message = message.replace(short, SHORT[short])
    assert str(caught.value) == f"pinyon.yaml:{message}"


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
KEYS = (
    "stage objective seeds phases then promote grid search trials parallel sampler where quorum stop maximize"
    " subject_to prefer log uniform int step a b set expect time model alias path gate stretch"
)
words = st.recursive(
    plain | st.sampled_from(["a", "a > 1", "tpe", 1, 0.5, [1, 2]]),
    lambda inner: (
        st.dictionaries(st.sampled_from(KEYS.split()), inner, max_size=5) | st.lists(inner, max_size=2)
    ),
    max_leaves=12,
)


PHASE_KEYS = ["grid", "search", "trials", "where", "quorum", "expect"]


@given(words, words, st.dictionaries(st.sampled_from(PHASE_KEYS), words))
def test_whatever_stands_there_is_read_or_refused(objective: object, seeds: object, body: object) -> None:
    assert read_or_refused({"stage": "t", "objective": objective, "seeds": seeds, "phases": {"p": body}})


rows = st.dictionaries(
    st.sampled_from(["a", "m.b", "b", "acc", "time"]), plain | st.sampled_from([1, "5m", [1, 2]])
)


@given(st.lists(rows, max_size=2) | words, words)
def test_whatever_is_expected_or_set_is_read_or_refused(expect: object, fixed: object) -> None:
    """The rest is sound, so that these are what is looked at."""
    phase = {"grid": {"a": [1, 2, "x"], "m.b": [1, 2]}, "where": ["m.b > 1"], "expect": expect}
    assert read_or_refused({"stage": "t", "phases": {"p": phase}})
    assert read_or_refused({"stage": "t", "set": fixed, "phases": {"p": {"grid": {"a": [1]}}}})


@given(st.dictionaries(st.sampled_from(["model", "alias", "stage", "path", "gate", "stretch"]), words))
def test_whatever_is_promoted_is_read_or_refused(promote: object) -> None:
    phases = {"p": {"grid": {"a": [1]}}}
    assert read_or_refused(
        {"stage": "t", "objective": {"maximize": "x"}, "phases": phases, "promote": promote}
    )


def read_or_refused(experiment: dict[str, object]) -> bool:
    section = {"e": experiment}
    project = Project("/p", "p", ("pinyon.yaml",), (), sections={"pinyon.yaml": {"experiments": section}})
    try:
        found = experiments_of(project)["e"].phases[0].name
    except SpecError as error:
        found = error.where
    return found in ("p", "pinyon.yaml")
