"""Two projects with one home store that import the same runs: each lists them as its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from moved import bring, mlflow_database

from pinyon.store.local import set_home


def _project(tmp_path: Path, name: str) -> Path:
    root = tmp_path / name
    root.mkdir()
    (root / "pinyon.yaml").write_text(f"project: {name}\n")
    set_home(root, str(tmp_path / "home"), name)
    return root


def _listed(root: Path, *words: str) -> list[dict[str, Any]]:
    call = [sys.executable, "-m", "pinyon.cli", *words, "--json"]
    done = subprocess.run(call, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: Any = json.loads(done.stdout)
    return list(found["runs"] if isinstance(found, dict) else found)


def test_each_project_has_the_runs_that_it_imported_and_once(tmp_path: Path) -> None:
    place = mlflow_database(tmp_path / "m")
    ant, bee = (_project(tmp_path, name) for name in ("ant", "bee"))
    first, second = bring(ant, "mlflow", place), bring(bee, "mlflow", place)
    assert (first.imported, second.imported, second.same) == (4, 4, 0)
    for root in (ant, bee):
        assert bring(root, "mlflow", place).same == 4
        rows = _listed(root, "runs")
        assert {row["project"] for row in rows} == {root.name}
        assert {row["tags"]["name"] for row in rows} >= {"child", "failed", "open"}
        runs = {row["run"] for row in rows}
        (child,) = [row for row in rows if row["tags"]["name"] == "child"]
        assert len(rows) == 4
        assert child["parent"] in runs
    assert len({row["run"] for row in _listed(ant, "runs", "--project", "all")}) == 8


def test_a_model_that_one_project_imported_is_no_second_version_for_the_other(tmp_path: Path) -> None:
    place = mlflow_database(tmp_path / "m")
    ant, bee = (_project(tmp_path, name) for name in ("ant", "bee"))
    assert bring(ant, "mlflow", place).models == ("digit-model@1",)
    assert bring(bee, "mlflow", place).models == ()
