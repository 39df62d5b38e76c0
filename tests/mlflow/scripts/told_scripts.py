# ruff: noqa: B023 - a lambda that is called at once may use the variable of a loop
"""Parameters and tags."""

from __future__ import annotations

from typing import Any

from common import make, refused, script, search, told
from mlflow import MlflowClient
from mlflow.entities import (
    Metric,
    Param,
    RunTag,
)


@script
def a_parameter_does_not_change(client: MlflowClient) -> Any:
    run = make(client, "a", 1000, params={"p": 1})
    client.log_param(run, "p", "1")
    client.log_batch(run, params=[Param("p", "1"), Param("q", "2")])
    found = [
        refused(lambda: client.log_param(run, "p", 2)),
        refused(lambda: client.log_batch(run, params=[Param("r", "5"), Param("p", "2")])),
        refused(lambda: client.log_batch(run, params=[Param("s", "1"), Param("s", "2")])),
    ]
    return [found, client.get_run(run).data.params]


@script
def spellings_of_parameters_stay(client: MlflowClient) -> Any:
    texts = [
        "1",
        "1.0",
        "01",
        "1e3",
        "1e-05",
        "True",
        "true",
        "None",
        "nan",
        "inf",
        "[1, 2]",
        "{'a': 1}",
        "",
        " 1",
        "-0.0",
        "1_000",
        "0x10",
        "0.1000",
        "9" * 30,
        "é\n",
        "1" + "0" * 400,
    ]
    run = make(client, "a", 1000, params={f"p{number}": text for number, text in enumerate(texts)})
    return client.get_run(run).data.params


@script
def names_that_are_refused(client: MlflowClient) -> Any:
    run = make(client, "a", 1000)
    bad = ["", "a\nb", "a$b", "../up", "a//b", "x" * 251, "/a", "a/", "."]
    found = [
        [
            refused(lambda: client.log_metric(run, name, 1)),
            refused(lambda: client.log_param(run, name, 1)),
            refused(lambda: client.set_tag(run, name, 1)),
        ]
        for name in bad
    ]
    good = ["a b", "a/b", "a.b", "a-b_c", "a:b", "ä"]
    for name in good:
        client.log_metric(run, name, 1, timestamp=1)
        client.log_param(run, name, 1)
        client.set_tag(run, name, 1)
    return [found, told(client.get_run(run))]


@script
def values_that_are_too_long(client: MlflowClient) -> Any:
    run = make(client, "a", 1000)
    return [
        refused(lambda: client.log_param(run, "p", "x" * 6001)),
        refused(lambda: client.set_tag(run, "t", "x" * 8001)),
        refused(lambda: client.log_batch(run, params=[Param(str(number), "1") for number in range(101)])),
        refused(lambda: client.log_batch(run, tags=[RunTag(str(number), "1") for number in range(101)])),
        refused(lambda: client.log_batch(run, metrics=[Metric("m", 1, 1, number) for number in range(1001)])),
    ]


@script
def tags_are_set_and_taken_away(client: MlflowClient) -> Any:
    run = make(client, "a", 1000, tags={"a": "1", "b": "2"})
    client.set_tag(run, "a", "3")
    client.delete_tag(run, "b")
    client.log_batch(run, tags=[RunTag("c", "4"), RunTag("c", "5")])
    client.set_tag(run, "mlflow.note.content", "a note")
    return [
        told(client.get_run(run)),
        refused(lambda: client.delete_tag(run, "b")),
        search(client, "tags.c = '5'"),
    ]


@script
def a_batch_of_everything(client: MlflowClient) -> Any:
    run = make(client, "a", 1000)
    client.log_batch(
        run,
        metrics=[
            Metric("m", 1.0, 100, 0),
            Metric("m", 2.0, 200, 1),
            Metric("n", 3.0, 100, 0),
            Metric("m", 1.5, 100, 0),
        ],
        params=[Param("p", "1")],
        tags=[RunTag("t", "u")],
    )
    history = [[one.value, one.timestamp, one.step] for one in client.get_metric_history(run, "m")]
    return [told(client.get_run(run)), history]
