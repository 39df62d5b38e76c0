# ruff: noqa: B023 - a lambda that is called at once may use the variable of a loop
"""Searching runs."""

from __future__ import annotations

import re
from typing import Any

import mlflow
from common import make, names, refused, script, search, some
from mlflow import MlflowClient


@script
def filters_of_metrics(client: MlflowClient) -> Any:
    some(client)
    texts = [
        "metrics.loss < 0.3",
        "metrics.loss >= 0.25",
        "metrics.loss != 0.5",
        "metrics.loss = -1.5",
        "metric.f1 > 0.5",
        "metrics.`other metric` = 3",
        'metrics."other metric" = 3',
        "metrics.loss > 0 and metrics.f1 < 1",
        "metrics.none > 0",
    ]
    return {text: sorted(search(client, text)) for text in texts}


@script
def filters_of_parameters(client: MlflowClient) -> Any:
    some(client)
    texts = [
        "params.lr = '0.1'",
        "params.lr != '0.1'",
        "params.opt LIKE 'a%'",
        "params.opt ILIKE 'a%'",
        "params.opt LIKE '%da%'",
        "parameters.opt = 'sgd'",
        "param.`long name` = 'v'",
        "params.opt = 'ADAM'",
        'params.lr = "0.01"',
        "params.lr IS NULL",
        "params.lr IS NOT NULL",
    ]
    return {text: sorted(search(client, text)) for text in texts}


@script
def filters_of_tags(client: MlflowClient) -> Any:
    some(client)
    texts = [
        "tags.k = 'x'",
        "tags.k != 'x'",
        "tags.k LIKE 'x'",
        "tags.k ILIKE 'x'",
        "tag.`with.dot` = '1'",
        "tags.mlflow.runName = 'a'",
        "tags.k IS NULL",
        "tags.k IS NOT NULL",
        "tags.k = 'x' AND params.lr = '0.1'",
    ]
    return {text: sorted(search(client, text)) for text in texts}


@script
def filters_of_attributes(client: MlflowClient) -> Any:
    runs = some(client)
    texts = [
        "status = 'FINISHED'",
        "attributes.status != 'FINISHED'",
        "attribute.status = 'Running'",
        "start_time > 2000",
        "attributes.start_time <= 3000",
        "attributes.end_time > 2000",
        "created > 3000",
        "run_name = 'a'",
        "run_name LIKE 'a%'",
        "run_name != 'a'",
        "attributes.run_name ILIKE 'B'",
        "user_id = 'nobody'",
        f"run_id = '{runs[2]}'",
        f"run_id IN ('{runs[0]}', '{runs[4]}')",
        f"attributes.run_id NOT IN ('{runs[0]}')",
        f"attributes.run_id = '{runs[0]}' AND status = 'FAILED'",
        "artifact_uri LIKE '%/artifacts'",
        "experiment_id = '0'",
    ]
    return [
        [re.sub("[0-9a-f]{32}", "ID", text), refused(lambda: sorted(search(client, text)))] for text in texts
    ]


@script
def filters_that_are_refused(client: MlflowClient) -> Any:
    some(client)
    texts = [
        "loss < 1",
        "metrics.loss",
        "metrics.loss < 'a'",
        "params.lr = 0.1",
        "params.lr > '1'",
        "metrics.loss LIKE '1'",
        "nothing.x = '1'",
        "metrics.loss < 1 OR metrics.f1 > 1",
        "tags.k = x",
        "attributes.nothing = '1'",
        "status IN ('FINISHED')",
        "start_time = 'x'",
        "metrics.loss IS NULL",
        "= 1",
        "params.lr = '0.1' params.opt = 'adam'",
        "status LIKE 'F%'",
        "dataset.x = '1'",
    ]
    return [[text, refused(lambda: search(client, text))] for text in texts]


@script
def the_order_of_an_answer(client: MlflowClient) -> Any:
    some(client)
    orders = [
        ["metrics.loss"],
        ["metrics.loss DESC"],
        ["params.lr ASC"],
        ["params.lr DESC"],
        ["tags.k"],
        ["tags.k DESC"],
        ["start_time"],
        ["attributes.start_time DESC", "metrics.f1 DESC"],
        ["metrics.none"],
        ["status", "run_name DESC"],
        ["end_time"],
        ["end_time DESC"],
        ["metrics.`other metric`"],
        ["run_name"],
        ["created DESC"],
    ]
    # Runs that began in the same millisecond are told in the order of their ids, which are random.
    return [
        [order, [name if name not in "cd" else "c|d" for name in search(client, order_by=order)]]
        for order in orders
    ]


@script
def a_second_field_orders_what_the_first_leaves(client: MlflowClient) -> Any:
    for number in range(8):  # all begin in one millisecond
        make(client, f"run {number}", 1000, metrics={"m": float(number * 3 % 8)})
    orders = [
        ["start_time DESC", "metrics.m DESC"],
        ["attributes.start_time", "metrics.m"],
        ["status", "metrics.m"],
    ]
    return [search(client, order_by=order) for order in orders]


@script
def orders_that_are_refused(client: MlflowClient) -> Any:
    some(client)
    orders = [
        ["nothing"],
        ["metrics.loss SIDEWAYS"],
        ["metrics.loss, params.lr"],
        ["metrics.loss", "metrics.loss DESC"],
        [""],
        ["x.y"],
        ["metrics.loss ASC DESC"],
    ]
    return [[order, refused(lambda: search(client, order_by=order))] for order in orders]


@script
def pages_of_runs(client: MlflowClient) -> Any:
    for number in range(11):
        make(client, f"r{number}", 1000 + number)
    found, token = [], None
    while True:
        page = client.search_runs(["0"], max_results=4, page_token=token)
        found.append(names(page))
        token = page.token
        if not token:
            break
    return [
        found,
        refused(lambda: client.search_runs(["0"], max_results=0)),
        refused(lambda: client.search_runs(["0"], max_results=50001)),
        refused(lambda: client.search_runs(["0"], page_token="nonsense")),
        len(client.search_runs(["0"], max_results=11)),
        client.search_runs(["0"], max_results=11).token,
    ]


@script
def runs_of_several_experiments(client: MlflowClient) -> Any:
    one, two = client.create_experiment("one"), client.create_experiment("two")
    make(client, "a", 1000, one)
    make(client, "b", 2000, two)
    make(client, "c", 3000)
    return [
        names(client.search_runs([one, two])),
        names(client.search_runs([two])),
        names(client.search_runs([])),
    ]


@script
def a_frame_of_runs(client: MlflowClient) -> Any:
    some(client)
    frame = mlflow.search_runs(["0"], "metrics.loss > 0", order_by=["metrics.loss"])
    listed = mlflow.search_runs(experiment_names=["Default"], output_format="list", order_by=["start_time"])
    return [sorted(frame.columns), list(frame["params.lr"]), list(frame["metrics.loss"]), len(listed)]


@script
def the_last_active_run(client: MlflowClient) -> Any:
    with mlflow.start_run(run_name="last"):
        pass
    run = mlflow.last_active_run()
    return [run.info.run_name, run.info.status]
