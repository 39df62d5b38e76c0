"""A Hydra repository, none of whose lines was written for us, runs a study of three phases. DVC brings Hydra along."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "hydra"


def test_three_phases_of_a_hydra_repository(dvc_python: str, tmp_path: Path) -> None:
    project, programs = tmp_path / "project", tmp_path / "bin"
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns(".pinyon", "__pycache__"))
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    programs.mkdir()
    # Not our libraries but its own: the environment of the user's script knows nothing of Pinyon.
    (programs / "python").write_text(f'#!/bin/sh\nunset PYTHONPATH\nexec "{dvc_python}" "$@"\n')
    (programs / "python").chmod(0o755)
    env = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    argv = [sys.executable, "-m", "pinyon.cli", "run", "moons", "-j", "2"]
    done = subprocess.run(argv, cwd=project, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr + done.stdout
    winners = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("winner")]
    assert winners == ["data", "model", "step"]
    assert "8 cells, 16 distinct runs" in done.stdout
    assert {path: path.read_bytes() for path in before} == before
    assert len((EXAMPLE / "pinyon.yaml").read_text().splitlines()) <= 12
