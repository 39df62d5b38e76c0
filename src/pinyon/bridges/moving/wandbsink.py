"""Runs as offline runs of W&B's, by W&B's own client, which has to be installed. `wandb sync` sends them."""

from __future__ import annotations

import math
import os
import re
import shutil
from itertools import groupby
from typing import Any

from pinyon.bridges.moving.nouns import SUCCEEDED, MovedRun
from pinyon.errors import PlanError

_UNFIT = re.compile(r"[^\w.-]+")


class WandbSink:
    """See `pinyon.bridges.moving.nouns.Sink`. Ids are ours, so that syncing an export twice changes nothing there.

    Raises:
        PlanError: W&B is not installed.
    """

    def __init__(self, folder: str) -> None:
        try:
            import wandb
        except ImportError:
            raise PlanError("this needs W&B, which is not installed here", next="pip install wandb") from None
        self._wandb: Any = wandb
        self._folder = os.path.abspath(folder)
        os.makedirs(self._folder, exist_ok=True)

    def write(self, run: MovedRun) -> None:
        """See `pinyon.bridges.moving.nouns.Sink`. Steps of W&B's only grow, so ours is the metric ``step``, too."""
        wandb = self._wandb
        made = wandb.init(
            mode="offline", dir=self._folder, id=run.id, name=run.name or run.id, config=dict(run.params),
            project=_UNFIT.sub("-", run.experiment)[:100] or "pinyon", notes=run.note or None,
            tags=[_tag(name, text) for name, text in run.tags.items()][:50],
            settings=wandb.Settings(silent=True, console="off", x_disable_stats=True, x_disable_meta=True),
        )  # fmt: skip
        rows = sorted((step, _moment(time), name, value) for name, step, time, value in run.curves)
        for (step, time), same in groupby(rows, key=lambda row: row[:2]):
            values: dict[str, Any] = {name: value for _, _, name, value in same}
            made.log({**values, **({"_timestamp": time} if time else {}), "step": step}, step=max(step, 0))
        for name, value in run.finals.items():
            made.summary[name] = value
        for kept in run.files:  # W&B would only link to it, and it lies there for this moment
            place = os.path.join(made.dir, *kept.name.split("/"))
            os.makedirs(os.path.dirname(place), exist_ok=True)
            (shutil.copytree if os.path.isdir(kept.path) else shutil.copyfile)(kept.path, place)
        made.finish(exit_code=0 if run.state == SUCCEEDED else 1)

    def close(self) -> None:
        """Every run is whole already."""

    def drop(self) -> None:
        """Nothing is held."""


def _moment(time: float) -> float:
    """A moment; 0 for one that nobody knows."""
    return 0.0 if math.isnan(time) else time


def _tag(name: str, text: str) -> str:
    return (f"{name}={text}" if text else name)[:64]
