"""Tables of a store that an older release compacted: ``project-2`` is format 1 before points were summed up.

It is never to be written again.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest

from pinyon.errors import FormatVersionError

OLD = Path(__file__).parent / "project-2"
SUMMARY = "select run, metric, last, text, min, max, n, nan from summary order by all"
RUNS = ("r-c5d588581862c026", "r-df6a9839b3b9e263")
EXPECTED = [
    row
    for run, lr in zip(RUNS, (0.1, 0.2), strict=True)
    for row in (
        [run, "accuracy", 1 - lr, None, None, None, 0, 0],
        [run, "loss", lr / 20, None, lr / 20, lr, 20, 0],
        [run, "odd", "NaN", None, 0.0, 18.0, 20, 10],
        [run, "words", None, "fine", None, None, 0, 0],
    )
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "study"
    shutil.copytree(OLD, root)
    (root / "store").rename(root / ".pinyon")
    return root


def call(root: Path, *words: str, code: int = 0) -> str:
    argv = [sys.executable, "-m", "pinyon.cli", *words]
    done = subprocess.run(argv, cwd=root, capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr
    return done.stdout if code == 0 else done.stderr


def rows(root: Path, sql: str) -> list[list[Any]]:
    return [list(row.values()) for row in json.loads(call(root, "query", sql, "--json"))]


def test_a_store_that_an_older_release_compacted_is_read_and_compacted_further(project: Path) -> None:
    curve = "select run, step, t, value from points where metric = 'loss' order by all"
    before = rows(project, curve)
    assert len(before) == 40
    assert rows(project, SUMMARY) == EXPECTED
    assert rows(project, "from media") == []
    assert "loss: 20 points" in call(project, "history", RUNS[0], "loss")
    best = json.loads(call(project, "runs", "--sort", "loss.min", "--limit", "1", "--json"))
    assert best[0]["run"] == RUNS[0]
    # More points, so that the next compaction has something to do beside the old file.
    [segment, _] = sorted((project / ".pinyon/journals").glob("*.points.0.jsonl"))
    again = segment.with_name(segment.name.replace(".points.0.", ".points.1."))
    lines = [line for line in segment.read_bytes().splitlines(keepends=True) if b'"flush"' not in line]
    data = b"".join(lines).replace(b'"loss"', b'"more"')
    end = {
        "v": 1,
        "flush": 9,
        "crc": f"{zlib.crc32(data):08x}",
        "lines": len(lines),
        "writer": segment.name.split(".")[0],
    }
    again.write_bytes(data + json.dumps(end).encode() + b"\n")
    call(project, "compact")
    assert rows(project, curve) == before
    assert rows(project, "select distinct metric from points order by 1") == [["loss"], ["more"], ["odd"]]
    run = next(row[0] for row in rows(project, "select run from summary where metric = 'more'"))
    odd = [row for row in rows(project, SUMMARY) if row[:2] != [run, "odd"]]
    assert [row for row in odd if row[1] != "more"] == [row for row in EXPECTED if row[:2] != [run, "odd"]]
    assert json.loads(call(project, "verify", "--json")).get("damage", []) == []


def test_a_store_of_a_newer_format_is_read_and_never_written_to(project: Path) -> None:
    (project / "train.py").touch()
    file = project / ".pinyon" / "format.json"
    file.chmod(0o644)
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": 2}))
    before = {path: path.read_bytes() for path in (project / ".pinyon").rglob("*") if path.is_file()}
    assert rows(project, SUMMARY) == EXPECTED
    assert RUNS[0] in call(project, "runs")
    assert "loss: 20 points" in call(project, "history", RUNS[0], "loss")
    for words in (("compact",), ("runs", "--save", "x"), ("query", "--save", "x", "from runs"), ("run",)):
        assert "has format 2, this Pinyon writes 1" in call(
            project, *words, code=FormatVersionError.exit_code
        )
    kept = {path: path.read_bytes() for path in (project / ".pinyon").rglob("*") if path.is_file()}
    caches = (project / ".pinyon/cache", project / ".pinyon/locks", project / ".pinyon/tmp")
    assert {k: v for k, v in kept.items() if not any(k.is_relative_to(c) for c in caches)} == before
