from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pinyon.errors import SpecError
from pinyon.model.project import Project
from pinyon.spec.load import load_project

Load = Callable[..., Project]
Complain = Callable[..., str]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Write project files, given as keywords (dvc, pinyon), and load them."""

    def write_and_load(**texts: str | bytes) -> Project:
        for name, text in texts.items():
            (tmp_path / f"{name}.yaml").write_bytes(text.encode() if isinstance(text, str) else text)
        return load_project(tmp_path)

    return write_and_load


@pytest.fixture
def complain(load: Load) -> Complain:
    """The whole message that loading ends with."""

    def message(**texts: str | bytes) -> str:
        with pytest.raises(SpecError) as caught:
            load(**texts)
        assert caught.value.exit_code == 2
        return str(caught.value)

    return message
