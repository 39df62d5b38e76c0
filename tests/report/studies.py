"""Studies to report on: one like the LSTM study, and any that hypothesis thinks of."""

from __future__ import annotations

import hashlib
import itertools
import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

from pinyon.model.condition import Comparison
from pinyon.model.experiment import Candidate, Cell, Experiment, Measured, Objective, Phase, Selection
from pinyon.model.outcome import SUCCEEDED, Attempt, Output
from pinyon.model.study import PhaseStudy, Replicate, Study, StudyResult
from pinyon.plan.cells import cell_of
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
