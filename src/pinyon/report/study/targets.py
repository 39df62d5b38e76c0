"""What is wanted of the model that an experiment gives, what was measured of it, and how far its promotion is. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from pinyon.errors import PlanError
from pinyon.model.condition import Comparison
from pinyon.model.experiment import Experiment
from pinyon.model.ids import run_id
from pinyon.model.registry import Checked, Measured, Model, ModelVersion
from pinyon.model.study import StudyResult
from pinyon.plan.measured import leaf_of
from pinyon.registry.gates import check
from pinyon.report.study.nouns import Promoted, Sample, Target
from pinyon.report.study.spread import own_interval


def targets_of(
    result: StudyResult, taken: Sample | None, summaries: Mapping[str, Mapping[str, Any]]
) -> tuple[Target, ...]:
    """A row for each metric of the gate and of the stretch goals, with its number for the replicate that is promoted."""
    experiment = result.study.experiment
    asked = experiment.promote
    if asked is None:
        return ()
    measured = tuple(_measured(result, taken, summaries)) if taken else ()
    rows = []
    for name in dict.fromkeys(clause.metric for clause in (*asked.gate, *asked.stretch)):
        pairs = zip_longest(
            *([one for one in some if one.metric == name] for some in (asked.gate, asked.stretch))
        )
        rows += [_target(name, gate, stretch, measured, experiment.stage) for gate, stretch in pairs]
    return tuple(rows)


def _measured(
    result: StudyResult, taken: Sample, summaries: Mapping[str, Mapping[str, Any]]
) -> Iterator[Measured]:
    """What was said of the replicate: by its own run, and by those of the final stages on it."""
    experiment = result.study.experiment
    final = next((recipes for one, recipes in result.study.final if one == taken.replicate), ())
    for stage, recipe in (
        (experiment.stage, taken.replicate.recipe),
        *zip(experiment.then, final, strict=False),
    ):
        if attempt := result.attempts.get(recipe):
            told = {**summaries.get(attempt.id, {}), **attempt.metrics}
            yield Measured(stage, run_id(attempt.key), attempt.id, told)


def _target(
    name: str, gate: Comparison | None, stretch: Comparison | None, measured: Sequence[Measured], own: str
) -> Target:
    try:
        row = Target(name, _checked(gate, measured, own), _checked(stretch, measured, own))
    except PlanError as error:  # the name fits several metrics
        return Target(name, _checked(gate, (), own), _checked(stretch, (), own), why=str(error))
    source = next((one for one in measured if one.run == row.checked.source), None)
    return row._replace(own=_own(source, name)) if source else row


def _checked(clause: Comparison | None, measured: Sequence[Measured], own: str) -> Checked | None:
    return check([clause], measured, own)[0] if clause else None


def _own(source: Measured, name: str) -> tuple[float, float] | None:
    metrics = source.metrics
    rest = name.removeprefix(f"{source.stage}.")
    leaf = leaf_of(metrics, rest)
    return own_interval(metrics, leaf if leaf in metrics else leaf_of(metrics, name))


def promotion_of(
    experiment: Experiment, taken: Sample | None, targets: Sequence[Target], model: Model | None
) -> Promoted | None:
    """How far the promotion has come that the experiment asks for; None where it asks for none."""
    asked = experiment.promote
    if asked is None:
        return None
    changes = model.changes if model else ()
    now = model.aliases.get(asked.alias) if model else None
    found = Promoted(asked, "none", now=now, changes=changes)
    if taken is None or taken.attempt is None:
        return found
    version = _version(model, taken, asked.path) if model else None
    if version is not None and model is not None:
        own = [one for one in changes if one.alias == asked.alias]
        change = next((one for one in reversed(own) if one.version == version.number), None)
        since = next((one for one in own if change and one.number > change.number), None)
        found = found._replace(
            version=version, names=model.aliases_of(version.number), change=change, since=since
        )
        if asked.alias in found.names:
            return found._replace(state="promoted")
        if change is not None:
            return found._replace(state="moved")
    return found._replace(state="waiting" if all(one.met for one in targets) else "missed")


def _version(model: Model, taken: Sample, path: str) -> ModelVersion | None:
    """The version that the replicate's run made, else the one with the same content; the newest of several."""
    outs = taken.attempt.outputs if taken.attempt else ()
    made = {out.digest for out in outs if path in ("", out.path)}
    fitting = [one for one in model.versions if one.digest in made]
    fitting.sort(key=lambda one: (one.run == taken.run, one.number))
    return fitting[-1] if fitting else None
