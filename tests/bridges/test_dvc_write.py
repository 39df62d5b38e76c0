"""dvc.lock written from what is finished here: whole or not at all, and DVC's cache with it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from handmade import Made, listed, md5

from pinyon.bridges.dvc import commit, write


@pytest.fixture
def done(tmp_path: Path) -> Made:
    """A project that Pinyon has finished; of `one` its dvc.lock says nothing, and DVC's cache is empty."""
    made = Made(tmp_path / "project")
    made.stages.pop("one")
    made.lock()
    made.write({".dvc/config": b""})
    assert made.run() == ["one"]
    return made


def generate(made: Made, *arguments: str, code: int = 0) -> Any:
    command = [sys.executable, "-m", "pinyon.cli", "generate", "dvc-lock", *arguments]
    ended = subprocess.run(command, cwd=made.root, capture_output=True, text=True)
    assert ended.returncode == code, ended.stderr
    return json.loads(ended.stdout) if "--json" in arguments else ended.stdout + ended.stderr


def files(made: Made) -> dict[str, bytes]:
    own = [path for path in made.root.rglob("*") if path.is_file() and ".pinyon" not in path.parts]
    return {str(path.relative_to(made.root)): path.read_bytes() for path in own}


def cached(made: Made) -> dict[str, bytes]:
    prefix = ".dvc/cache/files/md5/"
    found = {name: data for name, data in files(made).items() if name.startswith(".dvc/cache/")}
    assert all(name.startswith(prefix) for name in found)
    return {name.removeprefix(prefix).replace("/", ""): data for name, data in found.items()}


def test_the_bytes_are_in_dvcs_cache_afterwards(done: Made) -> None:
    told = generate(done, "--json")
    assert told == [
        {
            "file": "dvc.lock",
            "updated": ["one"],
            "same": ["two", "three"],
            "unfinished": [],
            "committed": ["d", "c", "m.json"],
        }
    ]
    kept = {md5(done.contents[name]): done.contents[name] for name in ("d/in/x", "d/y", "c", "m.json")}
    assert cached(done) == kept | {md5(listed(done.inner)) + ".dir": listed(done.inner)}
    assert generate(done, "--json")[0]["committed"] == []


def test_the_cache_is_left_alone_on_demand(done: Made) -> None:
    generate(done, "--no-commit")
    assert cached(done) == {}


def test_a_dry_run_changes_nothing(done: Made) -> None:
    before = files(done)
    assert "1 would be updated, 2 right already, 0 not finished" in generate(done, "--dry-run")
    assert files(done) == before


def test_without_a_dvc_folder_only_the_lock_is_written(done: Made) -> None:
    done.remove(".dvc")
    assert "1 updated" in generate(done)
    assert not (done.root / ".dvc").exists()


def test_stages_that_are_not_finished_keep_their_entries(done: Made) -> None:
    before = (done.root / "dvc.lock").read_text()
    done.write({"b": b"edited\n", "params.yaml": b"p: 7\nflag: true\n"})
    done.remove("c")
    assert "0 updated, 0 right already, 3 not finished" in generate(done)
    assert (done.root / "dvc.lock").read_text() == before


def test_no_lock_before_any_run(tmp_path: Path) -> None:
    made = Made(tmp_path / "project")
    made.remove("dvc.lock")
    assert "0 updated, 0 right already, 3 not finished" in generate(made)
    assert not (made.root / "dvc.lock").exists()


def test_a_disk_that_fails_leaves_the_old_lock(done: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    before = files(done)

    def fail(path: Any) -> None:
        raise OSError(5, "broken disk")

    monkeypatch.setattr(write, "fsync", fail)
    with pytest.raises(OSError, match="broken disk"):
        write._replace(done.root / "dvc.lock", "new")
    assert files(done) == before


def test_an_out_that_changes_meanwhile_is_not_vouched_for(done: Made, tmp_path: Path) -> None:
    source = tmp_path / "out"
    source.write_bytes(b"new")
    cache = tmp_path / "cache"
    digest = commit.Digest(md5(b"old"), 3)
    with pytest.raises(commit.ExecuteError, match="this changed while it was copied"):
        commit.commit(cache, source, digest)
    assert [path for path in cache.rglob("*") if path.is_file()] == []
