# ruff: noqa: B023 - a lambda that is called at once may use the variable of a loop
"""Experiments."""

from __future__ import annotations

from typing import Any

import mlflow
from common import make, names, refused, script
from mlflow import MlflowClient
from mlflow.entities import (
    ViewType,
)


@script
def experiments_are_made_and_found(client: MlflowClient) -> Any:
    one = client.create_experiment("one", tags={"a": "1"})
    found, by_name = client.get_experiment(one), client.get_experiment_by_name("one")
    return [
        found.name,
        found.tags,
        found.lifecycle_stage,
        by_name.experiment_id == one,
        client.get_experiment_by_name("none"),
        found.artifact_location.endswith(f"/{one}"),
        found.creation_time == found.last_update_time,
    ]


@script
def the_default_experiment(client: MlflowClient) -> Any:
    found = client.get_experiment("0")
    return [
        found.name,
        found.experiment_id,
        found.lifecycle_stage,
        found.tags,
        client.get_experiment_by_name("Default").experiment_id,
    ]


@script
def a_name_is_given_once(client: MlflowClient) -> Any:
    one = client.create_experiment("one")
    found = [
        refused(lambda: client.create_experiment("one")),
        refused(lambda: client.create_experiment("Default")),
    ]
    client.delete_experiment(one)
    return [
        *found,
        refused(lambda: client.create_experiment("one")),
        refused(lambda: mlflow.set_experiment("one")),
    ]


@script
def names_of_experiments_that_are_refused(client: MlflowClient) -> Any:
    return [refused(lambda: client.create_experiment(name)) for name in ("", None, "x" * 501, 5)] + [
        bool(client.create_experiment("x" * 499)),
        bool(client.create_experiment("ä/b c:d")),
    ]


@script
def deleted_and_restored_experiments(client: MlflowClient) -> Any:
    one = client.create_experiment("one")
    run = make(client, "a", 1000, one)
    client.delete_experiment(one)
    deleted = [
        client.get_experiment(one).lifecycle_stage,
        client.get_run(run).info.lifecycle_stage,
        [one.name for one in client.search_experiments(ViewType.DELETED_ONLY)],
    ]
    again = refused(lambda: client.delete_experiment(one))
    client.restore_experiment(one)
    restored = [client.get_experiment(one).lifecycle_stage, client.get_run(run).info.lifecycle_stage]
    return [
        deleted,
        again,
        restored,
        refused(lambda: client.restore_experiment(one)),
        refused(lambda: client.delete_experiment("77")),
    ]


@script
def experiments_are_renamed(client: MlflowClient) -> Any:
    one, two = client.create_experiment("one"), client.create_experiment("two")
    client.rename_experiment(one, "uno")
    found = [client.get_experiment(one).name, client.get_experiment_by_name("one")]
    taken = refused(lambda: client.rename_experiment(two, "uno"))
    free = bool(client.create_experiment("one"))
    client.delete_experiment(two)
    return [
        found,
        taken,
        free,
        refused(lambda: client.rename_experiment(two, "dos")),
        refused(lambda: client.rename_experiment("77", "x")),
    ]


@script
def tags_of_experiments(client: MlflowClient) -> Any:
    one = client.create_experiment("one", tags={"a": "1"})
    client.set_experiment_tag(one, "b", "2")
    client.set_experiment_tag(one, "a", "3")
    first = dict(client.get_experiment(one).tags)
    client.delete_experiment_tag(one, "b")
    missing = refused(lambda: client.delete_experiment_tag(one, "b"))
    client.delete_experiment(one)
    return [
        first,
        client.get_experiment(one).tags,
        missing,
        refused(lambda: client.set_experiment_tag(one, "c", "1")),
        refused(lambda: client.set_experiment_tag("77", "c", "1")),
    ]


@script
def experiments_are_searched(client: MlflowClient) -> Any:
    for name, tag in (("alpha", "1"), ("beta", "2"), ("Alphabet", "1"), ("gamma", None)):
        client.create_experiment(name, tags={"t": tag} if tag else None)
    texts = [
        "name = 'alpha'",
        "name != 'alpha'",
        "name LIKE 'alpha%'",
        "name ILIKE 'alpha%'",
        "tags.t = '1'",
        "tags.t != '1'",
        "tags.t LIKE '%'",
        "attribute.name = 'beta' AND tags.t = '2'",
        "creation_time > 0",
        "name = 5",
        "x = '1'",
        "name IN ('alpha')",
    ]
    found = [
        [text, refused(lambda: sorted(one.name for one in client.search_experiments(filter_string=text)))]
        for text in texts
    ]
    orders = [["name"], ["name DESC"], ["nothing"]]
    told_in = [
        [order, refused(lambda: [one.name for one in client.search_experiments(order_by=order)])]
        for order in orders
    ]
    return [found, told_in]


@script
def pages_of_experiments(client: MlflowClient) -> Any:
    for number in range(5):
        client.create_experiment(f"e{number}")
    found, token = [], None
    while True:
        page = client.search_experiments(max_results=2, page_token=token, order_by=["name"])
        found.append([one.name for one in page])
        token = page.token
        if not token:
            break
    return [
        found,
        refused(lambda: client.search_experiments(max_results=0)),
        refused(lambda: client.search_experiments(max_results=50001)),
    ]


@script
def an_experiment_that_is_set(client: MlflowClient) -> Any:
    first = mlflow.set_experiment("new")
    second = mlflow.set_experiment(experiment_id=first.experiment_id)
    with mlflow.start_run(run_name="inside"):
        pass
    return [
        first.name,
        second.name,
        names(client.search_runs([first.experiment_id])),
        refused(lambda: mlflow.set_experiment(experiment_id="77")),
    ]
