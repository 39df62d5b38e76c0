"""Writes tensorboardx.tfevents (tensorboardX), tensors.tfevents (TensorBoard's own newer form, as Keras writes it) and what
TensorBoard's own reader says of them (…json). With an argument it writes torch.tfevents by torch.utils.tensorboard instead.

    python write_tensorboard.py [torch]    (where tensorboard and tensorboardX, or torch, are installed)
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import tensorboard
from tensorboard.backend.event_processing import event_accumulator, event_file_loader
from tensorboard.compat.proto import summary_pb2
from tensorboard.plugins.histogram.summary_v2 import histogram_pb
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util import tensor_util

HERE = Path(__file__).parent


def tensorboardx(folder: str) -> None:
    """By tensorboardX, or torch's writer, which has the same calls."""
    if sys.argv[1:] == ["torch"]:
        from torch.utils.tensorboard import SummaryWriter
    else:
        from tensorboardX import SummaryWriter
    writer = SummaryWriter(folder)
    for i in range(100):
        writer.add_scalar("train/loss", 1 / (i + 1), i)
        writer.add_scalar("acc", i / 100, i * 10)
    writer.add_scalar("odd", float("nan"), -5)
    writer.add_scalar("odd", float("inf"), 2**40)
    writer.add_histogram("weights", np.arange(100.0), 3)
    writer.add_text("note", "hello", 1)
    writer.add_image("picture", np.zeros((3, 8, 8), dtype=np.uint8), 1)
    writer.close()


def tensors(folder: str) -> None:
    """Scalars, histograms and texts as tensors."""
    from tensorboard.compat.proto import event_pb2

    writer = EventFileWriter(folder)

    def add(summary: summary_pb2.Summary, step: int) -> None:
        writer.add_event(event_pb2.Event(wall_time=1795365073.25 + step, step=step, summary=summary))

    for i in range(100):
        add(scalar_pb("epoch_loss", 1 / (i + 1)), i)
    for kind in (np.float32, np.float64, np.float16, np.int32, np.int64, np.uint8):
        value = summary_pb2.Summary.Value(tag=kind.__name__)
        value.tensor.CopyFrom(tensor_util.make_tensor_proto(np.array(5, dtype=kind)))
        add(summary_pb2.Summary(value=[value]), 7)
    add(histogram_pb("weights", np.arange(100.0), buckets=5), 3)
    add(text_pb("note", "hello"), 1)
    writer.close()


def told(path: Path) -> dict[str, object]:
    """What TensorBoard's own reader says: every number as [tag, step, wall, value]."""
    rows = []
    for event in event_file_loader.LegacyEventFileLoader(str(path)).Load():
        for value in event.summary.value:
            if value.HasField("simple_value"):
                rows.append([value.tag, event.step, event.wall_time, value.simple_value])
            elif value.HasField("tensor") and not value.tensor.tensor_shape.dim and value.tensor.dtype != 7:
                rows.append(
                    [value.tag, event.step, event.wall_time, float(tensor_util.make_ndarray(value.tensor))]
                )
    accumulator = event_accumulator.EventAccumulator(str(path), size_guidance={"scalars": 0, "tensors": 0})
    accumulator.Reload()
    return {"tensorboard": tensorboard.__version__, "tags": accumulator.Tags(), "numbers": rows}


if __name__ == "__main__":
    kinds = {"torch": tensorboardx} if sys.argv[1:] else {"tensorboardx": tensorboardx, "tensors": tensors}
    for name, write in kinds.items():
        with tempfile.TemporaryDirectory() as folder:
            write(folder)
            (path,) = Path(folder).glob("*tfevents*")
            shutil.copy(path, HERE / f"{name}.tfevents")
            (HERE / f"{name}.tfevents.json").write_text(json.dumps(told(path)) + "\n")
