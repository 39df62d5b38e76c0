"""Examples are the same at every run, and a busy machine is no failure. Beside that: an index over journals in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from journals import MemoryJournals
from stores import Told

from pinyon.query.index import Index

settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
settings.load_profile("repeatable")


@pytest.fixture
def journals() -> MemoryJournals:
    return MemoryJournals()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "index.sqlite"


@pytest.fixture
def index(path: Path, journals: MemoryJournals) -> Iterator[Index]:
    found = Index(path, journals)
    yield found
    found.close()


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    found = Told(tmp_path)
    yield found
    found.close()
