"""A callback for Keras: ``model.fit(…, callbacks=[PinyonCallback()])``."""

from __future__ import annotations

from typing import Any

from keras.callbacks import Callback

from pinyon.bridges.integrations.numbers import scalars
from pinyon.track.current import run


class PinyonCallback(Callback):
    """Numbers of each epoch go to the current run, or to one that begins with training.

    Args:
        name: of a run that is begun; in an attempt the run has one.
        every: so many batches are a point, too, as ``batch/…``; 0 is none.
    """

    def __init__(self, name: str = "", *, every: int = 0) -> None:
        super().__init__()
        self._name, self._every, self._batches = name, every, 0

    def on_train_begin(self, logs: Any = None) -> None:
        """What `fit` was told is parameters."""
        run(name=self._name).use({f"fit.{name}": value for name, value in (self.params or {}).items()})

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """See Keras."""
        self._batches += 1
        if self._every and self._batches % self._every == 0:
            told = {f"batch/{name}": value for name, value in scalars(logs).items()}
            run(name=self._name).log(told, step=self._batches)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """See Keras."""
        run(name=self._name).log(scalars(logs), step=epoch)

    def on_train_end(self, logs: Any = None) -> None:
        """Have everything on disk."""
        run(name=self._name).flush()
