# ruff: noqa: B023 - a lambda that is called at once may use the variable of a loop
"""Logged models."""

from __future__ import annotations

import warnings
from typing import Any

import mlflow
from common import make, names, plain, refused, script
from files_scripts import listed
from mlflow import MlflowClient
from mlflow.entities import (
    LoggedModelInput,
    LoggedModelOutput,
    LoggedModelParameter,
    Metric,
)


class Doubles(mlflow.pyfunc.PythonModel):
    def predict(self, context: Any, model_input: list[float]) -> list[float]:
        return [2 * one for one in model_input]


def logged(name: str = "model", **more: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mlflow.pyfunc.log_model(name=name, python_model=Doubles(), pip_requirements=[], **more)


def _model(one: Any) -> dict[str, Any]:
    return {
        "name": one.name,
        "status": str(one.status),
        "type": one.model_type,
        "tags": {key: text for key, text in one.tags.items() if not key.startswith("mlflow.")},
        "params": one.params,
        "run": one.source_run_id,
        "metrics": sorted([m.key, m.value, m.step, m.dataset_name] for m in one.metrics or []),
    }


@script
def a_model_is_logged_and_loaded(client: MlflowClient) -> Any:
    with mlflow.start_run() as run:
        info = logged()
    loaded = mlflow.pyfunc.load_model(info.model_uri)
    one = client.get_logged_model(info.model_id)
    again = client.get_run(run.info.run_id)
    return [
        loaded.predict([1.0, 2.5]),
        _model(one),
        len(again.outputs.model_outputs),
        sorted(row[0] for row in listed(client, run.info.run_id, "model")),
    ]


@script
def a_model_of_sklearn(client: MlflowClient) -> Any:
    from sklearn.linear_model import LinearRegression

    with mlflow.start_run(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        info = mlflow.sklearn.log_model(
            LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0]),
            name="line",
            pip_requirements=[],
            serialization_format="cloudpickle",
        )
    model = mlflow.sklearn.load_model(f"models:/{info.model_id}")
    return [round(float(model.predict([[2.0]])[0]), 6), client.get_logged_model(info.model_id).name]


@script
def what_a_logged_model_says(client: MlflowClient) -> Any:
    one = client.create_logged_model("0", "m", params={"p": "1"}, tags={"t": "1"}, model_type="kind")
    client.set_logged_model_tags(one.model_id, {"t": "2", "u": "3"})
    client.delete_logged_model_tag(one.model_id, "u")
    client._tracking_client.store.log_logged_model_params(one.model_id, [LoggedModelParameter("q", "2")])
    client.finalize_logged_model(one.model_id, "READY")
    found = client.get_logged_model(one.model_id)
    missing = refused(lambda: client.delete_logged_model_tag(one.model_id, "none"))
    client.delete_logged_model(one.model_id)
    return [
        _model(one),
        _model(found),
        missing,
        refused(lambda: client.get_logged_model(one.model_id)),
        refused(lambda: client.get_logged_model("m-0")),
        refused(lambda: client.create_logged_model("77", "x")),
        refused(lambda: client.create_logged_model("0", "a/b")),
    ]


@script
def metrics_of_logged_models(client: MlflowClient) -> Any:
    run = make(client, "a", 1000)
    one = client.create_logged_model("0", "m", source_run_id=run)
    for step in range(3):
        client.log_metric(run, "loss", 1.0 / (step + 1), timestamp=step, step=step, model_id=one.model_id)
    client.log_batch(
        run,
        metrics=[
            Metric("f1", 0.5, 1, 0, model_id=one.model_id, dataset_name="d", dataset_digest="1"),
            Metric("own", 1.0, 1, 0),
        ],
    )
    return [_model(client.get_logged_model(one.model_id)), plain(client.get_run(run).data.metrics)]


@script
def logged_models_are_searched(client: MlflowClient) -> Any:
    run = make(client, "a", 1000)
    for number, kind in enumerate(("x", "y", "x")):
        one = client.create_logged_model(
            "0", f"m{number}", model_type=kind, params={"p": str(number)}, tags={"t": kind}
        )
        client.log_metric(run, "f1", number / 2, timestamp=number, model_id=one.model_id)
    texts = [
        "name = 'm1'",
        "model_type = 'x'",
        "params.p = '2'",
        "tags.t = 'y'",
        "metrics.f1 > 0.4",
        "name LIKE 'm%'",
        "metrics.f1 > 0.4 AND model_type = 'x'",
    ]
    found = [
        [text, refused(lambda: sorted(one.name for one in client.search_logged_models(["0"], text)))]
        for text in texts
    ]
    orders = [
        [{"field_name": "name"}],
        [{"field_name": "name", "ascending": False}],
        [{"field_name": "metrics.f1", "ascending": False}],
    ]
    told_in = [[one.name for one in client.search_logged_models(["0"], order_by=order)] for order in orders]
    page = client.search_logged_models(["0"], max_results=2, order_by=[{"field_name": "name"}])
    rest = client.search_logged_models(
        ["0"], max_results=2, order_by=[{"field_name": "name"}], page_token=page.token
    )
    return [found, told_in, [one.name for one in page], [one.name for one in rest], rest.token]


@script
def models_that_a_run_reads_and_makes(client: MlflowClient) -> Any:
    run, one = make(client, "a", 1000), client.create_logged_model("0", "m")
    client.log_inputs(run, models=[LoggedModelInput(one.model_id)])
    client.log_outputs(run, [LoggedModelOutput(one.model_id, 3)])
    found = client.get_run(run)
    return [
        len(found.inputs.model_inputs),
        [[out.step] for out in found.outputs.model_outputs],
        names(client.search_runs(["0"])),
    ]


@script
def autolog_of_sklearn(client: MlflowClient) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    data = [[float(number % 7), float(number % 3)] for number in range(42)]
    mlflow.sklearn.autolog(log_models=False)
    try:
        with mlflow.start_run(run_name="grid") as run, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2).fit(
                data, [number % 2 for number in range(42)]
            )
    finally:
        mlflow.sklearn.autolog(disable=True)
    found = client.get_run(run.info.run_id)
    children = client.search_runs(["0"], f"tags.mlflow.parentRunId = '{run.info.run_id}'")
    return [
        sorted(found.data.metrics),
        found.data.params,
        sorted(one.data.params["C"] for one in children),
        [one.dataset.name for one in found.inputs.dataset_inputs],
        sorted(row[0] for row in listed(client, run.info.run_id)),
    ]
