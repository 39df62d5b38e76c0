"""Volume: 100,000 metrics in one run, a million points, strings of 10 MB, names of 10,000 characters, NaN and infinities
everywhere. Every reader answers, in less than 1 GB, and the runs beside it are shown."""

# ruff: noqa: T201 - the test prints its load

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from test_tables_rot import attempt

from pinyon.store.local import LocalStore
from pinyon.store.points import Point, PointsWriter

DEEP = os.environ.get("PINYON_FAULTS") == "deep"
METRICS = 1_000_000 if DEEP else 100_000
MEMORY = 2048 if DEEP else 1024  # MB; what is not compacted yet is read by ourselves
LINES = 1_000_000 if DEEP else 100_000  # of ten metrics each
LONG = "ñ" * 10_000
STRING = "x" * (10 << 20)
ODD = [math.nan, math.inf, -math.inf, 1e308, -1e-320, 0.0]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("volume")
    (folder / "pinyon.yaml").write_text("stages:\n  train: {cmd: 'true'}\n")
    store = LocalStore(folder / ".pinyon")
    store.prepare("p")
    driver = store.journals.open_writer(project="p")
    for number in range(3):
        attempt(store, driver, number, range(2))
    writer = PointsWriter(str(store.root / "journals"), "w-wide")
    for step in range(2):
        writer.write([Point(step, 0.1, step, {f"m{n}": float(n) for n in range(METRICS)})], "a-0")
    writer.write([Point(2, 0.1, 2, {LONG: 1.0, **{f"odd{n}": odd for n, odd in enumerate(ODD)}})], "a-0")
    writer = PointsWriter(str(store.root / "journals"), "w-long")
    for at in range(0, LINES, 1000):
        points = [Point(n, n / 8, n, {f"k{k}": ODD[(n + k) % 6] if k > 4 else n / 7 for k in range(10)})
                  for n in range(at, at + 1000)]  # fmt: skip
        writer.write(points, "a-1")
    driver.append("noted", {"attempt": "a-2", "text": STRING})
    driver.append("summary", {"attempt": "a-2", "values": {"words": STRING, LONG: math.nan, "top": math.inf}})
    driver.append("tagged", {"attempt": "a-2", "tags": {"big": STRING, LONG: LONG}})
    driver.close()
    return folder


def call(root: Path, *words: str) -> tuple[str, int]:
    """What a command prints, and the most memory that it needed, in MB."""
    code = (
        "import resource, subprocess, sys; done = subprocess.run([sys.executable, '-m', 'pinyon.cli', *sys.argv[1:]]);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024, file=sys.stderr);"
        "sys.exit(done.returncode)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=root, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-1000:]
    return done.stdout, int(done.stderr.splitlines()[-1])


def test_every_reader_answers_in_little_memory(root: Path) -> None:
    needed: dict[str, int] = {}

    def ask(*words: str) -> Any:
        text, needed[f"{words[0]} {len(needed)}"] = call(root, *words)
        return text

    def sql(text: str) -> list[Any]:
        return [list(row.values()) for row in json.loads(ask("query", text, "--json", "--timeout", "120"))]

    expected = 3 * 4 + 2 * METRICS + 1 + len(ODD) + 10 * LINES
    assert len(json.loads(ask("runs", "--json"))) == 3
    assert "r-" in ask("runs", "--where", "tag.big ~ xxx", "--columns", "run,top")
    for _ in range(2):  # of journals, and of Parquet
        assert sql("select count(*), count(distinct metric) from points") == [[expected, METRICS + 19]]
        assert sql("select count(*), sum(n)::bigint, sum(nan)::bigint from summary where n > 0") == [
            [METRICS + 23, expected, 7 + 5 * LINES // 6 + (5 * LINES % 6 > 2)]
        ]
        assert sql(f"select length(metric), last from summary where metric = '{LONG}' and n > 0") == [
            [10_000, 1.0]
        ]
        history = ask("history", "a-1", "k0")
        assert f"k0: {LINES} points" in history
        ask("compact")
    ask("status")
    print(f"{expected} points, {METRICS} metrics; MB: {needed}")
    assert max(needed.values()) <= MEMORY


SCRIPT = """
import pinyon
with pinyon.run(name="train") as run:
    for n in range(100_500):
        run.log({f"m{n}": 1.0}, step=n)
    run.log({f"w{n}": 1.0 for n in range(1000)} | {"m0": 2.0}, step=1)
    run.note("x" * (10 << 20))
    run.tag("t" * 10_000, big="x" * (10 << 20))
    run.summary["words"] = "x" * (10 << 20)
    run.use({"p" * 10_000: ["x" * (10 << 20)]})
with pinyon.run(name="other") as run:
    for end in "ab":
        run.log({"n" * 10_000 + end: 1.0, "m": 1.0}, step=0)
print("trained")
"""


def test_what_a_script_says_is_kept_within_caps_and_training_goes_on(tmp_path: Path) -> None:
    (tmp_path / "pinyon.yaml").write_text("stages:\n  train: {cmd: 'true'}\n  other: {cmd: 'true'}\n")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stdout) == (0, "trained\n"), done.stderr[-1000:]
    said = [line for line in done.stderr.splitlines() if "are the most" in line or "is cut" in line]
    # Of the first run names, texts and metrics, of the second names.
    assert len(said) == 4, done.stderr[-2000:]
    rows = json.loads(
        call(
            tmp_path,
            *("query", "--json", "--timeout", "120"),
            "select r.stage, count(*) as points, count(distinct metric) as metrics, max(length(metric)) as longest "
            "from points join runs r using (run) where regexp_matches(metric, '^([mw][0-9]*|nnn.*)$') "
            "group by 1 order by 1",
        )[0]
    )
    assert [list(row.values()) for row in rows] == [
        ["@other", 4, 3, 500],
        ["@train", 100_001, 100_000, 6],
    ]
    [run] = json.loads(call(tmp_path, "runs", "--stage", "@train", "--json")[0])
    assert run["metrics"]["words"] == "x" * 999_999 + "…"
    assert sorted(map(len, run["tags"])) == [3, 500]
    assert len(run["tags"]["big"]) == 1_000_000
    journals = sum(path.stat().st_size for path in (tmp_path / ".pinyon" / "journals").glob("*.facts.*"))
    print(f"100,500 metrics, 40 MB of text: {journals} bytes of facts")
    assert journals < 8 << 20
