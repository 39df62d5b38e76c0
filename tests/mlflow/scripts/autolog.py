"""What autolog of a library logs, on each kind of store. MLflow's own Python runs this:

    python autolog.py LIBRARY TEMPLATE FOLDER ANSWERS

The same script runs on ``sqlite://`` and on ``pinyon://``; nothing in it is changed but the address. Models are tiny and
made here: nothing is downloaded.
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
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import mlflow
from answers import normal
from mlflow import MlflowClient

# What a clock says, of which only the name can be compared.
_CLOCK = re.compile(r"runtime|per_second|_time")
_PLACES = re.compile(r"dir$")  # params that are paths below the folder of the run
_DRAWN = (
    "mlflow.log-model.history",
    "mlflow.runName",
    "mlflow.user",
)  # tags with times and ids, or drawn at random


def scikit_learn(folder: Path) -> list[float]:
    """A search over two forests: a run with a run for each candidate inside."""
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import GridSearchCV

    assert folder.exists()
    mlflow.sklearn.autolog(max_tuning_runs=2)
    data, labels = load_iris(return_X_y=True)
    search = GridSearchCV(RandomForestClassifier(random_state=1), {"n_estimators": [2, 3]}, cv=2)
    with mlflow.start_run(run_name="search"):
        search.fit(data, labels)
        search.score(data[::2], labels[::2])
    (model,) = (one for one in _models() if one.name == "best_estimator")
    return list(map(float, mlflow.sklearn.load_model(f"models:/{model.model_id}").predict(data[::50])))


def lightning(folder: Path) -> list[float]:
    """A linear layer for three epochs, with its checkpoints."""
    import lightning.pytorch as pl
    import torch

    class Line(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(2, 1)

        def training_step(self, batch: Any, at: int) -> Any:
            loss = torch.nn.functional.mse_loss(self.layer(batch[0]), batch[1])
            self.log("loss", loss, on_epoch=True)
            return loss

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters(), lr=0.1)

    mlflow.pytorch.autolog(checkpoint=True, checkpoint_monitor="loss")
    torch.manual_seed(1)
    x = torch.arange(16.0).reshape(8, 2) / 16
    data = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(x, x.sum(1, keepdim=True)), batch_size=4
    )
    pl.Trainer(
        max_epochs=3, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        default_root_dir=folder, enable_checkpointing=False,
    ).fit(Line(), data)  # fmt: skip
    (model,) = _models()
    found = mlflow.pytorch.load_model(f"models:/{model.model_id}")
    return [float(one) for one in found.layer(x).flatten()]


def transformers(folder: Path) -> list[float]:
    """A BERT of two layers with random weights, trained for four steps."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

    mlflow.transformers.autolog()
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=32, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=8,
    )  # fmt: skip
    rows = [{"input_ids": torch.tensor([at, at + 1, 2, 3]), "labels": at % 2} for at in range(8)]
    told = TrainingArguments(
        output_dir=str(folder / "out"), max_steps=4, logging_steps=1, eval_strategy="steps", eval_steps=2, seed=1,
        per_device_train_batch_size=2, report_to=["mlflow"], use_cpu=True, save_strategy="no", disable_tqdm=True,
        run_name="bert",
    )  # fmt: skip
    trainer = Trainer(BertForSequenceClassification(config), told, train_dataset=rows, eval_dataset=rows[:2])
    trainer.train()
    mlflow.end_run()
    return []


def _models() -> list[Any]:
    return list(mlflow.search_logged_models(output_format="list"))


def _run(client: MlflowClient, run: Any) -> dict[str, Any]:
    """What there is to compare of a run."""
    told, names = run.data, sorted(run.data.metrics)
    history = {name: client.get_metric_history(run.info.run_id, name) for name in names}
    return {
        "status": run.info.status,
        "params": {name: text for name, text in told.params.items() if not _PLACES.search(name)},
        "history": {name: [[one.step, _value(one)] for one in history[name]] for name in names},
        "tags": {name: text for name, text in told.tags.items() if name not in _DRAWN},
        "told of models": "mlflow.log-model.history" in told.tags,
        "files": sorted(_files(partial(client.list_artifacts, run.info.run_id))),
        "data sets": [[one.dataset.name, one.dataset.digest] for one in run.inputs.dataset_inputs],
        "models": [one.model_id for one in run.outputs.model_outputs],
    }


def _value(metric: Any) -> str:
    return "some time" if _CLOCK.search(metric.key) else f"about {metric.value:.9g}"


def _files(listing: Callable[[str], Any], path: str = "") -> Iterator[str]:
    for one in listing(path):
        yield from _files(listing, one.path) if one.is_dir else [one.path]


def _model(one: Any) -> dict[str, Any]:
    listing = partial(MlflowClient().list_logged_model_artifacts, one.model_id)
    return {
        "name": one.name, "status": str(one.status), "type": one.model_type, "params": one.params,
        "run": one.source_run_id, "tags": {name: text for name, text in one.tags.items() if name not in _DRAWN},
        "metrics": sorted([told.key, _value(told), told.step] for told in one.metrics or ()),
        "files": sorted(set(_files(listing)) - {"registered_model_meta"}),  # which docs/mlflow.md tells of
    }  # fmt: skip


def answer(kind: str, call: Callable[[Path], list[float]], template: str, folder: Path) -> Any:
    """What a library's script has left on a store of one kind, and what its model says when it is loaded again."""
    place = folder / kind
    place.mkdir()
    os.chdir(place)
    if kind == "sqlite":
        shutil.copy(template, place / "mlflow.db")
    mlflow.set_tracking_uri(f"sqlite:///{place}/mlflow.db" if kind == "sqlite" else f"pinyon://{place}")
    mlflow.set_experiment("autolog")
    said = call(place)
    client = MlflowClient()
    runs = mlflow.search_runs(output_format="list", order_by=["start_time", "params.n_estimators"])
    return normal({
        "said": said, "runs": [_run(client, run) for run in runs],
        "models": sorted(map(_model, _models()), key=lambda one: str(one["name"])),
    })  # fmt: skip


def main(library: str, template: str, folder: str, answers: str) -> None:
    """Run one library's script on both stores."""
    warnings.simplefilter("ignore")
    call = {"scikit-learn": scikit_learn, "lightning": lightning, "transformers": transformers}[library]
    with contextlib.redirect_stdout(io.StringIO()):
        found = {kind: answer(kind, call, template, Path(folder)) for kind in ("sqlite", "pinyon")}
    Path(answers).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
