"""Artifacts."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import mlflow
from common import make, refused, script
from mlflow import MlflowClient


def listed(client: MlflowClient, run: str, path: str | None = None) -> Any:
    return [[one.path, one.is_dir, one.file_size] for one in client.list_artifacts(run, path)]


@script
def artifacts_are_kept_andlisted(client: MlflowClient) -> Any:
    run, folder = make(client, "a", 1000), Path(tempfile.mkdtemp())
    (folder / "sub/deep").mkdir(parents=True)
    (folder / "one.txt").write_text("one")
    (folder / "sub/two.txt").write_text("two two")
    (folder / "sub/deep/three.bin").write_bytes(b"\0" * 10)
    client.log_artifact(run, str(folder / "one.txt"))
    client.log_artifact(run, str(folder / "one.txt"), "in/here")
    client.log_artifacts(run, str(folder), "all")
    client.log_artifacts(run, str(folder))
    return [
        listed(client, run, path)
        for path in (None, "in", "all", "all/sub", "one.txt", "none", "all/sub/deep")
    ]


@script
def artifacts_are_got_back(client: MlflowClient) -> Any:
    run = make(client, "a", 1000)
    client.log_text(run, "hällo", "texts/a.txt")
    client.log_text(run, "newer", "texts/a.txt")
    client.log_dict(run, {"a": [1, 2]}, "b.json")
    client.log_dict(run, {"a": [1, 2]}, "c.yaml")
    got = Path(client.download_artifacts(run, ""))
    files = {str(one.relative_to(got)): one.read_text() for one in sorted(got.rglob("*")) if one.is_file()}
    one = mlflow.artifacts.load_text(f"runs:/{run}/texts/a.txt")
    loaded = mlflow.artifacts.load_dict(f"runs:/{run}/b.json")
    return [files, one, loaded, sorted(os.listdir(client.download_artifacts(run, "texts")))]


@script
def artifacts_that_are_not_there(client: MlflowClient) -> Any:
    run = make(client, "a", 1000)
    return [
        listed(client, run),
        refused(lambda: client.log_artifact(run, "/nowhere/at/all"))[0] != "no error",
        refused(lambda: client.download_artifacts(run, "none"))[0] != "no error",
        refused(lambda: client.log_text(run, "x", "../up.txt"))[0] != "no error",
    ]


@script
def a_table_and_a_picture(client: MlflowClient) -> Any:
    import numpy as np

    with mlflow.start_run() as run:
        mlflow.log_table({"a": [1, 2], "b": ["x", "y"]}, "table.json")
        mlflow.log_table({"a": [3], "b": ["z"]}, "table.json")
        mlflow.log_image(np.zeros((4, 4, 3), dtype=np.uint8), "black.png")
        frame = mlflow.load_table("table.json", run_ids=[run.info.run_id])
    return [frame.to_dict("list"), [row[:2] for row in listed(client, run.info.run_id)]]
