"""Stores of other trackers, each with many runs of a thousand points: ten metrics, a hundred steps."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

METRICS, STEPS = 10, 100
POINTS = METRICS * STEPS
_BEGAN = 1_700_000_000


def mlruns(place: Path, runs: int) -> None:
    """A folder of MLflow's file store."""
    drawn = random.Random(2)
    _put(place / "1/meta.yaml", "name: digits\nexperiment_id: '1'\n")
    for number in range(runs):
        folder = place / "1" / f"{drawn.getrandbits(128):032x}"
        start = (_BEGAN + number) * 1000
        meta = {"status": 3, "start_time": start, "end_time": start + 50_000, "run_name": f"run-{number}"}
        _put(folder / "meta.yaml", json.dumps(meta))
        _put(folder / "params/lr", str(drawn.random()))
        _put(folder / "tags/mlflow.runName", f"run-{number}")
        for one in range(METRICS):
            lines = (f"{start + step * 100} {drawn.random()} {step}\n" for step in range(STEPS))
            _put(folder / f"metrics/metric_{one}", "".join(lines))


def tensorboard(place: Path, runs: int) -> None:
    """Folders of event files, one event for a value, as torch's writer has them."""
    made, drawn = _made(), random.Random(3)
    for number in range(runs):
        data = [made.version(float(_BEGAN + number))]
        data += [
            made.event(_BEGAN + number + step / 10, step, made.scalar(f"metric_{one}", drawn.random()))
            for step in range(STEPS)
            for one in range(METRICS)
        ]
        _put(place / f"run-{number}" / f"events.out.tfevents.{_BEGAN + number}.host", b"".join(data))


def wandb(place: Path, runs: int) -> None:
    """Offline runs."""
    made, drawn = _made(), random.Random(4)
    for number in range(runs):
        name, start = f"{drawn.getrandbits(40):010x}", made.field(1, _BEGAN + number)
        about = made.field(1, name) + made.field(3, "digits") + made.field(17, start)
        records = [made.field(17, about)]
        records += [
            made.history(
                step,
                _BEGAN + number + step / 10,
                **{f"metric_{one}": drawn.random() for one in range(METRICS)},
            )
            for step in range(STEPS)
        ]
        data = bytearray(made.HEADER)
        for record in records:
            data += made.chunks(record, len(data))
        _put(place / f"wandb/offline-run-20231114_221320-{name}/run-{name}.wandb", bytes(data))


def _made() -> Any:
    """What tests make such files with."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests/bridges"))
    import madefiles

    return madefiles


def _put(path: Path, data: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
