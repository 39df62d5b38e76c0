"""A project in a directory, and the same in a git repository."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from databench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "project")
    yield made
    made.stats.close()


@pytest.fixture
def tracked(bench: Bench) -> Bench:
    """The same in a repository of its own."""
    bench.git("init", "-q")
    return bench
