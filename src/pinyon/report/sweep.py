"""What an experiment would do, cell by cell, and how much that is: go or no-go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pinyon.model.experiment import Objective, Pairs, Promotion, beside, words
from pinyon.model.study import PhaseStudy, Replicate, Study
from pinyon.plan.actions import Verdict

_SHOWN = 24  # cells of a phase that are shown


class Row(NamedTuple):
    """One line: ``kind`` is a verdict, or "phase" for a heading, "promote" for what follows, and "" for a remark."""

    kind: str
    text: str
    note: str = ""


def rows(study: Study, verdicts: Mapping[str, Verdict]) -> Iterator[Row]:
    """Phases with their cells, in written order."""
    for phase in study.phases:
        yield Row("phase", phase.phase.name, _about(phase, study.fixed))
        for number, (cell, replicates) in enumerate(phase.cells):
            if number == _SHOWN:
                yield Row("", f"… {len(phase.cells) - _SHOWN} more cells")
                break
            won = " (winner)" if cell.id == phase.winner else ""
            yield Row(_worst(replicates, verdicts), words(cell.assignment) + won, _note(replicates, verdicts))
    if study.final and study.experiment.then:
        base = (
            "the winner"
            if study.complete
            else "the winner, assumed to be " + words(beside(study.final[0][0].overlay, study.fixed))
        )
        yield Row("phase", "then", base)
        for number, name in enumerate(study.experiment.then):
            recipes = [then[number] for _, then in study.final]
            kinds = Counter[str](verdicts[recipe].kind for recipe in recipes if recipe in verdicts)
            yield Row(_first(kinds), name, _counted(kinds))
    if promote := study.experiment.promote:
        yield Row("promote", _promised(promote))


def _promised(promote: Promotion) -> str:
    """What becomes of the winner: ``the winner as a version of lstm, and staging points at it if accuracy > 0.75``."""
    text = f"the winner as a version of {promote.model}, and {promote.alias} points at it"
    text += f" if {' and '.join(map(str, promote.gate))}" if promote.gate else ""
    return text + (f"; stretch: {' and '.join(map(str, promote.stretch))}" if promote.stretch else "")


def question(study: Study) -> str:
    """``study: train: maximize accuracy subject to n <= 150000, among equals the smaller n; 3 seeds``."""
    experiment = study.experiment
    seeds = 1
    for _, values in experiment.seeds:
        seeds *= len(values)
    aim = f": {_aim(experiment.objective)}" if experiment.objective else ""
    text = f"{experiment.name}: {experiment.stage}{aim}" + (f"; {seeds} seeds" if experiment.seeds else "")
    return text + (f"; {words(study.fixed)} throughout" if study.fixed else "")


def counts(study: Study, verdicts: Mapping[str, Verdict]) -> str:
    """``15 cells, 45 replicates, 39 distinct runs of train: 37 run, 2 reuse``."""
    recipes = {r.recipe for one in study.phases for _, replicates in one.cells for r in replicates}
    kinds = Counter[str](verdicts[recipe].kind for recipe in recipes if recipe in verdicts)
    text = f"{study.cells} cells, {study.replicates} replicates, {study.distinct} distinct runs of"
    guesses = [one.assumed for one in study.phases if one.assumed and not one.skipped]
    over = f"; counted over {guesses[0]}" if guesses else ""
    return f"{text} {study.experiment.stage}: {_counted(kinds)}{over}"


def _aim(objective: Objective) -> str:
    text = f"{objective.goal} {objective.metric}"
    if objective.subject_to:
        text += f" subject to {' and '.join(map(str, objective.subject_to))}"
    return text + (f", among equals the smaller {objective.prefer}" if objective.prefer else "")


def _about(phase: PhaseStudy, fixed: Pairs) -> str:
    if phase.skipped:
        return f"skipped; {phase.assumed}"
    if phase.phase.space and not phase.cells:
        return f"{phase.phase.trials} trials of {phase.phase.sampler}, proposed while it runs"
    varied = beside(phase.base, fixed)
    base = f"on {words(varied)}" if varied else ""
    return base + (" (assumed)" if phase.assumed else "")


def _worst(replicates: tuple[Replicate, ...], verdicts: Mapping[str, Verdict]) -> str:
    return _first(Counter[str](verdicts[r.recipe].kind for r in replicates if r.recipe in verdicts))


def _first(kinds: Counter[str]) -> str:
    return next((kind for kind in ("stop", "run", "wait", "reuse", "unchanged") if kinds[kind]), "")


def _note(replicates: tuple[Replicate, ...], verdicts: Mapping[str, Verdict]) -> str:
    kinds = Counter[str](verdicts[r.recipe].kind for r in replicates if r.recipe in verdicts)
    if len(kinds) > 1:
        return _counted(kinds)
    verdict = next((verdicts[r.recipe] for r in replicates if r.recipe in verdicts), None)
    return verdict.reason.text if verdict and verdict.kind == "stop" else ""


def _counted(kinds: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "none"
