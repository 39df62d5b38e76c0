"""From recordings of a smart watch to labelled windows, split by the people who wore it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import distribution
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np

DATASET = "seglearn/data/watch_dataset.npy"
DATASET_SHA256 = "eb122f23cdf06ef6bd6c6c5312958ec5cf9d038e2e6d457b8081662c75a42537"

# Neighbours look recorded together, so a pair is never divided between two splits. Fold k has the
# k-th pair, from 0, for validation, and the next one for the test.
PAIRS = ((1, 2), (3, 4), (5, 6), (7, 10), (8, 9))


class Recording(NamedTuple):
    """One person doing one exercise about 20 times."""

    signal: np.ndarray  # (samples, 6) float64 at 50 Hz: acceleration x y z, rotation rate x y z
    subject: int
    exercise: str


class Windows(NamedTuple):
    """n windows of equal length; row i of every array is about the same window."""

    x: np.ndarray  # (n, steps, 6) float32, in the sensor's units
    y: np.ndarray  # (n,) int64, 1 = the exercise looked for
    subject: np.ndarray  # (n,) int64
    recording: np.ndarray  # (n,) int64; windows of one recording overlap and are not independent

    def take(self, rows: np.ndarray) -> Windows:
        return Windows(*(column[rows] for column in self))


def load_recordings() -> list[Recording]:
    """The 140 recordings that seglearn ships, found without importing it (that needs scikit-learn)."""
    raw = Path(str(distribution("seglearn").locate_file(DATASET))).read_bytes()
    # numpy stored a pickle, which can run code when read: open exactly the file we know.
    if (digest := hashlib.sha256(raw).hexdigest()) != DATASET_SHA256:
        raise ValueError(f"{DATASET} has digest {digest}, expected that of seglearn 1.2.5")
    stored = np.load(BytesIO(raw), allow_pickle=True).item()
    columns = zip(stored["X"], stored["subject"], stored["y"], strict=True)
    return [Recording(x, int(s), stored["y_labels"][int(y)]) for x, s, y in columns]


def split_subjects(fold: int) -> dict[str, set[int]]:
    """Subjects of train, validation and test in fold 0 to 4: people and pairs are never divided."""
    if fold not in range(len(PAIRS)):
        raise ValueError(f"data.fold is {fold!r}; the {len(PAIRS)} folds are 0 to {len(PAIRS) - 1}")
    validation, test, *train = (set(PAIRS[(fold + i) % len(PAIRS)]) for i in range(len(PAIRS)))
    return {"train": set().union(*train), "validation": validation, "test": test}


def cut(
    recordings: Sequence[Recording], subjects: set[int], positive: str, window: int, stride: int, pool: int
) -> Windows:
    """Every full window of these subjects; `window`, `stride` and `pool` count samples."""
    if window % pool:
        raise ValueError(f"data.window ({window}) must be a multiple of data.pool ({pool})")
    x, y, subject, recording = [], [], [], []
    for index, item in enumerate(recordings):
        if item.subject not in subjects:
            continue
        for start in range(0, len(item.signal) - window + 1, stride):
            steps = item.signal[start : start + window].reshape(window // pool, pool, -1)
            x.append(steps.mean(axis=1))
            y.append(item.exercise == positive)
            subject.append(item.subject)
            recording.append(index)
    return Windows(
        np.asarray(x, np.float32),
        np.asarray(y, np.int64),
        np.asarray(subject, np.int64),
        np.asarray(recording, np.int64),
    )


def stratified_sample(windows: Windows, size: int, seed: int) -> Windows:
    """`size` windows drawn without replacement, with the share of class 1 kept."""
    rng = np.random.default_rng(seed)
    ones = np.flatnonzero(windows.y == 1)
    zeros = np.flatnonzero(windows.y == 0)
    n_ones = round(size * len(ones) / len(windows.y))
    rows = np.concatenate(
        [rng.choice(ones, n_ones, replace=False), rng.choice(zeros, size - n_ones, replace=False)]
    )
    return windows.take(np.sort(rows))


def save(path: str, **splits: Windows) -> None:
    """Plain arrays named "train_x", "train_y", ... in one .npz; equal arrays give equal bytes."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        **{
            f"{name}_{field}": column
            for name, split in splits.items()
            for field, column in split._asdict().items()
        },
    )


def load(path: str, split: str) -> Windows:
    """One split of what `save` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        return Windows(*(stored[f"{split}_{field}"] for field in Windows._fields))
