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


def test_only_resume_unpickles() -> None:
    loads = re.compile(
        r"^\s*(import|from) (pickle|shelve|dill|joblib|torch)\b|import_module\(.torch", re.MULTILINE
    )
    found = [path.name for path in (ROOT / "src").rglob("*.py") if loads.search(path.read_text())]
    assert found == ["checkpoint.py"]
    users = re.compile(r"(import|from) pinyon\.track\.checkpoint\b|from pinyon\.track import .*checkpoint")
    assert [path.name for path in (ROOT / "src").rglob("*.py") if users.search(path.read_text())] == [
        "running.py"
    ]


def test_what_is_recorded(tmp_path: Path) -> None:
    """Commands, parameters, arguments and output are; environment variables are not."""
    command = 'echo in-command > out; echo in-output; test -n "$CANARY"'
    (tmp_path / "pinyon.yaml").write_text(
        f"stages:\n  one:\n    cmd: {command}\n    params: [token, other]\n    outs: [out]\n"
    )
    (tmp_path / "params.yaml").write_text("token: in-params\nother: x\n")
    env = {**os.environ, "CANARY": "in-environment", "PYTHONPATH": str(ROOT / "src")}
    call = [sys.executable, "-m", "pinyon.cli", "run", "-S", "other=in-arguments"]
    done = subprocess.run(call, cwd=tmp_path, env=env, capture_output=True)
    assert done.returncode == 0, done.stderr
    files = [path for path in (tmp_path / ".pinyon").rglob("*") if path.is_file()]
    kept = b"".join(path.read_bytes() for path in files)
    words = (b"in-command", b"in-params", b"in-arguments", b"in-output", os.fsencode(tmp_path))
    assert [word for word in words if word not in kept] == []
    assert b"in-environment" not in kept
