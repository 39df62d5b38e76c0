"""`pinyon add`: what it keeps, what it writes, what it refuses, and what is left when it is interrupted."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from databench import Bench
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pinyon.errors import ExecuteError, PlanError
from pinyon.execute import data, tree
from pinyon.execute.fetch import fetch, imagine_fetched, restore_data
from pinyon.spec.pointer import about_of, all_pointers, find_pointers, read_pointer
from pinyon.store.names import name_of
from pinyon.testing.faulty import CALLS, Fault, FaultyStore


def settle(bench: Bench) -> None:
    """Everything was written a while ago, as data mostly was."""
    then = time.time_ns() - 10_000_000_000
    for path in bench.root.rglob("*"):
        if ".pinyon/" not in str(path) and path.is_file():
            os.utime(path, ns=(then, then))


def test_a_file_is_kept_and_pointed_at(tracked: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINYON_ACTOR", "person:ann")
    tracked.write("data/x.bin", b"abc" * 1000)
    (added,) = tracked.add("data/x.bin")
    digest = name_of(b"abc" * 1000)
    assert added == ("data/x.bin", "data/x.bin.pinyon", digest, 3000, None, True)
    assert tracked.store.blobs.read(digest) == b"abc" * 1000
    pointer = read_pointer(tracked.root, "data/x.bin.pinyon")
    assert (pointer.path, pointer.digest, pointer.size, pointer.kind) == (
        "data/x.bin",
        digest,
        3000,
        "pinyon",
    )
    assert (tracked.root / "data/.gitignore").read_text() == "/x.bin\n"
    assert tracked.git("status", "--porcelain", "-uall", "data").split() == [
        "??",
        "data/.gitignore",
        "??",
        "data/x.bin.pinyon",
    ]
    (event,) = tracked.events("added")
    assert {key: event[key] for key in ("path", "digest", "size", "files")} == {
        "path": "data/x.bin", "digest": digest, "size": 3000, "files": None
    }  # fmt: skip
    assert event["actor"] == {"kind": "person", "name": "ann"}


def test_a_folder_is_kept_as_its_manifest(tracked: Bench) -> None:
    for number in range(150):
        tracked.write(f"data/{number % 3}/{number}", f"number {number}")
    tracked.write("data/big", os.urandom(3 << 20))
    (tracked.root / "data/run.sh").write_text("#!/bin/sh\n")
    (tracked.root / "data/run.sh").chmod(0o755)
    (added,) = tracked.add("data")
    assert (added.files, added.changed) == (152, True)
    assert added.digest == tree.hash_tree(str(tracked.root / "data")).name
    assert tree.has_tree(tracked.store.blobs, added.digest)
    assert (tracked.root / ".gitignore").read_text() == "/data\n"
    shutil.copytree(tracked.root / "data", tracked.root / "copy")
    shutil.rmtree(tracked.root / "data")
    fetch(tracked.store, tracked.root, find_pointers(tracked.root, ["data"]), tracked.stats)
    assert tree.hash_tree(str(tracked.root / "data")).name == added.digest
    assert os.access(tracked.root / "data/run.sh", os.X_OK)


def test_again_unchanged_reads_and_writes_nothing(tracked: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(100):
        tracked.write(f"data/{number}", f"number {number}")
    tracked.write("one.bin")
    settle(tracked)
    tracked.add("data", "one.bin")
    before = tracked.files()

    def refuse(*_: object) -> None:
        raise AssertionError("it was read again")

    monkeypatch.setattr(type(tracked.store.blobs), "put_many", refuse)
    monkeypatch.setattr(tree, "name_file", refuse)
    rows = tracked.add("data", "one.bin")
    assert [(row.path, row.changed, row.files) for row in rows] == [
        ("data", False, 100),
        ("one.bin", False, None),
    ]
    assert tracked.files() == before
    assert len(tracked.events("added")) == 2


def test_only_what_changed_is_read_again(tracked: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(100):
        tracked.write(f"data/{number}", f"number {number}")
    settle(tracked)
    (first,) = tracked.add("data")
    tracked.write("data/7", "another")
    read: list[str] = []
    real = type(tracked.store.blobs).put_many

    def noting(self: object, sources: object, **named: object) -> list[str]:
        read.extend(sources := list(sources))  # type: ignore[call-overload]
        return real(self, sources, **named)

    monkeypatch.setattr(type(tracked.store.blobs), "put_many", noting)
    (second,) = tracked.add("data")
    assert read == [str(tracked.root / "data/7")]
    assert second.digest != first.digest
    assert second.digest == tree.hash_tree(str(tracked.root / "data")).name
    assert tree.has_tree(tracked.store.blobs, first.digest)


def test_what_the_store_has_lost_is_stored_again(bench: Bench) -> None:
    bench.write("data/x", "abc")
    settle(bench)
    (first,) = bench.add("data")
    shutil.rmtree(bench.root / ".pinyon/blobs")
    (second,) = bench.add("data")
    assert second.digest == first.digest
    assert tree.has_tree(bench.store.blobs, first.digest)


def test_what_is_said_of_the_data_stays(bench: Bench) -> None:
    bench.write("x")
    bench.add("x", source="https://example.org", licence="CC0")
    bench.write("x", "more")
    bench.add("x")
    assert about_of(bench.root, "x.pinyon") == {"source": "https://example.org", "licence": "CC0"}
    bench.add("x", note="cut to 5 s")
    assert about_of(bench.root, "x.pinyon") == {
        "source": "https://example.org",
        "licence": "CC0",
        "note": "cut to 5 s",
    }


def test_gitignore_is_written_once_and_only_in_a_repository(bench: Bench) -> None:
    bench.write("x")
    bench.add("x")
    assert not (bench.root / ".gitignore").exists()
    bench.git("init", "-q")
    bench.write(".gitignore", "*.log")  # without a line feed
    bench.add("x")
    bench.add("x")
    assert (bench.root / ".gitignore").read_text() == "*.log\n/x\n"


@pytest.mark.parametrize("name", ["a b", "#x", "!x", "[x]", "x*", "x ", "é松", "-x", "a\\b", "x?", "$(x)"])
def test_git_ignores_data_of_any_name_and_nothing_else(tracked: Bench, name: str) -> None:
    tracked.write(f"d/{name}")
    tracked.write("d/[other]")
    tracked.add(f"d/{name}")
    left = tracked.git("status", "--porcelain", "-uall", "-z", "d").split("\0")
    assert sorted(left) == sorted(["", "?? d/.gitignore", "?? d/[other]", f"?? d/{name}.pinyon"])


def test_a_dry_run_changes_nothing(tracked: Bench) -> None:
    tracked.write("data/x", "abc")
    before = tracked.files()
    (row,) = tracked.add("data", dry_run=True)
    assert row.digest == tree.hash_tree(str(tracked.root / "data")).name
    assert row.changed
    assert tracked.files() == before
    assert not (tracked.root / ".pinyon/format.json").exists()
    assert not list(tracked.store.blobs.names())


def _prepared(bench: Bench) -> None:
    bench.write("x")
    bench.write("covered/in/x")
    bench.write("covered.pinyon", "v: 1\ndigest: blake3:" + "0" * 64 + "/\nsize: 1\n")
    bench.write("outer/inner")
    bench.write("outer/inner.pinyon", "v: 1\ndigest: blake3:" + "0" * 64 + "\nsize: 1\n")
    bench.write("made/by/stage")
    bench.write("theirs")
    bench.write("theirs.dvc", "outs:\n- path: theirs\n")
    bench.write("links/x")
    (bench.root / "links/nowhere").symlink_to("absent")
    (bench.root / "links/up").symlink_to("..")
    bench.write("held")
    bench.stages = {"made/by": "train", "held": "hold"}
    with socket.socket(socket.AF_UNIX) as one:
        here = os.getcwd()
        os.chdir(bench.root)
        try:
            one.bind("socket")
        finally:
            os.chdir(here)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (".", "the project itself"), ("../x", "outside"), ("/etc/passwd", "outside"), ("absent", "no such file"),
        (".pinyon", "belongs to .pinyon"), (".git/config", "belongs to .git"), ("covered/in/x", "covered covers"),
        ("outer", "outer/inner has a pointer"), ("held", "stage 'hold' makes this"),
        ("made", "stage 'train' makes made/by"), ("made/by/stage", "stage 'train' makes made/by"),
        ("theirs", "DVC's theirs.dvc"), ("socket", "neither a file"), ("links/nowhere", "no such file"), ("links", "link"),
        ("covered.pinyon", "a pointer"), ("pinyon.yaml", "git tracks"),
    ],
)  # fmt: skip
def test_what_is_refused_changes_nothing(tracked: Bench, path: str, words: str) -> None:
    _prepared(tracked)
    tracked.git("add", "pinyon.yaml")
    before = tracked.files()
    with pytest.raises((PlanError, ExecuteError)) as caught:
        tracked.add("x", path)
    assert words in str(caught.value)
    assert tracked.files() == before
    assert tracked.events("added") == []


def test_a_name_that_is_not_utf8_is_refused(bench: Bench) -> None:
    name = os.fsdecode(b"d\xff")
    bench.write(f"in/{name}/x")
    bench.write(name)
    for path in (name, f"in/{name}", "in"):
        with pytest.raises((PlanError, ExecuteError), match="not UTF-8"):
            bench.add(path)
    assert bench.events("added") == []


def test_one_inside_another_is_refused(bench: Bench) -> None:
    bench.write("data/x")
    with pytest.raises(PlanError, match="data covers this"):
        bench.add("data", "data/x")


def test_a_file_that_changes_while_it_is_read_is_not_pointed_at(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.write("x", "before")
    real: Callable[..., list[str]] = type(bench.store.blobs).put_many

    def scribbling(self: object, sources: object, **named: object) -> list[str]:
        names = real(self, sources, **named)
        bench.write("x", "after!")
        return names

    monkeypatch.setattr(type(bench.store.blobs), "put_many", scribbling)
    with pytest.raises(ExecuteError, match="changed while it was read"):
        bench.add("x")
    assert not (bench.root / "x.pinyon").exists()
    monkeypatch.undo()
    (row,) = bench.add("x")
    assert row.digest == name_of(b"after!")


@pytest.mark.parametrize("call", CALLS)
def test_a_failing_disk_leaves_no_pointer_to_what_is_not_there(bench: Bench, call: str) -> None:
    bench.write("data/x", "abc")
    bench.write("data/y", "abcd")
    faulty = FaultyStore(bench.store, Fault(call, 1, 28))
    faulty.prepare = bench.store.prepare  # type: ignore[attr-defined]
    sound, bench.store = bench.store, faulty  # type: ignore[assignment]
    try:
        bench.add("data")
    except OSError:
        assert not (bench.root / "data.pinyon").exists()
    bench.store = sound
    (row,) = bench.add("data")
    assert tree.has_tree(sound.blobs, row.digest)
    assert read_pointer(bench.root, "data.pinyon").digest == row.digest


# -- back again --------------------------------------------------------------------------------------------------------


def test_restore_without_paths_leaves_edits_alone(bench: Bench) -> None:
    for name in ("same", "edited", "absent"):
        bench.write(f"d/{name}", name)
    bench.add("d/same", "d/edited", "d/absent")
    bench.write("d/edited", "by hand")
    (bench.root / "d/absent").unlink()
    rows = restore_data(bench.store, bench.root, [], bench.stats)
    assert {pointer.path: was for pointer, was in rows} == {
        "d/same": "same",
        "d/edited": "changed",
        "d/absent": "absent",
    }
    assert (bench.root / "d/edited").read_text() == "by hand"
    assert (bench.root / "d/absent").read_text() == "absent"
    restore_data(bench.store, bench.root, ["d/edited"], bench.stats)
    assert (bench.root / "d/edited").read_text() == "edited"
    assert bench.store.blobs.has(name_of(b"by hand"))
    with pytest.raises(PlanError, match="no pointer"):
        restore_data(bench.store, bench.root, ["d/other"], bench.stats)


def test_what_the_store_lacks_is_told_before_anything_is_written(bench: Bench) -> None:
    bench.write("a", "a")
    bench.write("d/b", "b")
    bench.add("a", "d")
    bench.store.blobs.path(name_of(b"b")).unlink()
    for name in ("a", "d/b"):
        (bench.root / name).unlink()
    (bench.root / "d").rmdir()
    with pytest.raises(PlanError, match="d is not here, and the store does not have its bytes"):
        restore_data(bench.store, bench.root, [], bench.stats)
    assert not (bench.root / "a").exists()


def test_fetched_data_is_not_hashed_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.write("data/x", "abc")
    bench.write("one", "1")
    rows = bench.add("data", "one")
    shutil.rmtree(bench.root / "data")
    (bench.root / "one").unlink()
    fetch(bench.store, bench.root, find_pointers(bench.root, ["data", "one"]), bench.stats)
    monkeypatch.setattr(tree, "name_file", lambda _: pytest.fail("hashed again"))
    assert data.look(bench.root, "data", bench.stats).name == rows[0].digest
    assert data.look(bench.root, "one", bench.stats).name == rows[1].digest


def test_states_of_data(bench: Bench) -> None:
    bench.write("x", "abc")
    settle(bench)
    bench.add("x")
    (pointer,) = find_pointers(bench.root, ["x"])
    assert data.state(bench.root, pointer, bench.stats) == "same"
    os.utime(bench.root / "x")
    assert data.state(bench.root, pointer, bench.stats) == "unknown"
    assert data.state(bench.root, pointer, bench.stats, reading=True) == "same"
    bench.write("x", "abcd")
    assert data.state(bench.root, pointer, bench.stats) == "changed"
    bench.write("x", "abd")
    assert data.state(bench.root, pointer, bench.stats, reading=True) == "changed"
    assert data.differing(bench.root, bench.stats, reading=True) == [(pointer, "changed")]
    (bench.root / "x").unlink()
    assert data.state(bench.root, pointer, bench.stats) == "absent"
    assert data.differing(bench.root, bench.stats) == []


NAMES = st.sampled_from(["a", "b", "a.b", "松", ".x", "-", "c d"])
TREES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map("/".join), st.binary(max_size=30), min_size=1, max_size=8
)


def _is_a_tree(files: dict[str, bytes]) -> bool:
    return not any(other.startswith(f"{path}/") for path in files for other in files)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=TREES.filter(_is_a_tree), second=TREES.filter(_is_a_tree))
def test_any_folder_goes_in_and_comes_out_the_same(
    tmp_path_factory: pytest.TempPathFactory, first: dict, second: dict
) -> None:
    bench = Bench(tmp_path_factory.mktemp("tree") / "project")
    digests = []
    for files in (first, second):
        shutil.rmtree(bench.root / "data", ignore_errors=True)
        for path, content in files.items():
            bench.write(f"data/{path}", content)
        digests.append(bench.add("data")[0].digest)
        assert digests[-1] == tree.hash_tree(str(bench.root / "data")).name
    assert (digests[0] == digests[1]) == (first == second)
    shutil.rmtree(bench.root / "data")
    pointers = find_pointers(bench.root, ["data"])
    assert imagine_fetched(bench.root, bench.store.blobs, ["data"], pointers, bench.stats) == {
        "data": digests[1]
    }
    fetch(bench.store, bench.root, pointers, bench.stats)
    got = {
        path.relative_to(bench.root / "data").as_posix(): path.read_bytes()
        for path in (bench.root / "data").rglob("*")
        if path.is_file()
    }
    assert got == second
    assert all_pointers(bench.root) == ["data.pinyon"]
    bench.stats.close()


def test_a_source_around_fetched_data_is_imagined_with_what_lies_there(bench: Bench) -> None:
    bench.write("data/kept", "kept")
    bench.write("data/sub/x", "abc")
    bench.add("data/sub/x")
    whole = tree.hash_tree(str(bench.root / "data")).name
    (bench.root / "data/sub/x").unlink()
    pointers = find_pointers(bench.root, ["data"])
    imagined = imagine_fetched(bench.root, bench.store.blobs, ["data", "other"], pointers, bench.stats)
    assert imagined == {"data": whole}


def test_the_reader_of_pointers_is_pointed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/deep").mkdir()
    text = "v: 1\ndigest: blake3:" + "a" * 64 + "\nsize: 3\n"
    for file in ("x.pinyon", "a.pinyon", "a/deep/y.pinyon"):
        (tmp_path / file).write_text(text)
    assert [one.path for one in find_pointers(tmp_path, ["x"])] == ["x"]
    assert [one.path for one in find_pointers(tmp_path, ["a/z"])] == ["a"]
    assert [one.path for one in find_pointers(tmp_path, ["a"])] == ["a", "a/deep/y"]
    assert [one.path for one in find_pointers(tmp_path, [], ["a/deep/y", "a"])] == ["a/deep/y", "a"]
    assert find_pointers(tmp_path, ["../x", "/x", "..", "y"]) == ()
    assert all_pointers(tmp_path) == ["a.pinyon", "x.pinyon"]
