"""Bytes by md5: DVC's cache in both layouts, remotes that are directories, and what lies in a project."""

from __future__ import annotations

import hashlib
import json
from contextlib import closing
from pathlib import Path

import pytest

from pinyon.bridges.dvc.cache import places
from pinyon.bridges.dvc.data import fetch, imagine_fetched
from pinyon.bridges.dvc.hashes import Hashes, md5_of_listing
from pinyon.bridges.dvc.ignore import Ignored
from pinyon.errors import ExecuteError, MissingBlobError, SpecError, StoreError
from pinyon.execute.observe import observe
from pinyon.execute.statcache import StatCache
from pinyon.model.project import Origin, Pointer
from pinyon.store.local import LocalStore


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


class Dvc:
    """A project with a `.dvc` folder, made by hand."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cache = root / ".dvc/cache"
        (root / ".dvc").mkdir(parents=True)

    def config(self, text: str, name: str = "config") -> None:
        (self.root / ".dvc" / name).write_text(text)

    def put(self, data: bytes, *, folder: Path | None = None, old: bool = False, suffix: str = "") -> str:
        name = md5(data) + suffix
        path = (folder or self.cache) / ("" if old else "files/md5") / name[:2] / name[2:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return name

    def put_folder(self, files: dict[str, bytes], *, folder: Path | None = None, old: bool = False) -> str:
        rows = [
            {"md5": self.put(data, folder=folder, old=old), "relpath": path}
            for path, data in sorted(files.items())
        ]
        return self.put(json.dumps(rows).encode(), folder=folder, old=old, suffix=".dir")

    def pointer(self, path: str, name: str) -> Pointer:
        digest = "md5:" + (name.removesuffix(".dir") + "/" if name.endswith(".dir") else name)
        return Pointer(path, digest, None, Origin(f"{path}.dvc"), "dvc")

    def fetched(self, *pointers: Pointer, pull: bool = False) -> list[str]:
        return [pointer.path for pointer in fetch(self.root, pointers, pull=pull)]


@pytest.fixture
def dvc(tmp_path: Path) -> Dvc:
    return Dvc(tmp_path / "project")


FOLDER = {"b": b"bb", "deep/a": b"a", "empty": b""}


@pytest.mark.parametrize("old", [False, True])
def test_data_comes_back_from_the_cache(dvc: Dvc, old: bool) -> None:
    file, folder = dvc.put(b"data", old=old), dvc.put_folder(FOLDER, old=old)
    assert dvc.fetched(dvc.pointer("in/file", file), dvc.pointer("folder", folder)) == ["in/file", "folder"]
    assert (dvc.root / "in/file").read_bytes() == b"data"
    found = {
        str(p.relative_to(dvc.root / "folder")): p.read_bytes()
        for p in (dvc.root / "folder").rglob("*")
        if p.is_file()
    }
    assert found == FOLDER
    assert dvc.fetched(dvc.pointer("in/file", file), dvc.pointer("folder", folder)) == []


def test_a_digest_of_dvc_2_leaves_line_ends_alone(dvc: Dvc) -> None:
    name = md5(b"a\nb\n")
    path = dvc.cache / name[:2] / name[2:]
    path.parent.mkdir(parents=True)
    path.write_bytes(b"a\r\nb\r\n")
    assert dvc.fetched(dvc.pointer("text", name)) == ["text"]
    assert (dvc.root / "text").read_bytes() == b"a\r\nb\r\n"


def test_what_lies_there_is_left_alone(dvc: Dvc) -> None:
    (dvc.root / "file").write_bytes(b"mine")
    assert dvc.fetched(dvc.pointer("file", dvc.put(b"data"))) == []
    assert (dvc.root / "file").read_bytes() == b"mine"


def test_an_empty_folder(dvc: Dvc) -> None:
    assert dvc.fetched(dvc.pointer("folder", dvc.put_folder({}))) == ["folder"]
    assert list((dvc.root / "folder").iterdir()) == []


@pytest.mark.parametrize("damage", ["gone", "rotten", "listing"])
def test_damaged_bytes_are_not_used(dvc: Dvc, damage: str) -> None:
    folder = dvc.put_folder(FOLDER)
    victim = folder if damage == "listing" else md5(b"bb")
    path = dvc.cache / "files/md5" / victim[:2] / victim[2:]
    path.unlink() if damage == "gone" else path.write_bytes(b"[]")
    assert dvc.fetched(dvc.pointer("folder", folder)) == []
    with pytest.raises(MissingBlobError, match="no bytes for folder"):
        dvc.fetched(dvc.pointer("folder", folder), pull=True)
    assert [path.name for path in dvc.root.iterdir()] == [".dvc"]


@pytest.mark.parametrize("name", ["../out", "/etc/x", "a/../../x", "a//b", "./a", ""])
def test_a_listing_that_leaves_its_folder_is_damaged(dvc: Dvc, name: str) -> None:
    rows = [{"md5": dvc.put(b"x"), "relpath": name}]
    folder = dvc.put(json.dumps(rows).encode(), suffix=".dir")
    assert dvc.fetched(dvc.pointer("folder", folder)) == []
    assert [path.name for path in dvc.root.parent.iterdir()] == ["project"]


@pytest.mark.parametrize("rows", [b"[1]", b"{}x", b'[{"relpath": "a"}]', b"\xff"])
def test_a_listing_that_is_none(dvc: Dvc, rows: bytes) -> None:
    assert dvc.fetched(dvc.pointer("folder", dvc.put(rows, suffix=".dir"))) == []


def test_the_cache_may_lie_elsewhere(dvc: Dvc, tmp_path: Path) -> None:
    dvc.config("[cache]\n    dir = nowhere\n")
    dvc.config("[cache]\n    dir = ../../shared\n", "config.local")
    name = dvc.put(b"data", folder=tmp_path / "shared")
    assert dvc.fetched(dvc.pointer("file", name)) == ["file"]


def test_a_project_may_lie_inside_dvcs(dvc: Dvc) -> None:
    dvc.put(b"data")
    inner = dvc.root / "inner"
    inner.mkdir()
    assert fetch(inner, [dvc.pointer("file", md5(b"data"))])
    assert (inner / "file").read_bytes() == b"data"


def test_pulling_from_a_directory(dvc: Dvc, tmp_path: Path) -> None:
    remote = tmp_path / "remote"
    dvc.config("[core]\n    remote = store\n['remote \"store\"']\n    url = ../../remote\n")
    folder = dvc.put_folder(FOLDER, folder=remote)
    assert dvc.fetched(dvc.pointer("folder", folder)) == []
    assert dvc.fetched(dvc.pointer("folder", folder), pull=True) == ["folder"]


def test_pulling_from_elsewhere_is_refused_only_when_it_is_needed(dvc: Dvc) -> None:
    dvc.config("[core]\n    remote = s\n['remote \"s\"']\n    url = s3://bucket/x\n")
    assert dvc.fetched(dvc.pointer("here", dvc.put(b"data")), pull=True) == ["here"]
    with pytest.raises(
        StoreError, match="the DVC remote 's' is s3://bucket/x; only remotes that are directories"
    ):
        dvc.fetched(dvc.pointer("file", md5(b"else")), pull=True)


def test_a_configuration_that_cannot_be_read(dvc: Dvc) -> None:
    dvc.config("nonsense\n")
    with pytest.raises(SpecError, match="DVC's configuration cannot be read"):
        places(dvc.root)


def test_without_dvc_there_is_nowhere_to_look(tmp_path: Path) -> None:
    assert places(tmp_path).folders == ()
    assert fetch(tmp_path, [Pointer("x", "md5:" + "0" * 32, None, Origin("x.dvc"), "dvc")]) == []


def test_pointers_of_ours_are_not_dvcs(dvc: Dvc) -> None:
    ours = dvc.pointer("file", dvc.put(b"data"))._replace(kind="pinyon")
    assert dvc.fetched(ours) == []


def test_what_would_be_fetched_is_named_as_it_would_be(dvc: Dvc) -> None:
    pointers = [dvc.pointer("file", dvc.put(b"data")), dvc.pointer("in/folder", dvc.put_folder(FOLDER))]
    gone = dvc.pointer("gone", md5(b"gone"))
    (dvc.root / "in").mkdir()
    (dvc.root / "in/beside").write_bytes(b"beside")
    sources = ["file", "in", "in/folder", "in/folder/deep", "in/folder/b", "in/beside", "other", "gone"]
    store = LocalStore(dvc.root / ".pinyon")
    with closing(StatCache(dvc.root / "cache")) as stats:
        names = imagine_fetched(dvc.root, store, sources, [*pointers, gone], stats)
        assert not (dvc.root / ".pinyon").exists()
        assert sorted(names) == sorted(sources[:5])
        assert dvc.fetched(*pointers, gone) == ["file", "in/folder"]
        assert names == observe(dvc.root, sources[:5], stats)


def test_digests_of_a_project(tmp_path: Path) -> None:
    (tmp_path / "d/__pycache__").mkdir(parents=True)
    (tmp_path / "d/__pycache__/x.pyc").write_bytes(b"x")
    (tmp_path / "d/b").write_bytes(b"text\r\n")
    (tmp_path / "d/b").chmod(0o755)
    hashes = Hashes(tmp_path, tmp_path / ".cache")
    folder, file, old = hashes.of("d"), hashes.of("d/b"), hashes.of("d/b", legacy=True)
    assert folder
    assert file
    assert old
    assert folder.md5 == md5_of_listing([("__pycache__/x.pyc", md5(b"x")), ("b", md5(b"text\r\n"))])
    assert (folder.size, folder.nfiles) == (7, 2)
    assert (file.md5, file.size, file.nfiles, file.executable) == (md5(b"text\r\n"), 6, None, True)
    assert old.md5 == md5(b"text\n")
    assert hashes.of("absent") is None
    hashes.close()


def test_what_was_hashed_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os
    import time

    from pinyon.bridges.dvc import hashes as module

    (tmp_path / "a").write_bytes(b"a")
    os.utime(tmp_path / "a", ns=(time.time_ns() - 10**10,) * 2)
    first = Hashes(tmp_path, tmp_path / ".cache")
    assert first.of("a")
    first.close()
    monkeypatch.setattr(module, "md5_of", None)
    again = Hashes(tmp_path, tmp_path / ".cache")
    digest = again.of("a")
    assert digest
    assert digest.md5 == md5(b"a")
    again.close()


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/link").symlink_to("nowhere")
    hashes = Hashes(tmp_path, tmp_path / ".cache")
    with pytest.raises(ExecuteError, match="d/link"):
        hashes.of("d")
    hashes.close()


def test_ignored_files_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "d/keep").mkdir(parents=True)
    (tmp_path / ".dvcignore").write_text("# comment\n\n*.log\n/d/tmp/\n!d/good.log\n")
    (tmp_path / "d/keep/.dvcignore").write_text("x\n")
    ignored = Ignored(tmp_path)
    dropped = ["a.log", "d/b.log", "d/tmp/x", "d/tmp/deep/y", "d/keep/x", "d/keep/deep/x", "d/.git/HEAD"]
    kept = ["d/good.log", "tmp", "d/x", "d/tmpx", "# comment", "d/keep/y"]
    assert [path for path in (*dropped, *kept) if ignored(path)] == dropped
