"""What nobody can go below: the interpreter, the libraries, a shell and a copy."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial

from bench.measure import Row, cost_of, cpu_row, interleave
from bench.projects import CONTENT
from bench.settings import Settings

_PYTHON = {
    "python -c pass": "pass",
    "… import click": "import click",
    "… import sqlite3": "import sqlite3",
    "… import yaml": "import yaml",
    "… import blake3": "import blake3",
    "… import json": "import json",
}


def floor(settings: Settings) -> Iterator[Row]:
    """The floor"""
    folder = settings.folder("floor")
    (folder / "a").write_text(CONTENT)
    commands = {name: [sys.executable, "-c", code] for name, code in _PYTHON.items()}
    commands |= {"cp a b": ["cp", "a", "b"], "sh -c 'cp a b'": ["sh", "-c", "cp a b"]}
    contenders = {name: partial(cost_of, command, folder) for name, command in commands.items()}
    for name, costs in interleave(settings.rounds * 2, contenders).items():
        yield cpu_row(name, costs)
