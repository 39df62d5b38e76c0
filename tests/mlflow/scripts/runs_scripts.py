"""Runs from their beginning to their end."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import mlflow
from common import make, names, plain, refused, script, search, some, told
from mlflow import MlflowClient
from mlflow.entities import (
    Param,
    ViewType,
)


@script
def a_run_from_begin_to_end(client: MlflowClient) -> Any:
    run = client.create_run("0", start_time=1000, tags={"a": "1"}, run_name="one")
    client.log_param(run.info.run_id, "lr", 0.1)
    client.log_metric(run.info.run_id, "loss", 0.5, timestamp=1001, step=3)
    client.set_terminated(run.info.run_id, end_time=2000)
    return [told(run), told(client.get_run(run.info.run_id))]


@script
def a_fluent_run(client: MlflowClient) -> Any:
    with mlflow.start_run(run_name="fluent", tags={"t": "1"}, description="said") as run:
        mlflow.log_params({"a": 1, "b": None, "c": [1, 2], "d": True, "e": 1e-7, "f": "x" * 400})
        mlflow.log_metrics({"m": 1, "n": 2.5}, step=1)
        mlflow.set_tags({"x": 1, "y": "z"})
    found = told(client.get_run(run.info.run_id))
    return {**found, "start": None, "end": found["end"] is not None}


@script
def a_run_that_raises_has_failed(client: MlflowClient) -> Any:
    with contextlib.suppress(ZeroDivisionError), mlflow.start_run() as run:
        1 / 0  # noqa: B018 - it is to raise
    return client.get_run(run.info.run_id).info.status


@script
def every_ending(client: MlflowClient) -> Any:
    found = []
    for status in ("FINISHED", "FAILED", "KILLED"):
        run = client.create_run("0")
        client.set_terminated(run.info.run_id, status, 5000)
        info = client.get_run(run.info.run_id).info
        found.append([info.status, info.end_time])
    return found


@script
def an_ending_without_a_time(client: MlflowClient) -> Any:
    run = client.create_run("0")
    client.set_terminated(run.info.run_id)
    return client.get_run(run.info.run_id).info.end_time is not None


@script
def a_status_is_updated(client: MlflowClient) -> Any:
    run = client.create_run("0").info.run_id
    found = []
    for status in ("SCHEDULED", "RUNNING", "FINISHED", "FAILED", "RUNNING", "KILLED"):
        client.update_run(run, status=status)
        found.append(client.get_run(run).info.status)
    return found


@script
def nested_runs(client: MlflowClient) -> Any:
    with mlflow.start_run(run_name="outer") as outer:
        for number in range(3):
            with mlflow.start_run(run_name=f"inner {number}", nested=True) as inner:
                mlflow.log_metric("n", number)
    found = client.search_runs(
        ["0"], f"tags.mlflow.parentRunId = '{outer.info.run_id}'", order_by=["metrics.n"]
    )
    parent = client.get_parent_run(inner.info.run_id)
    return [names(found), parent.info.run_name, client.get_parent_run(outer.info.run_id)]


@script
def a_run_is_taken_up_again(client: MlflowClient) -> Any:
    with mlflow.start_run(run_name="twice") as run:
        mlflow.log_metric("m", 1, step=0)
        mlflow.log_metric("m", 2, step=1)
        mlflow.log_param("p", 1)
    statuses = []
    with mlflow.start_run(run_id=run.info.run_id):
        statuses.append(client.get_run(run.info.run_id).info.status)
        mlflow.log_metric("m", 3, step=1)
        mlflow.log_metric("m", 4, step=5)
        mlflow.log_param("q", 2)
    again = client.get_run(run.info.run_id)
    history = [[one.step, one.value] for one in client.get_metric_history(run.info.run_id, "m")]
    return [statuses, again.info.status, again.data.params, plain(again.data.metrics), sorted(history)]


@script
def what_is_logged_after_the_end_counts(client: MlflowClient) -> Any:
    run = make(client, "a", 1000, status="FINISHED")
    client.log_metric(run, "late", 1.0, timestamp=5, step=1)
    client.log_param(run, "late", "p")
    client.set_tag(run, "late", "t")
    return told(client.get_run(run))


@script
def two_clients_write_one_run(client: MlflowClient) -> Any:
    run, other = client.create_run("0").info.run_id, MlflowClient()
    for step in range(3):
        client.log_metric(run, "a", step, timestamp=step, step=step)
        other.log_metric(run, "b", -step, timestamp=step, step=step)
    return plain(client.get_run(run).data.metrics)


@script
def a_run_is_renamed(client: MlflowClient) -> Any:
    run = make(client, "before", 1000)
    client.update_run(run, name="after")
    first = told(client.get_run(run))
    client.set_tag(run, "mlflow.runName", "last")
    return [first, told(client.get_run(run)), search(client, "attributes.run_name = 'last'")]


@script
def names_of_runs_that_disagree(client: MlflowClient) -> Any:
    return refused(lambda: client.create_run("0", run_name="a", tags={"mlflow.runName": "b"}))


@script
def a_run_without_a_name_gets_one(client: MlflowClient) -> Any:
    run = client.create_run("0")
    return [
        bool(re.fullmatch(r"[a-z]+-[a-z]+-\d+", run.info.run_name)),
        run.data.tags["mlflow.runName"] == run.info.run_name,
    ]


@script
def deleted_and_restored_runs(client: MlflowClient) -> Any:
    runs = some(client)
    client.delete_run(runs[0])
    client.delete_run(runs[1])
    client.restore_run(runs[1])
    seen = [
        sorted(search(client, run_view_type=view))
        for view in (ViewType.ACTIVE_ONLY, ViewType.DELETED_ONLY, ViewType.ALL)
    ]
    return [seen, told(client.get_run(runs[0])), told(client.get_run(runs[1]))]


@script
def a_deleted_run_takes_nothing(client: MlflowClient) -> Any:
    run = make(client, "a", 1000)
    client.delete_run(run)
    return [
        refused(lambda: client.log_metric(run, "m", 1)),
        refused(lambda: client.log_param(run, "p", 1)),
        refused(lambda: client.set_tag(run, "t", 1)),
        refused(lambda: client.delete_tag(run, "t")),
        refused(lambda: client.set_terminated(run)),
        refused(lambda: client.log_batch(run, params=[Param("p", "1")])),
    ]


@script
def runs_that_are_not_there(client: MlflowClient) -> Any:
    nobody = "0" * 32
    return [
        refused(lambda: client.get_run(nobody)),
        refused(lambda: client.log_metric(nobody, "m", 1)),
        refused(lambda: client.log_param(nobody, "m", 1)),
        refused(lambda: client.set_tag(nobody, "m", 1)),
        refused(lambda: client.delete_run(nobody)),
        refused(lambda: client.restore_run(nobody)),
        refused(lambda: client.get_metric_history(nobody, "m")),
        refused(lambda: client.set_terminated(nobody)),
        refused(lambda: client.get_run("no id")),
        refused(lambda: client.log_batch("no id!")),
    ]


@script
def a_run_in_no_experiment(client: MlflowClient) -> Any:
    return [refused(lambda: client.create_run("77")), refused(lambda: client.search_runs(["77"]))]


@script
def a_run_in_a_deleted_experiment(client: MlflowClient) -> Any:
    one = client.create_experiment("gone")
    client.delete_experiment(one)
    return refused(lambda: client.create_run(one))
