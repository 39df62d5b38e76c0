"""Fine-tuning: for train.py from a pre-trained encoder, for control.py from random weights."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn

from pinyon import EarlyStopping
from study.augment import time_warp
from study.loss import focal_loss
from study.network import Encoder, SimpleLSTM, shuffled
from study.scoring import accuracies, answer
from study.stage import say
from study.windows import Windows

Log = Callable[..., None]  # such as pinyon.run().log: numbers by name, and the step


class Fitted(NamedTuple):
    """A trained model, and the epochs that it took."""

    model: SimpleLSTM
    epochs: int


def new_model(encoder: Encoder, num_heads: int) -> SimpleLSTM:
    """A model with random weights around a copy of `encoder`."""
    model = SimpleLSTM(num_heads=num_heads, **encoder.config)
    model.encoder.load_state_dict(encoder.state_dict())
    return model


def fit(model: SimpleLSTM, train: Windows, validation: Windows, params: dict[str, Any], log: Log) -> Fitted:
    """Train `model`; what comes back is the running average of its weights.

    The last epoch is the result. Taking the best epoch instead would pick a lucky one, and made
    the ranking of configurations noise. With `train.patience` the last epoch comes earlier: when
    so many in a row brought no smaller validation loss, but not before `train.min_epochs`.
    """
    x, y = torch.from_numpy(train.x), torch.from_numpy(train.y)
    epochs, batch_size = params["train.epochs"], params["train.batch_size"]
    peak, gamma = params["train.learning_rate"], params["train.focal_gamma"]
    optimizer = torch.optim.AdamW(model.parameters(), lr=peak)
    steps = epochs * -(-len(x) // batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=peak, total_steps=steps)
    average = copy.deepcopy(model)
    weight = torch.tensor([1.0, params["train.class_1_weight"]])
    patience = params["train.patience"]
    stop = EarlyStopping(patience, min_steps=params["train.min_epochs"]) if patience else None

    for epoch in range(1, epochs + 1):
        model.train()
        total = 0.0
        for rows in shuffled(len(x), batch_size):
            logits = model(time_warp(x[rows], params["augment.time_warp_sigma"]))
            loss = focal_loss(logits, y[rows], gamma, weight)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # one odd batch must not undo an epoch
            optimizer.step()
            schedule.step()
            follow(average, model, params["train.ema_decay"])
            total += loss.item() * len(rows)
        now = look(average, validation, gamma, weight)
        log(step=epoch, loss=total / len(x), **now, learning_rate=schedule.get_last_lr()[0])
        if stop and stop(now["validation_loss"]):
            say(f"{patience} epochs without a smaller validation loss: the end, after {epoch} of {epochs}")
            return Fitted(average, epoch)
    return Fitted(average, epochs)


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, decay: float) -> None:
    """One step of the running average of the weights, which wavers less than the last weights do."""
    for kept, new in zip(average.parameters(), model.parameters(), strict=True):
        kept.lerp_(new, 1 - decay)


def look(model: nn.Module, validation: Windows, gamma: float, weight: torch.Tensor) -> dict[str, float]:
    """How the model does on the validation people, and how often it says class 1 at all (0..1)."""
    logits = answer(model, torch.from_numpy(validation.x))
    predicted = logits.argmax(dim=1).numpy()
    return {
        "validation_loss": focal_loss(logits, torch.from_numpy(validation.y), gamma, weight).item(),
        **accuracies(predicted, validation.y),
        "says_class_1": float(predicted.mean()),
    }
