"""The benchmarks run; what they measure is nobody's business here."""

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[2]


def bench(scratch, *arguments):
    """Run `python -m bench` at size 5 with no peers in sight but make."""
    env = {**os.environ, "PATH": os.defpath}
    env.pop("PINYON_BENCH_PEERS", None)
    command = [
        sys.executable,
        "-m",
        "bench",
        "--size",
        "5",
        "--rounds",
        "2",
        "--scratch",
        scratch,
        *arguments,
    ]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)


def test_growth_is_drawn_from_what_is_recorded(tmp_path):
    results = json.loads((ROOT / "bench" / "results.json").read_text())
    command = [sys.executable, "-m", "bench.picture", str(tmp_path / "drawn.svg")]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    svg = (tmp_path / "drawn.svg").read_text()
    assert (ROOT / "docs" / "img" / "growth.svg").read_text() == svg
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    sizes = {row["what"].split(", ")[-1] for row in results["growth"]["rows"]}
    assert len(sizes) >= 3
    assert svg.count("<polyline") == 3


def test_a_small_case_prints_a_table_records_it_and_leaves_nothing_behind(tmp_path):
    scratch, record = tmp_path / "scratch", tmp_path / "record"
    scratch.mkdir()
    record.mkdir()
    ran = bench(scratch, "store", "change", "--record", record)
    assert ran.returncode == 0, ran.stderr
    assert "| journal, append | µs | 2 |" in ran.stdout
    assert "pinyon ÷ make" in ran.stdout
    page = (record / "RESULTS.md").read_text()
    assert "## change" in page
    assert "| doit |  |  |  |  |  |  |  | not installed |" in page
    assert str(tmp_path) not in page
    rows = json.loads((record / "results.json").read_text())["store"]["rows"]
    assert all(len(row["values"]) >= 1 for row in rows)
    assert list(scratch.iterdir()) == []


def test_an_unknown_case_is_refused_by_name(tmp_path):
    ran = bench(tmp_path, "nope")
    assert ran.returncode == 2
    assert "no case nope; there are floor, noop, cold" in ran.stderr
