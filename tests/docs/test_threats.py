"""What docs/THREATS.md says plainly, shown plainly."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`(tests/[\w/.-]+\.py)::(\w+)`")


def test_every_test_that_it_names_is_there() -> None:
    named = NAMED.findall((ROOT / "docs" / "THREATS.md").read_text())
    assert len(named) >= 10
    missing = [f"{file}::{name}" for file, name in named if f"def {name}(" not in (ROOT / file).read_text()]
    assert not missing


def test_nothing_is_unpickled() -> None:
    loads = re.compile(r"^\s*(import|from) (pickle|shelve|dill|joblib|torch)\b", re.MULTILINE)
    assert not [path for path in (ROOT / "src").rglob("*.py") if loads.search(path.read_text())]


def test_what_is_recorded(tmp_path: Path) -> None:
    """Commands, parameters and output are; environment variables are not."""
    (tmp_path / "pinyon.yaml").write_text(
        'stages:\n  one:\n    cmd: echo in-command > out; echo in-output; test -n "$CANARY"\n'
        "    params: [token]\n    outs: [out]\n"
    )
    (tmp_path / "params.yaml").write_text("token: in-params\n")
    env = {**os.environ, "CANARY": "in-environment", "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-m", "pinyon.cli", "run"], cwd=tmp_path, env=env, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    files = [path for path in (tmp_path / ".pinyon").rglob("*") if path.is_file()]
    kept = b"".join(path.read_bytes() for path in files)
    assert [word for word in (b"in-command", b"in-params", b"in-output") if word not in kept] == []
    assert b"in-environment" not in kept
