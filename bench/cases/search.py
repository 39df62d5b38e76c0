"""Searches: how good the best trial is after 64, and what a question costs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, NamedTuple

from bench.measure import Row
from bench.settings import Settings
from pinyon.execute.samplers import Sampler, Trial, make
from pinyon.model.experiment import Choice, Range, Space

_TRIALS, _SLOTS = 64, (1, 8)


class Problem(NamedTuple):
    """A function to minimize over a space."""

    name: str
    space: Space
    loss: Callable[[dict[str, Any]], float]


def _bowl(x: dict[str, Any]) -> float:
    return (math.log10(x["lr"]) + 3.2) ** 2 + (x["y"] - 0.3) ** 2


def _branin(x: dict[str, Any]) -> float:
    a, b = x["a"], x["b"]
    bend = b - 5.1 / (4 * math.pi**2) * a * a + 5 / math.pi * a - 6
    return bend * bend + 10 * (1 - 1 / (8 * math.pi)) * math.cos(a) + 10 - 0.397887


def _mixed(x: dict[str, Any]) -> float:
    kinds = {"adam": 0.0, "sgd": 0.4, "rmsprop": 0.2, "lion": 0.3}
    shift = 0.5 if x["kind"] == "sgd" else 0.0  # what is best for one is not for another
    width = abs(math.log2(x["width"] / 64)) / 4
    return kinds[x["kind"]] + (math.log10(x["lr"]) + 3 - shift) ** 2 + width + abs(x["drop"] - 0.2)


_LR = ("lr", Range(1e-5, 1e-1, log=True))
PROBLEMS = [
    Problem("bowl, one axis log", (_LR, ("y", Range(-1, 1))), _bowl),
    Problem("branin", (("a", Range(-5, 10)), ("b", Range(0, 15))), _branin),
    Problem(
        "choices, log, steps",
        (
            ("kind", Choice(("adam", "sgd", "rmsprop", "lion"))),
            ("width", Choice((16, 32, 64, 128, 256))),
            _LR,
            ("drop", Range(0, 0.5, step=0.05)),
        ),
        _mixed,
    ),
]


def search(settings: Settings) -> Iterator[Row]:
    """A search of 64 trials: best loss by sampler, a seed each; milliseconds of CPU per question"""
    seeds = range(settings.rounds + 1)
    for slots, problem in product(_SLOTS, PROBLEMS):
        for name, run in (("random", _ours), ("tpe", _ours), ("optuna", _peer)):
            found = [run(name, problem, seed, slots) for seed in seeds]
            label = f"{name}, {problem.name}, {slots} at once"
            yield Row(f"{label}: best loss", "", tuple(best for best, _ in found))
            if slots == 1:
                yield Row(f"{label}: per ask", "ms", tuple(cpu * 1e3 / _TRIALS for _, cpu in found))
    yield from _told_anew(settings)


def _ours(name: str, problem: Problem, seed: int, slots: int) -> tuple[float, float]:
    sampler = make(name, problem.space, "minimize", seed)
    trials: list[Trial] = []
    cpu = 0.0
    while len(trials) < _TRIALS or trials[-1].state == "running":
        if len(trials) < _TRIALS and sum(trial.state == "running" for trial in trials) < slots:
            cpu += _ask(sampler, trials)
        else:
            oldest = next(number for number, trial in enumerate(trials) if trial.state == "running")
            trials[oldest] = _measured(trials[oldest], problem)
    return min(trial.value for trial in trials if trial.value is not None), cpu


def _ask(sampler: Sampler, trials: list[Trial]) -> float:
    began = time.process_time()
    pairs = sampler.ask(trials)
    cost = time.process_time() - began
    assert pairs is not None
    trials.append(Trial(len(trials), pairs, None, "running"))
    return cost


def _measured(trial: Trial, problem: Problem) -> Trial:
    return trial._replace(value=problem.loss(dict(trial.assignment)), state="complete")


def _peer(_: str, problem: Problem, seed: int, slots: int) -> tuple[float, float]:
    """optuna as its guide shows it: one study in memory, its own sampler, ask and tell."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    running: list[optuna.Trial] = []
    best, cpu = math.inf, 0.0
    for number in range(_TRIALS + slots):
        if len(running) == slots or number >= _TRIALS:
            trial = running.pop(0)
            loss = problem.loss(trial.params)
            best = min(best, loss)
            began = time.process_time()
            study.tell(trial, loss)
            cpu += time.process_time() - began
        if number < _TRIALS:
            began = time.process_time()
            running.append(study.ask())
            for name, axis in problem.space:
                _suggest(running[-1], name, axis)
            cpu += time.process_time() - began
    return best, cpu


def _suggest(trial: Any, name: str, axis: Choice | Range) -> None:
    if isinstance(axis, Choice):
        trial.suggest_categorical(name, axis.values)
    else:
        trial.suggest_float(name, axis.low, axis.high, log=axis.log, step=axis.step)


def _told_anew(settings: Settings) -> Iterator[Row]:
    """What the first question of a new process costs, and the next one."""
    problem = PROBLEMS[2]
    for count in (_TRIALS, settings.size):
        drawn = make("random", problem.space, "minimize", 1)
        trials: list[Trial] = []
        for _ in range(count):
            _ask(drawn, trials)
            trials[-1] = _measured(trials[-1], problem)
        first, second = [], []
        for _ in range(settings.rounds):
            sampler = make("tpe", problem.space, "minimize", 1)
            first.append(_ask(sampler, trials) * 1e3)
            trials[-1] = _measured(trials[-1], problem)
            second.append(_ask(sampler, trials) * 1e3)
            del trials[-2:]
        yield Row(f"tpe, told {count} trials anew, then asked", "ms", tuple(first))
        yield Row(f"tpe, told one more of {count}, then asked", "ms", tuple(second))
