"""Where the home store of a project lies, and who may say so (docs/FORMAT.md §1)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pinyon.errors import FormatVersionError, StoreError
from pinyon.model import ids
from pinyon.store import place
from pinyon.store.local import home_store, set_home
from pinyon.store.place import cache_of, home_of, share_with_group


def files(top: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in top.rglob("*") if path.is_file()}


def test_without_a_word_it_is_the_place_itself(tmp_path):
    assert home_of(str(tmp_path)) == f"{tmp_path}/.pinyon"
    store = home_store(tmp_path)
    assert (store.root, store.place, store.shared) == (tmp_path / ".pinyon", tmp_path / ".pinyon", False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("relative", [True, False])
def test_it_lies_where_the_file_says(tmp_path, relative):
    root = tmp_path / "p"
    root.mkdir()
    set_home(root, "../h" if relative else str(tmp_path / "h"), "p")
    store = home_store(root)
    assert (store.root, store.place, store.shared) == (tmp_path / "h", root / ".pinyon", True)
    assert store.cache == root / ".pinyon" / "cache"
    assert store.describe()["name"] == "p"
    # A second project joins what is there.
    other = tmp_path / "q"
    other.mkdir()
    set_home(other, "../h", "q")
    assert home_store(other).describe() == store.describe()


def test_it_is_the_same_by_whatever_way_one_comes(tmp_path):
    (tmp_path / "deep" / "p").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "p")
    set_home(tmp_path / "link", "../h", "p")
    assert (
        home_store(tmp_path / "link").root
        == home_store(tmp_path / "deep" / "p").root
        == tmp_path / "deep" / "h"
    )


def test_a_project_with_a_history_keeps_it(tmp_path):
    home_store(tmp_path).prepare("p")
    before = files(tmp_path)
    with pytest.raises(StoreError, match="history of its own"):
        set_home(tmp_path, "elsewhere", "p")
    assert files(tmp_path) == before


@pytest.mark.parametrize("path", ["", "  ", "a\nb", "a\0b", ".pinyon", "full"])
def test_what_is_no_home_changes_nothing(tmp_path, path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")
    before = files(tmp_path)
    with pytest.raises(StoreError):
        set_home(tmp_path, path, "p")
    assert (files(tmp_path), os.listdir(tmp_path)) == (before, ["full"])


def test_a_home_of_a_newer_format_is_not_joined(tmp_path):
    (tmp_path / "h").mkdir()
    (tmp_path / "h" / "format.json").write_text('{"format": 2}')
    with pytest.raises(FormatVersionError):
        set_home(tmp_path, "h", "p")
    assert os.listdir(tmp_path) == ["h"]


@pytest.mark.parametrize(
    ("modes", "before", "after"),
    [
        ((0o755,), 0o022, 0o022),
        ((0o775,), 0o022, 0o002),
        ((0o2775,), 0o077, 0o007),
        ((0o755, 0o2770), 0o027, 0o007),
        ((0o775,), 0o002, 0o002),
    ],
)
def test_what_is_made_in_a_groups_directory_is_made_for_the_group(tmp_path, modes, before, after):
    folders = []
    for number, mode in enumerate(modes):
        folder = tmp_path / str(number)
        folder.mkdir()
        os.chmod(folder, mode)
        folders.append(str(folder))
    was = os.umask(before)
    try:
        share_with_group(*folders, str(tmp_path / "nowhere"))
        assert os.umask(before) == after
    finally:
        os.umask(was)


@pytest.mark.parametrize("kind", ["nfs4", "fuse", "fuse.sshfs", "fuse.glusterfs"])
def test_a_cache_lies_where_no_other_host_opens_it(tmp_path, monkeypatch, kind):
    """sqlite needs a disk that is not shared; where there is none, each host has a file of its own."""
    table = tmp_path / "mounts"
    monkeypatch.setattr(place, "_MOUNTS", str(table))
    store, home = tmp_path / "net" / ".pinyon", tmp_path / "home"
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    table.write_text("disk / ext4 rw 0 0\n")
    assert cache_of(str(store)) == str(store / "cache")
    table.write_text(f"disk / ext4 rw 0 0\nserver {tmp_path}/net {kind} rw 0 0\n")
    assert Path(cache_of(str(store))).parent == home / "pinyon"
    table.write_text(f"disk / ext4 rw 0 0\nserver {tmp_path} {kind} rw 0 0\n")
    here = cache_of(str(store))
    monkeypatch.setattr(ids, "host_name", lambda: "elsewhere")
    assert Path(here).parent == Path(cache_of(str(store))).parent == home / "pinyon"
    assert here != cache_of(str(store))
