"""`pinyon sync`: copies of the store elsewhere, and back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pinyon.store.local import LocalStore

STORES = """
stores:
  backup: ../mirror
  cloud: {url: "s3://bucket/folder", key: "${env:NOBODY_HAS_SET_THIS}"}
"""


@pytest.fixture
def kept(project: Any) -> Any:
    """A project with a store elsewhere, that has run."""
    with open(project.root / "pinyon.yaml", "a") as file:
        file.write(STORES)
    project.stages()
    return project


def clone_of(project: Any) -> Path:
    """What git would give: the files that people write."""
    clone = project.root.with_name("clone")
    clone.mkdir()
    for name in ("pinyon.yaml", "raw.txt", "other.txt", "params.yaml"):
        shutil.copyfile(project.root / name, clone / name)
    return clone


def test_sync_brings_back_a_project_that_was_deleted(kept: Any) -> None:
    """From what git has and one replica; everything verifies, and a rerun reuses all of it."""
    outs = {name: kept.read(name) for name in ("clean.txt", "model.txt", "report.txt", "side.txt")}
    kept.good("sync", "push", "backup")
    history = kept.good("runs", "--json").json()
    clone = clone_of(kept)
    shutil.rmtree(kept.root)
    clone.rename(kept.root)
    kept.good("sync", "pull", "backup", "--home")
    kept.good("verify")
    assert kept.stages() == []
    assert {name: kept.read(name) for name in outs} == outs
    assert [row["run"] for row in kept.good("runs", "--json").json()] == [row["run"] for row in history]
    kept.good("run", "--isolated", "-f", "side")  # it takes a claim, which is a ref
    kept.good("sync", "push", "backup")


def test_sync_status_counts_both_sides(kept: Any) -> None:
    found = kept.good("sync", "status", "backup", "--json").json()
    assert found["there"] == {"blobs": 0, "streams": 0, "refs": 0, "size": 0}
    assert found["push"]["blobs"] == found["here"]["blobs"] > 0
    kept.good("sync", "push", "backup")
    found = kept.good("sync", "status", "backup", "--json").json()
    assert found["here"] == found["there"]
    assert not any(found["push"].values())
    assert not any(found["pull"].values())
    lines = kept.good("sync", "status", "backup").out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["here", "there", "to", "to"]


def test_sync_dry_run_changes_nothing(kept: Any) -> None:
    before = kept.snapshot()
    told = kept.good("sync", "push", "backup", "-n", "--json").json()
    assert told["dry_run"] is True
    assert told["blobs"] > 0
    assert not (kept.root.parent / "mirror").exists()
    assert kept.snapshot() == before
    assert "would be sent" in kept.good("sync", "push", "backup", "-n").out
    kept.good("sync", "push", "backup")
    clone = clone_of(kept)
    assert kept.good("sync", "pull", "backup", "-n", "--json", cwd=clone).json()["blobs"] == told["blobs"]
    assert not (clone / ".pinyon" / "format.json").exists()


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (("--run", "side"), {"side.txt", "other.txt"}),
        (("--artifact", "model.txt"), {"model.txt"}),
        (("--run", "side", "--artifact", "report.txt"), {"side.txt", "other.txt", "report.txt"}),
    ],
)
def test_sync_of_some_blobs(kept: Any, asked: tuple[str, ...], wanted: set[str]) -> None:
    """All records come; of the blobs, those that the run or the artifact names."""
    outs = ("clean.txt", "model.txt", "report.txt", "side.txt")
    names = {}
    journals = LocalStore(kept.root / ".pinyon").journals
    for segment in journals.segments():
        for event, _ in journals.read(segment):
            if event.kind == "outputs":
                names.update({row[0]: row[1] for row in event.body["outs"]})
    kept.good("sync", "push", "backup")
    clone = clone_of(kept)
    kept.good("sync", "pull", "backup", *asked, cwd=clone)
    blobs = LocalStore(clone / ".pinyon").blobs
    assert {name for name in outs if blobs.has(names[name])} == wanted & set(outs)
    rows = kept.good("runs", "--json", cwd=clone).json()
    assert {row["stage"] for row in rows} == {"prepare", "train", "report", "side"}


def test_sync_since_takes_what_is_new(kept: Any) -> None:
    assert kept.good("sync", "push", "backup", "-n", "--json", "--since", "1h").json()["blobs"] > 0
    assert kept.good("sync", "push", "backup", "-n", "--json", "--since", "0s").json()["blobs"] == 0


def test_sync_says_what_is_missing_before_anything_moves(kept: Any) -> None:
    before = kept.snapshot()
    for arguments, told in (
        (("push", "cloud"), "NOBODY_HAS_SET_THIS"),
        (("push", "backpu"), "did you mean backup?"),
        (("pull", "backup"), "no store is there yet"),
        (("push", "nosuch://x/y"), "nosuch://"),
        (("push", "backup", "--run", "nothing"), "nothing"),
        (("push", "backup", "--experiment", "nothing"), "nothing"),
        (("push", "backup", "--artifact", "nothing"), "nothing"),
    ):
        ended = kept("sync", *arguments)
        assert ended.code not in (0, 1)
        assert told in ended.err
        assert len(ended.err.splitlines()) == 1
    for arguments in (
        ("push", "backup", "--rate", "0"),
        ("push", "backup", "--since", "x"),
        ("push",),
        ("pul", "x"),
    ):
        assert kept("sync", *arguments).code == 2
    assert kept.snapshot() == before
    assert not (kept.root.parent / "mirror").exists()


def test_sync_of_a_clone_goes_home_and_sets_no_ref(kept: Any) -> None:
    kept.good("sync", "push", "backup", "--rate", "100MB")
    clone = clone_of(kept)
    kept.good("sync", "pull", "backup", cwd=clone)
    kept.good("run", "-f", "side", cwd=clone)
    ended = kept("run", "-f", "side", "--isolated", cwd=clone)
    assert "mirror" in ended.err
    moved = kept.good("sync", "push", "backup", "--json", cwd=clone).json()
    assert (moved["held"], moved["damaged"]) == ([], [])
    kept.good("sync", "pull", "backup")
    there = {row["attempt"] for row in kept.good("query", "--json", "select attempt from attempts").json()}
    assert len(there) >= 5


def test_sync_tells_of_rot_and_goes_on(kept: Any) -> None:
    kept.good("sync", "push", "backup")
    place = next((kept.root.parent / "mirror/blobs").rglob("*/*"))
    place.chmod(0o644)
    place.write_bytes(bytes(reversed(place.read_bytes())) + b"x")
    clone = clone_of(kept)
    ended = kept("sync", "pull", "backup", "--json", cwd=clone)
    assert ended.code == 5
    (told,) = json.loads(ended.out)["damaged"]
    assert place.name in told
    assert kept("verify", cwd=clone).code == 0


def test_verify_repairs_from_a_replica(kept: Any) -> None:
    """Blobs that rotted, were cut or are gone come back; a dry run only says so; what was damaged is kept beside."""
    kept.good("sync", "push", "backup")
    blobs = sorted((kept.root / ".pinyon/blobs").rglob("*/*"))
    sound = [path.read_bytes() for path in blobs]
    names = {name: kept.read(name) for name in ("clean.txt", "model.txt")}
    for path, bad in zip(blobs, (bytes(reversed(sound[0])) + b"x", b"", None), strict=False):
        path.chmod(0o644)
        path.unlink() if bad is None else path.write_bytes(bad)
    before = kept.snapshot()
    for arguments in (("--repair",), ("--from", "backup"), ("-n",)):
        assert kept("verify", *arguments).code == 2
    ended = kept("verify", "--repair", "--from", "backup", "-n")
    assert ended.code == 5
    assert "would be brought back" in ended.out
    assert kept.snapshot() == before
    told = kept.good("verify", "--repair", "--from", "backup", "--json").json()
    assert 2 <= len(told["repaired"]["healed"]) <= 3  # one that no record calls an output is not missed
    assert (told["damage"], told["repaired"]["left"]) == ([], [])
    assert [path.read_bytes() for path in blobs[:2]] == sound[:2]
    assert len(list((kept.root / ".pinyon/damaged").iterdir())) == 2
    assert kept.stages() == []
    assert {name: kept.read(name) for name in names} == names


def test_verify_repairs_nothing_from_a_replica_that_is_damaged_too(kept: Any) -> None:
    kept.good("sync", "push", "backup")
    here = min((kept.root / ".pinyon/blobs").rglob("*/*"))
    there = kept.root.parent / "mirror" / here.relative_to(kept.root / ".pinyon")
    for path in (here, there):
        path.chmod(0o644)
        path.write_bytes(path.read_bytes() + b"x")
    before = kept.snapshot()
    ended = kept("verify", "--repair", "--from", "backup")
    assert ended.code == 5
    assert "1 are not sound in the replica either" in ended.out
    assert kept.snapshot() == before
