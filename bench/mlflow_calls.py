"""What bench/cases/mlflow.py runs with MLflow's own Python: ``mlflow_calls.py WHAT URI COUNT``; prints JSON."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
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
    return {name: _took(ask, 4) for name, ask in asked.items()}


def serve(count: int) -> dict[str, list[float]]:
    """Milliseconds of what MLflow's pages ask its server about ``count`` runs, the first of each first."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [
        "server",
        "--backend-store-uri",
        sys.argv[2],
        "--artifacts-destination",
        f"{os.getcwd()}/artifacts",
    ]
    command = [sys.executable, "-m", "mlflow", *words, "--port", str(port), "--workers", "1"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, start_new_session=True, **quiet) as server:  # type: ignore[call-overload]
        try:
            while True:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health").close()
                    break
                except OSError:
                    time.sleep(0.2)
            return _asked(f"http://127.0.0.1:{port}/ajax-api/2.0/mlflow", min(count, 100))
        finally:
            os.killpg(server.pid, signal.SIGTERM)


def _asked(address: str, page: int) -> dict[str, list[float]]:
    def post(path: str, **body: Any) -> Any:
        data, kind = json.dumps(body).encode(), {"Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(f"{address}{path}", data, kind)) as said:
            return json.load(said)

    def listed(order: str) -> Any:
        return post("/runs/search", experiment_ids=["0"], max_results=page, order_by=[order])["runs"]

    runs = "&".join(f"run_ids={run['info']['run_id']}" for run in listed("attributes.start_time DESC")[:10])

    def compared() -> None:
        path = f"/metrics/get-history-bulk-interval?{runs}&metric_key=m1&max_results=320"
        with urllib.request.urlopen(f"{address}{path}") as said:
            json.load(said)

    asked: dict[str, Callable[[], Any]] = {
        "over REST: the newest 100": lambda: listed("attributes.start_time DESC"),
        "over REST: 100 by a metric": lambda: listed("metrics.m1 DESC"),
        "over REST: a metric of ten runs": compared,
    }
    return {name: _took(ask, 8) for name, ask in asked.items()}


def _took(ask: Callable[[], Any], times: int) -> list[float]:
    took = []
    for _ in range(times):
        begin = time.perf_counter()
        ask()
        took.append((time.perf_counter() - begin) * 1e3)
    return took


if __name__ == "__main__":
    what, uri, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if uri.startswith("pinyon:"):
        plugin()
    mlflow.set_tracking_uri(uri)
    print(json.dumps({"log": log, "make": make, "search": search, "serve": serve}[what](size)))
