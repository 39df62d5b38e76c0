"""What a command finds in its environment: the same variables with the same values as under `dvc repro`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SPEC = """\
stages:
  train:
    cmd: env | grep '^DVC_ROOT=\\|^DVC_STAGE=' | sort > train.env
    outs: [train.env]
  in-a-folder:
    cmd: env | grep '^DVC_ROOT=\\|^DVC_STAGE=' | sort > here.env
    wdir: work
    outs: [here.env]
"""


@pytest.mark.parametrize("own_root", [False, True], ids=["plain", "exported"])
def test_the_variables_are_those_of_dvc(
    tmp_path: Path, dvc_python: str, dvc_env: dict[str, str], own_root: bool
) -> None:
    found = {}
    env = {**dvc_env, "DVC_ROOT": "/of/the/user"} if own_root else dvc_env
    for tool, argv in {
        "dvc": [dvc_python, "-m", "dvc", "repro", "-q"],
        "pinyon": [sys.executable, "-m", "pinyon.cli", "run"],
    }.items():
        root = tmp_path / tool / "project"
        (root / "work").mkdir(parents=True)
        (root / "dvc.yaml").write_text(SPEC)
        subprocess.run([dvc_python, "-m", "dvc", "init", "-q", "--no-scm"], cwd=root, env=dvc_env, check=True)
        done = subprocess.run(argv, cwd=root, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        texts = [(root / name).read_text() for name in ("train.env", "work/here.env")]
        found[tool] = [text.replace(str(root), "ROOT") for text in texts]
    assert found["pinyon"] == found["dvc"]
    assert found["dvc"][0].splitlines()[1] == "DVC_STAGE=train"
