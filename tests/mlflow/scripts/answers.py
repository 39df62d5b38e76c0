"""Small scripts for MLflow's client and its fluent calls. MLflow's own Python runs them, once on each kind of store.

    python answers.py KIND TEMPLATE FOLDER ANSWERS

Each gets a store of its own and gives an answer that JSON can hold. Ids are told as `#1`, `#2`, … in the order in which
they turn up, so the answers of two stores can be compared.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

import datasets_scripts  # noqa: F401 - it knows scripts
import experiments_scripts  # noqa: F401 - it knows scripts
import files_scripts  # noqa: F401 - it knows scripts
import logged_scripts  # noqa: F401 - it knows scripts
import metrics_scripts  # noqa: F401 - it knows scripts
import mlflow
import registered_scripts  # noqa: F401 - it knows scripts
import runs_scripts  # noqa: F401 - it knows scripts
import search_scripts  # noqa: F401 - it knows scripts
import told_scripts  # noqa: F401 - it knows scripts
from common import SCRIPTS
from mlflow import MlflowClient


def normal(answer: Any) -> Any:
    """An answer with ids in the order of their turning up instead of the ids themselves."""
    known: dict[str, str] = {}
    text = json.dumps(answer, sort_keys=True)
    return json.loads(
        re.sub(
            r"\b(?:m-)?[0-9a-f]{32}\b|\b[0-9]{15,}\b(?=\")",
            lambda one: known.setdefault(one[0], f"#{len(known) + 1}"),
            text,
        )
    )


def answered(name: str, kind: str, template: str, folder: Path) -> Any:
    """The answer of one script on a fresh store."""
    place = folder / name
    place.mkdir()
    if kind == "sqlite":
        shutil.copy(template, place / "mlflow.db")
    mlflow.set_tracking_uri(f"sqlite:///{place}/mlflow.db" if kind == "sqlite" else f"pinyon://{place}")
    os.chdir(place)
    mlflow.tracking.fluent._active_experiment_id = None
    os.environ.pop("MLFLOW_EXPERIMENT_ID", None)  # which `set_experiment` leaves
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return normal(SCRIPTS[name](MlflowClient()))
    except Exception as error:  # noqa: BLE001 - it is the answer
        import traceback

        return {"raised": f"{type(error).__name__}: {error}"[:300], "where": traceback.format_exc()[-1500:]}
    finally:
        while mlflow.active_run():
            mlflow.end_run()


def main(kind: str, template: str, folder: str, answers: str, *only: str) -> None:
    """Run them all."""
    import logging

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    found = {
        name: answered(name, kind, template, Path(folder)) for name in SCRIPTS if not only or name in only
    }
    Path(answers).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
