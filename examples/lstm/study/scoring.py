"""What the model says, and how often it is right, for each class apart."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


@torch.no_grad()
def predict(model: nn.Module, x: Tensor) -> np.ndarray:
    """Classes (n,) for raw windows x (n, steps, 6); leaves the model in evaluation mode."""
    model.eval()
    return torch.cat([model(part).argmax(dim=1) for part in x.split(256)]).numpy()


def accuracies(predicted: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Shares of right answers in 0..1: overall, and among the windows of each class.

    Overall accuracy alone would hide a model that never says 1: it would score `majority`.
    """
    right = predicted == y
    return {
        "accuracy": float(right.mean()),
        "class_0_accuracy": float(right[y == 0].mean()),
        "class_1_accuracy": float(right[y == 1].mean()),
        "majority": float(max(y.mean(), 1 - y.mean())),
    }


def balance(y: np.ndarray) -> str:
    """The class balance, for people."""
    ones = int(y.sum())
    return f"{len(y)} windows, class 0: {len(y) - ones}, class 1: {ones} ({ones / len(y):.1%})"
