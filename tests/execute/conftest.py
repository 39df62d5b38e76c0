"""The bench of this room's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from supervised import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "project")
    yield made
    made.target.close()
