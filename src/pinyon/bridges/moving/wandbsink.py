"""Runs as runs of W&B's, by W&B's own client, which has to be installed: offline ones, which `wandb sync` sends, unless
``WANDB_MODE=online`` says otherwise."""

from __future__ import annotations

import glob
import math
import os
import re
import shutil
from itertools import groupby
from typing import Any

from pinyon.bridges.moving.nouns import RUNNING, SUCCEEDED, Curves, MovedRun
from pinyon.errors import PlanError

_UNFIT = re.compile(r"[^\w.-]+")


class WandbSink:
    """See `pinyon.bridges.moving.nouns.Live`. Ids are ours, so that syncing an export twice changes nothing there.

    Raises:
        PlanError: W&B is not installed.
    """

    def __init__(self, folder: str) -> None:
        try:
            import wandb
        except ImportError:
            raise PlanError("this needs W&B, which is not installed here", next="pip install wandb") from None
        self._wandb: Any = wandb
        self._mode = "online" if os.environ.get("WANDB_MODE") == "online" else "offline"
        self._made: dict[str, Any] = {}
        self._over: dict[str, Curves] = {}
        self._folder = os.path.abspath(folder)
        os.makedirs(self._folder, exist_ok=True)

    def write(self, run: MovedRun) -> None:
        """See `pinyon.bridges.moving.nouns.Sink`. Steps of W&B's only grow, so ours is the metric ``step``, too."""
        made = self._open(run)
        rows = sorted((step, _moment(time), name, value) for name, step, time, value in run.curves)
        for (step, time), same in groupby(rows, key=lambda row: row[:2]):
            values = {name: value for _, _, name, value in same}
            made.log(_row(values, step, time), step=max(step, 0))
        self._close(made, run)

    def begin(self, run: MovedRun, held: str) -> bool:  # noqa: ARG002 - the protocol's
        """See `pinyon.bridges.moving.nouns.Live`. W&B's client cannot take anything back, nor tell what of its file is
        whole after a kill: what was written of a run is thrown away, and the run is written anew."""
        for folder in glob.glob(f"{glob.escape(self._folder)}/wandb/*run-*-{run.id}"):
            shutil.rmtree(folder)
        if run.state == RUNNING:
            self._made[run.id] = self._live(run)
        else:  # it is written when all of its points are here: a thousand open runs are too many for W&B's client
            self._over[run.id] = Curves()
        return False

    def add(self, run: str, curves: Curves) -> None:
        """See `pinyon.bridges.moving.nouns.Live`. W&B counts rows by itself: it drops what comes with a lower step than the
        row before."""
        if run in self._over:
            self._over[run].extend(curves)
            return
        rows = ((step, _moment(time), name, value) for name, step, time, value in curves)
        for (step, time), same in groupby(rows, key=lambda row: row[:2]):
            self._made[run].log(_row({name: value for _, _, name, value in same}, step, time))

    def held(self, run: str) -> str:
        """That there is something."""
        return run

    def finish(self, run: MovedRun) -> None:
        """See `pinyon.bridges.moving.nouns.Live`."""
        if (curves := self._over.pop(run.id, None)) is not None:
            self._made[run.id] = self._live(run)
            self.add(run.id, curves)
        made = self._made.pop(run.id)
        made.config.update(dict(run.params), allow_val_change=True)
        self._close(made, run)

    def _live(self, run: MovedRun) -> Any:
        made = self._open(run)
        made.define_metric("*", step_metric="step")
        return made

    def _open(self, run: MovedRun) -> Any:
        wandb = self._wandb
        return wandb.init(
            mode=self._mode, dir=self._folder, id=run.id, name=run.name or run.id, config=dict(run.params),
            project=_UNFIT.sub("-", run.experiment)[:100] or "pinyon", notes=run.note or None, reinit="create_new",
            tags=[_tag(name, text) for name, text in run.tags.items()][:50],
            settings=wandb.Settings(silent=True, console="off", x_disable_stats=True, x_disable_meta=True),
        )  # fmt: skip

    def _close(self, made: Any, run: MovedRun) -> None:
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
        """Let W&B's processes end."""
        while self._made:
            self._made.popitem()[1].finish(exit_code=1)


def _row(values: dict[str, Any], step: int, time: float) -> dict[str, Any]:
    return {**values, **({"_timestamp": time} if time else {}), "step": step}


def _moment(time: float) -> float:
    """A moment; 0 for one that nobody knows."""
    return 0.0 if math.isnan(time) else time


def _tag(name: str, text: str) -> str:
    return (f"{name}={text}" if text else name)[:64]
