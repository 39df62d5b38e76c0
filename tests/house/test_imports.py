"""The rooms keep their order, and both checks catch an import that breaks it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

CONTRACT_BREAKS = {
    "upwards": ("store/bad.py", "import pinyon.cli", "pinyon.store is not allowed to import pinyon.cli"),
    "sideways": (
        "capture/bad.py",
        "import pinyon.spec",
        "pinyon.capture is not allowed to import pinyon.spec",
    ),
    "lazily": (
        "spec/bad.py",
        "def f():\n    import pinyon.plan",
        "pinyon.spec is not allowed to import pinyon.plan",
    ),
    "testing": ("cli/bad.py", "import pinyon.testing", "pinyon.cli is not allowed to import pinyon.testing"),
    "undeclared": ("attic/bad.py", "", "attic"),
}
TABLE_BREAKS = {
    "a library elsewhere": ("model/bad.py", "import yaml", "yaml may be imported by spec,"),
    "a part of it, lazily": (
        "plan/bad.py",
        "def f():\n    from rich.table import Table",
        "rich may be imported by cli",
    ),
    "a library in no row": ("cli/bad.py", "import requests", "requests is in no row"),
    "sqlite3 is a row too": ("spec/bad.py", "import sqlite3", "sqlite3 may be imported by"),
    "plan reads the clock": ("plan/bad.py", "import time", "plan/ is pure, so it cannot import time"),
    "plan walks paths": ("plan/bad.py", "from os import path", "plan/ is pure, so it cannot import os"),
    "plan opens a file": ("plan/bad.py", "open('x')", "plan/ is pure, so it cannot call open()"),
    "plan looks into a store": (
        "plan/bad.py",
        "from ..store import x",
        "plan/ imports only errors, model, plan",
    ),
    "and by another way": (
        "plan/bad.py",
        "from pinyon import spec",
        "plan/ imports only errors, model, plan",
    ),
}
TABLE_HOLDS = {
    "the pure third party": ("plan/good.py", "import blake3, json, math\nfrom pinyon.model import ids"),
    "a library in its room": ("spec/deep/good.py", "from yaml import CSafeLoader"),
    "a neighbour": ("plan/deep/good.py", "from ..actions import Wait\nfrom . import other"),
    "a method called open": ("plan/good.py", "def f(x): return x.open()"),
}


@pytest.fixture
def copy(tmp_path):
    """A copy of the source in which every room of the contract exists."""
    package = tmp_path / "src" / "pinyon"
    shutil.copytree(ROOT / "src" / "pinyon", package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return package


def add(package, path, text):
    file = package / path
    file.parent.mkdir(parents=True, exist_ok=True)
    for room in {file.parent, *(package / name for name in ("capture", "cli", "plan", "spec", "testing"))}:
        room.mkdir(exist_ok=True)
        (room / "__init__.py").touch()
    file.write_text(text + "\n")


def lint(package):
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    env = {"PYTHONPATH": str(package.parent), "PATH": "/usr/bin:/bin", "COLUMNS": "200"}
    return subprocess.run(command, cwd=package.parents[1], env=env, capture_output=True, text=True)


def tables(package):
    command = [sys.executable, ROOT / "scripts" / "check_imports.py", package]
    return subprocess.run(command, capture_output=True, text=True)


def test_this_source_keeps_the_contract(copy):
    result = lint(copy)
    assert result.returncode == 0, result.stdout + result.stderr


def test_this_source_keeps_the_tables():
    result = tables(ROOT / "src" / "pinyon")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("case", CONTRACT_BREAKS)
def test_the_contract_catches(case, copy):
    path, text, message = CONTRACT_BREAKS[case]
    add(copy, path, text)
    result = lint(copy)
    assert result.returncode == 1, result.stderr
    assert message in result.stdout


@pytest.mark.parametrize("case", TABLE_BREAKS)
def test_the_tables_catch(case, tmp_path):
    path, text, message = TABLE_BREAKS[case]
    add(tmp_path, path, text)
    result = tables(tmp_path)
    assert result.returncode == 1, result.stderr
    assert f"{path}:" in result.stdout
    assert message in result.stdout


@pytest.mark.parametrize("case", TABLE_HOLDS)
def test_the_tables_allow(case, tmp_path):
    add(tmp_path, *TABLE_HOLDS[case])
    result = tables(tmp_path)
    assert result.returncode == 0, result.stdout
