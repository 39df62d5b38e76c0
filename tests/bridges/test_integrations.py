"""Loggers and callbacks. Optuna is the real one; the others stand for what their libraries' documentation says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from moved import runs, table

_LIGHTNING = """
import sys, types
class Logger:
    pass
def rank_zero_only(call):
    return call
def module(name, **parts):
    sys.modules[name] = types.ModuleType(name)
    vars(sys.modules[name]).update(parts)
for name in ("lightning", "lightning.pytorch", "lightning.pytorch.loggers"):
    module(name)
module("lightning.pytorch.loggers.logger", Logger=Logger, rank_zero_experiment=rank_zero_only)
module("lightning.pytorch.utilities", rank_zero_only=rank_zero_only)
from pinyon.bridges.integrations.lightning import PinyonLogger
logger = PinyonLogger("lit", params={"depth": 2}, tags={"who": "ann"})
logger.log_hyperparams({"lr": 0.1, "model": {"width": 64}})
logger.log_metrics({"loss": 0.5, "text": "left out"}, step=3)
logger.log_metrics({"loss": 0.25}, 4)
logger.save()
logger.finalize("failed")
assert (logger.name, logger.version[:2]) == ("@lit", "r-")
"""
_TRANSFORMERS = """
import sys, types
sys.modules["transformers"] = types.ModuleType("transformers")
sys.modules["transformers"].TrainerCallback = object
from pinyon.bridges.integrations.transformers import PinyonCallback
args = types.SimpleNamespace(learning_rate=0.1, seed=3, optim=types.SimpleNamespace(value="adamw"), output_dir="o")
callback = PinyonCallback("hf")
first, other = (types.SimpleNamespace(is_world_process_zero=zero, global_step=7) for zero in (True, False))
for state in (other, first):
    callback.on_train_begin(args, state, None, model=None)
    callback.on_log(args, state, None, logs={"loss": 0.5, "epoch": 1.0}, model=None)
    callback.on_train_end(args, state, None)
"""
_KERAS = """
import sys, types
class Callback:
    params = {"epochs": 2, "steps": 3}
for name in ("keras", "keras.callbacks"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["keras.callbacks"].Callback = Callback
from pinyon.bridges.integrations.keras import PinyonCallback
callback = PinyonCallback("ker", every=2)
callback.on_train_begin()
for epoch in range(2):
    for batch in range(3):
        callback.on_train_batch_end(batch, {"loss": 1.0})
    callback.on_epoch_end(epoch, {"loss": 0.5, "val_loss": 0.75})
callback.on_train_end()
"""
_OPTUNA = """
import optuna, pinyon
from pinyon.bridges.integrations.optuna import PinyonCallback
optuna.logging.set_verbosity(optuna.logging.ERROR)
def objective(trial):
    x = trial.suggest_float("x", 0, 1)
    trial.report(x, 0)
    if trial.number == 1:
        raise optuna.TrialPruned
    if trial.number == 2:
        raise ValueError("no")
    return x
with pinyon.run(name="search"):
    study = optuna.create_study(study_name="s")
    study.optimize(objective, n_trials=3, callbacks=[PinyonCallback("trial")], catch=(ValueError,))
"""
_NOTEBOOK = """
import pinyon
with pinyon.run(name="shown", params={"<b>": "<script>alert(1)</script>", "lr": 0.1}) as run:
    run.summary["f1"] = 0.9
    print(run._repr_html_())
"""


def _run(root: Path, script: str) -> str:
    (root / "script.py").write_text(script)
    done = subprocess.run([sys.executable, "script.py"], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _points(root: Path) -> list[tuple[Any, ...]]:
    sql = "select metric, step, value from points where metric not like 'system.%' order by all"
    return table(root, sql)


def test_a_logger_for_lightning(tmp_path: Path) -> None:
    _run(tmp_path, _LIGHTNING)
    (row,) = runs(tmp_path).values()
    assert (row.stage, row.status, row.tags) == ("@lit", "SUCCEEDED", {"who": "ann", "lightning": "failed"})
    assert row.params == {"depth": 2, "lr": 0.1, "model.width": 64}
    assert _points(tmp_path) == [("loss", 3, 0.5), ("loss", 4, 0.25)]


def test_a_callback_for_transformers(tmp_path: Path) -> None:
    _run(tmp_path, _TRANSFORMERS)
    (row,) = runs(tmp_path).values()
    assert (row.stage, row.params) == ("@hf", {"learning_rate": 0.1, "seed": 3, "optim": "adamw"})
    assert _points(tmp_path) == [("epoch", 7, 1.0), ("loss", 7, 0.5)]


def test_a_callback_for_keras(tmp_path: Path) -> None:
    _run(tmp_path, _KERAS)
    (row,) = runs(tmp_path).values()
    assert (row.stage, row.params) == ("@ker", {"fit.epochs": 2, "fit.steps": 3})
    expected = [("batch/loss", step, 1.0) for step in (2, 4, 6)]
    expected += [
        (name, step, value) for name, value in (("loss", 0.5), ("val_loss", 0.75)) for step in (0, 1)
    ]
    assert _points(tmp_path) == expected


def test_trials_of_optuna_are_runs_inside_the_current_one(tmp_path: Path) -> None:
    _run(tmp_path, _OPTUNA)
    found = table(tmp_path, "select stage, status, tags from runs where stage = '@trial' order by status")
    assert [(status, json.loads(tags)["trial"]) for _, status, tags in found] == [
        ("CANCELLED", "1"), ("FAILED", "2"), ("SUCCEEDED", "0"),
    ]  # fmt: skip
    assert len(_points(tmp_path)) == 3
    parents = table(tmp_path, "select distinct parent from runs where stage = '@trial'")
    assert parents == table(tmp_path, "select run from runs where stage = '@search'")


@pytest.mark.parametrize("shown", ["<b>@shown</b>", "<td>0.9</td>", "&lt;script&gt;alert(1)&lt;/script&gt;"])
def test_a_notebook_shows_a_run_and_runs_nothing_of_it(tmp_path: Path, shown: str) -> None:
    text = _run(tmp_path, _NOTEBOOK)
    assert shown in text
    assert "<script>" not in text
