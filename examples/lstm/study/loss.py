"""Focal loss: easy windows whisper, hard ones speak up, and class 1 counts more."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def focal_loss(logits: Tensor, y: Tensor, gamma: float, class_weight: Tensor) -> Tensor:
    """Mean over the batch of weight_y (1 - p_y)^gamma (-log p_y).

    logits (batch, classes), y (batch,), class_weight (classes,). The mean is divided by the sum of
    the weights, as torch does, so that gamma 0 is exactly torch's weighted cross-entropy.
    """
    log_p = functional.log_softmax(logits, dim=1).gather(1, y.unsqueeze(1)).squeeze(1)
    weight = class_weight[y]
    return (weight * (1 - log_p.exp()) ** gamma * -log_p).sum() / weight.sum()
