"""Tree-structured Parzen estimators: optuna's sampler over a study in memory. The only module that imports optuna.

Nothing is kept anywhere: the study is told the trials that it is asked with. An object that has been told the first of
them already is told the rest, since telling costs more than asking; if they are no continuation it begins a new study.
Each proposal has a generator of its own, seeded by its number, so none depends on how many were made in this process.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import TPESampler
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState, create_trial

from pinyon.execute.samplers.axes import Axis, Continuum, Listed, Magnitudes
from pinyon.execute.samplers.distinct import Distinct, Seen, draw
from pinyon.execute.samplers.points import Point
from pinyon.execute.samplers.protocol import Direction, State, Trial
from pinyon.model.experiment import Space

_NAME = "search"
_CANDIDATES = 24
_STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}


class Tpe(Distinct):
    """Proposes where good trials are dense and bad ones are not, all parameters together; the first ten are random. Trials
    that still run count as bad ones, so that slots that ask at the same time spread. Those that miss a constraint count
    as worse than all that meet them."""

    def __init__(self, space: Space, goal: Direction, seed: int) -> None:
        super().__init__(space, seed)
        self._goal = goal
        # By name, so that another order of the same parameters proposes the same.
        self._model = {name: axis for name, axis in sorted(self.points.axes.items()) if axis.count != 1}
        self._space = {name: _distribution(axis) for name, axis in self._model.items()}
        self._told = _Told(goal, self._space)

    def propose(self, number: int, attempt: int, seen: Seen) -> Point:
        """The best of some candidates; at random while too few trials are complete."""
        rows = [(trial, self._model_values(point)) for trial, point in seen]
        if not self._told.tell(rows):
            self._told = _Told(self._goal, self._space)
            self._told.tell(rows)
        # A point that is taken would win again and again, so each further attempt is less choosy.
        seed, candidates = draw(self.seed, number, attempt, "tpe") % 2**32, max(_CANDIDATES >> attempt, 1)
        found = self._told.ask(seed, candidates)
        if not found:
            return self.at_random(number, attempt)
        return tuple(
            self._place(axis, found[name]) if name in found else 0 for name, axis in self.points.axes.items()
        )

    def _model_values(self, point: Point) -> dict[str, Any]:
        places = dict(zip(self.points.axes, point, strict=True))
        return {
            name: axis.value(places[name]) if isinstance(axis, Magnitudes) else places[name]
            for name, axis in self._model.items()
        }

    @staticmethod
    def _place(axis: Axis, found: Any) -> float:
        if isinstance(axis, Continuum):
            return min(max(float(found), axis.low), axis.high)
        return int(found) - (axis.low if isinstance(axis, Magnitudes) else 0)


def _distribution(axis: Axis) -> BaseDistribution:
    """The model of an axis: of its places, except that magnitudes are modelled as such."""
    if isinstance(axis, Continuum):
        return FloatDistribution(axis.low, axis.high, log=axis.log)
    if isinstance(axis, Magnitudes):
        return IntDistribution(axis.low, axis.high, log=True)
    assert axis.count is not None  # only a Continuum has endless values
    return (
        CategoricalDistribution(range(axis.count))
        if isinstance(axis, Listed)
        else IntDistribution(0, axis.count - 1)
    )


class _Told:
    """A study and the trials that it has been told."""

    def __init__(self, goal: Direction, space: dict[str, BaseDistribution]) -> None:
        self._space = space
        self._storage = InMemoryStorage()
        with _quiet():
            self._study = optuna.create_study(storage=self._storage, study_name=_NAME, direction=goal)
        self._id = self._storage.get_study_id_from_name(_NAME)
        # Whom the sampler is asked for. It waits for ever, and what waits is no part of the model.
        self._asking = self._storage.create_new_trial(self._id, create_trial(state=TrialState.WAITING))
        self._rows: list[tuple[int, dict[str, Any], _Outcome]] = []
        self._trials: list[int] = []

    def tell(self, rows: list[tuple[Trial, dict[str, Any]]]) -> bool:
        """Learn what is new; False if that is impossible, because what was told before is not the same any more."""
        if len(rows) < len(self._rows):
            return False
        new = [(trial.number, values, _outcome(trial)) for trial, values in rows]
        for (number, values, outcome), (was, had, before) in zip(new, self._rows, strict=False):
            if number != was or values != had or (before != outcome and before.state != "running"):
                return False
        for (_, _, outcome), (_, _, before), trial in zip(new, self._rows, self._trials, strict=False):
            if outcome != before:
                self._finish(trial, outcome)
        for _, values, outcome in new[len(self._rows) :]:
            self._trials.append(self._begin(values))
            self._finish(self._trials[-1], outcome)
        self._rows = new
        return True

    def ask(self, seed: int, candidates: int) -> dict[str, Any]:
        """Values of the model, the best of so many drawn; none while too little is known."""
        # A study object remembers the trials that it has once looked at, so each question has a new one.
        sampler = TPESampler(seed=seed, n_ei_candidates=candidates)
        study = optuna.load_study(study_name=_NAME, storage=self._storage, sampler=sampler)
        return sampler.sample_relative(study, self._storage.get_trial(self._asking), self._space)

    def _begin(self, values: dict[str, Any]) -> int:
        running = create_trial(state=TrialState.RUNNING, params=values, distributions=self._space)
        return self._storage.create_new_trial(self._id, running)

    def _finish(self, trial: int, outcome: _Outcome) -> None:
        if outcome.state == "running":
            return
        told = optuna.Trial(self._study, trial)
        if outcome.point:
            told.report(outcome.point[1], outcome.point[0])
        for number, margin in enumerate(outcome.margins):
            told.set_constraint(str(number), -margin)
        values = None if outcome.value is None else [outcome.value]
        self._storage.set_trial_state_values(trial, _STATES[outcome.state], values)


class _Outcome(NamedTuple):
    """What the model learns of a trial. ``point`` is the last one of a pruned trial, empty where it has none."""

    state: State
    value: float | None = None
    point: tuple[()] | tuple[int, float] = ()
    margins: tuple[float, ...] = ()


def _outcome(trial: Trial) -> _Outcome:
    margins = tuple(-math.inf if m is None or math.isnan(m) else float(m) for m in trial.margins)
    if trial.state == "pruned":
        points = [(step, float(value)) for step, value in trial.points if math.isfinite(value)]
        return _Outcome("pruned", None, max(points, default=()), margins)
    if trial.state != "complete":
        return _Outcome(trial.state)
    if trial.value is None or not math.isfinite(trial.value):
        return _Outcome("failed")  # it says nothing about how good the point is
    return _Outcome("complete", float(trial.value), (), margins)


@contextmanager
def _quiet() -> Iterator[None]:
    """optuna announces each study on stderr; its level belongs to the process, so it is put back."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)
