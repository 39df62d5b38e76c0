"""Writes the stores that test_import_mlflow.py reads, with the real MLflow: what they hold, not their gigantic containers.

    python write_mlflow.py    (where mlflow is installed)

mlflow.sql          the tables of a database as the newest MLflow makes it
mlflow_1_0.sql      a run under the schema of MLflow 1.0, before the registry
mlruns.json         the files of a folder of runs, by path
"""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from pathlib import Path

os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"

import mlflow
from mlflow import MlflowClient

HERE = Path(__file__).parent
_PLACE = "/PLACE"
_TABLES = (
    "experiments", "runs", "params", "metrics", "latest_metrics", "tags", "datasets", "inputs", "input_tags",
    "registered_models", "model_versions", "registered_model_aliases", "model_version_tags", "logged_models",
    "logged_model_params", "logged_model_tags", "alembic_version", "trace_info",
)  # fmt: skip
_OLD = ("experiments", "runs", "params", "metrics", "tags", "alembic_version")


def fill(uri: str, folder: Path) -> None:
    """A parent with a child, a failed run, one that still runs and a deleted one; a model with two versions."""
    mlflow.set_tracking_uri(uri)
    client = MlflowClient()
    mlflow.set_experiment("digits")
    with mlflow.start_run(run_name="first: try") as run:
        mlflow.log_params({"lr": 0.1, "layers": 2, "flag": True, "opt/name": "adam\nw", "code": "007"})
        mlflow.log_metrics({"loss": 1.0, "val/acc": float("nan")}, step=1)
        mlflow.log_metric("loss", float("inf"), step=2)
        mlflow.log_metric("loss", 0.25, step=30)
        mlflow.set_tags({"k": "v", "mlflow.note.content": "a note"})
        (folder / "x.txt").write_text("hello")
        mlflow.log_artifact(str(folder / "x.txt"), "sub")
        source = mlflow.data.meta_dataset.MetaDataset(
            mlflow.data.code_dataset_source.CodeDatasetSource({}), name="d"
        )
        mlflow.log_input(source, context="train")
        with mlflow.start_run(run_name="child", nested=True):
            mlflow.log_metric("loss", 3)
        model = folder / "model"
        model.mkdir()
        (model / "MLmodel").write_text("flavors: {}\n")
        (model / "weights.json").write_text('{"w": [1.5, 2.5]}')
        mlflow.log_artifacts(str(model), "model")
    made = f"{run.info.artifact_uri}/model"
    client.create_registered_model("digit model")
    client.create_model_version("digit model", made, run.info.run_id, description="small")
    client.create_model_version("digit model", made, run.info.run_id)
    client.set_registered_model_alias("digit model", "champ", 1)
    client.transition_model_version_stage("digit model", "2", "Staging")
    failed = client.create_run(run.info.experiment_id, run_name="failed")
    client.set_terminated(failed.info.run_id, "FAILED")
    client.create_run(run.info.experiment_id, run_name="open")
    gone = client.create_run(run.info.experiment_id, run_name="gone")
    client.set_terminated(gone.info.run_id)
    client.delete_run(gone.info.run_id)


def dump(path: Path, tables: tuple[str, ...], place: Path) -> str:
    """The statements that make these tables again, places of this machine left out."""
    database = sqlite3.connect(path)
    lines = []
    for table in tables:
        (made,) = database.execute(
            "select sql from sqlite_master where type='table' and name=?", (table,)
        ).fetchone()
        lines.append(f"{made};")
        rows = database.execute(f"select * from {table}").fetchall()
        lines += [f"insert into {table} values ({', '.join(map(_spelled, row))});" for row in rows]
    made = database.execute(
        "select sql from sqlite_master where type='index' and sql is not null and tbl_name in "
        f"({', '.join(map(_spelled, tables))})"
    ).fetchall()
    return "\n".join([*lines, *(f"{sql};" for (sql,) in made), ""]).replace(str(place), _PLACE)


def _spelled(value: object) -> str:
    if value is None:
        return "null"
    return repr(value) if isinstance(value, int | float) else "'" + str(value).replace("'", "''") + "'"


def old(folder: Path) -> Path:
    """A database as MLflow 1.0 left it: its own migrations, up to there."""
    import sqlalchemy
    from alembic import command
    from mlflow.store.db.utils import _get_alembic_config
    from mlflow.store.tracking.dbmodels.initial_models import Base

    path = folder / "old.db"
    url = f"sqlite:///{path}"
    engine = sqlalchemy.create_engine(url)
    Base.metadata.create_all(engine)
    config = _get_alembic_config(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "451aebb31d03")
    database = sqlite3.connect(path)
    database.execute("insert into experiments values (1, 'digits', '/PLACE/mlruns/1', 'active')")
    about = (
        "0" * 31 + "1",
        "",
        "LOCAL",
        "train.py",
        "",
        "ann",
        "FINISHED",
        1500000000000,
        1500000060000,
        "",
        "active",
        "/PLACE/mlruns/1/run/artifacts",
        1,
    )
    columns = [row[1] for row in database.execute("pragma table_info(runs)")]
    named = dict(
        zip(
            (
                "run_uuid",
                "name",
                "source_type",
                "source_name",
                "entry_point_name",
                "user_id",
                "status",
                "start_time",
                "end_time",
                "source_version",
                "lifecycle_stage",
                "artifact_uri",
                "experiment_id",
            ),
            about,
            strict=True,
        )
    )
    database.execute(
        f"insert into runs values ({', '.join('?' * len(columns))})", [named[one] for one in columns]
    )
    database.execute("insert into params values ('lr', '0.5', ?)", [about[0]])
    database.execute("insert into tags values ('mlflow.runName', 'old', ?)", [about[0]])
    columns = [row[1] for row in database.execute("pragma table_info(metrics)")]
    for at in range(3):
        told = {
            "key": "loss",
            "value": 1 / (at + 1),
            "timestamp": 1500000000000 + at,
            "run_uuid": about[0],
            "step": at,
        }
        database.execute(
            f"insert into metrics values ({', '.join('?' * len(columns))})", [told[one] for one in columns]
        )
    database.commit()
    return path


def main() -> None:
    """Write all of them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "db"
        folder.mkdir()
        os.chdir(folder)
        fill(f"sqlite:///{folder}/mlflow.db", folder)
        (HERE / "mlflow.sql").write_text(dump(folder / "mlflow.db", _TABLES, folder))
        (HERE / "mlflow_1_0.sql").write_text(dump(old(folder), _OLD, folder))
        folder = Path(name) / "files"
        folder.mkdir()
        os.chdir(folder)
        fill(f"file://{folder}/mlruns", folder)
        files = {
            path.relative_to(folder).as_posix(): path.read_text().replace(str(folder), _PLACE)
            for path in sorted((folder / "mlruns").rglob("*")) if path.is_file()
        }  # fmt: skip
        (HERE / "mlruns.json").write_text(json.dumps(files, indent=1) + "\n")


if __name__ == "__main__":
    main()
