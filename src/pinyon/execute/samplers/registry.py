"""Samplers by name: the built-in ones, and those of installed packages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib.metadata import entry_points

from blake3 import blake3

from pinyon.errors import ExecuteError, PlanError
from pinyon.execute.samplers.points import Points
from pinyon.execute.samplers.protocol import Direction, Factory, Sampler, Trial, next_number
from pinyon.execute.samplers.simple import Grid, Random
from pinyon.model.canonical import canonical
from pinyon.model.experiment import PLUGGED_SAMPLERS, Experiment, Pairs, Phase, Space

_REFUSALS = 1000  # proposals in a row that a phase's conditions turn down


def _tpe(space: Space, goal: Direction, seed: int) -> Sampler:
    try:
        from pinyon.execute.samplers.tpe import Tpe
    except ModuleNotFoundError as error:
        if error.name != "optuna":
            raise
        raise ExecuteError(
            "the tpe sampler needs optuna, which is not installed",
            next="pip install 'pinyon[search]', or take `sampler: random`",
        ) from error
    return Tpe(space, goal, seed)


_BUILT_IN: dict[str, Factory] = {"tpe": _tpe, "random": Random, "grid": Grid}


def names() -> list[str]:
    """All samplers that there are here, the built-in ones first."""
    return [
        *_BUILT_IN,
        *sorted({entry.name for entry in entry_points(group=PLUGGED_SAMPLERS)} - _BUILT_IN.keys()),
    ]


def seed_of(experiment: str, phase: str) -> int:
    """The seed of a phase's search: 53 bits of its names, so that every process has the same one."""
    return int.from_bytes(blake3(canonical([experiment, phase])).digest(8), "big") >> 11


def make(name: str, space: Space, goal: Direction, seed: int) -> Sampler:
    """The sampler of that name.

    Raises:
        PlanError: no such sampler, or the space is not one that it can search.
        ExecuteError: it needs a library that is not installed, or a plug-in cannot be loaded.
    """
    if name in _BUILT_IN:
        return _BUILT_IN[name](space, goal, seed)
    return Checked(name, _plugged_in(name)(space, goal, seed), Points(space))


def for_phase(experiment: Experiment, phase: Phase, admits: Callable[[Pairs], bool] | None = None) -> Sampler:
    """The sampler of a search phase.

    Args:
        admits: whether an assignment is a cell at all (the phase's ``where``); None for all of them.

    Raises:
        PlanError, ExecuteError: see `make`; the message names the phase.
    """
    goal = experiment.objective.goal if experiment.objective else "minimize"
    try:
        sampler = make(phase.sampler, phase.space, goal, seed_of(experiment.name, phase.name))
    except (PlanError, ExecuteError) as error:
        error.where = error.where or f"{phase.origin}, phase '{phase.name}' of '{experiment.name}'".lstrip(
            ", "
        )
        raise
    return Admitted(sampler, admits) if admits else sampler


def _plugged_in(name: str) -> Factory:
    found = entry_points(group=PLUGGED_SAMPLERS, name=name)
    if not found:
        close = get_close_matches(name, names(), 1, 0.6)
        raise PlanError(
            f"there is no sampler '{name}'",
            why=f"installed are {', '.join(names())}",
            next=f"did you mean {close[0]}?" if close else "",
        )
    if len(found) > 1:
        values = " and ".join(sorted(entry.value for entry in found))
        raise ExecuteError(
            f"two packages plug in a sampler '{name}'", why=values, next="uninstall one of them"
        )
    (entry,) = found
    try:
        factory: Factory = entry.load()
    except Exception as error:  # another's module may raise anything while it is imported
        raise ExecuteError(
            f"the sampler '{name}' cannot be loaded",
            where=entry.value,
            why=f"{type(error).__name__}: {error}",
        ) from error
    return factory


class Checked:
    """A sampler of another's, whose proposals are looked at before anybody runs them."""

    def __init__(self, name: str, sampler: Sampler, points: Points) -> None:
        self._name, self._sampler, self._points = name, sampler, points

    def ask(self, trials: Sequence[Trial]) -> Pairs | None:
        """What it proposes, in written order and typed as declared.

        Raises:
            ExecuteError: that is no point of the space.
        """
        asked = self._sampler.ask(trials)
        if asked is None:
            return None
        point = self._points.read(asked)
        if point is None:
            raise ExecuteError(
                f"the sampler '{self._name}' proposed {dict(asked)}",
                why="that is no point of the space",
                next="take another sampler, or tell its authors",
            )
        return self._points.pairs(point)


class Admitted:
    """A sampler under conditions. What they turn down is to the sampler a trial that runs, so that it looks elsewhere; a
    failure would teach it nothing. It is not recorded, since the same question turns the same down again."""

    def __init__(self, sampler: Sampler, admits: Callable[[Pairs], bool]) -> None:
        self._sampler, self._admits = sampler, admits

    def ask(self, trials: Sequence[Trial]) -> Pairs | None:
        """The next proposal that is a cell; None when there is no more.

        Raises:
            PlanError: of a thousand proposals none was.
        """
        told, number = list(trials), next_number(trials)
        for refused in range(_REFUSALS):
            asked = self._sampler.ask(told)
            if asked is None or self._admits(asked):
                return asked
            told.append(Trial(number + refused, asked, None, "running"))
        raise PlanError(
            f"the conditions of `where` turned down {_REFUSALS} proposals in a row",
            next="narrow the space to where they hold",
        )
