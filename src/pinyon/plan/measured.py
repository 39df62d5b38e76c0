"""A cell as its replicates measured it: means, standard errors, and what makes it infeasible."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pinyon.errors import PlanError
from pinyon.model.experiment import Candidate, Measured, Objective, Standing
from pinyon.plan.interpolate import nearest

INFEASIBLE = "infeasible, because "  # how `Standing.why` begins
_TEXTS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def metric_of(metrics: Mapping[str, Any], name: str) -> float | None:
    """A metric by its name: the leaf of this very name, else the only one called ``*.name``.

    Returns:
        Its number, which may be NaN or infinite; None where there is no such leaf, or no number in it.

    Raises:
        PlanError: several leaves end in the name.
    """
    return number_of(metrics.get(leaf_of(metrics, name)))


def leaf_of(known: Collection[str], name: str) -> str:
    """The full name of a leaf; the name itself where nothing fits.

    Raises:
        PlanError: several leaves end in the name.
    """
    if name in known:
        return name
    fitting = sorted(leaf for leaf in known if leaf.endswith(f".{name}"))
    if len(fitting) > 1:
        shown = " and ".join(fitting[:2]) + (f" and {len(fitting) - 2} more" if len(fitting) > 2 else "")
        raise PlanError(
            f"the metric '{name}' is ambiguous", why=f"there are {shown}", next=f"write {fitting[0]}"
        )
    return fitting[0] if fitting else name


def number_of(value: Any) -> float | None:
    """A recorded value as a number; NaN and the infinities are recorded as text. None for anything else."""
    if isinstance(value, str):
        return _TEXTS.get(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:  # JSON holds integers that no float does
        return math.inf if value > 0 else -math.inf


def mean_of(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and its standard error, the sample's standard deviation over √n; both are the same in any order of values.

    The error is None for a single value, and where it is not finite. The mean of both infinities, or with a NaN, is NaN.
    """
    n = len(values)
    if math.inf in values and -math.inf in values:
        return math.nan, None
    try:
        mean = math.fsum(values) / n
    except OverflowError:
        mean = math.fsum(value / n for value in values)
    squares = math.fsum((value - mean) * (value - mean) for value in values)
    error = math.sqrt(squares / (n * (n - 1))) if n > 1 else math.inf
    return mean, error if math.isfinite(error) else None


class Judged(NamedTuple):
    """A candidate's standing, with what the words about it need.

    Attributes:
        place: in written order, from 0.
        means: by metric, as the objective names them; None where a replicate lacks it.
        complete: every replicate has a result with all metrics that the objective and its constraints want.
        n: how many replicates.
    """

    standing: Standing
    place: int
    means: Mapping[str, float | None]
    complete: bool
    n: int

    @property
    def mean(self) -> float:
        """Of the objective's metric; NaN where a replicate lacks it."""
        return math.nan if self.standing.mean is None else self.standing.mean


class Ruler(NamedTuple):
    """An objective, with its metrics looked up among all that the candidates reported."""

    objective: Objective
    leaves: Mapping[str, str]
    known: frozenset[str]


def ruler_of(objective: Objective, candidates: Sequence[Candidate]) -> Ruler:
    """Looks the metrics up once for all candidates, so that a name means the same leaf in each.

    Raises:
        PlanError: a name fits several leaves.
    """
    known = frozenset(
        name for candidate in candidates for one in candidate.replicates for name in one.metrics
    )
    wanted = (*_needed(objective), *((objective.prefer,) if objective.prefer else ()))
    return Ruler(objective, {name: leaf_of(known, name) for name in wanted}, known)


def _needed(objective: Objective) -> tuple[str, ...]:
    """Metrics without which a cell is infeasible."""
    return tuple(dict.fromkeys((objective.metric, *(clause.metric for clause in objective.subject_to))))


def judge(ruler: Ruler, candidate: Candidate, place: int) -> Judged:
    """How a candidate stands by itself."""
    objective = ruler.objective
    found = {name: _statistics(candidate, leaf) for name, leaf in ruler.leaves.items()}
    means = {name: mean for name, (mean, _) in found.items()}
    lacks = _without_result(candidate) or [
        words for name in _needed(objective) if (words := _lack(ruler, candidate, name, means[name]))
    ]
    unmet = [
        f"{clause.metric} {shown(mean)} is not {clause.op} {shown(clause.number)}"
        for clause in objective.subject_to
        if (mean := means[clause.metric]) is not None and not clause.meets(mean)
    ]
    mean, error = found[objective.metric]
    standing = Standing(
        candidate.cell,
        feasible=not lacks and not unmet,
        why=INFEASIBLE + " and ".join(lacks or unmet) if lacks or unmet else "",
        mean=mean,
        error=error,
        margins=tuple((str(clause), clause.margin(means[clause.metric])) for clause in objective.subject_to),
        prefer=means[objective.prefer] if objective.prefer else None,
    )
    return Judged(standing, place, means, not lacks, len(candidate.replicates))


def _statistics(candidate: Candidate, leaf: str) -> tuple[float | None, float | None]:
    values = [number_of(one.metrics.get(leaf)) if one.attempt else None for one in candidate.replicates]
    numbers = [value for value in values if value is not None]
    if not numbers or len(numbers) < len(values):
        return None, None
    mean, error = mean_of(numbers)
    return (None, None) if math.isnan(mean) else (mean, error)


def _without_result(candidate: Candidate) -> list[str]:
    without = [one for one in candidate.replicates if not one.attempt]
    if candidate.replicates and not without:
        return []
    cause = next((f": {one.ended}" for one in without if one.ended), "")
    return [f"it has no result{_share(len(without), len(candidate.replicates))}{cause}"]


def _lack(ruler: Ruler, candidate: Candidate, name: str, mean: float | None) -> str:
    """What is wrong with a metric that has no mean, in words; "" for one that has."""
    if mean is not None:
        return ""
    leaf, count = ruler.leaves[name], len(candidate.replicates)
    if leaf not in ruler.known:
        return f"{name} is reported by no cell ({nearest(name, sorted(ruler.known))})"
    kinds = [_kind(one, leaf) for one in candidate.replicates]
    for kind in ("missing", "no number", "NaN"):
        if kind in kinds:
            return f"{name} is {kind}{_share(kinds.count(kind), count)}"
    return f"{name} has no mean: it is both Infinity and -Infinity"


def _kind(one: Measured, leaf: str) -> Literal["missing", "no number", "NaN", ""]:
    if leaf not in one.metrics:
        return "missing"
    value = number_of(one.metrics[leaf])
    if value is None:
        return "no number"
    return "NaN" if math.isnan(value) else ""


def _share(part: int, whole: int) -> str:
    return f" in {part} of {whole} replicates" if whole > 1 else ""


def shown(number: float) -> str:
    """A number for a sentence: integers with all digits, others with six."""
    whole = math.isfinite(number) and number.is_integer() and abs(number) < 1e15
    return f"{int(number)}" if whole else f"{number:.6g}"
