"""Stage 3: tell one exercise from six others; everything is judged on the validation people only."""

from __future__ import annotations

import copy
from typing import Any

import torch
from study.augment import time_warp
from study.loss import focal_loss
from study.network import SimpleLSTM, count_parameters, load_encoder, reproducible, save_weights, shuffled
from study.scoring import accuracies, balance, predict
from study.stage import read_params, say, write_metrics
from study.windows import Windows, load
from torch import nn


def fit(model: SimpleLSTM, train: Windows, validation: Windows, params: dict[str, Any]) -> SimpleLSTM:
    """Train `model` and return the running average of its weights.

    The last epoch is the result. Taking the best epoch instead would pick a lucky one, and made
    the ranking of configurations noise.
    """
    x, y = torch.from_numpy(train.x), torch.from_numpy(train.y)
    epochs, batch_size = params["train.epochs"], params["train.batch_size"]
    peak = params["train.learning_rate"]
    optimizer = torch.optim.AdamW(model.parameters(), lr=peak)
    steps = epochs * -(-len(x) // batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=peak, total_steps=steps)
    average = copy.deepcopy(model)
    weight = torch.tensor([1.0, params["train.class_1_weight"]])

    for epoch in range(1, epochs + 1):
        model.train()
        total = 0.0
        for rows in shuffled(len(x), batch_size):
            logits = model(time_warp(x[rows], params["augment.time_warp_sigma"]))
            loss = focal_loss(logits, y[rows], params["train.focal_gamma"], weight)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # one odd batch must not undo an epoch
            optimizer.step()
            schedule.step()
            follow(average, model, params["train.ema_decay"])
            total += loss.item() * len(rows)
        if epoch % 3 == 0 or epoch in (1, epochs):
            report(epoch, epochs, total / len(x), average, validation)
    return average


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, decay: float) -> None:
    """One step of the running average of the weights, which wavers less than the last weights do."""
    for kept, new in zip(average.parameters(), model.parameters(), strict=True):
        kept.lerp_(new, 1 - decay)


def report(epoch: int, epochs: int, loss: float, model: nn.Module, validation: Windows) -> None:
    """One line of progress, with the class balance of the answers beside their accuracy."""
    predicted = predict(model, torch.from_numpy(validation.x))
    scores = accuracies(predicted, validation.y)
    say(
        f"epoch {epoch:3}/{epochs}  loss {loss:.4f}  validation {scores['accuracy']:.3f}  "
        f"class 1 {scores['class_1_accuracy']:.3f}  says class 1 for {predicted.mean():.1%}"
    )


def main() -> None:
    params = read_params("augment.time_warp_sigma", "model", "train")
    reproducible(params["train.seed"])
    train, validation = (load("data/windows.npz", name) for name in ("train", "validation"))
    model = SimpleLSTM(params["model.hidden_size"], params["model.num_heads"], params["model.num_layers"])
    load_encoder(model.encoder, "encoder.safetensors")
    say(f"{count_parameters(model):,} parameters")
    say(f"train:      {balance(train.y)}")
    say(f"validation: {balance(validation.y)}")

    model = fit(model, train, validation, params)
    scores = accuracies(predict(model, torch.from_numpy(validation.x)), validation.y)
    save_weights(model, "model.safetensors")
    write_metrics(
        "metrics.json",
        {
            **scores,
            "n_parameters": count_parameters(model),
            "train_class_1_share": float(train.y.mean()),
            "validation_class_1_share": float(validation.y.mean()),
        },
    )


if __name__ == "__main__":
    main()
