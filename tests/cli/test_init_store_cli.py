"""`pinyon init --store`: a history that several projects share, set up from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SPEC = "stages:\n  copy:\n    cmd: cp in.txt out.txt\n    deps: [in.txt]\n    outs: [out.txt]\n"


def pinyon(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pinyon.cli", *words], cwd=folder, capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pinyon.yaml").write_text(SPEC)
        (tmp_path / name / "in.txt").write_text("the same\n")
    return tmp_path / "one", tmp_path / "two"


def test_a_second_project_in_the_store_takes_what_the_first_made(two: tuple[Path, Path]) -> None:
    for folder in two:
        assert pinyon(folder, "init", "--store", "../shared").returncode == 0
        assert (folder / "pinyon.yaml").read_text() == SPEC
    assert "1 succeeded" in pinyon(two[0], "run").stdout
    ran = pinyon(two[1], "run")
    assert "1 reused" in ran.stdout
    assert (two[1] / "out.txt").read_text() == "the same\n"


def test_a_history_of_its_own_stays_where_it_is(two: tuple[Path, Path]) -> None:
    assert pinyon(two[0], "run").returncode == 0
    refused = pinyon(two[0], "init", "--store", "../shared")
    assert refused.returncode == 5
    assert "has a history of its own" in refused.stderr
    assert not (two[0].parent / "shared").exists()


def test_beside_a_new_file(tmp_path: Path) -> None:
    said = pinyon(tmp_path, "init", "--store", "elsewhere", "--yes", "--json")
    assert said.returncode == 0
    assert json.loads(said.stdout)["written"] == ["pinyon.yaml"]
    assert (tmp_path / "elsewhere/format.json").exists()
