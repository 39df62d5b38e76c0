# ruff: noqa: B023 - a lambda that is called at once may use the variable of a loop
"""Registered models."""

from __future__ import annotations

import re
import tempfile
import warnings
from pathlib import Path
from typing import Any

import mlflow
from common import make, refused, script
from logged_scripts import Doubles, logged
from mlflow import MlflowClient


def _registered(one: Any) -> dict[str, Any]:
    return {
        "name": one.name,
        "description": one.description,
        "tags": one.tags,
        "aliases": one.aliases,
        "latest": sorted([str(v.version), v.current_stage] for v in one.latest_versions),
    }


def _version(one: Any) -> dict[str, Any]:
    return {
        "name": one.name,
        "version": str(one.version),
        "stage": one.current_stage,
        "description": one.description,
        "status": one.status,
        "source": one.source if one.source.startswith(("file:///no", "s3")) else "",
        "run": bool(one.run_id),
        "link": one.run_link,
        "tags": one.tags,
        "aliases": sorted(one.aliases),
    }


def _versions(client: MlflowClient, name: str, count: int) -> None:
    for number in range(count):
        client.create_model_version(name, f"s3://bucket/{number}")


@script
def registered_models_are_made(client: MlflowClient) -> Any:
    one = client.create_registered_model("m", {"a": "1"}, "said")
    client.update_registered_model("m", "said anew")
    client.set_registered_model_tag("m", "b", "2")
    client.delete_registered_model_tag("m", "a")
    client.delete_registered_model_tag("m", "none")
    return [
        _registered(one),
        _registered(client.get_registered_model("m")),
        refused(lambda: client.create_registered_model("m")),
    ]


@script
def registered_models_that_are_refused(client: MlflowClient) -> Any:
    bad = ["", None, "a/b", "a:b"]
    return [
        [refused(lambda: client.create_registered_model(name)) for name in bad],
        refused(lambda: client.get_registered_model("none")),
        refused(lambda: client.delete_registered_model("none")),
        refused(lambda: client.rename_registered_model("none", "other")),
        refused(lambda: client.update_registered_model("none", "x")),
        refused(lambda: client.set_registered_model_tag("none", "a", "1")),
        refused(lambda: client.create_model_version("none", "s3://x")),
        refused(lambda: client.get_model_version("none", "1")),
        refused(lambda: client.get_latest_versions("none")),
    ]


@script
def names_of_models_may_be_odd(client: MlflowClient) -> Any:
    found = []
    for name in ("with space", "ü", "x" * 200, "1", "production", "-a-", "A.b_c-d"):
        client.create_registered_model(name)
        version = client.create_model_version(name, "s3://x")
        found.append([_registered(client.get_registered_model(name)), _version(version)])
    return found


@script
def registered_models_are_renamed_and_deleted(client: MlflowClient) -> Any:
    client.create_registered_model("old", {"a": "1"})
    _versions(client, "old", 2)
    client.create_registered_model("other")
    taken = refused(lambda: client.rename_registered_model("old", "other"))
    client.rename_registered_model("old", "new")
    renamed = client.get_registered_model("new")
    versions = [_version(client.get_model_version("new", number)) for number in "12"]
    gone = refused(lambda: client.get_registered_model("old"))
    client.delete_registered_model("new")
    client.create_registered_model("new")
    first = client.create_model_version("new", "s3://again")
    return [
        taken,
        _registered(renamed),
        versions,
        gone,
        _version(first),
        [one.name for one in client.search_registered_models()],
    ]


@script
def versions_are_made_and_changed(client: MlflowClient) -> Any:
    client.create_registered_model("m")
    run = make(client, "a", 1000)
    one = client.create_model_version("m", "file:///nowhere/model", run, {"a": "1"}, "http://link", "said")
    two = client.create_model_version("m", "file:///nowhere/model", run)
    client.update_model_version("m", "1", "said anew")
    client.set_model_version_tag("m", "1", "b", "2")
    client.delete_model_version_tag("m", "1", "a")
    return [
        _version(one),
        _version(two),
        _version(client.get_model_version("m", "1")),
        client.get_model_version_download_uri("m", "1"),
        refused(lambda: client.get_model_version("m", "9")),
        refused(lambda: client.get_model_version("m", "x")),
    ]


@script
def a_version_is_deleted(client: MlflowClient) -> Any:
    client.create_registered_model("m")
    _versions(client, "m", 3)
    client.set_registered_model_alias("m", "best", "2")
    client.delete_model_version("m", "2")
    next_one = client.create_model_version("m", "s3://x")
    return [
        refused(lambda: client.get_model_version("m", "2")),
        refused(lambda: client.get_model_version_by_alias("m", "best")),
        sorted(str(one.version) for one in client.search_model_versions("name = 'm'")),
        str(next_one.version),
        refused(lambda: client.delete_model_version("m", "2")),
        _registered(client.get_registered_model("m")),
    ]


@script
def aliases_point_at_versions(client: MlflowClient) -> Any:
    client.create_registered_model("m")
    _versions(client, "m", 3)
    client.set_registered_model_alias("m", "champion", "1")
    client.set_registered_model_alias("m", "champion", "2")
    client.set_registered_model_alias("m", "_odd", "2")
    client.set_registered_model_alias("m", "other", "3")
    client.delete_registered_model_alias("m", "other")
    client.delete_registered_model_alias("m", "none")
    return [
        _registered(client.get_registered_model("m")),
        _version(client.get_model_version_by_alias("m", "champion")),
        str(client.get_model_version_by_alias("m", "latest").version),
        refused(lambda: client.get_model_version_by_alias("m", "other")),
        [
            refused(lambda: client.set_registered_model_alias("m", alias, "1"))
            for alias in ("v1", "latest", "a b", "", "5")
        ],
        refused(lambda: client.set_registered_model_alias("m", "x", "9")),
    ]


@script
def aliases_that_are_called_as_stages(client: MlflowClient) -> Any:
    client.create_registered_model("m")
    _versions(client, "m", 2)
    for alias, version in (("staging", "1"), ("Production", "2"), ("archived", "1")):
        client.set_registered_model_alias("m", alias, version)
    return [
        _registered(client.get_registered_model("m")),
        [_version(client.get_model_version("m", number)) for number in "12"],
    ]


@script
def versions_move_between_stages(client: MlflowClient) -> Any:
    warnings.simplefilter("ignore")
    client.create_registered_model("m")
    _versions(client, "m", 4)
    found = []
    moves = [
        ("1", "Staging", False),
        ("2", "staging", False),
        ("3", "Production", False),
        ("4", "Production", True),
        ("2", "Archived", False),
        ("1", "None", False),
        ("4", "Staging", True),
        ("3", "Production", False),
    ]
    for version, stage, archive in moves:
        moved = client.transition_model_version_stage("m", version, stage, archive)
        stages = [client.get_model_version("m", str(number)).current_stage for number in range(1, 5)]
        found.append([moved.current_stage, stages])
    latest = sorted([str(one.version), one.current_stage] for one in client.get_latest_versions("m"))
    of = [str(one.version) for one in client.get_latest_versions("m", ["Production"])]
    return [
        found,
        latest,
        of,
        refused(lambda: client.transition_model_version_stage("m", "1", "Nowhere")),
        refused(lambda: client.transition_model_version_stage("m", "1", "Archived", True)),
        refused(lambda: client.transition_model_version_stage("m", "9", "Staging")),
        refused(lambda: client.get_latest_versions("m", ["x"])),
    ]


@script
def registered_models_are_searched(client: MlflowClient) -> Any:
    for name, tag in (("alpha", "1"), ("beta", "2"), ("Alphabet", "1"), ("gamma", None)):
        client.create_registered_model(name, {"t": tag} if tag else None)
    texts = [
        "name = 'alpha'",
        "name != 'alpha'",
        "name LIKE 'alpha%'",
        "name ILIKE 'alpha%'",
        "tags.t = '1'",
        "tags.t != '1'",
        "x = '1'",
        "name > 'a'",
        "name = 'beta' AND tags.t = '2'",
        "tags.t ILIKE '%'",
    ]
    found = [
        [text, refused(lambda: sorted(one.name for one in client.search_registered_models(text)))]
        for text in texts
    ]
    orders = [
        [one.name for one in client.search_registered_models(order_by=order)]
        for order in (["name"], ["name DESC"], None)
    ]
    page = client.search_registered_models(max_results=3)
    rest = client.search_registered_models(max_results=3, page_token=page.token)
    return [
        found,
        orders,
        [one.name for one in page],
        [one.name for one in rest],
        rest.token,
        refused(lambda: client.search_registered_models(order_by=["nothing"])),
        refused(lambda: client.search_registered_models(max_results=10**6)),
    ]


@script
def versions_are_searched(client: MlflowClient) -> Any:
    run = make(client, "a", 1000)
    for name in ("m", "n"):
        client.create_registered_model(name)
        client.create_model_version(name, f"s3://{name}/1", run, {"t": name})
        client.create_model_version(name, f"s3://{name}/2", tags={"t": "both", "u": "1"})
    texts = [
        "name = 'm'",
        "name LIKE 'm%'",
        f"run_id = '{run}'",
        "source_path = 's3://m/1'",
        "version_number > 1",
        "tags.t = 'both'",
        "tags.t = 'both' AND tags.u = '1'",
        "name = 'm' AND version_number = 1",
        "name IN ('m', 'n')",
        "x = '1'",
        "source_path LIKE 's3%'",
    ]
    found = [
        [
            re.sub("[0-9a-f]{32}", "ID", text),
            refused(
                lambda: sorted([one.name, str(one.version)] for one in client.search_model_versions(text))
            ),
        ]
        for text in texts
    ]
    page = client.search_model_versions(max_results=3, order_by=["name", "version_number"])
    rest = client.search_model_versions(
        max_results=3, order_by=["name", "version_number"], page_token=page.token
    )
    return [
        found,
        [[one.name, str(one.version)] for one in page],
        [[one.name, str(one.version)] for one in rest],
    ]


@script
def a_logged_model_is_registered_and_loaded(client: MlflowClient) -> Any:
    with mlflow.start_run():
        info = logged(registered_model_name="doubles")
        again = mlflow.register_model(info.model_uri, "doubles", tags={"how": "again"})
    client.set_registered_model_alias("doubles", "champion", "1")
    client.transition_model_version_stage("doubles", "2", "Production")
    uris = [
        "models:/doubles@champion",
        "models:/doubles/2",
        "models:/doubles/Production",
        "models:/doubles/latest",
    ]
    return [
        _version(again),
        [mlflow.pyfunc.load_model(uri).predict([3.0]) for uri in uris],
        refused(lambda: mlflow.pyfunc.load_model("models:/doubles@none")),
        refused(lambda: mlflow.pyfunc.load_model("models:/doubles/9")),
    ]


@script
def a_model_of_a_run_is_registered(client: MlflowClient) -> Any:
    folder = Path(tempfile.mkdtemp()) / "saved"
    mlflow.pyfunc.save_model(str(folder), python_model=Doubles(), pip_requirements=[])
    with mlflow.start_run() as run:
        mlflow.log_artifacts(str(folder), "saved")
    version = mlflow.register_model(f"runs:/{run.info.run_id}/saved", "m")
    copied = client.copy_model_version("models:/m/1", "copy")
    return [
        _version(version),
        mlflow.pyfunc.load_model("models:/m/1").predict([4.0]),
        _version(copied),
        mlflow.pyfunc.load_model("models:/copy/1").predict([5.0]),
    ]


@script
def prompts(client: MlflowClient) -> Any:
    first = mlflow.genai.register_prompt("greet", "Hello {{ name }}", commit_message="one", tags={"a": "1"})
    second = mlflow.genai.register_prompt("greet", "Hi {{ name }}", commit_message="two")
    mlflow.genai.set_prompt_alias("greet", "live", 1)
    live = mlflow.genai.load_prompt("prompts:/greet@live")
    return [
        str(first.version),
        str(second.version),
        live.template,
        live.format(name="you"),
        [one.name for one in client.search_registered_models()],
    ]
