"""The tables of cells: those of a phase, and all distinct ones of all phases."""

from __future__ import annotations

from collections.abc import Iterator

from pinyon.model.units import show_seconds
from pinyon.plan.measured import INFEASIBLE
from pinyon.report.study import words
from pinyon.report.study.blocks import Block, Field, Heading, Row, Table, Text, Tone
from pinyon.report.study.nouns import CellView, Limit, Mean, PhaseView, StudyView, cell_name
from pinyon.report.study.ranking import Placed, ranked

_RANKED = 50  # cells of the leaderboard; the exported table has all
_COLUMNS = 6  # parameters with a column each; more share one


def leaderboard_blocks(view: StudyView) -> Iterator[Block]:
    """All cells of all phases in one order; of a single phase its own table says the same."""
    target = view.experiment.objective
    if target is None or len(view.phases) < 2:
        return
    yield Heading(2, "Leaderboard", "leaderboard")
    rows = ranked(view)
    best = rows[0].best if rows and rows[0].place else None
    if best and view.winner and best.objective.value != view.winner.objective.value:
        how = words.compared(view.winner, best, target)
        yield Text(f"The best mean of all is that of {cell_name(best.cell)}. The winner against it: {how}.")
    yield leaderboard(view, _RANKED)
    yield Text("Cells with the same runs stand in one row. –: as the parameter files say.", tone="muted")
    if len(rows) > _RANKED:
        yield Text(f"{len(rows) - _RANKED} more stand in the exported table.", tone="muted")


def leaderboard(view: StudyView, top: int) -> Table:
    """The first ``top`` distinct cells over all phases: what each sets, its numbers, and what became of it."""
    target = view.experiment.objective
    names = list(dict.fromkeys(name for phase in view.phases for name in phase.varied))
    apart = len(names) <= _COLUMNS
    columns = ["rank", "cell", "verdict", target.metric if target else "objective"]
    columns += [clause.metric for clause in target.subject_to] if target else []
    columns += words.short(names).values() if apart else ["sets"]
    rows = []
    for row in ranked(view)[:top]:
        sets = dict(row.sets)
        called = ", ".join(cell_name(cell.cell) for cell in row.cells)
        fields = [Field(str(row.place or "–")), Field(called), Field(_verdict(row, view))]
        fields += [_mean(row.best.objective), *map(_held, row.best.limits)]
        if apart:
            fields += [Field(words.value(sets[name]) if name in sets else "–") for name in names]
        else:
            fields.append(Field(words.assignment(row.sets)))
        won = any(cell is view.winner for cell in row.cells)
        rows.append(Row((*fields, _runs(row.best)), "strong" if won else "" if row.place else "muted"))
    return Table((*columns, "runs"), tuple(rows))


def _verdict(row: Placed, view: StudyView) -> str:
    if any(cell is view.winner for cell in row.cells):
        return "★ winner"
    if not row.place:
        return "cannot win" if any(cell.standing for cell in row.cells) else "not decided"
    phases = [cell.cell.phase for cell in row.cells if cell.verdict == "winner"]
    if phases:
        return f"won {', '.join(phases)}"
    tied = [cell.cell.phase for cell in row.cells if cell.verdict == "tied"]
    return f"≈ the best of {', '.join(tied)}" if tied else ""


def why_out(cell: CellView, view: StudyView) -> str:
    """What keeps a cell from winning."""
    return words.readable(cell.why, view).removeprefix(INFEASIBLE) or "it is not feasible"


def phase_table(phase: PhaseView, view: StudyView) -> Table:
    """The cells of a phase with their numbers; every parameter that it varies has a column."""
    target = view.experiment.objective
    names = words.short(phase.varied)
    columns = ["rank", "cell", *names.values(), "n", f"{target.metric} ± s.e." if target else "objective"]
    columns += [str(clause) for clause in target.subject_to] if target else []
    prefer = target.prefer if target and target.prefer not in [c.metric for c in target.subject_to] else ""
    columns += [prefer] if prefer else []
    columns += ["time (expected)", "runs"]
    rows = []
    for cell in phase.cells:
        setting = dict(cell.cell.assignment)
        fields = [Field(_rank(cell)), Field(f"{cell.cell.number}{_mark(cell)}")]
        fields += [Field(words.value(setting[one]) if one in setting else "–") for one in phase.varied]
        fields += [Field(_finished(cell)), _mean(cell.objective), *map(_limit, cell.limits)]
        fields += [_mean(cell.prefer)] if prefer and cell.prefer else []
        fields += [_time(cell), _runs(cell)]
        rows.append(
            Row(
                tuple(fields),
                "strong" if cell.verdict == "winner" else "muted" if cell.verdict == "out" else "",
            )
        )
    return Table(tuple(columns), tuple(rows))


def _rank(cell: CellView) -> str:
    return str(cell.rank) if cell.rank else "–"


def _runs(cell: CellView) -> Field:
    runs = tuple(dict.fromkeys(one.run for one in cell.samples if one.run))
    return Field(" ".join(runs) or "–", runs, links=bool(runs))


def _mark(cell: CellView) -> str:
    return {"winner": " ★", "tied": " ≈"}.get(cell.verdict, "")


def _finished(cell: CellView) -> str:
    done = sum(one.attempt is not None for one in cell.samples)
    return str(done) if done == len(cell.samples) else f"{done} of {len(cell.samples)}"


def _mean(mean: Mean) -> Field:
    known = tuple(dict.fromkeys(mean.runs))
    if mean.value is None:
        return Field("–" if not mean.values else f"– ({len(mean.values)} of {mean.of})", known)
    return Field(words.with_error(mean), known, number=True)


def _limit(limit: Limit) -> Field:
    """A constrained metric with its margin."""
    field = _held(limit)
    if limit.margin is None or limit.mean.value is None:
        return field
    text, mark = field.text.rsplit(" ", 1)
    return field._replace(text=f"{text} ({words.signed(limit.margin)}) {mark}")


def _held(limit: Limit) -> Field:
    """A constrained metric, and whether it holds."""
    tone: Tone = "good" if limit.holds else "bad"
    if limit.mean.value is None:
        return Field("missing ✗", tone="bad")
    text = f"{words.figure(limit.mean.value)} {'✓' if limit.holds else '✗'}"
    return Field(text, tuple(dict.fromkeys(limit.mean.runs)), number=True, tone=tone)


def _time(cell: CellView) -> Field:
    """Of the replicates that have a result, and in brackets what was expected of them."""
    took, expected = cell.seconds.values, cell.expected.values
    if not took:
        return Field("–")
    text = show_seconds(sum(took) / len(took))
    text += f" ({show_seconds(sum(expected) / len(expected))})" if len(expected) == len(took) else ""
    return Field(text, tuple(dict.fromkeys(cell.seconds.runs)), number=True)
