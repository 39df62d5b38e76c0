"""Studies to report on: one like the LSTM study, and any that hypothesis thinks of."""

from __future__ import annotations

import hashlib
import itertools
import math
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pinyon.model.condition import parse_clause
from pinyon.model.experiment import Cell, Experiment, Objective, Phase, Selection, Standing
from pinyon.model.outcome import SUCCEEDED, Attempt, Output
from pinyon.model.study import PhaseStudy, Replicate, Study, StudyResult

OBJECTIVE = Objective(
    "accuracy", "maximize",
    (parse_clause("class_1_accuracy >= 0.30"), parse_clause("n_parameters <= 150000")), "n_parameters",
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


def mean_and_error(values: Sequence[float]) -> tuple[float, float | None]:
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, None
    return mean, math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1) / len(values))


def choose(
    phase: PhaseStudy, attempts: Mapping[str, Attempt], objective: Objective, digest_: str = "blake3:ab12"
) -> Selection:
    """What selection answers, written anew for these tests from the rule in words."""
    standings = [_stand(cell, replicates, attempts, objective) for cell, replicates in phase.cells]
    sign = -1.0 if objective.goal == "maximize" else 1.0
    fit = sorted((one for one in standings if one.feasible), key=lambda one: sign * (one.mean or 0.0))
    out = [one for one in standings if not one.feasible]
    if not fit:
        return Selection(
            "", f"no cell is feasible: {out[0].why}" if out else "no cells", tuple(out), (), digest_
        )
    slack = fit[0].error or 0.0
    tied = [one for one in fit if abs((one.mean or 0.0) - (fit[0].mean or 0.0)) <= slack]
    won = min(tied, key=lambda one: one.prefer or 0.0) if objective.prefer else fit[0]
    number = next(cell.number for cell, _ in phase.cells if cell.id == won.cell)
    why = f"cell {number} has the best mean of {objective.metric}"
    if len(tied) > 1 and objective.prefer:
        why = f"of {len(tied)} cells within one standard error of the best, cell {number} has the smallest "
        why += objective.prefer
    return Selection(won.cell, why, (*fit, *out), tuple(one.cell for one in tied), digest_)


def _stand(
    cell: Cell, replicates: Iterable[Replicate], attempts: Mapping[str, Attempt], objective: Objective
) -> Standing:
    found = [attempts[r.recipe].metrics if r.recipe in attempts else {} for r in replicates]

    def mean(metric: str) -> float | None:
        values = [m.get(metric) for m in found]
        good = [float(v) for v in values if isinstance(v, (int, float)) and math.isfinite(v)]
        return sum(good) / len(good) if values and len(good) == len(values) else None

    objective_mean = mean(objective.metric)
    margins = tuple((str(c), c.margin(mean(c.metric))) for c in objective.subject_to)
    absent = sum(not m for m in found)
    if absent:
        return Standing(
            cell.id, False, f"{absent} of {len(found)} replicates have no result", None, None, margins
        )
    if objective_mean is None:
        return Standing(
            cell.id, False, f"{objective.metric} is not a number in every replicate", None, None, margins
        )
    error = mean_and_error([float(m[objective.metric]) for m in found])[1]
    for clause in objective.subject_to:
        if not clause.holds(mean(clause.metric)):
            why = (
                f"{clause} does not hold: its mean is {mean(clause.metric):g}"
                if mean(clause.metric) is not None
                else (f"{clause.metric} is missing")
            )
            return Standing(cell.id, False, why, objective_mean, error, margins)
    prefer = mean(objective.prefer) if objective.prefer else None
    return Standing(cell.id, True, "", objective_mean, error, margins, prefer)


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
        selections[phase.name] = choose(studied, attempts, OBJECTIVE, f"blake3:{digest(phase.name)}")
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
        cell = Cell(f"c-{digest(assignment)[:12]}", phase.name, number, assignment)
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
