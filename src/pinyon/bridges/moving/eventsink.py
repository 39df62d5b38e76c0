"""Runs as TensorBoard's event files: a folder for each, below one for its experiment."""

from __future__ import annotations

import math
import os
import re
from itertools import groupby

from pinyon.bridges.moving.nouns import MovedRun
from pinyon.bridges.tensorboard.write import EventWriter

_UNFIT = re.compile(r"[^\w.+=,-]+")


class EventSink:
    """See `pinyon.bridges.moving.nouns.Sink`. A run's file is there when it is whole, and replaces an earlier one."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def write(self, run: MovedRun) -> None:
        """See `pinyon.bridges.moving.nouns.Sink`."""
        began = run.started or 0.0
        named = run.id if run.name in ("", run.id) else f"{_UNFIT.sub('_', run.name)[:60]}-{run.id}"
        folder = os.path.join(self._folder, _UNFIT.sub("_", run.experiment)[:60] or "runs", named)
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, f"events.out.tfevents.{int(began)}.{run.id}.0")
        part = os.path.join(folder, ".part")  # which TensorBoard does not take for one of its files
        with open(part, "wb") as file:
            writer = EventWriter(file, began)
            if run.params:
                writer.params(began, run.params)
            rows = sorted(
                (began if math.isnan(time) else time, step, name, value)
                for name, step, time, value in run.curves
            )
            for (time, step), same in groupby(rows, key=lambda row: row[:2]):
                writer.scalars(time, step, [row[2:] for row in same])
            for name, value in run.finals.items():
                if isinstance(value, (int, float)) and name not in run.curves.names:
                    writer.scalars(run.ended or began, 0, [(name, float(value))])
        os.replace(part, path)

    def close(self) -> None:
        """Every file is whole already."""

    def drop(self) -> None:
        """Nothing is held."""
