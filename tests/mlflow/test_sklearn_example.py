"""The example with scikit-learn, in the environment that has it: MLflow's."""

from __future__ import annotations

import ast
import shutil
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

from pinyon.query.index import FILE, Index
from pinyon.store.local import LocalStore

EXAMPLE = Path(__file__).parents[2] / "examples/sklearn/digits.py"


def test_a_search_is_a_run_with_its_candidates_inside(
    tmp_path: Path, mlflow_python: str, mlflow_env: dict[str, str]
) -> None:
    shutil.copy(EXAMPLE, tmp_path)
    (tmp_path / "pinyon.yaml").touch()

    def call(*words: str) -> str:
        done = subprocess.run(
            [mlflow_python, *words], cwd=tmp_path, env=mlflow_env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    rows: list[dict[str, Any]] = [ast.literal_eval(line) for line in call("digits.py").splitlines()]
    assert [row["accuracy"] for row in rows] == sorted((row["accuracy"] for row in rows), reverse=True)
    assert rows[0]["accuracy"] > 0.95
    listed = call(
        "-c", "import pinyon; print([(row['stage'], row.get('params.C')) for row in pinyon.runs()])"
    )
    stages = ast.literal_eval(listed)
    assert sorted(stages[1:]) == [("@candidate", C) for C in (0.1, 0.1, 1.0, 1.0, 10.0, 10.0)]
    assert stages[0][0] == "@digits"
    store = LocalStore(tmp_path / ".pinyon")
    with closing(Index(store.cache / FILE, store.journals)) as index:
        index.catch_up()
        assert [event.body["name"] for event in index.told("artifact")] == ["model.joblib"]
