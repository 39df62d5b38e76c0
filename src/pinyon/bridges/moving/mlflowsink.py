"""Runs into a database of MLflow's, by MLflow's own client, which has to be installed."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, NamedTuple

from pinyon.bridges.moving.nouns import CANCELLED, FAILED, SUCCEEDED, Curves, MovedRun
from pinyon.errors import ExecuteError, PlanError

_STATES = {SUCCEEDED: "FINISHED", FAILED: "FAILED", CANCELLED: "KILLED"}
_OURS = "pinyon.run"
_METRICS, _PARAMS = 1000, 100  # that MLflow takes at once
_LONGEST = 5000  # characters of a tag; of a parameter MLflow takes 6000


class _There(NamedTuple):
    """What MLflow has of a run: when it began (ms), names of parameters and metrics, tags as they were at first."""

    start: int
    params: set[str]
    metrics: set[str]
    tags: dict[str, str]


class MlflowSink:
    """See `pinyon.bridges.moving.nouns.Live`. A run that is there already, whole (by the tag ``pinyon.run``) is left alone.

    Raises:
        PlanError: MLflow is not installed.
    """

    def __init__(self, place: str) -> None:
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # stdout is the caller's
        try:
            from mlflow import MlflowClient, entities
            from mlflow.exceptions import MlflowException
        except ImportError:
            raise PlanError(
                "this needs MLflow, which is not installed here", next="pip install mlflow"
            ) from None
        address = place if "://" in place else f"sqlite:///{os.path.abspath(place)}"
        self._artifacts = os.path.abspath(f"{place}.artifacts") if "://" not in place else None
        self._entities, self._error = entities, MlflowException
        self._client = MlflowClient(tracking_uri=address)
        self._experiments: dict[str, str] = {}
        self._runs: dict[str, str] = {}  # ours → theirs
        self._there: dict[str, _There] = {}

    def write(self, run: MovedRun) -> None:
        """See `pinyon.bridges.moving.nouns.Sink`."""
        with self._refusals(run.id):
            known = self._known(run)
            if known is not None and known.info.status != "RUNNING":
                self._runs[run.id] = known.info.run_id
                return
            self._begin(run, known)  # one that runs is half an export: what it has it is not given twice
            self._metrics(run.id, run.curves)
            self._finish(run)

    def begin(self, run: MovedRun, held: str) -> bool:
        """See `pinyon.bridges.moving.nouns.Live`. MLflow's database has a point once, however often it is told, so that one
        that was told and not noted may be told again."""
        with self._refusals(run.id):
            known = self._known(run)
            self._begin(run, known)
            if known is not None and known.info.status != "RUNNING":
                self._client.update_run(known.info.run_id, "RUNNING")
            return self._runs[run.id] == held

    def add(self, run: str, curves: Curves) -> None:
        """See `pinyon.bridges.moving.nouns.Live`."""
        with self._refusals(run):
            self._metrics(run, curves)

    def held(self, run: str) -> str:
        """MLflow's id."""
        return self._runs[run]

    def finish(self, run: MovedRun) -> None:
        """See `pinyon.bridges.moving.nouns.Live`."""
        with self._refusals(run.id):
            self._finish(run)

    @contextmanager
    def _refusals(self, run: str) -> Iterator[None]:
        try:
            yield
        except self._error as error:
            raise ExecuteError(f"MLflow refuses: {str(error).splitlines()[0]}", where=run) from None

    def _known(self, run: MovedRun) -> Any:
        """The run as MLflow has it; None where it has not."""
        experiment = self._experiment(run.experiment or "pinyon")
        found = self._client.search_runs([experiment], f"tags.`{_OURS}` = '{run.id}'", max_results=1)
        return found[0] if found else None

    def _begin(self, run: MovedRun, known: Any) -> None:
        if known is None:
            experiment, tags = self._experiment(run.experiment or "pinyon"), self._tags(run)
            known = self._client.create_run(experiment, _milliseconds(run.started), tags, run.name or run.id)
        told = known.data
        self._runs[run.id] = known.info.run_id
        self._there[run.id] = _There(
            _milliseconds(run.started) or 0, set(told.params), set(told.metrics), dict(told.tags)
        )
        self._params(run)

    def _tags(self, run: MovedRun) -> dict[str, str]:
        tags = {name: text[:_LONGEST] for name, text in run.tags.items()} | {_OURS: run.id}
        tags |= {"mlflow.note.content": run.note[:_LONGEST]} if run.note else {}
        tags |= {"mlflow.user": run.user} if run.user else {}
        return tags | ({"mlflow.parentRunId": self._runs[run.parent]} if run.parent in self._runs else {})

    def _params(self, run: MovedRun) -> None:
        """Parameters that MLflow does not have yet; it never changes one."""
        there = self._there[run.id].params
        params = [
            self._entities.Param(name, _text(value))
            for name, value in run.params.items()
            if name not in there
        ]
        there.update(run.params)
        for at in range(0, len(params), _PARAMS):
            self._client.log_batch(self._runs[run.id], params=params[at : at + _PARAMS])

    def _metrics(self, run: str, curves: Curves) -> None:
        there = self._there[run]
        rows = (
            self._entities.Metric(name, value, there.start if math.isnan(time) else round(time * 1000), step)
            for name, step, time, value in curves
        )
        while batch := list(islice(rows, _METRICS)):
            self._client.log_batch(self._runs[run], metrics=batch)
        there.metrics.update(curves.names)

    def _finish(self, run: MovedRun) -> None:
        made, there = self._runs[run.id], self._there[run.id]
        end = _milliseconds(run.ended) or there.start
        self._params(run)
        for name, text in self._tags(run).items():
            if there.tags.get(name) != text:  # it was told since the run began
                self._client.set_tag(made, name, text)
        alone = {name: value for name, value in run.finals.items() if name not in there.metrics}
        for name, value in alone.items():
            if isinstance(value, (int, float)):
                self._client.log_metric(made, name, float(value), end)
        for kept in run.files:
            self._client.log_artifact(made, kept.path, os.path.dirname(kept.name) or None)
        # Last: a run that is not ended is half of one.
        self._client.set_terminated(made, _STATES.get(run.state, "KILLED"), _milliseconds(run.ended))

    def close(self) -> None:
        """Every run is whole already."""

    def drop(self) -> None:
        """Nothing is held."""

    def _experiment(self, name: str) -> str:
        if name not in self._experiments:
            found = self._client.get_experiment_by_name(name)
            place = f"{self._artifacts}/{name}" if self._artifacts else None
            self._experiments[name] = (
                found.experiment_id if found else self._client.create_experiment(name, place)
            )
        return self._experiments[name]


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _text(value: Any) -> str:
    return (value if isinstance(value, str) else str(value))[:_LONGEST]
