"""Large files around the page cache: what is stored is what was named, whatever the file system and the source do."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pinyon.store import blobs, copying
from pinyon.store.local import LocalStore
from pinyon.store.names import name_of

BLOCK = 128 << 10
SIZES = [1 << 20, (1 << 20) + 1, (1 << 20) + BLOCK, 11 * BLOCK - 1, 11 * BLOCK + 70_000]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalStore:
    """One that takes files for large which are not."""
    monkeypatch.setattr(blobs, "_DIRECT", 1 << 20)
    monkeypatch.setattr(copying, "_BLOCK", BLOCK)
    return LocalStore(tmp_path / "store")


def direct_writes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the writes that go around the page cache, as they are made."""
    sizes: list[int] = []
    real = os.pwrite

    def noting(fd: int, data: Any, offset: int) -> int:
        if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_DIRECT:
            sizes.append(len(data))
        return real(fd, data, offset)

    monkeypatch.setattr(os, "pwrite", noting)
    return sizes


def can_go_around(folder: Path) -> bool:
    try:
        os.close(os.open(folder / "probe", os.O_CREAT | os.O_WRONLY | os.O_DIRECT))
    except OSError:
        return False
    return True


def left_over(store: LocalStore) -> list[str]:
    return os.listdir(store.root / "tmp")


@pytest.mark.parametrize("size", SIZES)
def test_any_size_is_stored_as_it_is(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    data = os.urandom(size)
    (tmp_path / "source").write_bytes(data)
    told: list[int] = []
    (name,) = store.blobs.put_many([str(tmp_path / "source")], tell=told.append)
    assert name == name_of(data)
    assert store.blobs.path(name).read_bytes() == data
    assert store.blobs.path(name).stat().st_mode & 0o222 == 0
    assert sum(told) == size
    store.blobs.flush([name])
    assert store.blobs.put_many([str(tmp_path / "source")]) == [name]
    assert left_over(store) == []


def test_only_large_files_go_around_the_page_cache(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = direct_writes(monkeypatch)
    for size in ((1 << 20) - 1, 1 << 20):
        (tmp_path / "source").write_bytes(os.urandom(size))
        store.blobs.put(tmp_path / "source")
        assert sizes == []
        store.blobs.put_many([str(tmp_path / "source")])
    (tmp_path / "source").write_bytes(os.urandom(3 << 20))
    store.blobs.put_many([str(tmp_path / "source")])
    assert sizes == ([BLOCK] * 32 if can_go_around(tmp_path) else [])


def _nowhere(real: Callable[..., Any]) -> Callable[..., Any]:
    def call(fd: int, command: int, argument: Any = 0) -> Any:
        if command == fcntl.F_SETFL and argument & os.O_DIRECT:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return real(fd, command, argument)

    return call


def _not_to_the_end(real: Callable[..., Any]) -> Callable[..., Any]:
    def call(fd: int, data: Any, offset: int) -> int:
        if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_DIRECT and offset >= 4 * BLOCK:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return int(real(fd, data, offset))

    return call


@pytest.mark.parametrize(
    ("module", "call", "failing"), [(fcntl, "fcntl", _nowhere), (os, "pwrite", _not_to_the_end)]
)
def test_where_the_file_system_cannot_it_is_copied(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, call: str, failing: Any
) -> None:
    data = os.urandom(SIZES[-1])
    (tmp_path / "source").write_bytes(data)
    monkeypatch.setattr(module, call, failing(getattr(module, call)))
    (name,) = store.blobs.put_many([str(tmp_path / "source")])
    assert name == name_of(data)
    assert store.blobs.read(name) == data
    assert left_over(store) == []


def test_a_short_write_is_gone_on_with(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom(SIZES[-1])
    (tmp_path / "source").write_bytes(data)
    real = os.pwrite
    monkeypatch.setattr(
        os, "pwrite", lambda fd, data, offset: real(fd, data[: max(len(data) // 2, 4096)], offset)
    )
    (name,) = store.blobs.put_many([str(tmp_path / "source")])
    assert store.blobs.read(name) == data


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_a_failing_disk_is_told_and_leaves_nothing(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    (tmp_path / "source").write_bytes(os.urandom(SIZES[-1]))
    real = os.pwrite

    def failing(fd: int, data: Any, offset: int) -> int:
        if offset >= 5 * BLOCK:
            raise OSError(error, os.strerror(error))
        return real(fd, data, offset)

    monkeypatch.setattr(os, "pwrite", failing)
    with pytest.raises(OSError, match=os.strerror(error)):
        store.blobs.put_many([str(tmp_path / "source")])
    assert left_over(store) == []
    assert list(store.blobs.names()) == []


@pytest.mark.parametrize("size", [0, 1, 3 * BLOCK, 3 * BLOCK + 5, 20 * BLOCK])
def test_a_source_that_changes_meanwhile_is_named_as_it_was_kept(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """Cut short, or longer all at once: whatever is stored has the name of what is stored."""
    source = tmp_path / "source"
    source.write_bytes(os.urandom(SIZES[-1]))
    real, done = os.preadv, 0

    def changing(fd: int, buffers: Any, offset: int) -> int:
        nonlocal done
        done += 1
        if done == 5:
            os.truncate(source, size)
        return real(fd, buffers, offset)

    monkeypatch.setattr(os, "preadv", changing)
    (name,) = store.blobs.put_many([str(source)])
    assert name_of(store.blobs.path(name).read_bytes()) == name
    assert store.blobs.size(name) <= SIZES[-1]
