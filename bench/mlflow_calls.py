"""What bench/cases/mlflow.py runs with MLflow's own Python: ``mlflow_calls.py WHAT URI COUNT``; prints JSON."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable
from typing import Any

import mlflow
from mlflow.entities import Metric, Param
from mlflow.tracking._model_registry import utils as models
from mlflow.tracking._tracking_service import utils as runs


def plugin() -> None:
    """Have `pinyon://` though this package may not be installed beside MLflow, only on its path."""
    from pinyon.bridges.mlflow.registry import RegistryStore
    from pinyon.bridges.mlflow.tracking import TrackingStore

    runs._tracking_store_registry.register("pinyon", TrackingStore)
    models._get_store_registry().register("pinyon", RegistryStore)


def log(count: int) -> list[float]:
    """Microseconds of each call of `log_metrics` with ten numbers."""
    took = []
    with mlflow.start_run():
        for step in range(count + 20):
            values = {f"m{number}": step / (number + 1) for number in range(10)}
            begin = time.perf_counter()
            mlflow.log_metrics(values, step=step)
            took.append((time.perf_counter() - begin) * 1e6)
    return took[20:]


def make(count: int) -> list[float]:
    """Fill a store with runs of eight parameters and twenty points; the seconds that each takes."""
    client, drawn, took = mlflow.MlflowClient(), random.Random(1), []
    for number in range(count):
        begin = time.perf_counter()
        start = 1_700_000_000_000 + number * 1000
        run = client.create_run("0", start_time=start, run_name=f"run-{number}").info.run_id
        params = [Param(f"p{name}", str(round(drawn.random(), 4))) for name in range(8)]
        metrics = [
            Metric(f"m{name}", drawn.random(), start + step, step) for step in range(5) for name in range(4)
        ]
        client.log_batch(run, metrics, params)
        client.set_terminated(run)
        took.append(time.perf_counter() - begin)
    return took


def search(count: int) -> dict[str, list[float]]:
    """Milliseconds of questions about ``count`` runs, the first of the process first."""
    client = mlflow.MlflowClient()
    text, order = "metrics.m0 > 0.5 and params.p1 LIKE '0.1%'", ["metrics.m1 DESC"]
    asked: dict[str, Callable[[], Any]] = {
        "all runs": lambda: client.search_runs(["0"], max_results=count),
        "a filter and an order": lambda: client.search_runs(["0"], text, order_by=order),
        "a page of 100": lambda: client.search_runs(["0"], max_results=100),
    }
    found: dict[str, list[float]] = {name: [] for name in asked}
    for name, ask in asked.items():
        for _ in range(4):
            begin = time.perf_counter()
            ask()
            found[name].append((time.perf_counter() - begin) * 1e3)
    return found


if __name__ == "__main__":
    what, uri, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if uri.startswith("pinyon:"):
        plugin()
    mlflow.set_tracking_uri(uri)
    print(json.dumps({"log": log, "make": make, "search": search}[what](size)))
