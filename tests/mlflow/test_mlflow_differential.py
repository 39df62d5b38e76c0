"""Small scripts give the same answers on ``sqlite://`` and on ``pinyon://``, but for what docs/mlflow.md lists."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

_SCRIPTS = Path(__file__).parent / "scripts"
_PAGE = Path(__file__).resolve().parents[2] / "docs/mlflow.md"
_ROW = re.compile(
    r"^\| `(?P<script>\w+)` \| (?P<sqlite>.+?) \| (?P<pinyon>.+?) \| (?P<why>.+?) \|$", re.MULTILINE
)


@pytest.fixture(scope="module")
def answers(
    mlflow_python: str, mlflow_env: dict[str, str], database: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """By kind of store and script."""
    folder = tmp_path_factory.mktemp("answers")
    found = {}
    for kind in ("sqlite", "pinyon"):
        (folder / kind).mkdir()
        file = folder / f"{kind}.json"
        command = [mlflow_python, _SCRIPTS / "answers.py", kind, database, folder / kind, file]
        done = subprocess.run(command, env=mlflow_env, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        found[kind] = json.loads(file.read_text())
    return found


def _differ(one: Any, other: Any, where: str = "") -> list[tuple[str, Any, Any]]:
    """Where two answers differ, and how."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = sorted({*one, *other})
        return [row for name in names for row in _differ(one.get(name), other.get(name), f"{where}.{name}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [row for at, pair in pairs for row in _differ(*pair, f"{where}[{at}]")]
    return [] if one == other and type(one) is type(other) else [(where, one, other)]


def test_answers_are_those_of_sqlite_but_for_the_listed_ones(answers: dict[str, dict[str, Any]]) -> None:
    sqlite, pinyon = answers["sqlite"], answers["pinyon"]
    assert len(sqlite) >= 60
    assert {
        name: told["where"] for name, told in sqlite.items() if isinstance(told, dict) and "raised" in told
    } == {}
    listed = {row["script"] for row in _ROW.finditer(_PAGE.read_text())}
    found = {name: rows for name in sqlite if (rows := _differ(sqlite[name], pinyon.get(name)))}
    assert {name: rows for name, rows in found.items() if name not in listed} == {}
    assert listed - found.keys() == set(), "listed as different, but they are not"


def test_a_listed_difference_is_what_the_page_says(answers: dict[str, dict[str, Any]]) -> None:
    rows = list(_ROW.finditer(_PAGE.read_text()))
    assert len(rows) >= 3
    for row in rows:
        differences = _differ(answers["sqlite"][row["script"]], answers["pinyon"][row["script"]])
        told = {
            kind: json.dumps([pair[at] for pair in differences])
            for kind, at in (("sqlite", 1), ("pinyon", 2))
        }
        for kind, text in told.items():
            words = re.findall(r"`([^`]+)`", row[kind])
            assert words, row[0]
            assert [word for word in words if word not in text] == [], (row["script"], kind, text)
