"""What the model says, how often it is right, for each class apart, and how sure that is."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from study.windows import Windows

RESAMPLES = 2000


@torch.no_grad()
def answer(model: nn.Module, x: Tensor) -> Tensor:
    """Logits (n, 2) for raw windows x (n, steps, 6); leaves the model in evaluation mode."""
    model.eval()
    return torch.cat([model(part) for part in x.split(256)])


def predict(model: nn.Module, windows: Windows) -> np.ndarray:
    """Classes (n,)."""
    return answer(model, torch.from_numpy(windows.x)).argmax(dim=1).numpy()


def judge(predicted: np.ndarray, windows: Windows) -> dict[str, float]:
    """`accuracies`, the 95 % interval of the overall one, and the `majority`: what saying always the same would score."""
    low, high = interval(predicted == windows.y, windows.recording)
    share = float(windows.y.mean())
    found = accuracies(predicted, windows.y)
    return {**found, "accuracy_low": low, "accuracy_high": high, "majority": max(share, 1 - share)}


def accuracies(predicted: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Shares of right answers in 0..1: overall, and among the windows of each class, which the overall one hides."""
    right = predicted == y
    return {
        "accuracy": float(right.mean()),
        "class_1_accuracy": float(right[y == 1].mean()),
        "class_0_accuracy": float(right[y == 0].mean()),
    }


def interval(right: np.ndarray, recording: np.ndarray) -> tuple[float, float]:
    """95 % bootstrap interval of the accuracy; right and recording are (n,).

    Draws whole recordings: neighbouring windows share three quarters of their samples, and
    drawing windows as if independent would claim a precision that is not there.
    """
    names, index = np.unique(recording, return_inverse=True)
    sizes, hits = np.bincount(index), np.bincount(index, weights=right)
    drawn = np.random.default_rng(0).integers(len(names), size=(RESAMPLES, len(names)))
    shares = hits[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(shares, [0.025, 0.975])
    return float(low), float(high)


def balance(y: np.ndarray) -> str:
    """The class balance, for people."""
    ones = int(y.sum())
    return f"{len(y)} windows, class 0: {len(y) - ones}, class 1: {ones} ({ones / len(y):.1%})"


def in_words(scores: dict[str, float]) -> str:
    """What `judge` found, in one line, with the class accuracies that an overall one hides."""
    return (
        f"accuracy {scores['accuracy']:.3f} (95 % interval {scores['accuracy_low']:.3f} to "
        f"{scores['accuracy_high']:.3f} over recordings), class 0 {scores['class_0_accuracy']:.3f}, "
        f"class 1 {scores['class_1_accuracy']:.3f}; always saying the same gives {scores['majority']:.3f}"
    )
