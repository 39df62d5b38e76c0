"""What `mlflow.autolog` logs for libraries that people train with is the same on ``pinyon://`` as on ``sqlite://``."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

_SCRIPT = Path(__file__).parent / "scripts/autolog.py"
# Of each library: runs, logged models, a parameter, a metric, and a file that it must have logged at the least.
_LIBRARIES = {
    "scikit-learn": (3, 2, "param_grid", "best_cv_score", "cv_results.csv"),
    "lightning": (1, 1, "lr", "loss_epoch", "checkpoints/latest_checkpoint.pth"),
    "transformers": (1, 0, "hidden_size", "eval_loss", None),
}


@pytest.mark.slow
@pytest.mark.parametrize("library", _LIBRARIES)
def test_autolog_logs_the_same_on_both(
    library: str, mlflow_python: str, mlflow_env: dict[str, str], database: Path, tmp_path: Path
) -> None:
    # MLflow asks another process what a model imports; which packages it then lists is not what is compared here.
    env = {
        **mlflow_env,
        "MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT": "1",
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
    }
    file = tmp_path / "answers.json"
    command = [mlflow_python, _SCRIPT, library, database, tmp_path, file]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stderr[-3000:]}\nAre the libraries there? scripts/setup-mlflow"
    answers: dict[str, Any] = json.loads(file.read_text())
    runs, models, param, metric, artifact = _LIBRARIES[library]
    found = answers["sqlite"]
    assert (len(found["runs"]), len(found["models"])) == (runs, models)
    assert any(param in run["params"] and metric in run["history"] for run in found["runs"])
    assert artifact is None or any(artifact in run["files"] for run in found["runs"])
    assert answers["pinyon"] == found
