"""Stage 4: how the model does on the test people; nothing is chosen by what it finds."""

from __future__ import annotations

import numpy as np
from study.network import load_model, reproducible
from study.scoring import in_words, judge, predict
from study.stage import say, write_metrics
from study.windows import load


def main() -> None:
    reproducible(0)
    test = load("data/test.npz", "test")
    predicted = predict(load_model("model.safetensors"), test)
    scores = judge(predicted, test)
    confusion = [
        [int(((test.y == truth) & (predicted == answer)).sum()) for answer in (0, 1)] for truth in (0, 1)
    ]
    write_metrics(
        "test.json",
        {
            **scores,
            "confusion": confusion,  # rows are the truth, columns the answer
            "class_1_recordings": len(np.unique(test.recording[test.y == 1])),
        },
    )
    say(f"test: {in_words(scores)}")


if __name__ == "__main__":
    main()
