"""Stage 1: cut the recordings into windows, people apart, with the test people in a file of their own."""

from __future__ import annotations

import numpy as np
from study.stage import read_params, say, write_metrics
from study.windows import Windows, cut, load_recordings, save, split_subjects, stratified_sample


def summary(windows: Windows) -> dict[str, object]:
    """What a split holds: counts, and the share of class 1 in 0..1."""
    return {
        "windows": len(windows.y),
        "recordings": len(np.unique(windows.recording)),
        "class_1_recordings": len(np.unique(windows.recording[windows.y == 1])),
        "class_0": int((windows.y == 0).sum()),
        "class_1": int((windows.y == 1).sum()),
        "class_1_share": float(windows.y.mean()),
        "subjects": np.unique(windows.subject).tolist(),
    }


def main() -> None:
    params = read_params("data")
    recordings = load_recordings()
    positive = params["data.positive"]
    if positive not in (exercises := sorted({item.exercise for item in recordings})):
        raise SystemExit(f"data.positive is {positive!r}; the exercises are {', '.join(exercises)}")

    subjects = split_subjects(params["data.fold"])
    splits = {
        name: cut(
            recordings,
            subjects[name],
            positive,
            params["data.window"],
            params["data.stride"],
            params["data.pool"],
        )
        for name in ("train", "validation", "test")
    }
    available = len(splits["train"].y)
    if (size := params["data.train_windows"]) is not None:
        splits["train"] = stratified_sample(splits["train"], min(size, available), params["data.seed"])

    # The test windows lie apart, so that a stage which does not depend on that file cannot peek.
    save("data/windows.npz", train=splits["train"], validation=splits["validation"])
    save("data/test.npz", test=splits["test"])
    summaries = {name: summary(split) for name, split in splits.items()}
    write_metrics("data/summary.json", {"train_windows_available": available, **summaries})
    for name, facts in summaries.items():
        say(
            f"{name:10} subjects {facts['subjects']}: {facts['windows']} windows, "
            f"{facts['class_1_share']:.1%} are {positive}"
        )


if __name__ == "__main__":
    main()
