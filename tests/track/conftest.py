"""Places to track in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tracked import Place, attempts

from pinyon.store.recover import recover
from pinyon.track import current
from pinyon.track.running import Run


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Place]:
    """Scripts there are started by nobody of ours."""
    yield (one := Place(tmp_path / "project"))
    recover(str(one.store.root))  # shared memory is not the test's own


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Scripts there are an attempt."""
    yield (one := Place(tmp_path / "project", attempts(1)[0]))
    recover(str(one.store.root))


@pytest.fixture
def inside(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Run]]:
    """Makes this very process the attempt; more in its environment by keyword."""
    monkeypatch.setattr(current, "_current", None)

    def begin(**env: Any) -> Run:
        for name, value in {**place.of(place.attempt), **env}.items():
            monkeypatch.setenv(name, value)
        return current.run()

    yield begin
    current._finish()
