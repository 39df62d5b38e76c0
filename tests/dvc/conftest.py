"""DVC itself, as the oracle: in an environment of its own, so that its forty libraries stay out of ours."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_HERE = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def dvc_python() -> str:
    """A Python that can import dvc: `PINYON_DVC`, else what scripts/setup-dvc has made."""
    python = os.environ.get("PINYON_DVC") or str(_HERE / ".venv-dvc/bin/python")
    assert os.access(python, os.X_OK), f"{python} is not there; make it: scripts/setup-dvc"
    return python


@pytest.fixture(scope="session")
def dvc_env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which DVC keeps everything of its own away from the user's."""
    own = tmp_path_factory.mktemp("dvc-own")
    return {
        **os.environ,
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(own / "site"),
        "DVC_GLOBAL_CONFIG_DIR": str(own / "global"),
        "DVC_SYSTEM_CONFIG_DIR": str(own / "system"),
    }
