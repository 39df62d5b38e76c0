"""Looking: names of what lies there, the cache that saves hashing, and bundles."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pinyon.errors import ExecuteError
from pinyon.execute import bundle, observe, tree
from pinyon.execute.protocol import StatNote
from pinyon.execute.statcache import StatCache
from pinyon.store.local import LocalStore
from pinyon.store.names import name_of
from pinyon.store.tree import decode


@pytest.fixture
def cache(tmp_path: Path) -> StatCache:
    return StatCache(tmp_path / "cache/stat.sqlite")


def age(path: Path, seconds: float = 10) -> None:
    then = time.time_ns() - int(seconds * 1e9) + 1
    os.utime(path, ns=(then, then))


def test_observe_names_files_directories_and_absences(tmp_path: Path, cache: StatCache) -> None:
    (tmp_path / "d/e").mkdir(parents=True)
    (tmp_path / "d/e/f").write_text("x")
    (tmp_path / "g").write_text("y")
    seen = observe.observe(tmp_path, ["d", "g", "no", "g/below"], cache)
    assert seen["g"] == name_of(b"y")
    assert seen["d"] == tree.hash_tree(str(tmp_path / "d")).name
    assert seen["no"] == seen["g/below"] == observe.ABSENT


def test_what_is_known_is_not_read_again(
    tmp_path: Path, cache: StatCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "d/b"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
        age(tmp_path / name)
    first = observe.observe(tmp_path, ["a", "d"], cache)
    monkeypatch.setattr(tree, "name_file", lambda file: pytest.fail(f"{file.full} was read again"))
    assert observe.observe(str(tmp_path), ["a", "d"], cache) == first


def test_a_file_that_changed_just_before_it_was_hashed_is_not_believed(
    tmp_path: Path, cache: StatCache
) -> None:
    now = time.time_ns()
    stat = (now - 40_000_000, 1, 2, 3)
    cache.learn([StatNote("a", "blake3:1", stat, now)])
    assert cache.lookup_many({"a": stat}) == {}
    cache.learn([StatNote("a", "blake3:1", stat, now + 20_000_000)])
    assert cache.lookup_many({"a": stat}) == {"a": "blake3:1"}
    coarse = (now // 10**9 * 10**9 - 10**9, 1, 2, 3)
    cache.learn([StatNote("b", "blake3:1", coarse, now)])
    assert cache.lookup_many({"b": coarse}) == {}


@pytest.mark.parametrize("damage", [b"", b"garbage" * 100, None])
def test_a_damaged_cache_is_an_empty_one(tmp_path: Path, cache: StatCache, damage: bytes | None) -> None:
    stat = (1, 1, 1, 1)
    cache.learn([StatNote("a", "blake3:1", stat, 10**18)])
    cache.close()
    path = tmp_path / "cache/stat.sqlite"
    if damage is None:
        with sqlite3.connect(path) as connection:
            connection.execute("drop table files")
            connection.execute("create table files (x)")
        connection.close()
    else:
        path.write_bytes(damage)
    again = StatCache(path)
    assert again.lookup_many({"a": stat}) == {}
    again.learn([StatNote("a", "blake3:2", stat, 10**18)])
    again.close()
    assert StatCache(path).lookup_many({"a": stat}) == {"a": "blake3:2"}


def test_what_is_known_below_a_folder(cache: StatCache) -> None:
    stat, paths = (
        (1, 1, 1, 1),
        ["d", "d/", "d/a", "d/b/c", "d/松", "d-", "d.x/a", "d0", "d00/a", "e/d/a", "D/a"],
    )
    cache.learn([StatNote(path, f"name of {path}", stat, 10**18) for path in paths])
    cache.learn([StatNote("d/fresh", "blake3:1", (10**18 + 1, 1, 1, 1), 10**18)])
    assert cache.lookup_below("d") == {path: (stat, f"name of {path}") for path in ("d/a", "d/b/c", "d/松")}
    assert cache.lookup_below("absent") == {}


def test_many_paths(cache: StatCache) -> None:
    stats = {f"p{number}": (number * 10**9 + 1, 1, 1, 1) for number in range(1200)}
    cache.learn(StatNote(path, path, stat, 10**18) for path, stat in stats.items())
    assert len(cache.lookup_many(stats)) == 1200


def test_an_unreadable_file_is_named(
    tmp_path: Path, cache: StatCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("x")

    def refuse(file: tree.File) -> str:
        raise PermissionError(13, "Permission denied", file.full)

    monkeypatch.setattr(tree, "name_file", refuse)
    with pytest.raises(ExecuteError, match="secret: this cannot be read: Permission denied"):
        observe.observe(tmp_path, ["secret"], cache)


NAMES = st.text(
    st.characters(blacklist_characters="/\0", blacklist_categories=("Cs",)), min_size=1, max_size=30
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.dictionaries(
        NAMES.filter(lambda name: name not in (".", "..")), st.binary(max_size=50), max_size=5
    )
)
def test_a_stored_tree_holds_what_lay_there(tmp_path: Path, files: dict[str, bytes]) -> None:
    top = tmp_path / os.urandom(4).hex()
    top.mkdir()
    for name, data in files.items():
        if len(name.encode()) <= 255:
            (top / name).write_bytes(data)
    store = LocalStore(tmp_path / ".pinyon")
    content = tree.put_tree(store.blobs, str(top))
    assert content == tree.hash_tree(str(top))
    rows = decode(store.blobs.read(content.name))
    assert {row.path: store.blobs.read(row.name) for row in rows} == {
        path.name: path.read_bytes() for path in top.iterdir() if path.name != tree.CACHE
    }
    assert tree.has_tree(store.blobs, content.name)


def git(root: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", "-C", root, "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
        check=True,
        capture_output=True,
    )


@pytest.mark.parametrize("tracked", [True, False])
def test_a_bundle_is_the_code_without_outs_and_with_named_sources(
    tmp_path: Path, cache: StatCache, tracked: bool
) -> None:
    root = tmp_path / "project"
    for name in ("train.py", "new.py", "data/big.csv", "model/out.pt", "__pycache__/x.pyc", ".venv/lib.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "train.py").chmod(0o755)
    if tracked:
        (root / ".gitignore").write_text("data/\n.venv/\n__pycache__\n")
        git(root, "init", "-q")
        git(root, "add", "train.py", ".gitignore")
    store = LocalStore(root / ".pinyon")
    name = bundle.freeze(root, store, cache, exclude=["model"], extra=["data", "../outside"])
    rows = {row.path: row for row in decode(store.blobs.read(name))}
    assert set(rows) - {".gitignore"} == {"train.py", "new.py", "data/big.csv"}
    assert rows["train.py"].executable
    assert bundle.freeze(root, store, cache, exclude=["model"], extra=["data"]) == name
    (root / "new.py").unlink()
    assert bundle.freeze(root, store, cache, exclude=["model"], extra=["data"]) != name


def test_a_stray_large_file_is_refused_by_name(
    tmp_path: Path, cache: StatCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "LARGEST", 10)
    root = tmp_path / "project"
    root.mkdir()
    (root / "weights.bin").write_text("x" * 11)
    store = LocalStore(root / ".pinyon")
    with pytest.raises(ExecuteError, match=r"weights\.bin"):
        bundle.freeze(root, store, cache)
    bundle.freeze(root, store, cache, extra=["weights.bin"])
    bundle.freeze(root, store, cache, exclude=["weights.bin"])


def test_a_project_that_a_repository_around_it_ignores_is_walked(tmp_path: Path, cache: StatCache) -> None:
    root = tmp_path / "scratch/project"
    root.mkdir(parents=True)
    (root / "train.py").write_text("x")
    (tmp_path / ".gitignore").write_text("scratch/\n")
    git(tmp_path, "init", "-q")
    store = LocalStore(tmp_path / "store")
    assert [row.path for row in decode(store.blobs.read(bundle.freeze(root, store, cache)))] == ["train.py"]
