"""Versions N−1, N and N+1 share one store (docs/FORMAT.md §12).

``project-1`` is a whole project as a released version left it, never to be written again: runs that succeeded and failed,
one that was forced, an isolated one, and one whose supervisor was killed in the middle. N+1 is made up here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pinyon.model.ids import host_name
from pinyon.query.index import Index
from pinyon.store.facts import chain
from pinyon.store.journal import LocalJournals
from pinyon.store.lines import decode, encode
from pinyon.store.local import LocalStore

OLD = Path(__file__).parent / "project-1"
READERS = ("plan", "status", "runs", "show train", "logs train", "verify", "doctor")


class Calls:
    """A copy of the old project, and the command on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(OLD, root)
        (root / "store").rename(root / ".pinyon")
        self.store = LocalStore(root / ".pinyon")

    def __call__(self, *words: str, code: int = 0) -> str:
        argv = [sys.executable, "-m", "pinyon.cli", *words]
        done = subprocess.run(argv, cwd=self.root, capture_output=True, text=True, timeout=60)
        assert done.returncode == code, (words, done)
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout if code == 0 else done.stderr

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json"))

    def rewrite(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Every record as another version would have written it, chained anew."""
        for path in (self.root / ".pinyon/journals").iterdir():
            prev, lines = chain(b""), []
            for line in path.read_bytes().splitlines():
                record = decode(line)
                assert record is not None
                del record["crc"]
                made = encode({**change(record), "prev": prev})
                prev = chain(made)
                lines.append(made + b"\n")
            path.write_bytes(b"".join(lines))

    def tree(self) -> dict[str, bytes]:
        """Every file but caches, and what a lock says of its holder."""
        found = {p.relative_to(self.root).as_posix(): p for p in self.root.rglob("*") if p.is_file()}
        skipped = (".pinyon/cache/", ".pinyon/locks/")
        return {name: path.read_bytes() for name, path in found.items() if not name.startswith(skipped)}


@pytest.fixture
def calls(tmp_path: Path) -> Calls:
    return Calls(tmp_path / "study")


@pytest.fixture
def here(calls: Calls) -> Calls:
    """The same as if it had been made on this machine, before it was last started."""

    def moved(record: dict[str, Any]) -> dict[str, Any]:
        return json.loads(json.dumps(record).replace('"workstation"', json.dumps(host_name())))

    calls.rewrite(moved)
    return calls


def test_what_the_version_before_wrote_is_read(calls):
    rows = {(row["stage"], row["status"], row["params"].get("train.lr")) for row in calls.json("runs")}
    assert rows == {
        ("prepare", "SUCCEEDED", None), ("train", "SUCCEEDED", 0.5), ("train", "SUCCEEDED", 0.25),
        ("train", "SUCCEEDED", 0.75), ("train", "UNKNOWN", 0.75), ("report", "SUCCEEDED", None),
    }  # fmt: skip
    report = calls.json("verify")
    assert (report["damage"], report["torn"], report["refs"]) == ([], [], 1)
    assert calls.json("status")["open"][0]["host"] == "workstation"
    about = calls.json("show", "report")
    assert [attempt["state"] for attempt in about["history"]] == ["FAILED", "SUCCEEDED"]
    assert about["actor"] == {"kind": "person", "name": "ana"}
    assert calls("logs", "train")


def test_and_gone_on_from(here):
    """The killed attempt is cleaned up, nothing that was made is made again, and what is new is written beside it."""
    old = {name: data for name, data in here.tree().items() if name.startswith(".pinyon/")}
    told = here.json("run", "-j", "2")
    assert {task["stage"]: task["verdict"] for task in told["tasks"]} == {
        "prepare": "unchanged", "train": "unchanged", "report": "run",
    }  # fmt: skip
    assert here.json("run")["counts"] == {}
    assert here.json("tick")["state"] == "done"
    assert here.json("plan", "-S", "train.lr=0.25", "train")["actions"] == []
    now = here.tree()
    kept = {name: data for name, data in old.items() if not name.startswith(".pinyon/aside/")}
    assert {name: now.get(name) for name in kept} == kept
    assert here.json("verify")["damage"] == []


def newer(record: dict[str, Any]) -> dict[str, Any]:
    """The record as a later release of the same format might write it: more fields everywhere, longer rows."""
    body = {**record["body"], "mood": {"new": [1, None]}, "x-later": "field"}
    if "outs" in body and record["kind"] == "outputs":
        body["outs"] = [[*row, "later", 7] for row in body["outs"]]
    if record["kind"] == "opened":
        body["process"] = [*body["process"], "cgroup"]
    if body.get("supervisor"):
        body["supervisor"] = [*body["supervisor"], "cgroup"]
    return {**record, "body": body, "trace": "0af7651916cd43dd"}


def test_more_fields_change_nothing(calls, tmp_path):
    def attempts(name: str) -> list[Any]:
        index = Index(tmp_path / name, LocalJournals(calls.store.root))
        index.catch_up()
        found = [a._replace(inputs={}) for a in index.attempts("key != ''")]
        index.close()
        return found

    before = attempts("before")
    calls.rewrite(newer)
    assert attempts("after") == before
    assert calls.json("verify")["damage"] == []


def grow(calls: Calls) -> dict[str, bytes]:
    """What a later release leaves beside: kinds, records, refs, directories, files and locks that nobody here knows."""
    store = calls.root / ".pinyon"
    writer = calls.store.journals.open_writer()
    writer.append("pinned", {"blobs": ["blake3:" + "1" * 64]})
    writer.append("ended", {"attempt": "a-later", "state": "HIBERNATED", "outs": {}})
    writer.append("hyperparameter-search", {"attempt": "a-later", "intent": {"key": 7}})
    segment = next(store.glob(f"journals/{writer.writer}.*"))
    last = segment.read_bytes().splitlines()[-1]
    later = {"v": 2, "who": "w", "kind": "ended", "body": ["not", "what", "you", "know"], "prev": chain(last)}
    with open(segment, "ab") as file:
        file.write(encode(later) + b"\n")
    calls.store.refs.set("studies/lr sweep", {"schema": 9, "cells": [[1, 2]]}, expect=0, actor="robot:r2")
    calls.store.refs.set("leases/tick/study", {"holder": "told in another way"}, expect=0)
    files = {
        "journals/w-9.points.0.arrow": b"ARROW1",
        "journals/w-9.audit.0.jsonl": b'{"v":3}\n',
        "indexes/by-metric/00": b"\0\1",
        "cache/index-99.sqlite": b"not sqlite",
        "cache/lease-tick": b'{"v":9}',
        "locks/driver": b'{"v":2,"process":{"host":"h","pid":1},"started":"2031-01-01","by":["x"]}',
        "locks/workspace-gpu-0": b"?",
        "later.toml": b"[x]\n",
    }
    for name, data in files.items():
        (store / name).parent.mkdir(parents=True, exist_ok=True)
        (store / name).write_bytes(data)
    return {
        f".pinyon/{name}": data for name, data in files.items() if not name.startswith(("cache/", "locks/"))
    }


def test_a_store_that_the_next_version_has_written_to_is_used_and_kept(here):
    here.rewrite(newer)
    strange = grow(here)
    before = here.tree()
    for verb in READERS:
        here(*verb.split())
    assert here.tree() == before
    told = here.json("run", "-j", "2")
    assert {task["stage"] for task in told["tasks"] if task["verdict"] == "run"} == {"report"}
    here("run", "-S", "train.lr=0.125", "train")
    after = here.tree()
    for name, data in {**strange, **before}.items():
        if name.startswith((".pinyon/journals/", ".pinyon/refs/", ".pinyon/blobs/")) or name in strange:
            assert after[name] == data, name
    assert (here.root / ".pinyon/cache/index-99.sqlite").read_bytes() == b"not sqlite"
    assert here.json("verify")["damage"] == []
    assert "studies/lr sweep" in here.store.refs.names()


def test_an_outcome_nobody_knows_is_no_success(here):
    def sleeping(record: dict[str, Any]) -> dict[str, Any]:
        if record["kind"] == "ended" and record["body"]["state"] == "SUCCEEDED":
            return {**record, "body": {**record["body"], "state": "HIBERNATED"}}
        return record

    here.rewrite(sleeping)
    assert not [row for row in here.json("runs") if row["status"] == "SUCCEEDED"]
    assert {task["verdict"] for task in here.json("plan")["tasks"]} == {"run"}


def test_a_driver_lock_of_a_newer_schema_is_respected(here):
    import fcntl

    grow(here)
    with open(here.root / ".pinyon/locks/driver", "rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        message = here("run", code=4)
    assert "another run is working" in message
    assert "kill 0" not in message


def test_a_newer_format_is_read_and_never_written_to(here):
    path = here.root / ".pinyon/format.json"
    os.chmod(path, 0o644)
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2, "codec": "zstd"}))
    grow_before = here.tree()
    for words in (["run"], ["run", "--isolated"], ["run", "-S", "train.lr=9", "train"], ["tick"]):
        message = here(*words, code=5)
        assert "has format 2, this Pinyon writes 1" in message
        assert str(path) in message
        assert "pip install -U pinyon" in message
        assert here.tree() == grow_before
    for verb in READERS:
        here(*verb.split())
    assert here.tree() == grow_before
