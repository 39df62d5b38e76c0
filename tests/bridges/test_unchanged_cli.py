"""`pinyon run` of a script that knows nothing of Pinyon: from W&B's and TensorBoard's files to tables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = """
import madefiles as made, sys, time
time.sleep(0.15)
run, events = made.Wandb("wandb", "first", lr=0.5), made.Events("runs/a")
for step in range(30):
    run.add(made.history(step, time.time(), accuracy=step / 30))
    events.add(step, train__loss=step / 32)
    sys.stdout.write(f"\\r{step + 1}/30 [===>] loss: 0.5")
run.add(made.field(3, made.items({"best": 0.75})))
print()
"""
PIPELINE = json.dumps({"stages": {"t": {"cmd": f"{sys.executable} train.py", "deps": ["train.py"]}}})
POINTS = (
    "select metric, count(*), min(step), max(step), max(value) from points group by metric order by metric"
)


def pinyon(root: Path, *words: str) -> str:
    """What a command prints."""
    made = str(Path(__file__).parent)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([made, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "pinyon.cli", *words]
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(root: Path, sql: str) -> list[list[Any]]:
    return [list(row.values()) for row in json.loads(pinyon(root, "query", sql, "--json"))]


@pytest.mark.parametrize("mode", [(), ("--isolated",)])
def test_numbers_go_from_the_files_to_tables_and_parquet(mode: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    (tmp_path / "pinyon.yaml").write_text(PIPELINE)
    pinyon(tmp_path, "run", *mode)
    expected = [["accuracy", 30, 0, 29, 29 / 30], ["train/loss", 30, 0, 29, 29 / 32]]
    assert rows(tmp_path, POINTS) == expected
    assert rows(tmp_path, "select name, number from params where name = 'lr'") == [["lr", 0.5]]
    assert rows(tmp_path, "select last from summary where metric = 'best'") == [[0.75]]
    assert rows(tmp_path, "select tags->>'name' from runs") == [["first"]]
    pinyon(tmp_path, "compact")
    assert rows(tmp_path, POINTS) == expected
    assert pinyon(tmp_path, "logs", "t").count("[===>] loss: 0.5") == 30
    assert (tmp_path / "runs").exists() == (not mode)  # isolated, only the copies stay
    assert pinyon(tmp_path, "verify")


def test_what_is_followed_does_not_make_a_stage_run_again(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    (tmp_path / "pinyon.yaml").write_text(PIPELINE)
    pinyon(tmp_path, "run")
    before = len(os.listdir(tmp_path / ".pinyon/journals"))
    pinyon(tmp_path, "run")
    assert len(os.listdir(tmp_path / ".pinyon/journals")) == before
