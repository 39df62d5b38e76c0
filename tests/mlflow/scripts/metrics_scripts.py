"""Metrics and their histories."""

from __future__ import annotations

import math
from typing import Any

from common import make, plain, refused, script
from mlflow import MlflowClient
from mlflow.entities import (
    Metric,
)


@script
def the_newest_value_is_that_of_the_highest_step(client: MlflowClient) -> Any:
    run = make(client, "a", 1000)
    for value, at, step in (
        (1.0, 10, 5),
        (2.0, 20, 3),
        (3.0, 5, 5),
        (4.0, 10, 5),
        (3.5, 10, 5),
        (9.0, 1, -2),
    ):
        client.log_metric(run, "m", value, timestamp=at, step=step)
    history = [[one.value, one.timestamp, one.step] for one in client.get_metric_history(run, "m")]
    return [plain(client.get_run(run).data.metrics), history]


@script
def the_same_point_twice_is_one(client: MlflowClient) -> Any:
    run = make(client, "a", 1000)
    for _ in range(3):
        client.log_metric(run, "m", 1.0, timestamp=10, step=1)
    client.log_batch(run, metrics=[Metric("m", 1.0, 10, 1), Metric("m", 1.0, 10, 2), Metric("m", 1.0, 10, 2)])
    return [[one.value, one.timestamp, one.step] for one in client.get_metric_history(run, "m")]


@script
def nan_is_kept(client: MlflowClient) -> Any:
    run = make(client, "a", 1000)
    for step, value in enumerate((1.0, math.nan, 0.5, math.nan)):
        client.log_metric(run, "m", value, timestamp=10 + step, step=step)
    client.log_metric(run, "only", math.nan, timestamp=10)
    history = [[repr(one.value), one.step] for one in client.get_metric_history(run, "m")]
    return [plain(client.get_run(run).data.metrics), history]


@script
def infinities(client: MlflowClient) -> Any:
    run = make(client, "a", 1000, metrics={"up": math.inf, "down": -math.inf})
    return plain(client.get_run(run).data.metrics)


@script
def large_and_small_numbers(client: MlflowClient) -> Any:
    run = make(client, "a", 1000)
    values = [1e308, 5e-324, -0.0, 123456789012345678, 0.1 + 0.2, True]
    for step, value in enumerate(values):
        client.log_metric(run, "m", value, timestamp=1795000000000 + step, step=step * 10**9)
    return [[repr(one.value), one.timestamp, one.step] for one in client.get_metric_history(run, "m")]


@script
def metrics_that_are_refused(client: MlflowClient) -> Any:
    run = make(client, "a", 1000)
    return [
        refused(lambda: client.log_metric(run, "m", "text")),  # type: ignore[arg-type]
        refused(lambda: client.log_batch(run, metrics=[Metric("m", "x", 1, 0)])),
        refused(lambda: client.log_batch(run, metrics=[Metric("m", 1.0, "now", 0)])),
        refused(lambda: client.log_batch(run, metrics=[Metric("m", 1.0, -1, 0)])),
        refused(lambda: client.log_batch(run, metrics=[Metric("m", 1.0, 1, "x")])),
        plain(client.get_run(run).data.metrics),
    ]


@script
def histories_are_in_order_of_time(client: MlflowClient) -> Any:
    run = make(client, "a", 1000)
    for value, at, step in ((1.0, 30, 0), (2.0, 10, 2), (3.0, 20, 1), (0.5, 10, 2), (0.1, 10, 1)):
        client.log_metric(run, "m", value, timestamp=at, step=step)
    return [
        [[one.value, one.timestamp, one.step] for one in client.get_metric_history(run, "m")],
        list(client.get_metric_history(run, "none")),
    ]


@script
def a_long_history(client: MlflowClient) -> Any:
    run = make(client, "a", 1000)
    for start in range(0, 3000, 1000):
        client.log_batch(
            run, metrics=[Metric("m", step / 7, 1000 + step, step) for step in range(start, start + 1000)]
        )
    found = client.get_metric_history(run, "m")
    return [len(found), found[0].value, found[-1].value, sum(one.step for one in found)]


@script
def histories_of_several_runs_in_parts(client: MlflowClient) -> Any:
    store = client._tracking_client.store
    runs = [make(client, name, 1000) for name in "ab"]
    for run in runs:
        client.log_batch(run, metrics=[Metric("m", step / 3, 1000 + step, step) for step in range(100)])
    most = {
        number: store.get_metric_history_bulk_interval(runs, "m", number, None, None)
        for number in (1, 2, 7, 99, 100, 500)
    }
    part = store.get_metric_history_bulk_interval(runs[:1], "m", 5, 10, 30)
    return [{number: [one.step for one in rows] for number, rows in most.items()}, [one.step for one in part]]
