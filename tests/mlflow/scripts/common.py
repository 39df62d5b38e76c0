"""What the scripts share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import (
    Metric,
    Param,
)
from mlflow.exceptions import MlflowException

Script = Callable[[MlflowClient], Any]
SCRIPTS: dict[str, Script] = {}


def script(call: Script) -> Script:
    SCRIPTS[call.__name__] = call
    return call


def refused(call: Callable[[], Any]) -> list[str]:
    """The type and the code of the error that a call raises."""
    try:
        return ["no error", repr(call())]
    except MlflowException as error:
        return [type(error).__name__, error.error_code]
    except Exception as error:  # noqa: BLE001 - whatever it is, the other store shall raise the same
        return [type(error).__name__]


def told(run: Any) -> dict[str, Any]:
    """What there is to compare of a run."""
    tags = {name: text for name, text in run.data.tags.items() if not name.startswith("mlflow.source")}
    return {
        "name": run.info.run_name,
        "status": run.info.status,
        "start": run.info.start_time,
        "end": run.info.end_time,
        "stage": run.info.lifecycle_stage,
        "user": run.info.user_id,
        "experiment": run.info.experiment_id,
        "metrics": plain(run.data.metrics),
        "params": run.data.params,
        "tags": tags,
    }


def plain(values: dict[str, float]) -> dict[str, str]:
    return {name: repr(values[name]) for name in sorted(values)}


def names(runs: Iterable[Any]) -> list[str]:
    return [run.info.run_name for run in runs]


def make(client: MlflowClient, name: str, start: int, experiment: str = "0", **data: Any) -> str:
    """A run with what it says; its id."""
    run = client.create_run(experiment, start_time=start, run_name=name, tags=data.get("tags"))
    client.log_batch(
        run.info.run_id,
        metrics=[Metric(key, value, start, 0) for key, value in data.get("metrics", {}).items()],
        params=[Param(key, str(value)) for key, value in data.get("params", {}).items()],
    )
    if status := data.get("status"):
        client.set_terminated(run.info.run_id, status, start + 10)
    return str(run.info.run_id)


def some(client: MlflowClient) -> list[str]:
    """Six runs that differ."""
    nan = math.nan
    return [
        make(
            client,
            "a",
            1000,
            metrics={"loss": 0.5, "f1": 0.1},
            params={"lr": 0.1, "opt": "adam"},
            tags={"k": "x"},
            status="FINISHED",
        ),
        make(
            client,
            "b",
            2000,
            metrics={"loss": 0.25},
            params={"lr": 0.01, "opt": "sgd"},
            tags={"k": "y"},
            status="FAILED",
        ),
        make(client, "c", 3000, metrics={"loss": nan}, params={"lr": 0.2}, tags={"k": "X"}),
        make(
            client, "d", 3000, metrics={"f1": 0.9}, params={"opt": "Adam", "long name": "v"}, status="KILLED"
        ),
        make(
            client,
            "e",
            4000,
            metrics={"loss": -1.5, "other metric": 3.0},
            params={"lr": 10},
            tags={"with.dot": "1"},
            status="FINISHED",
        ),
        make(client, "f", 5000),
    ]


def search(client: MlflowClient, text: str = "", **more: Any) -> list[str]:
    return names(client.search_runs(["0"], text, **more))
