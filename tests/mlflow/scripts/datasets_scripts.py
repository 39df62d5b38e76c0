# ruff: noqa: B023 - a lambda that is called at once may use the variable of a loop
"""Data sets."""

from __future__ import annotations

import json
from typing import Any

import mlflow
from common import make, refused, script, search
from mlflow import MlflowClient
from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
)


def _dataset(name: str, digest: str, **more: Any) -> Dataset:
    return Dataset(name, digest, "local", json.dumps({"uri": name}), **more)


@script
def data_sets_of_a_run(client: MlflowClient) -> Any:
    run = make(client, "a", 1000)
    one = DatasetInput(
        _dataset("d", "1", schema="s", profile="p"), [InputTag("mlflow.data.context", "train")]
    )
    client.log_inputs(run, [one, DatasetInput(_dataset("d", "2"), [])])
    client.log_inputs(
        run,
        [DatasetInput(_dataset("d", "1"), [InputTag("other", "x")]), DatasetInput(_dataset("e", "1"), [])],
    )
    found = client.get_run(run).inputs.dataset_inputs
    return sorted(
        [
            one.dataset.name,
            one.dataset.digest,
            one.dataset.source_type,
            one.dataset.source,
            one.dataset.schema,
            one.dataset.profile,
            sorted([tag.key, tag.value] for tag in one.tags),
        ]
        for one in found
    )


@script
def runs_are_found_by_data_sets(client: MlflowClient) -> Any:
    for name, digest, context in (("a", "1", "train"), ("b", "2", "test"), ("c", "1", None)):
        run = make(client, name, 1000)
        tags = [InputTag("mlflow.data.context", context)] if context else []
        client.log_inputs(run, [DatasetInput(_dataset(f"set {name}", digest), tags)])
    make(client, "none", 1000)
    texts = [
        "dataset.name = 'set a'",
        "datasets.digest = '1'",
        "dataset.context = 'test'",
        "dataset.context != 'test'",
        "dataset.name LIKE 'set%'",
        "dataset.name = 'set a' AND dataset.context = 'train'",
        "dataset.digest IN ('1', '2')",
    ]
    return {text: sorted(search(client, text)) for text in texts}


@script
def data_sets_that_are_refused(client: MlflowClient) -> Any:
    run = make(client, "a", 1000)
    bad = [
        Dataset("", "1", "t", "s"),
        Dataset("n" * 501, "1", "t", "s"),
        Dataset("n", "d" * 37, "t", "s"),
        Dataset("n", "1", "", "s"),
    ]
    return [refused(lambda: client.log_inputs(run, [DatasetInput(one, [])])) for one in bad]


@script
def a_fluent_data_set(client: MlflowClient) -> Any:
    import pandas as pd

    data = mlflow.data.from_pandas(pd.DataFrame({"a": [1, 2]}), name="frame")
    with mlflow.start_run() as run:
        mlflow.log_input(data, context="train")
        mlflow.log_metric("f1", 0.5, dataset=data)
    (one,) = client.get_run(run.info.run_id).inputs.dataset_inputs
    return [
        one.dataset.name,
        one.dataset.digest,
        one.dataset.schema,
        one.dataset.profile,
        [[tag.key, tag.value] for tag in one.tags],
    ]


@script
def data_sets_of_experiments(client: MlflowClient) -> Any:
    one = client.create_experiment("one")
    for name, where, context in (
        ("a", "0", "train"),
        ("b", "0", None),
        ("a", "0", "train"),
        ("c", one, "test"),
    ):
        tags = [InputTag("mlflow.data.context", context)] if context else []
        client.log_inputs(make(client, name, 1000, where), [DatasetInput(_dataset(name, "1"), tags)])
    store = client._tracking_client.store
    return [
        sorted([row.name, row.digest, str(row.context)] for row in store._search_datasets(experiments))
        for experiments in (["0"], [one], ["0", one], ["77"])
    ]
