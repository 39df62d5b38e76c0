"""An experiment being carried out: which task of the graph each replicate is, and how far its phases have come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pinyon.model.experiment import Cell, Experiment, Pairs, Phase, Selection
from pinyon.model.outcome import Attempt


class Replicate(NamedTuple):
    """A cell under one seed. ``overlay`` is all that it sets: what the experiment sets, then winners of earlier phases,
    then the cell, then the seed. ``recipe`` names its task; replicates with the same recipe share it."""

    seed: Pairs
    overlay: Pairs
    recipe: str


class PhaseStudy(NamedTuple):
    """A phase with its cells. ``base`` is what the experiment and earlier winners set. ``winner`` is the cell that was
    selected, "" as long as there is none. ``assumed`` says, in words for a person, what ``base`` was guessed from for a
    plan, "" where nothing was guessed; of a ``skipped`` phase, what is kept instead of a winner. ``open`` as long as a
    search may get more cells."""

    phase: Phase
    base: Pairs
    cells: tuple[tuple[Cell, tuple[Replicate, ...]], ...]
    assumed: str = ""
    skipped: bool = False
    winner: str = ""
    open: bool = False


class Study(NamedTuple):
    """Phases as far as they are known. ``final`` are the winner's replicates, once all phases have one: for each the
    recipes of the stages in ``then``."""

    experiment: Experiment
    phases: tuple[PhaseStudy, ...] = ()
    final: tuple[tuple[Replicate, tuple[str, ...]], ...] = ()
    complete: bool = False

    @property
    def fixed(self) -> Pairs:
        """What holds throughout: what the experiment sets, and what the call says about that."""
        return self.phases[0].base if self.phases else ()

    @property
    def cells(self) -> int:
        """Cells of all phases, counted as declared."""
        return sum(len(one.cells) for one in self.phases)

    @property
    def replicates(self) -> int:
        """Cells times seeds."""
        return sum(len(replicates) for one in self.phases for _, replicates in one.cells)

    @property
    def distinct(self) -> int:
        """Distinct runs of the stage behind all replicates."""
        return len({r.recipe for one in self.phases for _, replicates in one.cells for r in replicates})


class StudyResult(NamedTuple):
    """A study with what came out.

    Attributes:
        attempts: by recipe, of every task of the graph that has finished: the attempt whose outs count.
        reused: recipes that this execution did not run.
        selections: by phase.
        failed: by recipe, why a task has no result.
        expected: by recipe, seconds that were expected; absent if unknown.
    """

    study: Study
    attempts: Mapping[str, Attempt]
    reused: frozenset[str] = frozenset()
    selections: Mapping[str, Selection] = {}
    failed: Mapping[str, str] = {}
    expected: Mapping[str, float] = {}
