"""SIGKILL before every system call of a compaction: the tables are what they were, and the next one finishes the job."""

# ruff: noqa: T201 - the test prints its load

from __future__ import annotations

import json
import zlib
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from test_data_kill import every_call

from pinyon.query.compact import compact
from pinyon.query.cover import told
from pinyon.query.index import Index
from pinyon.query.tables import Tables
from pinyon.store.local import LocalStore
from pinyon.sync.verify import verify


def fill(root: Path) -> None:
    store = LocalStore(root / ".pinyon")
    store.prepare("p")
    writer = store.journals.open_writer(project="p")
    for number in range(5):
        writer.append("noted", {"attempt": "a-1", "text": f"note {number}"})
    writer.close()
    for number in range(3):
        data = (
            json.dumps({"v": 1, "attempt": "a-1", "t": 0, "step": number, "m": {"loss": number}}).encode()
            + b"\n"
        )
        flush = {"v": 1, "flush": 0, "crc": f"{zlib.crc32(data):08x}", "lines": 1, "writer": f"w-{number}"}
        path = store.root / "journals" / f"w-{number}.points.0.jsonl"
        path.write_bytes(data + json.dumps(flush).encode() + b"\n")


def rows(root: Path) -> list[str]:
    store = LocalStore(root / ".pinyon")
    with ExitStack() as stack:
        index = stack.enter_context(closing(Index(root / "index.sqlite", store.journals)))
        index.catch_up()
        connection = Tables(store, index, ["points", "events"], stack).connection
        found = connection.execute("from points").fetchall() + connection.execute("from events").fetchall()
    return sorted(map(repr, found))


@pytest.mark.slow
def test_compaction_killed_anywhere(tmp_path: Path) -> None:
    def check(root: Path) -> None:
        assert rows(root) == expected
        assert verify(LocalStore(root / ".pinyon")).damage == ()
        compact(LocalStore(root / ".pinyon"))
        assert rows(root) == expected
        assert len(told(LocalStore(root / ".pinyon")).parts) == 2

    expected: list[str] = []

    def prepare(root: Path) -> None:
        fill(root)
        expected.extend(rows(root))
        (root / "index.sqlite").unlink()

    calls = every_call(tmp_path, prepare, lambda root: compact(LocalStore(root / ".pinyon")), check)
    print(f"{calls} kills")
    assert calls >= 20
