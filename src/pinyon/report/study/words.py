"""Sentences and figures. What lies within the noise is never called an improvement."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from pinyon.model.experiment import Choice, Objective, Pairs, beside
from pinyon.report.study.nouns import CellView, Mean, PhaseView, StudyView, cell_name, plain
from pinyon.report.study.ranking import ranked
from pinyon.report.study.spread import difference, interval
from pinyon.report.svgparts import cut

_ROUNDING = 1e-12  # of a value: what additions leave
_LONG = 60  # characters of a value in a sentence or table; the exported table has all of it


def figure(value: float | None) -> str:
    """A number for people: whole ones with all digits, others with four."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if abs(value) < 1e15 and value == round(value):
        return f"{round(value):,}".replace("-", "−")
    return f"{value:#.4g}".rstrip(".").replace("-", "−")


def with_error(mean: Mean) -> str:
    """``0.9541 ± 0.0023``: the error with two digits, the mean as far as these reach. Where a single run gave an interval
    of its own, ``0.9239 (0.861 to 0.967)``."""
    if mean.own is not None:
        return f"{figure(mean.value)} ({span(*mean.own)})"
    if mean.value is None or mean.error is None or mean.error <= _ROUNDING * abs(mean.value):
        return figure(mean.value)
    digits = 1 - math.floor(math.log10(mean.error))
    if not -2 <= digits <= 8 or abs(mean.value) >= 1e15:
        return f"{figure(mean.value)} ± {mean.error:.2g}"
    return f"{_fixed(mean.value, digits)} ± {_fixed(mean.error, digits)}"


def _fixed(value: float, digits: int) -> str:
    return f"{round(value, digits):,.{max(digits, 0)}f}".replace("-", "−")


def span(low: float, high: float) -> str:
    """``0.861 to 0.967``; a single value where both are the same."""
    return _end(low) if low == high else f"{_end(low)} to {_end(high)}"


def _end(value: float) -> str:
    """With three digits, for that is as sharp as the end of an interval is."""
    if not math.isfinite(value) or value == round(value) or not 1e-3 <= abs(value) < 100:
        return figure(value)
    return f"{value:.3g}".replace("-", "−")


def signed(value: float | None) -> str:
    """With its sign, for a margin or a difference."""
    if value is None:
        return "–"
    return figure(value) if value < 0 else f"+{figure(value)}"


def between(mean: Mean) -> str:
    """The 95 % interval in words; what is missing for it where there is none."""
    found, n = interval(mean), len(mean.values)
    if found is None:
        return f"{'Only one seed, so no' if n == 1 else 'No'} error can be estimated"
    if found[0] == found[1]:
        return f"All {n} seeds gave the same"
    return f"95 % interval {figure(found[0])} to {figure(found[1])}, {n} seeds"


def value(of: object) -> str:
    """A parameter's value, cut where it is very long."""
    return cut(plain(of), _LONG)


def assignment(pairs: Pairs) -> str:
    """``model.hidden_size=64, model.num_layers=1``."""
    return ", ".join(f"{name}={value(one)}" for name, one in pairs) or "nothing changed"


def short(names: Sequence[str]) -> dict[str, str]:
    """Parameters by their last part, where that is enough to tell them apart."""
    last = [name.rpartition(".")[2] for name in names]
    return {
        name: end if end and last.count(end) == 1 else name for name, end in zip(names, last, strict=True)
    }


def plural(number: int, noun: str) -> str:
    """``1 cell``, ``2 cells``."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def counts(view: StudyView) -> str:
    """``15 cells, 45 replicates, 39 distinct runs: 37 run, 2 reused``; every number counted."""
    made = view.counts
    parts = [f"{made.run} run", f"{made.reused} reused"]
    parts += [f"{made.failed} failed"] if made.failed else []
    parts += [f"{made.missing} without a result"] if made.missing else []
    runs = plural(made.distinct, "distinct run")
    return (
        f"{plural(made.cells, 'cell')}, {plural(made.replicates, 'replicate')}, {runs}: {', '.join(parts)}."
    )


def objective(view: StudyView) -> str:
    """What makes a cell better, in one sentence."""
    found = view.experiment.objective
    if found is None:
        return "The experiment states no objective, so nothing is chosen."
    text = f"{found.goal} {found.metric}"
    if found.subject_to:
        text += f", subject to {' and '.join(map(str, found.subject_to))}"
    if found.prefer:
        text += f"; among cells as good as the best, the one with the smallest {found.prefer}"
    return f"{text[0].upper()}{text[1:]}."


def winner(view: StudyView) -> str:
    """Who won, by how much, and why; or that nobody did."""
    won, phase = view.winner, view.deciding
    if won is None or phase is None:
        return f"No winner, because {readable(view.why, view).rstrip('.')}."
    base = beside(phase.study.base, view.experiment.fixed)
    setting = assignment(tuple({**dict(base), **dict(won.cell.assignment)}.items()))
    return f"{cell_name(won.cell)} ({setting}): {sentence(readable(view.why, view))}"


def readable(text: str, view: StudyView) -> str:
    """With names of cells where a recorded reason has their ids."""
    for phase in view.phases:
        for one in phase.cells:
            text = text.replace(one.cell.id, cell_name(one.cell)) if one.cell.id else text
    return text


def sentence(text: str) -> str:
    """With a full stop."""
    text = text.strip().rstrip(".")
    return f"{text}." if text else ""


def asked(phase: PhaseView, view: StudyView) -> str:
    """What a phase tried."""
    found = phase.study.phase
    if found.space:
        parts = [
            f"{name} in {', '.join(map(value, one.values))}"
            if isinstance(one, Choice)
            else f"{name} from {figure(one.low)} to {figure(one.high)}{' (log)' * one.log}"
            for name, one in found.space
        ]
        text = (
            f"A search over {'; '.join(parts)}: {plural(found.trials, 'trial')} proposed by {found.sampler}"
        )
    else:
        parts = [f"{name} = {', '.join(map(value, values))}" for name, values in found.grid]
        text = f"{plural(len(phase.cells), 'cell')}, the combinations of {'; '.join(parts)}"
    text += f", where {' and '.join(map(str, found.where))}" if found.where else ""
    seeds = [f"{name} = {', '.join(map(value, values))}" for name, values in view.experiment.seeds]
    text += f"; each with {'; '.join(seeds)}" if seeds else ""
    text += f"; ended early where {' and '.join(map(str, found.stop))}" if found.stop else ""
    text += f"; decided once {found.quorum * 100:g} % of the replicates had ended" if found.quorum < 1 else ""
    return f"{text}.{' More cells may follow.' if phase.study.open else ''}"


def stood_on(phase: PhaseView, earlier: Sequence[PhaseView], fixed: Pairs) -> str:
    """What the cells of a phase have in common, and who said so."""
    known = phase.study
    if known.skipped:
        return f"The phase was skipped{f'; {known.assumed}' if known.assumed else ''}."
    if not known.base:
        return "Base: the parameter files as they are."
    origin = {name: "set throughout" for name, _ in fixed} | {
        name: f"{'recorded ' * one.study.skipped}winner of {one.name}"
        for one in earlier
        for name in (*one.varied, *(name for name, _ in (*one.study.phase.grid, *one.study.phase.space)))
    }
    parts = [f"{name}={value(one)} ({origin.get(name, 'set before')})" for name, one in known.base]
    if known.assumed:
        return f"Base, assumed and not chosen ({known.assumed}): {assignment(known.base)}."
    return f"Base: {', '.join(parts)}."


def conclusion(phase: PhaseView, view: StudyView) -> list[str]:
    """What a phase showed, and how far that can be told from chance."""
    if view.experiment.objective is None or phase.selection is None:
        return []
    won = phase.winner
    if won is None:
        return [
            f"No winner, because {(readable(phase.selection.why, view) or 'no cell is feasible').rstrip('.')}."
        ]
    lines = [sentence(f"{cell_name(won.cell)}: {readable(phase.selection.why, view)}")]
    if len(won.samples) < 2:
        lines.append("Only one seed, so no error can be estimated: this order may be chance.")
        return lines
    tied = [cell for cell in phase.cells if cell.cell.id in phase.selection.tied]
    if len(tied) > 1:
        names = ", ".join(cell_name(cell.cell) for cell in tied)
        lines.append(f"Within one standard error of the best, and so not to be told apart: {names}.")
    else:
        lines += _lead(phase, won, view.experiment.objective)
    return lines


def _lead(phase: PhaseView, won: CellView, target: Objective) -> list[str]:
    """How the winner stands to the next best."""
    after = next((cell for cell in phase.cells if cell.rank and cell is not won), None)
    if after is None:
        return ["No other cell could win."] if len(phase.cells) > 1 else []
    same = "so nothing says which is better"
    return [f"Against the next, {cell_name(after.cell)}: {compared(won, after, target, same, _able(phase))}."]


def sureness(last: PhaseView, view: StudyView) -> str:
    """How far the winner of all can be told from chance."""
    won = last.winner
    lines = [sentence(between(won.objective)), *_own(won, view)] if won else []
    tied = len(last.selection.tied) if last.selection else 0
    if tied > 1 and view.seeds > 1:
        lines.append(f"It cannot be told apart from {plural(tied - 1, 'other cell')} of its phase.")
    return " ".join(filter(None, [*lines, against_before(last, view.phases[: last.number - 1], view)]))


def _own(won: CellView, view: StudyView) -> Iterator[str]:
    """What the winner's own interval says of the other cells, which every phase may hold."""
    if won.objective.own is None:
        return
    low, high = won.objective.own
    text = f"The winner's own interval, {span(low, high)},"
    others = [
        one.best.objective.value
        for one in ranked(view)
        if not any(cell is won for cell in one.cells) and one.best.objective.value is not None
    ]
    inside = sum(low <= value <= high for value in others)
    if not others:
        yield f"{text} says how sure this one number is."
    elif inside:
        all_of = (
            f"{inside} of the {plural(len(others), 'other cell')}" if len(others) > 1 else "the other cell"
        )
        they = "they cannot be told apart" if inside > 1 else "the two cannot be told apart"
        yield f"{text} holds {all_of}: by this measurement {they}."
    else:
        none = f"none of the {plural(len(others), 'other cell')}" if len(others) > 1 else "not the other cell"
        yield f"{text} holds {none}, though the intervals may overlap."


def against_before(phase: PhaseView, earlier: Sequence[PhaseView], view: StudyView) -> str:
    """What this phase's winner adds to the one before it; "" where there is no such pair."""
    before = next((one.winner for one in reversed(earlier) if one.winner), None)
    won = phase.winner
    if before is None or won is None or view.experiment.objective is None:
        return ""
    name = f"the winner of {before.cell.phase}"
    ours, theirs = ([sample.run for sample in one.samples] for one in (won, before))
    if ours == theirs:
        return f"These are the very runs of {name}: the phase has changed nothing."
    how = compared(won, before, view.experiment.objective, picked=_able(phase))
    return f"Against {name}: {how}."


def _able(phase: PhaseView) -> int:
    """How many cells could win."""
    return sum(cell.rank > 0 for cell in phase.cells)


def compared(
    one: CellView, other: CellView, target: Objective, same: str = "so no improvement", picked: int = 0
) -> str:
    """``accuracy +0.004 ± 0.006, over pairs of 3 equal seeds: within the noise, so no improvement``.

    ``picked`` from so many cells, one looks better than it is; that is said, for the interval does not know it.
    """
    found = difference(one.samples, other.samples, target.metric)
    if found is None:
        return f"a value of {target.metric} is missing, so they cannot be compared"
    if found.value == 0 and not found.error:
        return f"{target.metric} is the same"
    how = f"pairs of {plural(found.n, 'equal seed')}" if found.paired else "different seeds"
    text = (
        f"{target.metric} {'+' * (found.value >= 0)}{with_error(Mean(found.value, found.error))}, over {how}"
    )
    if found.error is None:
        return f"{text}; with one seed nobody can say whether that is chance"
    if not found.beyond_noise:
        return f"{text}: within the noise, {same}"
    better = (found.value > 0) == (target.goal == "maximize")
    text += f": {'better' if better else 'worse'} by more than chance gives (95 %)"
    return f"{text}, though picked as the best of {picked}" if better and picked > 1 else text
