"""A store, and chance that can be repeated."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from pinyon.store.local import LocalStore


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """A new store on disk."""
    made = LocalStore(tmp_path / "store")
    made.prepare("test")
    return made


@pytest.fixture
def rng() -> random.Random:
    """Seeded by PINYON_SEED, else anew; pytest shows the seed of a test that fails."""
    seed = int(os.environ.get("PINYON_SEED") or random.SystemRandom().randrange(2**32))
    print(f"PINYON_SEED={seed}")
    return random.Random(seed)
