"""Stage 4: the only stage that sees the test people, and nothing is chosen by what it finds."""

from __future__ import annotations

import numpy as np
import torch
from study.network import load_model, reproducible
from study.scoring import accuracies, predict
from study.stage import say, write_metrics
from study.windows import load

RESAMPLES = 2000


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


def main() -> None:
    reproducible(0)
    test = load("data/test.npz", "test")
    predicted = predict(load_model("model.safetensors"), torch.from_numpy(test.x))
    scores = accuracies(predicted, test.y)
    low, high = interval(predicted == test.y, test.recording)
    confusion = [
        [int(((test.y == truth) & (predicted == answer)).sum()) for answer in (0, 1)] for truth in (0, 1)
    ]

    write_metrics(
        "test.json",
        {
            **scores,
            "accuracy_low": low,
            "accuracy_high": high,
            "confusion": confusion,  # rows are the truth, columns the answer
            "class_1_recordings": len(np.unique(test.recording[test.y == 1])),
        },
    )
    say(
        f"test accuracy {scores['accuracy']:.3f} (95 % interval {low:.3f} to {high:.3f} over recordings), "
        f"always saying 0 would give {scores['majority']:.3f}"
    )
    say(
        f"class 0 {scores['class_0_accuracy']:.3f}  class 1 {scores['class_1_accuracy']:.3f}  confusion {confusion}"
    )


if __name__ == "__main__":
    main()
