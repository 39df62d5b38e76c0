"""Rot under queries: what is damaged is left out and named, `verify` finds all of it, and no value is ever a wrong one.

PINYON_SEED repeats a run; PINYON_FAULTS=deep flips ten times as many bits.
"""

# ruff: noqa: T201 - the test prints its load; nothing here is secret

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from pinyon.model.ids import this_process
from pinyon.query.compact import compact
from pinyon.query.cover import told
from pinyon.query.index import Index
from pinyon.query.sql import ask
from pinyon.query.views import save, views
from pinyon.store.local import LocalStore
from pinyon.store.points import Point, PointsWriter
from pinyon.sync.verify import verify

DEEP = os.environ.get("PINYON_FAULTS") == "deep"
FLIPS = 100_000 if DEEP else 10_000
ASKED = 600 if DEEP else 60  # of the flips, after which everything is asked
QUERIES = {
    "points": "select attempt, metric, step, t, value from points",
    "summary": "select run, metric, last, min, max, n, nan from summary",
    "runs": "select run, stage, status, attempt, tags from runs",
    "params": "select run, name, text from params",
    "refs": "select name, version, value from refs",
    "events": "select writer, seq, kind, body from events",
}


def fill(root: Path, runs: int = 4) -> LocalStore:
    """Runs with facts and points; half of the points lie in Parquet."""
    store = LocalStore(root / ".pinyon")
    store.prepare("p")
    driver = store.journals.open_writer(project="p")
    for number in range(runs):
        attempt(store, driver, number, range(10 if number else 1))
        if number == runs // 2:
            compact(store)
    driver.close()
    save(store, "best", "query", {"sql": "from runs"}, "person:u")
    save(store, "best", "query", {"sql": "from summary"}, "person:u")
    return store


def attempt(store: LocalStore, driver: Any, number: int, steps: range) -> None:
    key = f"{number:08x}" * 8
    about = {
        "attempt": f"a-{number}",
        "execution": "x-1",
        "project": "p",
        "root": "/",
        "key": key,
        "recipe": key,
    }
    how = {
        "stage": "train",
        "epoch": 1,
        "mode": "isolated",
        "supervisor": list(this_process()),
        "reason": "r",
    }
    inputs = {"command": ["exec", "x"], "params": [["params.yaml", "lr", number / 8]]}
    driver.append("intent", {**about, **how, "inputs": inputs})
    driver.append("outputs", {"attempt": f"a-{number}", "outs": [], "metrics": {"accuracy": number / 8}})
    driver.append("ended", {"attempt": f"a-{number}", "state": "SUCCEEDED", "seconds": 1.0, "reusable": True})
    trainer = store.journals.open_writer(project="p")
    trainer.append("tagged", {"attempt": f"a-{number}", "tags": {"n": str(number)}})
    writer = PointsWriter(str(store.root / "journals"), trainer.writer)
    for step in steps:
        writer.write(
            [Point(step, step / 8, step, {"loss": 1 / (step + 1), "odd": float("nan")})], f"a-{number}"
        )
    writer.close()
    trainer.close()


def everything(root: Path) -> tuple[dict[str, set[str]], list[str]]:
    """The rows of every query, spelled, and what was said to be left out."""
    store, found, notes = LocalStore(root / ".pinyon"), {}, []
    with ExitStack() as stack:
        index = stack.enter_context(closing(Index(root / f"{time.time_ns()}.sqlite", store.journals)))
        index.catch_up()
        for name, sql in QUERIES.items():
            with ask(store, index, sql) as answer:
                found[name] = {repr(row) for row in answer.rows}
                notes += answer.notes
    for path in root.glob("*.sqlite*"):
        path.unlink()
    return found, notes


def damages(store: LocalStore, path: Path) -> list[Any]:
    """What `verify` says of one file."""
    parts = path.relative_to(store.root).parts
    if parts[0] == "journals":
        return list(store.journals.verify(path.name))
    if parts[0] == "blobs":
        damage = store.blobs.verify(f"blake3:{parts[1]}{parts[2]}")
        return [damage] if damage else []
    return [one for one in store.refs.verify() if one.file.startswith(str(path.parent))]


def test_flipped_bits_are_found_and_never_become_a_value(tmp_path: Path) -> None:
    seed = int(os.environ.get("PINYON_SEED", time.time_ns() % 10**6))
    drawn = random.Random(seed)
    store = fill(tmp_path)
    right, notes = everything(tmp_path)
    assert notes == []
    assert verify(store).damage == ()
    files = sorted(
        path
        for kind in ("journals", "blobs", "refs")
        for path in (store.root / kind).rglob("*")
        if path.is_file()
    )
    assert {path.relative_to(store.root).parts[0] for path in files} == {"journals", "blobs", "refs"}
    originals = {path: path.read_bytes() for path in files}
    for path in files:
        path.chmod(0o644)
    found, asked = 0, 0
    for number in range(FLIPS):
        path = files[number % len(files)]
        data = bytearray(originals[path])
        at = drawn.randrange(len(data))
        data[at] ^= 1 << drawn.randrange(8)
        path.write_bytes(bytes(data))
        said = damages(store, path)
        assert said, (path, at, seed)
        # A batch with another number is seen where the next one begins.
        assert str(path.parent) in said[0].file, (said, at, seed)
        assert 0 <= said[0].offset <= at + 250, (said, at, seed)
        found += 1
        if number % (FLIPS // ASKED) == 0:
            asked += 1
            now, _ = everything(tmp_path)
            _compare(now, right, store, path, seed)
        path.write_bytes(originals[path])
    print(f"{found} flips in {len(files)} files found, {asked} times everything asked, PINYON_SEED={seed}")
    assert found >= 10_000
    assert everything(tmp_path)[0] == right


def _compare(
    now: dict[str, set[str]], right: dict[str, set[str]], store: LocalStore, path: Path, seed: int
) -> None:
    """Tables of single records and points only lose rows. What sums them up may say less, never of a wrong value."""
    for name in ("points", "refs", "events"):
        # A flush line that has rotted away leaves points that nobody vouches for; verify names them, as above.
        extra = now[name] - right[name]
        assert not extra, (name, extra, path, seed)
    for run in now["summary"]:
        _, metric, _, low, high, n, _ = eval(run, {"nan": float("nan")})
        if metric == "loss":
            assert 0.1 <= low <= high <= 1.0, (run, path, seed)
            assert n <= 10, (run, path, seed)
    assert store.describe()["format"] == 1


def test_a_view_that_has_rotted_hides_no_other(tmp_path: Path) -> None:
    store = fill(tmp_path)
    save(store, "other", "runs", {"where": "stage = train"}, "person:u")
    file = store.root / "refs" / "views%2Fbest" / "000002"
    file.chmod(0o644)
    file.write_bytes(file.read_bytes().replace(b"summary", b"simmary"))
    found, notes = views(store)
    assert [one.name for one in found] == ["other"]
    assert "views%2Fbest/000002" in notes[0]


@pytest.mark.parametrize("how", ["facts", "points", "blob"])
def test_one_unreadable_run_of_a_thousand(tmp_path: Path, how: str) -> None:
    runs = 1000
    (tmp_path / "pinyon.yaml").write_text("stages:\n  train: {cmd: 'true'}\n")
    store = LocalStore(tmp_path / ".pinyon")
    store.prepare("p")
    for number in range(runs):
        driver = store.journals.open_writer(project="p")
        attempt(store, driver, number, range(2))
        driver.append("closed", {})
    if how == "blob":
        compact(store)
    broken = _break(store, how)
    print(f"{runs} runs, one unreadable: {broken}")
    text, said = _call(tmp_path, "runs", "--all", "--json")
    assert len(json.loads(text)) == runs - (how == "facts")
    assert (broken in said) == (how == "facts")
    text, said = _call(tmp_path, "query", "select count(distinct run), count(*) from points", "--json")
    [counts] = json.loads(text)
    if how == "points":
        assert list(counts.values()) == [runs - 1, (runs - 1) * 4]
    else:
        assert list(counts.values())[1] == runs * 4
    assert broken in said
    text, _ = _call(tmp_path, "query", "select count(*) as n from runs", "--json")
    assert json.loads(text) == [{"n": runs - (how == "facts")}]
    assert _call(tmp_path, "runs", "--sort", "-loss.max", "--limit", "3", "--json")[0].count('"run":') == 3
    text, said = _call(tmp_path, "verify", "--json", code=5)
    assert broken in text
    _call(tmp_path, "status")


def _break(store: LocalStore, how: str) -> str:
    """Make one file unreadable; its name."""
    if how == "blob":
        [part] = [one for one in told(store).parts if one.table == "points"]
        path = store.blobs.path(part.blob)
        path.chmod(0o644)
        path.write_bytes(b"?" + path.read_bytes()[1:])
        return path.name
    names = store.journals.points() if how == "points" else store.journals.segments()
    found = [
        name for name in names if how == "points" or b'"a-7"' in (store.root / "journals" / name).read_bytes()
    ]
    name = next(
        one for one in found if how == "points" or b'"intent"' in (store.root / "journals" / one).read_bytes()
    )
    path = store.root / "journals" / name
    path.unlink()
    path.mkdir()
    return name


def _call(root: Path, *words: str, code: int = 0) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pinyon.cli", *words], cwd=root, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == code, done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def test_runs_and_query_name_a_journal_with_rotten_lines(tmp_path: Path) -> None:
    (tmp_path / "pinyon.yaml").write_text("stages:\n  train: {cmd: 'true'}\n")
    store = fill(tmp_path)
    assert "damaged" not in _call(tmp_path, "runs", "--json")[1]
    [name] = [
        one
        for one in store.journals.segments()
        if b'"a-3"' in (data := (store.root / "journals" / one).read_bytes()) and b'"intent"' in data
    ]
    path = store.root / "journals" / name
    lines = path.read_bytes().splitlines(keepends=True)
    for at in [number for number, line in enumerate(lines) if b'"outputs"' in line][1:3]:
        lines[at] = lines[at].replace(b"accuracy", b"acuuracy")
    path.write_bytes(b"".join(lines))
    for file in store.cache.glob("index-*"):  # a line that was read before it rotted is known
        file.unlink()
    for _ in range(2):  # the second time nothing is read again
        for words in (["runs", "--json"], ["query", "from runs", "--json"]):
            text, said = _call(tmp_path, *words)
            assert len(json.loads(text)) == 4
            assert f"{name} has 2 damaged lines" in said
    for at in range(3):  # new records count no line twice
        driver = store.journals.open_writer(project="p")
        attempt(store, driver, 10 + at, range(1))
        driver.close()
        assert f"{name} has 2 damaged lines" in _call(tmp_path, "runs", "--json")[1]


def test_rotten_last_lines_are_counted_once(tmp_path: Path) -> None:
    store = fill(tmp_path)
    driver = store.journals.open_writer(project="p")
    driver.append("tagged", {"attempt": "a-1", "tags": {"a": "1"}})
    with open(store.root / "journals" / f"{driver.writer}.facts.0.jsonl", "ab") as file:
        file.write(b"rotten\n")
    with closing(Index(tmp_path / "index.sqlite", store.journals)) as index:
        for _ in range(3):
            index.catch_up()
            [said] = index.unreadable
            assert "has 1 damaged line," in said
