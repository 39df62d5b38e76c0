"""Writes run.wandb with the real W&B, and run.wandb.json with what W&B's own protobuf classes say of it.

python write_wandb.py    (where wandb is installed)
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import tempfile
from pathlib import Path

import wandb
from wandb.proto import wandb_internal_pb2 as pb

HERE = Path(__file__).parent


def write(folder: str) -> Path:
    """A run with everything that the tests ask for; longer than two blocks of the file."""
    quiet = wandb.Settings(
        x_disable_meta=True, x_disable_stats=True, x_disable_machine_info=True, host="host", console="off"
    )
    os.chdir(folder)
    run = wandb.init(
        project="demo", name="first try", notes="a small run", tags=["base", "lstm"], group="g", job_type="train",
        config={"lr": 0.1, "model": {"width": 64, "kind": "lstm"}, "layers": [1, 2]}, mode="offline", settings=quiet,
    )  # fmt: skip
    for i in range(40):
        values = {"train/loss": 1 / (i + 1), "acc": i / 40, "val": {"f1": i * 2.0}, "flag": i % 2 == 0}
        if i % 20 == 0:
            values["h"] = wandb.Histogram(np_histogram=([1, 2], [0.0, 1.0, 2.0]))
            values["long"] = "x" * 1_000
        run.log(values)
    run.log({"late": 1.5, "nan": float("nan"), "inf": float("-inf"), "text": "hello"}, step=100)
    run.log({"big": "y" * 33_000, "acc": 2.0})
    run.summary["best"] = 0.9
    run.config["late"] = 5
    run.finish()
    (path,) = Path(folder).glob("wandb/offline-run-*/*.wandb")
    return path


def records(data: bytes) -> list[pb.Record]:
    """Its records. Checksums are not looked at: this is about what the protobuf says."""
    found, at, parts = [], 7, b""
    while at < len(data):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        _, size, kind = struct.unpack_from("<IHB", data, at)
        parts = (b"" if kind in (1, 2) else parts) + data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):
            found.append(pb.Record.FromString(parts))
    return found


def told(found: list[pb.Record]) -> dict[str, object]:
    """History rows (values cut) and run, as the file has them."""
    rows = []
    for record in found:
        if record.WhichOneof("record_type") == "history":
            items = [
                [list(item.nested_key) or [item.key], item.value_json[:40]] for item in record.history.item
            ]
            rows.append([record.history.step.num, sorted(items)])
    run = next(record.run for record in found if record.WhichOneof("record_type") == "run")
    return {
        "version": wandb.__version__,
        "records": len(found),
        "run": [run.run_id, run.project, run.display_name, run.notes, list(run.tags)],
        "start": run.start_time.seconds + run.start_time.nanos / 1e9,
        "history": rows,
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        path = write(folder)
        shutil.copy(path, HERE / "run.wandb")
        (HERE / "run.wandb.json").write_text(json.dumps(told(records(path.read_bytes())), indent=None) + "\n")
        os.chdir("/")
