"""Runs as MLflow's classes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from itertools import takewhile
from operator import itemgetter
from typing import Any, cast

from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModelInput,
    LoggedModelOutput,
    Metric,
    Param,
    Run,
    RunData,
    RunInfo,
    RunInputs,
    RunOutputs,
    RunTag,
)  # fmt: skip

from pinyon.bridges.mlflow.experiments import Experiments
from pinyon.bridges.mlflow.metrics import Value, newest_of
from pinyon.bridges.mlflow.place import Place
from pinyon.bridges.mlflow.seen import PARENT, RUN_NAME, Seen, mlflow_id
from pinyon.bridges.mlflow.values import millis, spelled
from pinyon.model.ids import run_id
from pinyon.query.cells import Member, by_recipe, members
from pinyon.query.index import Index

_HEAD = itemgetter(0, 1)
_BETWEEN = re.compile(r"[=,\s]+")


class Entities:
    """Makes entities, and keeps each until something about it changes."""

    def __init__(self, place: Place, experiments: Experiments) -> None:
        self._place, self._view, self._experiments = place, place.view, experiments
        self._made: dict[str, tuple[int, Run]] = {}  # with the version of what it was made of
        self._open: dict[str, Seen] = {}  # whose state can change without a record
        self._rows: dict[str, tuple[int, str, Run]] = {}  # by what `newest` orders
        self._newest: list[Run] = []
        self._upto = 0  # the version up to which both are
        self._cells: dict[tuple[str, str], list[Member]] = {}
        self._cells_of = -1
        self._assigned: dict[tuple[str, str, str], list[Any]] = {}  # what each cell sets

    def of(self, seen: Seen) -> Run:
        """A run; the caller holds the view's lock."""
        known = self._made.get(seen.key)
        if known is not None and known[0] == seen.version and not seen.open:
            return known[1]
        version = seen.version  # now: what follows may read more
        made = Run(
            self.info(seen),
            RunData(self._metrics(seen), self._params(seen), self._tags(seen)),
            inputs(seen),
            outputs(seen),
        )
        self._made[seen.key] = (version, made)
        return made

    def newest(self) -> list[Run]:
        """Every run, the newest first, then by id; the caller holds the view's lock and changes nothing of it."""
        fresh = dict(self._open)
        recent = takewhile(lambda seen: seen.version > self._upto, reversed(self._view.recent.values()))
        fresh |= {seen.key: seen for seen in recent}
        self._upto = self._view.clock
        for key, seen in fresh.items():
            run = self.sound(seen) if seen.attempts else None
            if run is None:
                self._rows.pop(key, None)
            else:
                self._rows[key] = (-run.info.start_time, run.info.run_id, run)
            if run is not None and seen.open:
                self._open[key] = seen
            else:
                self._open.pop(key, None)
        if fresh:
            self._newest = [run for _, _, run in sorted(self._rows.values(), key=_HEAD)]
        return self._newest

    def sound(self, seen: Seen) -> Run | None:
        """The same; None where its records are of a form that is not known: one such run hides no other."""
        try:
            return self.of(seen)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            return None

    def info(self, seen: Seen) -> RunInfo:
        """Its head."""
        run, first = mlflow_id(seen.key), seen.attempts[0]
        experiment = self.experiment_of(seen)
        ended = seen.ended
        return RunInfo(
            run_id=run,
            experiment_id=experiment,
            user_id=str(seen.origin.get("user") or self._user(seen)),
            status=seen.status,
            start_time=millis(first.started),
            end_time=None if ended is None else millis(ended),
            lifecycle_stage="deleted" if seen.deleted else "active",
            artifact_uri=str(seen.origin.get("artifacts") or self._experiments.artifacts_of(experiment, run)),
            run_name=self._tags_of(seen).get(RUN_NAME, ""),
        )

    def experiment_of(self, seen: Seen) -> str:
        """The id of its experiment."""
        if seen.ours:
            return str(seen.origin["experiment_id"])
        return self._experiments.id_of(self.named(seen))

    def named(self, seen: Seen) -> str:
        """The experiment of a run that MLflow did not make: the first that declared it, else what was told."""
        cell = self._cell(seen)
        told = cell.experiment if cell else seen.origin.get("experiment")
        return str(told or seen.newest.project or self._place.project)

    def _metrics(self, seen: Seen) -> list[Metric]:
        latest = self._view.latest.values
        zero = {one.id: one.started for one in seen.attempts}
        if len(seen.attempts) == 1:
            one = seen.newest
            drawn = {
                name: Value(value.step, one.started + value.t, value.value)
                for name, value in latest.get(one.id, {}).items()
            }
        else:
            drawn = {}
            if any(one in latest for one in zero):
                for name, step, told_at, value in self._view.history(seen):
                    newest_of(drawn, name, Value(step, told_at, value))
        at = seen.ended or seen.newest.started
        finals = {name: number(value) for name, value in seen.finals().items()}
        told = {name: Value(0, at, value) for name, value in finals.items() if value is not None}
        return [Metric(name, one.value, millis(one.t), one.step) for name, one in {**drawn, **told}.items()]

    def _params(self, seen: Seen) -> list[Param]:
        return [Param(name, spelled(value)) for name, value in seen.params().items()]

    def _tags(self, seen: Seen) -> list[RunTag]:
        return [RunTag(name, text) for name, text in self._tags_of(seen).items()]

    def _tags_of(self, seen: Seen) -> dict[str, str]:
        if not seen.ours:
            return {**self._own_tags(seen), **seen.tags()}
        told = seen.tags()
        if PARENT not in told and (parent := self._parent(_parent_of(seen))):
            told[PARENT] = parent  # a stage of Pinyon's, in which this began
        return told

    def _own_tags(self, seen: Seen) -> dict[str, str]:
        """What MLflow would have said of a run that it did not make."""
        last, cell = seen.counting, self._cell(seen)
        intent = seen.documents[last.id]["intent"][3]
        execution = self._view.executions.get(last.execution, {})
        command = [str(word) for word in last.inputs.get("command", ())][1:]
        git = execution.get("git") or {}
        told = seen.tags().get("name", "") if seen.origin else ""  # as other trackers call theirs
        found = {
            RUN_NAME: self._run_name(cell) if cell else told or last.stage.lstrip("@"),
            "mlflow.user": self._user(seen),
            "mlflow.source.type": "LOCAL",
            "mlflow.source.name": " ".join(command)[:500],
            "mlflow.source.git.commit": str(git.get("commit") or ""),
            PARENT: self._parent(_parent_of(seen)),
            "pinyon.run": run_id(seen.key),
            "pinyon.stage": last.stage,
            "pinyon.group": str(intent.get("group") or ""),
        }
        if cell is not None:
            found |= {"pinyon.phase": cell.phase, "pinyon.cell": cell.cell, "pinyon.seed": cell.seed}
        return {name: text for name, text in found.items() if text}

    def _parent(self, run: str) -> str:
        """MLflow's id of a run that is named as Pinyon does."""
        parent = self._view.run(run) if run else None
        return mlflow_id(parent.key) if parent else ""

    def _run_name(self, cell: Member) -> str:
        """Its phase and what its cell sets, such as ``phase1_tw_0.1``."""
        told = self._assigned.get((cell.experiment, cell.phase, cell.cell), ())
        words = [f"{str(name).rpartition('.')[2]}_{value}" for name, value in told]
        return _BETWEEN.sub("_", "_".join([cell.phase, *words]))

    def _user(self, seen: Seen) -> str:
        execution = self._view.executions.get(seen.newest.execution, {})
        actor = execution.get("actor")
        return str(actor.get("name") or "") if isinstance(actor, dict) else ""

    def _cell(self, seen: Seen) -> Member | None:
        """The first replicate that a run is; that of any of its attempts, which all have one recipe."""
        if self._cells_of != len(self._view.cells):
            self._cells_of = len(self._view.cells)
            self._cells = by_recipe(
                members(cast(Index, self._view))
            )  # which needs no more of an index than this
            self._assigned = {
                (str(event.body["experiment"]), str(event.body["phase"]), str(cell["cell"])): cell[
                    "assignment"
                ]
                for event in self._view.told("cells")
                for cell in event.body["cells"]
            }
        last = seen.newest
        return next(iter(self._cells.get((last.project, last.recipe), ())), None)


def _parent_of(seen: Seen) -> str:
    """The run inside which one began, as Pinyon names it; "" for none."""
    intent = seen.documents[seen.attempts[0].id]["intent"][3]
    return str(intent.get("parent") or "")


def number(value: Any) -> float | None:
    """What can be a metric: numbers, and NaN and infinities as records spell them."""
    if isinstance(value, str):
        value = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}.get(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def inputs(seen: Seen) -> RunInputs:
    """Data sets and models that it read, each once."""
    sets: dict[tuple[str, str], DatasetInput] = {}
    models: dict[str, LoggedModelInput] = {}
    for event in seen.of("mlflow_input"):
        for row in _listed(event.body.get("datasets")):
            tags = [InputTag(str(key), str(text)) for key, text in row.get("tags", ())]
            one = Dataset(**{name: row.get(name) for name in DATASET})
            sets.setdefault((one.name, one.digest), DatasetInput(one, tags))
        for model in _listed(event.body.get("models")):
            models.setdefault(str(model["model_id"]), LoggedModelInput(str(model["model_id"])))
    return RunInputs(list(sets.values()), list(models.values()))


def outputs(seen: Seen) -> RunOutputs:
    """Models that it made."""
    rows = [row for event in seen.of("mlflow_output") for row in _listed(event.body.get("models"))]
    return RunOutputs([LoggedModelOutput(str(row["model_id"]), int(row.get("step") or 0)) for row in rows])


DATASET = ("name", "digest", "source_type", "source", "schema", "profile")


def _listed(value: Any) -> Iterable[dict[str, Any]]:
    return (row for row in value if isinstance(row, dict)) if isinstance(value, list) else ()
