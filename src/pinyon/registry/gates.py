"""Whether what was measured holds the clauses of a gate. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from pinyon.errors import PlanError
from pinyon.model.condition import Comparison
from pinyon.model.registry import Checked, Measured
from pinyon.plan.measured import leaf_of, number_of


def check(clauses: Sequence[Comparison], measured: Sequence[Measured], own: str) -> tuple[Checked, ...]:
    """Each clause with the number that it is about, in the order given.

    A bare metric is one of the stage ``own``; where that has none of the name, one of the only other stage that has. As
    ``stage.metric`` it is that stage's. A metric may be called by the end of its name, as in an objective. What nobody
    measured holds no clause; neither does text or NaN, whose ``source`` is named nevertheless.

    Args:
        measured: what runs said; where several are of one stage, the last one counts.
        own: the stage that made the model.

    Raises:
        PlanError: a name fits several metrics; both are named.
    """
    by_stage = {one.stage: one for one in measured}
    return tuple(_checked(clause, by_stage, own) for clause in clauses)


def _checked(clause: Comparison, by_stage: Mapping[str, Measured], own: str) -> Checked:
    found = _found(clause.metric, by_stage, own)
    if found is None:
        return Checked(clause, None, False)
    stage, leaf = found
    value = number_of(by_stage[stage].metrics[leaf])
    if value is None or math.isnan(value):
        return Checked(clause, None, False, by_stage[stage].run)
    return Checked(clause, value, clause.meets(value), by_stage[stage].run)


def _found(name: str, by_stage: Mapping[str, Measured], own: str) -> tuple[str, str] | None:
    """The stage that has this metric and its whole name there; None where nobody has one."""
    fitting = [
        (stage, leaf)
        for stage, one in by_stage.items()
        if name.startswith(f"{stage}.")
        for leaf in _leaf(one, name.removeprefix(f"{stage}."))
    ]
    if own in by_stage:
        fitting += [(own, leaf) for leaf in _leaf(by_stage[own], name)]
    if not fitting:
        fitting = [(stage, leaf) for stage, one in by_stage.items() for leaf in _leaf(one, name)]
    fitting = list(dict.fromkeys(fitting))
    if len(fitting) > 1:
        whole = [f"{stage}.{leaf}" for stage, leaf in fitting]
        raise PlanError(
            f"the metric '{name}' is ambiguous",
            why=" and ".join(f"the stage {stage} has {leaf}" for stage, leaf in fitting[:2]),
            next=f"write {next(one for one in whole if one != name)}",
        )
    return fitting[0] if fitting else None


def _leaf(one: Measured, name: str) -> tuple[str, ...]:
    leaf = leaf_of(one.metrics, name)
    return (leaf,) if leaf in one.metrics else ()
