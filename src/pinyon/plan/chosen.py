"""Why a cell won a phase, or why none did, as one sentence for a person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pinyon.model.condition import Comparison
from pinyon.model.experiment import Objective
from pinyon.plan.measured import INFEASIBLE, Judged, shown

_NAMED = 3  # cells that a sentence names; the standings name them all


def won(objective: Objective, winner: Judged, tied: Sequence[Judged], judged: Sequence[Judged]) -> str:
    """Why ``winner`` won: its mean ± standard error, how many are as good, and what decided among those."""
    best = "highest" if objective.goal == "maximize" else "lowest"
    feasible = sum(one.standing.feasible for one in judged)
    text = f"{objective.metric} {_interval(winner)}"
    if len(tied) > 1:
        near = (
            f"within one standard error of the {best}"
            if tied[0].standing.error
            else f"that share the {best} mean"
        )
        text += f", one of {len(tied)} cells {near}, {shown(tied[0].mean)}; "
        text += _decided(objective, winner, tied, best)
    elif feasible > 1:
        text += f" is the {best} of {feasible} feasible cells"
    else:
        text += f"; the only feasible cell of {len(judged)}" if len(judged) > 1 else "; the only cell"
    return text + _left_out(judged)


def _interval(one: Judged) -> str:
    error = f" ± {one.standing.error:.2g}" if one.standing.error is not None else ""
    return f"{shown(one.mean)}{error} (n = {one.n})"


def _decided(objective: Objective, winner: Judged, tied: Sequence[Judged], best: str) -> str:
    """What set the winner apart from those as good: ``prefer``, then the mean, then the order they are written in."""
    words: list[str] = []
    rest = list(tied)
    own = winner.standing
    if objective.prefer and own.prefer is not None:
        words.append(f"smallest {objective.prefer}, {shown(own.prefer)}")
        rest = [one for one in rest if one.standing.prefer == own.prefer]
    elif objective.prefer:
        words.append(f"none of them reports {objective.prefer}")
    if any(one.standing.mean != own.mean for one in rest):
        words.append(f"{best} mean")
        rest = [one for one in rest if one.standing.mean == own.mean]
    if len(rest) > 1:
        words.append("written first")
    return ", then ".join(words)


def nobody(objective: Objective, judged: Sequence[Judged]) -> str:
    """Why there is no winner: what no cell meets, and which comes closest; or what they all lack."""
    complete = [one for one in judged if one.complete]
    if not judged:
        return "there are no cells to choose from"
    if not complete:
        reasons = dict.fromkeys(one.standing.why for one in judged)
        if len(reasons) == 1:
            subject = "every cell is" if len(judged) > 1 else "the only cell is"
            return f"{subject} {judged[0].standing.why}"
        return f"no cell is feasible{_left_out(judged)}"
    hopeless = [c for c in objective.subject_to if not any(c.meets(one.means[c.metric]) for one in complete)]
    asked = " or ".join(map(str, hopeless)) or " and ".join(map(str, objective.subject_to)) + " at once"
    sign = -1.0 if objective.goal == "maximize" else 1.0
    closest = min(complete, key=lambda one: (_distance(one, objective.subject_to), sign * one.mean))
    unmet = [clause for clause in objective.subject_to if not clause.meets(closest.means[clause.metric])]
    values = dict.fromkeys(f"{c.metric} {shown(closest.means[c.metric] or 0.0)}" for c in unmet)
    with_ = " and ".join(values)
    if unmet == hopeless and len(unmet) == 1:
        with_ = with_.removeprefix(f"{unmet[0].metric} ")
    return f"no cell meets {asked}; the closest is {closest.standing.cell} with {with_}{_left_out(judged)}"


def _distance(one: Judged, clauses: Iterable[Comparison]) -> float:
    """How far the means are from the bounds that they do not meet, relative to the bounds, added up."""
    pairs = ((clause, one.means[clause.metric]) for clause in clauses)
    return sum(
        abs(mean - clause.number) / (abs(clause.number) or 1.0)
        for clause, mean in pairs
        if mean is not None and not clause.meets(mean)
    )


def _left_out(judged: Sequence[Judged]) -> str:
    """The cells that could not be compared, each with its reason."""
    lacking = [one.standing for one in judged if not one.complete]
    if not lacking:
        return ""
    reasons = [f"{one.cell} ({one.why.removeprefix(INFEASIBLE)})" for one in lacking]
    return f"; left out are {_named(reasons)}"


def _named(words: Sequence[str]) -> str:
    more = f" and {len(words) - _NAMED} more" if len(words) > _NAMED else ""
    return ", ".join(words[:_NAMED]) + more
