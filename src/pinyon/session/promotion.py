"""What becomes of an experiment's winner: a version of a model, and a name that points at it if the gate holds."""

from __future__ import annotations

from pinyon.errors import RefConflictError
from pinyon.model.graph import Graph
from pinyon.model.outcome import Attempt
from pinyon.model.registry import Checked, Model, ModelVersion
from pinyon.model.study import Replicate, StudyResult
from pinyon.plan.phases import median
from pinyon.plan.promotion import model_path
from pinyon.query.index import Index
from pinyon.registry.artifacts import artifact_of
from pinyon.registry.gates import check
from pinyon.registry.measured import measured
from pinyon.registry.registry import Registry, held, refusal
from pinyon.registry.values import gate_rows
from pinyon.report.told import Tell, Told
from pinyon.session.opened import Session


def promote_winner(session: Session, graph: Graph, result: StudyResult, execution: str, tell: Tell) -> None:
    """Register the winner's replicate with the median objective, and promote it as the experiment says.

    Once: what has been promoted and was moved since stays as somebody has put it. A run that tries other values (``-S``)
    or leaves phases out promotes nothing.

    Args:
        graph: the whole of it, with the stages of ``then``.
        execution: that this belongs to; "" where nothing had to be recorded.

    Raises:
        GateError: the gate refuses. That is recorded once, and told at every call.
        MissingBlobError, CorruptError, RefConflictError: see `pinyon.registry.registry.Registry.promote`.
    """
    experiment, replicate, goal = result.study.experiment, median(result), session.graph.goal
    asked = experiment.promote
    if asked is None or replicate is None:
        return
    if goal.overrides or goal.skip or goal.only:
        why = "-S was given" if goal.overrides else "phases were left out"
        tell(Told("note", text=f"nothing is promoted: {why}; pinyon model register does it"))
        return
    registry = Registry(session.records.store, session.project.name)
    attempt = result.attempts[replicate.recipe]
    path = model_path(graph.tasks[replicate.recipe].stage, asked)
    out = next(one for one in attempt.outputs if one.path == path)
    version = registry.known(asked.model, out.digest, attempt.id)
    if version is None:
        about = {"experiment": experiment.name, "set": dict(replicate.overlay)}
        version = registry.register(
            asked.model, artifact_of(session.records.store, attempt, out, about=about)
        )
    model = registry.model(asked.model)
    now = model.aliases.get(asked.alias)
    if _promoted_before(model, asked.alias, experiment.name, version):
        if now != version.number:
            here = " and ".join(model.aliases_of(version.number)) or "without a name"
            text = f"{version.name} was {asked.alias} once and is {here} now: nothing is promoted twice"
            tell(Told("note", text=text))
        return
    fold = session.records.fold
    checked = check(asked.gate, measured(fold, _attempts(result, replicate)), version.stage)
    if _refused_before(fold, version, asked.alias, checked):
        raise refusal(version.name, asked.alias, checked)
    by = {"experiment": experiment.name, **({"execution": execution} if execution else {})}
    try:
        promoted = registry.promote(model, asked.alias, version.number, checked=checked, by=by)
    except RefConflictError:
        if not _promoted_before(registry.model(asked.model), asked.alias, experiment.name, version):
            raise
        return  # by another driver of this experiment
    if promoted:
        was = f", {model.name}@{now} was" if now else ""
        gate = f"; its gate holds: {', '.join(map(held, checked))}" if checked else ""
        tell(Told("promote", version.name, f"is {asked.alias}{was}{gate}"))


def _attempts(result: StudyResult, replicate: Replicate) -> list[Attempt]:
    """What made the winner, and what the stages of ``then`` did with this replicate."""
    then = next(recipes for one, recipes in result.study.final if one == replicate)
    return [result.attempts[recipe] for recipe in (replicate.recipe, *then) if recipe in result.attempts]


def _promoted_before(model: Model, alias: str, experiment: str, version: ModelVersion) -> bool:
    """Whether this experiment has promoted this version already."""
    made = [one for one in model.changes if (one.alias, one.version) == (alias, version.number)]
    return any(one.action == "promoted" and one.by.get("experiment") == experiment for one in made)


def _refused_before(fold: Index, version: ModelVersion, alias: str, checked: tuple[Checked, ...]) -> bool:
    wanted = (alias, version.number, gate_rows(checked))
    told = fold.told("refused", [version.model])
    return any((e.body["alias"], e.body["version"], e.body["gate"]) == wanted for e in told)
