"""What a directory of objects does beyond the contract."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest
from breaking import broken, failing, small_disk

from pinyon.errors import SpecError, StoreError
from pinyon.store.backends import open_objects
from pinyon.store.backends.directory import DirectoryObjects


def test_a_disk_that_is_not_mounted_is_no_empty_store(tmp_path: Path):
    objects = DirectoryObjects(tmp_path / "mnt/share")
    assert list(objects.list()) == []
    with pytest.raises(StoreError, match=r"mnt: No such file.*mount the disk"):
        objects.write("a", b"x")
    assert not (tmp_path / "mnt").exists()


def test_a_full_disk_is_told_and_the_old_bytes_stay(tmp_path: Path):
    with small_disk(tmp_path / "small", "size=1M") as disk:
        objects = DirectoryObjects(disk / "store")
        objects.write("a", b"old")
        for call in (objects.write, objects.create):
            with pytest.raises(StoreError, match=r"No space left on device.*free some space"):
                call("b", os.urandom(2 << 20))
        with pytest.raises(StoreError, match="No space left"):
            objects.write("a", os.urandom(2 << 20))
        assert objects.read("a") == b"old"
        assert list(objects.list()) == [("a", 3)]
        objects.write("c", os.urandom(700_000))  # nothing half-made takes the room


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_an_error_of_the_disk_leaves_the_old_object(tmp_path: Path, call: str):
    objects = DirectoryObjects(tmp_path)
    objects.write("a", b"old")
    with (
        broken(call, tmp_path, failing(errno.EIO)) as seen,
        pytest.raises(StoreError, match="look at the disk"),
    ):
        objects.write("a", b"new")
    assert seen
    assert objects.read("a") == b"old"
    assert list(tmp_path.glob("~tmp/*")) == []


@pytest.mark.parametrize("done", [True, False])
def test_a_link_whose_answer_was_lost_counts_if_it_was_made(tmp_path: Path, done: bool):
    def lost(real, source, target):
        if done:
            real(source, target)
        raise FileExistsError(errno.EEXIST, "File exists")  # what NFS says when it asked twice

    objects = DirectoryObjects(tmp_path)
    with broken("link", tmp_path, lost):
        assert objects.create("a", b"x") == done
    assert objects.size("a") == (1 if done else None)


@pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_disk_without_hard_links_is_told(tmp_path: Path, code: int):
    def refuse(real, source, target):
        raise OSError(code, os.strerror(code), source, None, target)

    objects = DirectoryObjects(tmp_path)
    with (
        broken("link", tmp_path, refuse),
        pytest.raises(StoreError, match="compare-and-swap; its file system has no"),
    ):
        objects.create("a", b"x")
    assert list(objects.list()) == []
    assert list(tmp_path.glob("~tmp/*")) == []


def test_what_dead_writers_left_is_removed_after_a_day(tmp_path: Path):
    (tmp_path / "~tmp").mkdir()
    for name, age in (("dead", 90_000), ("alive", 3_600)):
        file = tmp_path / "~tmp" / name
        file.write_bytes(b"half")
        os.utime(file, (time.time() - age,) * 2)
    DirectoryObjects(tmp_path).write("a", b"x")
    assert [file.name for file in tmp_path.glob("~tmp/*")] == ["alive"]


def test_a_directory_is_named_by_url_or_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    place = tmp_path / "with space"
    open_objects(str(place), {}).write("a", b"x")
    assert open_objects(place.as_uri(), {}).read("a") == b"x"
    monkeypatch.chdir(tmp_path)
    assert open_objects("with space", {}).url == place.as_uri()
    for wrong in ("file://host/share", "file://"):
        with pytest.raises(SpecError, match="absolute path"):
            open_objects(wrong, {})
    with pytest.raises(SpecError, match="no option 'regoin'"):
        open_objects(str(place), {"regoin": "x"})
