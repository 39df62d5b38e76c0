"""`pinyon import` and `pinyon export` as a person calls them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from moved import lay, mlflow_database, runs


def call(root: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pinyon.cli", *map(str, words)], cwd=root, capture_output=True, text=True
    )


def test_out_of_mlflow_and_into_a_table(tmp_path: Path) -> None:
    place = mlflow_database(tmp_path / "m")
    done = call(tmp_path, "import", "mlflow", place)
    assert (done.returncode, done.stderr) == (0, "")
    first, *rest = done.stdout.splitlines()
    assert first == "4 runs: 4 imported, 0 changed since, 0 here already; 5 points, 2 files"
    assert "models   digit-model@1" in rest
    assert "left out  1 deleted runs" in rest
    again = call(tmp_path, "import", "mlflow", place)
    assert again.stdout.startswith("4 runs: 0 imported, 0 changed since, 4 here already")
    out = call(tmp_path, "export", "csv", "-o", "table")
    assert out.stdout == "4 runs, 5 points, 0 files → table\n"
    out = call(tmp_path, "export", "parquet", runs(tmp_path)["child"].run, "-o", "q")
    assert out.stdout == "1 run, 1 point, 0 files → q\n"


def test_programs_are_told_everything(tmp_path: Path) -> None:
    place = mlflow_database(tmp_path / "m")
    told = json.loads(call(tmp_path, "import", "mlflow", place, "--dry-run", "--json").stdout)
    assert (told["kind"], told["imported"], told["skipped"], told["models"]) == ("mlflow", 4, [], [])
    assert told["left"] == {"deleted runs": 1}
    assert not (tmp_path / ".pinyon").exists()
    call(tmp_path, "import", "mlflow", place)
    told = json.loads(call(tmp_path, "export", "csv", "-o", "out", "--json").stdout)
    assert told == {"kind": "csv", "place": "out", "runs": 4, "points": 5, "files": 0, "left": {}}


def test_columns_of_a_csv_can_be_said(tmp_path: Path) -> None:
    lay(tmp_path, {"t.csv": "who,when,lr,loss\na,3,0.1,0.5\n"})
    done = call(tmp_path, "import", "csv", "t.csv", "--run", "who", "--step", "when", "--params", "lr")
    assert done.stdout.splitlines()[0] == "t.csv: one row a step; run is column 'who'; step is column 'when'"
    assert runs(tmp_path)["a"].params == {"lr": 0.1}


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (["import", "sacred", "."], 3, "nothing is known of 'sacred'; there are mlflow, tensorboard"),
        (["import", "csv", "none.csv"], 3, "there is nothing to import"),
        (["import", "mlflow", "."], 5, "this is no folder of MLflow's runs"),
        (["import", "csv", ".", "--since", "soon"], 2, "'soon' is no date such as 2026-01-31"),
        (["export", "csv"], 2, "Missing option '-o'"),
        (["export", "sacred", "-o", "x"], 3, "nothing is known of 'sacred'"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, words: list[str], code: int, what: str) -> None:
    (tmp_path / "pinyon.yaml").write_text("stages: {}\n")
    done = call(tmp_path, *words)
    assert (done.returncode, what in done.stderr) == (code, True), done.stderr
    assert not (tmp_path / ".pinyon/journals").exists()
