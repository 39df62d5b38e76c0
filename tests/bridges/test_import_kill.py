"""SIGKILL at any moment of an import: what is there is whole, and the next import goes on to the same end."""

# ruff: noqa: T201 - the test prints its load

from __future__ import annotations

import json
import os
import random
import shutil
import time
from pathlib import Path

import pytest
from moved import bring, known, lay, whole_runs

from pinyon.bridges.moving import bring as bringing
from pinyon.testing.processes import Child

DEEP = os.environ.get("PINYON_FAULTS") == "deep"
KILLS = 200 if DEEP else 20
RUNS = 40


def _source(folder: Path) -> Path:
    """Runs of an MLflow folder, each with a parent, points, a tag and a file."""
    drawn = random.Random(1)
    lay(folder, {"1/meta.yaml": "name: digits\nexperiment_id: '1'\n"})
    names = [f"{drawn.getrandbits(128):032x}" for _ in range(RUNS)]
    for name in names:
        points = "".join(f"{1_700_000_000_000 + step} {drawn.random()} {step}\n" for step in range(50))
        meta = {"status": 3, "start_time": 1_700_000_000_000, "end_time": 1_700_000_001_000, "run_name": name}
        lay(folder / "1" / name, {
            "meta.yaml": json.dumps(meta), "params/lr": str(drawn.random()), "tags/k": name, "metrics/loss": points,
            "tags/mlflow.parentRunId": names[0], "tags/mlflow.note.content": f"of {name}",
            "artifacts/out.txt": f"bytes of {name}",
        })  # fmt: skip
    return folder


@pytest.mark.slow
def test_an_import_killed_anywhere_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seed = int(os.environ.get("PINYON_SEED", time.time_ns() % 10**6))
    print(f"\nPINYON_SEED={seed}")
    drawn, place = random.Random(seed), _source(tmp_path / "mlruns")
    monkeypatch.setattr(bringing, "_TOGETHER", 4)
    bring(tmp_path / "whole", "mlflow", place)
    expected, listed = known(tmp_path / "whole"), whole_runs(tmp_path / "whole")
    kills = between = 0
    root = tmp_path / "p"
    while kills < KILLS:
        root.mkdir()
        for _ in range(4):
            child = Child(lambda tell: bring(root, "mlflow", place, tell=lambda done, _: tell(done)).same)
            for _ in range(drawn.randint(1, RUNS)):
                child.first()
            time.sleep(drawn.uniform(0, 0.01))
            child.kill()
            kills += not any(isinstance(line, dict) for line in child.lines())
            if (root / ".pinyon/format.json").exists():
                there = whole_runs(root)
                assert set(there) <= set(listed)
                between += 0 < len(there) < len(listed)
        bring(root, "mlflow", place)
        assert known(root) == expected
        shutil.rmtree(root)
    print(f"{kills} kills, {between} of them with some of {RUNS} runs there and some not")
    assert between >= KILLS // 10
