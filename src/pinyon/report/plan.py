"""What a call would do, or has done, as nouns and as plain data for ``--json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from pinyon.model.graph import Graph, Stage
from pinyon.model.outcome import FAILED, Attempt
from pinyon.model.project import Pointer
from pinyon.plan.actions import Action, Repair, Reuse, Run, Verdict
from pinyon.plan.estimate import Expected
from pinyon.report.estimate import figures

if TYPE_CHECKING:
    from pinyon.model.experiment import Promotion
    from pinyon.model.study import PhaseStudy, StudyResult


class Plan(NamedTuple):
    """What `run` would do: the data to fetch, the first actions, a verdict for every task, and how long it will take.

    ``environment``: what differs from the environment that the newest execution found, in words, where that was asked for.
    """

    graph: Graph
    actions: list[Action]
    verdicts: Mapping[str, Verdict]
    expected: Expected
    fetches: tuple[Pointer, ...] = ()
    study: StudyResult | None = None
    environment: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """``fetches`` is absent data that a pointer names, ``actions`` are those that could start now, ``tasks`` has a
        verdict for every vertex."""
        return {
            "fetches": [{"path": one.path, "digest": one.digest, "size": one.size} for one in self.fetches],
            "actions": [row for row in map(_action, self.actions) if row],
            "tasks": tasks(self.graph, self.verdicts),
            "estimate": figures(self.expected),
            "stages": {task.stage.name: stage_dict(task.stage) for task in self.graph.tasks.values()},
            **(self._study(self.study) if self.study else {}),
            **({"environment": list(self.environment)} if self.environment else {}),
        }

    def _study(self, result: StudyResult) -> dict[str, Any]:
        return {**study_dict(result), "estimate_seconds": figures(self.expected)["serial_seconds"]}


class Result(NamedTuple):
    """How `run` ended: a verdict for each task by recipe, and how many did what."""

    execution: str
    graph: Graph
    verdicts: Mapping[str, Verdict]
    counts: Mapping[str, int]
    study: StudyResult | None = None

    def as_dict(self) -> dict[str, Any]:
        """``execution`` is empty when nothing had to be recorded."""
        execution = self.execution if self.counts else ""
        return {
            "execution": execution,
            "counts": dict(self.counts),
            "tasks": tasks(self.graph, self.verdicts),
            **(study_dict(self.study) if self.study else {}),
        }


def study_dict(result: StudyResult) -> dict[str, Any]:
    """``cells``, ``replicates`` and ``distinct`` are counted over all phases that are known or assumed. ``promote`` is None
    where nothing is promoted."""
    study, promote = result.study, result.study.experiment.promote
    return {
        "experiment": study.experiment.name,
        "set": dict(study.fixed),
        "cells": study.cells,
        "replicates": study.replicates,
        "distinct": study.distinct,
        "phases": [_phase(one, result) for one in study.phases],
        "promote": promote and _promotion(promote),
    }


def _promotion(promote: Promotion) -> dict[str, Any]:
    clauses = {name: list(map(str, getattr(promote, name))) for name in ("gate", "stretch")}
    return {"model": promote.model, "alias": promote.alias, "path": promote.path, **clauses}


def _phase(one: PhaseStudy, result: StudyResult) -> dict[str, Any]:
    selection = result.selections.get(one.phase.name)
    rows = [
        {
            "cell": cell.id,
            "assignment": dict(cell.assignment),
            "replicates": [
                {"seed": dict(r.seed), "recipe": r.recipe, "attempt": _id(result.attempts.get(r.recipe))}
                for r in replicates
            ],
        }
        for cell, replicates in one.cells
    ]
    return {
        "phase": one.phase.name,
        "base": dict(one.base),
        "assumed": one.assumed,
        "skipped": one.skipped,
        "cells": rows,
        "winner": one.winner or (selection.winner if selection else ""),
        "why": selection.why if selection else "",
    }


def _id(attempt: Attempt | None) -> str | None:
    return attempt.id if attempt else None


def failed_before(verdict: Verdict) -> bool:
    """Whether a task is to run because its last attempt at these inputs failed."""
    about = verdict.reason.about
    return verdict.kind in ("run", "stop") and about is not None and about.state == FAILED


def tasks(graph: Graph, verdicts: Mapping[str, Verdict]) -> list[dict[str, Any]]:
    """Stage, verdict and reason of every task that has a verdict."""
    return [
        {
            "stage": graph.tasks[recipe].stage.name,
            "verdict": verdict.kind,
            "reason": verdict.reason.text,
            "details": list(verdict.reason.details),
            "recipe": recipe,
        }
        for recipe, verdict in verdicts.items()
    ]


def stage_dict(stage: Stage) -> dict[str, Any]:
    """A resolved stage; ``cmd`` is text for one shell line or a list."""
    kind, parts = stage.command
    return {
        "cmd": parts[0] if kind == "shell" and len(parts) == 1 else list(parts),
        "wdir": stage.wdir,
        "deps": list(stage.deps),
        "params": {
            file: _params(stage, file) for file in dict.fromkeys(param.file for param in stage.params)
        },
        "outs": [out.path for out in stage.outs if out.role == "out"],
        "metrics": [out.path for out in stage.outs if out.role == "metric"],
        "plots": [out.path for out in stage.outs if out.role == "plot"],
        "frozen": stage.frozen,
        "always_changed": stage.always_changed,
    }


def _params(stage: Stage, file: str) -> Any:
    found = {param.name: param.value for param in stage.params if param.file == file}
    return found.get("", found)


def _action(action: Action) -> dict[str, Any] | None:
    if isinstance(action, Run):
        return {
            "action": "run",
            "stage": action.task.stage.name,
            "reason": action.reason.text,
            "key": action.key,
        }
    if isinstance(action, Reuse):
        row = {"action": "reuse", "stage": action.task.stage.name, "reason": action.reason.text}
        return {**row, "attempt": action.attempt.id}
    if isinstance(action, Repair):
        return {"action": "repair", "stage": action.attempt.stage, "reason": action.reason.text}
    return None
