"""Studies to report on: one like the LSTM study, and any that hypothesis thinks of."""

from __future__ import annotations

import hashlib
import itertools
import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

from pinyon.model.condition import Comparison, parse
from pinyon.model.experiment import (
    Candidate,
    Cell,
    Expected,
    Experiment,
    Measured,
    Objective,
    Phase,
    Promotion,
    Selection,
)
from pinyon.model.ids import run_id
from pinyon.model.outcome import SUCCEEDED, Attempt, Output
from pinyon.model.registry import Action, Change, Model, ModelVersion
from pinyon.model.study import PhaseStudy, Replicate, Study, StudyResult
from pinyon.plan.cells import cell_of
from pinyon.plan.phases import median
from pinyon.plan.select import select

OBJECTIVE = Objective(
    "accuracy", "maximize",
    (Comparison("class_1_accuracy", ">=", 0.3), Comparison("n_parameters", "<=", 150_000.0)), "n_parameters",
)  # fmt: skip
NOW, BEFORE = "x-5b1d00c2aa3f7e91", "x-11c0ffee22d4b865"
DEFAULTS: dict[str, Any] = {
    "augment.time_warp_sigma": 0.1, "model.hidden_size": 64, "model.num_heads": 4, "model.num_layers": 1,
    "pretrain.epochs": 50,
}  # fmt: skip
GRIDS: dict[str, dict[str, tuple[Any, ...]]] = {
    "time-warp": {"augment.time_warp_sigma": (0.1, 0.12, 0.15, 0.2)},
    "architecture": {"model.hidden_size": (64, 128), "model.num_heads": (4, 8), "model.num_layers": (1, 2)},
    "pretraining": {"pretrain.epochs": (50, 75, 100)},
}
SIZES = {(64, 1): 33_314, (64, 2): 58_402, (128, 1): 123_874, (128, 2): 223_202}


def digest(*parts: Any) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def attempt(recipe: str, stage: str, **more: Any) -> Attempt:
    """One that succeeded; its key, id and outs derive from the recipe."""
    key = digest("key", recipe)
    given: dict[str, Any] = {
        "id": f"a-{key[:12]}-1-{digest('id', recipe)[:8]}", "key": key, "recipe": recipe, "stage": stage,
        "execution": NOW, "epoch": 1, "mode": "isolated", "state": SUCCEEDED,
        "outputs": (Output(f"{stage}.safetensors", f"blake3:{digest('out', recipe)}", 135_000),),
    }  # fmt: skip
    return Attempt(**(given | more))


def choose(
    phase: PhaseStudy, attempts: Mapping[str, Attempt], objective: Objective, failed: Mapping[str, str]
) -> Selection:
    """What selection answers for a phase."""
    candidates = [
        Candidate(cell.id, tuple(_measured(one.recipe, attempts, failed) for one in replicates))
        for cell, replicates in phase.cells
    ]
    return select(objective, candidates)


def _measured(recipe: str, attempts: Mapping[str, Attempt], failed: Mapping[str, str]) -> Measured:
    if recipe in attempts:
        return Measured(attempts[recipe].id, attempts[recipe].metrics)
    return Measured(ended=failed.get(recipe, "it was cancelled"))


def lstm(seeds: Sequence[int] = (0, 1, 2)) -> StudyResult:
    """Three phases, 15 cells, runs shared by content: a replicate failed, one is NaN, two runs are from before."""
    grids = tuple(Phase(name, grid=tuple(grid.items())) for name, grid in GRIDS.items())
    experiment = Experiment(
        "lstm-optimization-2025", "train", grids, OBJECTIVE, (("train.seed", tuple(seeds)),), ("evaluate",)
    )
    attempts: dict[str, Attempt] = {}
    failed: dict[str, str] = {}
    reused: set[str] = set()
    base: dict[str, Any] = {}
    phases, selections = [], {}
    for phase in grids:
        studied = _phase(phase, base, seeds)
        for cell, replicates in studied.cells:
            for replicate in replicates:
                _train(replicate, cell, attempts, failed, reused)
        phases.append(studied)
        selections[phase.name] = choose(studied, attempts, OBJECTIVE, failed)
        won = next((cell for cell, _ in studied.cells if cell.id == selections[phase.name].winner), None)
        base |= dict(won.assignment) if won else {}
    winner = selections["pretraining"].winner
    replicates = next(r for cell, r in phases[-1].cells if cell.id == winner)
    final = tuple((r, (digest("evaluate", r.recipe),)) for r in replicates)
    for replicate, (recipe,) in final:
        draw = random.Random(recipe)
        numbers = {
            "accuracy": round(draw.gauss(0.968, 0.006), 4),
            "class_1_accuracy": round(draw.gauss(0.9, 0.03), 4),
        }
        attempts[recipe] = attempt(
            recipe,
            "evaluate",
            metrics=numbers,
            seconds=4.0,
            inputs={"deps": _made(attempts[replicate.recipe])},
        )
    expected = {r: 3600.0 for r, one in attempts.items() if one.stage == "train"}
    study = Study(experiment, tuple(phases), final, complete=True)
    return StudyResult(study, attempts, frozenset(reused), selections, failed, expected)


def _phase(phase: Phase, base: Mapping[str, Any], seeds: Sequence[int]) -> PhaseStudy:
    cells = []
    names = [name for name, _ in phase.grid]
    for number, values in enumerate(itertools.product(*(v for _, v in phase.grid)), 1):
        assignment = tuple(zip(names, values, strict=True))
        cell = cell_of(phase.name, number, assignment)
        overlay = base | dict(assignment)
        replicates = tuple(
            Replicate((("train.seed", s),), (*overlay.items(), ("train.seed", s)), _recipe(overlay, s))
            for s in seeds
        )
        cells.append((cell, replicates))
    return PhaseStudy(phase, tuple(base.items()), tuple(cells))


def _recipe(overlay: Mapping[str, Any], seed: int) -> str:
    return digest("train", sorted((DEFAULTS | dict(overlay)).items()), seed)


def _made(one: Attempt) -> list[list[str]]:
    return [[out.path, out.digest] for out in one.outputs]


def _train(
    replicate: Replicate, cell: Cell, attempts: dict[str, Attempt], failed: dict[str, str], reused: set[str]
) -> None:
    """A run of train and of the pretrain that it needs, each once."""
    recipe = replicate.recipe
    if recipe in attempts or recipe in failed:
        return
    values = DEFAULTS | dict(replicate.overlay)
    place = (cell.phase, cell.number, values["train.seed"])
    if place == ("architecture", 5, 2):
        failed[recipe] = "exit code 137: killed by signal 9, out of memory"
        return
    pretrain = digest(
        "pretrain", sorted((k, v) for k, v in values.items() if k not in ("train.seed", "model.num_heads"))
    )
    if pretrain not in attempts:
        attempts[pretrain] = attempt(
            pretrain,
            "pretrain",
            metrics={"loss": 0.1},
            seconds=36.0 * values["pretrain.epochs"],
            estimate=1800.0,
        )
    draw = random.Random(recipe)
    accuracy = (
        0.955 - 0.004 * (values["model.num_layers"] - 1) - 2 * (values["augment.time_warp_sigma"] - 0.13) ** 2
    )
    metrics: dict[str, Any] = {
        "accuracy": round(accuracy + draw.gauss(0, 0.006), 4),
        "class_1_accuracy": round(0.8 + draw.gauss(0, 0.04), 4),
        "n_parameters": SIZES[values["model.hidden_size"], values["model.num_layers"]],
    }
    if place == ("time-warp", 4, 1):
        metrics["accuracy"] = "NaN"
    if place in (("time-warp", 1, 0), ("time-warp", 1, 1)):
        reused.add(recipe)
    attempts[recipe] = attempt(
        recipe, "train", metrics=metrics, execution=BEFORE if recipe in reused else NOW,
        seconds=3600 * draw.uniform(0.8, 1.3) * (1 + 0.3 * (values["model.hidden_size"] == 128)),
        inputs={"deps": _made(attempts[pretrain])}, resources={"devices": [0]},
    )  # fmt: skip


def learning_curves(result: StudyResult, steps: int = 60) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """Curves of every run of train."""
    found = {}
    for one in result.attempts.values():
        if one.stage == "train" and isinstance(one.metrics["accuracy"], float):
            draw, end = random.Random(one.id), one.metrics["accuracy"]
            rate = draw.uniform(6, 14)
            found[one.id] = {
                "accuracy": [
                    (s, end - 0.4 * math.exp(-s / rate) + draw.gauss(0, 0.004)) for s in range(steps)
                ],
                "loss": [(s, 0.1 + 1.4 * math.exp(-s / rate) + draw.gauss(0, 0.01)) for s in range(steps)],
            }
    return found


# The study as the issue has it: with targets, a promotion, and what its author expected.

PROMOTION = Promotion(
    "lstm", "staging",
    gate=tuple(parse(
        "evaluate.accuracy > 0.75 and evaluate.class_1_accuracy > 0.3 and evaluate.class_0_accuracy > 0.8"
        " and n_parameters < 150000 and latency.milliseconds < 10"
    ).terms),
    stretch=tuple(parse(
        "evaluate.accuracy > 0.8 and evaluate.class_1_accuracy > 0.4 and evaluate.class_0_accuracy > 0.85"
        " and n_parameters < 100000 and latency.milliseconds < 5"
    ).terms),
)  # fmt: skip
TEST = {
    "accuracy": 0.9239, "accuracy_low": 0.861, "accuracy_high": 0.967, "class_0_accuracy": 0.951,
    "class_1_accuracy": 0.61, "class_1_accuracy_low": 0.28, "class_1_accuracy_high": 0.81,
}  # fmt: skip
STATED: dict[str, list[tuple[tuple[Any, ...], dict[str, tuple[float, float]], tuple[int, int]]]] = {
    "time-warp": [
        ((0.1,), {"accuracy": (0.72, 0.75)}, (60, 90)), ((0.12,), {"accuracy": (0.73, 0.76)}, (60, 90)),
        ((0.15,), {"accuracy": (0.74, 0.77)}, (60, 90)), ((0.2,), {"accuracy": (0.72, 0.75)}, (60, 90)),
    ],
    "architecture": [
        ((hidden, heads, layers), {"n_parameters": (size, size)}, (minutes, minutes))
        for hidden, heads, layers, size, minutes in (
            (64, 4, 1, 45_000, 60), (64, 4, 2, 55_000, 70), (64, 8, 1, 50_000, 65), (64, 8, 2, 60_000, 75),
            (128, 4, 1, 90_000, 80), (128, 4, 2, 110_000, 90), (128, 8, 1, 100_000, 85), (128, 8, 2, 120_000, 95),
        )
    ],
    "pretraining": [((50,), {}, (90, 90)), ((75,), {}, (105, 105)), ((100,), {}, (120, 120))],
}  # fmt: skip


def _stated(phase: Phase) -> tuple[Expected, ...]:
    """The tables of the source, row by row."""
    return tuple(
        Expected(
            tuple(zip(GRIDS[phase.name], values, strict=True)),
            tuple(metrics.items()),
            (60.0 * minutes[0], 60.0 * minutes[1]),
        )
        for values, metrics, minutes in STATED[phase.name]
    )


def promoted(seeds: Sequence[int] = (0,), **test: float) -> StudyResult:
    """The LSTM study with a gate, stretch goals and stated values; training and test give intervals of their own."""
    result = lstm(seeds)
    attempts = dict(result.attempts)
    for recipe, one in result.attempts.items():
        accuracy = one.metrics.get("accuracy")
        if one.stage == "train" and isinstance(accuracy, float):
            ends = {"accuracy_low": round(accuracy - 0.008, 4), "accuracy_high": round(accuracy + 0.006, 4)}
            attempts[recipe] = one._replace(metrics=one.metrics | ends)
    final = []
    for replicate, (recipe,) in result.study.final:
        attempts[recipe] = attempts[recipe]._replace(metrics=TEST | test)
        latency = digest("latency", replicate.recipe)
        attempts[latency] = attempt(latency, "latency", metrics={"milliseconds": 7.25}, seconds=2.0)
        final.append((replicate, (recipe, latency)))
    experiment = result.study.experiment
    phases = tuple(phase._replace(expect=_stated(phase)) for phase in experiment.phases)
    experiment = experiment._replace(phases=phases, promote=PROMOTION, then=("evaluate", "latency"))
    studied = tuple(one._replace(phase=phase) for one, phase in zip(result.study.phases, phases, strict=True))
    study = result.study._replace(experiment=experiment, phases=studied, final=tuple(final))
    return result._replace(study=study, attempts=attempts)


def taken(result: StudyResult) -> Attempt:
    """The attempt of the replicate that is promoted."""
    replicate = median(result)
    assert replicate is not None
    return result.attempts[replicate.recipe]


def model_of(result: StudyResult, *changes: Change, **aliases: int) -> Model:
    """The model that the study promotes to: version 1 of somebody else, version 2 of the winner."""
    one = taken(result)
    made = ModelVersion(
        "lstm",
        2,
        one.outputs[0].digest,
        "train.safetensors",
        135_000,
        "safetensors",
        run_id(one.key),
        one.id,
        "train",
    )
    other = made._replace(number=1, digest=f"blake3:{digest('other')}", run="r-0123456789abcdef")
    return Model("lstm", (other, made), aliases, (), (), changes)


def change(number: int, version: int | None, action: Action = "promoted", **more: Any) -> Change:
    """One of staging, a minute after the one before."""
    given: dict[str, Any] = {"before": None, "actor": "person:ada", "ts": 1_767_225_600.0 + 60 * number}
    return Change(number, action, "staging", version, **(given | more))
