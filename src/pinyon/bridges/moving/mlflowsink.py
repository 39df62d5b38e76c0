"""Runs into a database of MLflow's, by MLflow's own client, which has to be installed."""

from __future__ import annotations

import math
import os
from itertools import islice
from typing import Any

from pinyon.bridges.moving.nouns import CANCELLED, FAILED, SUCCEEDED, MovedRun
from pinyon.errors import ExecuteError, PlanError

_STATES = {SUCCEEDED: "FINISHED", FAILED: "FAILED", CANCELLED: "KILLED"}
_OURS = "pinyon.run"
_METRICS, _PARAMS, _TAGS = 1000, 100, 100  # that MLflow takes at once
_LONGEST = 5000  # characters of a tag; of a parameter MLflow takes 6000


class MlflowSink:
    """See `pinyon.bridges.moving.nouns.Sink`. A run that is there already (by the tag ``pinyon.run``) is left alone.

    Raises:
        PlanError: MLflow is not installed.
    """

    def __init__(self, place: str) -> None:
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

    def write(self, run: MovedRun) -> None:
        """See `pinyon.bridges.moving.nouns.Sink`."""
        try:
            self._write(run)
        except self._error as error:
            raise ExecuteError(f"MLflow refuses: {str(error).splitlines()[0]}", where=run.id) from None

    def _write(self, run: MovedRun) -> None:
        experiment = self._experiment(run.experiment or "pinyon")
        known = self._client.search_runs([experiment], f"tags.`{_OURS}` = '{run.id}'", max_results=1)
        if known and known[0].info.status != "RUNNING":
            self._runs[run.id] = known[0].info.run_id
            return
        for half in known:  # an export that was killed
            self._client.delete_run(half.info.run_id)
        tags = {name: text[:_LONGEST] for name, text in run.tags.items()} | {_OURS: run.id}
        tags |= {"mlflow.note.content": run.note[:_LONGEST]} if run.note else {}
        tags |= {"mlflow.user": run.user} if run.user else {}
        tags |= {"mlflow.parentRunId": self._runs[run.parent]} if run.parent in self._runs else {}
        made = self._client.create_run(
            experiment, _milliseconds(run.started), tags, run.name or run.id
        ).info.run_id
        self._runs[run.id] = made
        params = [self._entities.Param(name, _text(value)) for name, value in run.params.items()]
        for at in range(0, len(params), _PARAMS):
            self._client.log_batch(made, params=params[at : at + _PARAMS])
        self._metrics(made, run)
        for kept in run.files:
            self._client.log_artifact(made, kept.path, os.path.dirname(kept.name) or None)
        # Last: a run that is not ended is half of one.
        self._client.set_terminated(made, _STATES.get(run.state, "KILLED"), _milliseconds(run.ended))

    def _metrics(self, made: str, run: MovedRun) -> None:
        start = _milliseconds(run.started) or 0
        rows = (
            self._entities.Metric(name, value, start if math.isnan(time) else round(time * 1000), step)
            for name, step, time, value in run.curves
        )
        while batch := list(islice(rows, _METRICS)):
            self._client.log_batch(made, metrics=batch)
        end = _milliseconds(run.ended) or start
        alone = {name: value for name, value in run.finals.items() if name not in run.curves.names}
        for name, value in alone.items():
            if isinstance(value, (int, float)):
                self._client.log_metric(made, name, float(value), end)

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
