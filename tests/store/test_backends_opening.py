"""Which place a URL names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pinyon.errors import SpecError
from pinyon.store.backends import open_objects


def test_an_unknown_scheme_is_told_with_the_nearest():
    with pytest.raises(SpecError, match=r"no store has the scheme fiel://.*did you mean file://\?"):
        open_objects("fiel:///x", {})
    with pytest.raises(SpecError, match="install the package"):
        open_objects("qqqqqq://x", {})


def test_other_packages_bring_schemes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    info = tmp_path / "shelf-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shelf\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[pinyon.stores]\nshelf = shelves:open_shelf\n")
    (tmp_path / "shelves.py").write_text("def open_shelf(url, options):\n    return url, dict(options)\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert open_objects("shelf://top", {"row": "3"}) == ("shelf://top", {"row": "3"})
    with pytest.raises(SpecError, match="shelf://"):
        open_objects("shlef://top", {})


def test_a_password_in_a_url_is_refused_and_not_repeated():
    with pytest.raises(SpecError, match="holds a password") as caught:
        open_objects("ssh://me:hunter2@host/x", {})
    assert "hunter2" not in repr(caught.value.as_dict())


def test_no_client_is_imported_before_its_scheme_is_named():
    code = "import sys, pinyon.store.backends as b; b.open_objects('/tmp', {}); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"obstore", "huggingface_hub", "importlib.metadata"} & {*loaded.stdout.split()}
