"""A callback for transformers: ``Trainer(callbacks=[PinyonCallback()])``, with ``report_to="none"`` beside it."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback

from pinyon.bridges.integrations.numbers import scalars
from pinyon.track.current import run

_SETTINGS = (
    "learning_rate", "per_device_train_batch_size", "gradient_accumulation_steps", "num_train_epochs", "max_steps",
    "weight_decay", "warmup_steps", "lr_scheduler_type", "optim", "seed", "fp16", "bf16",
)  # fmt: skip


class PinyonCallback(TrainerCallback):
    """What a trainer logs goes to the current run, or to one that begins with training. Only the first process logs.

    Args:
        name: of a run that is begun; in an attempt the run has one.
    """

    def __init__(self, name: str = "") -> None:
        self._name = name

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The settings that tell trainings apart are parameters."""
        if state.is_world_process_zero:
            told = {name: getattr(args, name) for name in _SETTINGS if hasattr(args, name)}
            run(name=self._name).use({name: getattr(value, "value", value) for name, value in told.items()})

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """See transformers."""
        if state.is_world_process_zero:
            run(name=self._name).log(scalars(logs), step=state.global_step)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Have everything on disk."""
        if state.is_world_process_zero:
            run(name=self._name).flush()
