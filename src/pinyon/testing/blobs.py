"""The rules of blobs (docs/FORMAT.md §2)."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from blake3 import blake3

from pinyon.errors import CorruptError, MissingBlobError, StoreError
from pinyon.store.protocol import Store
from pinyon.testing.case import StoreCase
from pinyon.testing.layout import blob_place, damaged
from pinyon.testing.processes import in_threads

_EMPTY = "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
_ABC = "blake3:6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"
_ABSENT = "blake3:" + "0" * 64
_SIZES = (2, 3000, (1 << 20) + 7)  # around the sizes at which a store may change its way of reading
BAD_NAMES = (
    "", "/", "blake3:", "blake3:/", "0" * 64, "sha256:" + "0" * 64, "blake3:" + "0" * 63, "blake3:" + "0" * 65,
    "blake3:" + "A" * 64, "blake3:" + "g" * 64, "blake3:" + "0" * 64 + "\n", "blake3:" + "0" * 64 + "//",
    "blake3:../../" + "0" * 58, "../" * 3, "blake3:\0" + "0" * 63, " blake3:" + "0" * 64,
)  # fmt: skip


def _bytes(size: int) -> bytes:
    return os.urandom(size - 1) + b"\x80" if size > 2 else b"ab"


def _name(data: bytes) -> str:
    return "blake3:" + blake3(data).hexdigest()


def _put_many(store: Store, folder: Path, datas: list[bytes]) -> list[str]:
    """Put these bytes from files, all at once."""
    (folder / "many").mkdir(exist_ok=True)
    for index, data in enumerate(datas):
        (folder / "many" / str(index)).write_bytes(data)
    return store.blobs.put_many(str(folder / "many" / str(index)) for index in range(len(datas)))


class BlobContract(StoreCase):
    """One test per rule."""

    def test_blob_name_is_the_blake3_of_the_bytes(self, store: Store, tmp_path: Path) -> None:
        """Known answers, from bytes and from files."""
        (tmp_path / "abc").write_bytes(b"abc")
        assert store.blobs.put(b"") == _EMPTY
        assert store.blobs.put(b"abc") == _ABC == store.blobs.put(tmp_path / "abc")
        assert store.blobs.read(_EMPTY) == b""

    def test_blob_put_is_idempotent(self, store: Store, tmp_path: Path) -> None:
        """The same bytes are one blob, however often and from wherever they come."""
        for size in _SIZES:
            data = _bytes(size)
            (tmp_path / "source").write_bytes(data)
            assert (
                len({store.blobs.put(data), store.blobs.put(data), store.blobs.put(tmp_path / "source")}) == 1
            )
        assert len(list(store.blobs.names())) == len(_SIZES)

    def test_blob_put_never_links_its_source(self, store: Store, tmp_path: Path) -> None:
        """What is written to the source afterwards does not reach the store."""
        for size in _SIZES:
            source, data = tmp_path / f"source-{size}", _bytes(size)
            source.write_bytes(data)
            name = store.blobs.put(source)
            with open(source, "r+b") as file:
                file.write(b"\xff\xff")
            assert store.blobs.read(name) == data

    def test_blob_put_of_a_changing_source_is_sound(self, store: Store, tmp_path: Path) -> None:
        """The name is that of the bytes kept, although the source changed between reading and naming."""
        source, ended = tmp_path / "source", threading.Event()
        source.write_bytes(bytes(2 << 20))

        def scribble() -> None:
            with open(source, "r+b", buffering=0) as file:
                while not ended.is_set():
                    os.pwrite(file.fileno(), os.urandom(8), int.from_bytes(os.urandom(2), "big") * 32)

        thread = threading.Thread(target=scribble)
        thread.start()
        try:
            names = [store.blobs.put(source) for _ in range(5)]
        finally:
            ended.set()
            thread.join()
        assert [store.blobs.verify(name) for name in names] == [None] * 5

    def test_blob_put_writes_again_what_a_power_cut_cut_short(self, store: Store) -> None:
        """A shorter file under the name is no reason not to write."""
        for size in _SIZES:
            data = _bytes(size)
            name = store.blobs.put(data)
            self.layout(store).set(blob_place(name), data[: size // 2])
            assert store.blobs.put(data) == name
            assert store.blobs.read(name) == data

    def test_blob_appears_whole(self, store: Store) -> None:
        """Whoever sees that it is there can read it."""
        data = _bytes(8 << 20)
        name, ended = "blake3:" + blake3(data).hexdigest(), threading.Event()
        broken: list[str] = []

        def watch() -> None:
            while not ended.is_set():
                if store.blobs.has(name) and store.blobs.verify(name) is not None:
                    broken.append("seen before it was whole")
                    return

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            assert store.blobs.put(data) == name
        finally:
            ended.set()
            watcher.join()
        assert not broken

    def test_blob_puts_of_many_writers_do_not_mix(self, store: Store) -> None:
        """Eight threads write the same and different bytes."""
        datas = [bytes([index % 4]) * 300_000 for index in range(8)]
        names = in_threads([lambda data=data: store.blobs.put(data) for data in datas])  # type: ignore[misc]
        assert [store.blobs.read(name) for name in names] == datas

    def test_blob_has_only_what_was_put(self, store: Store) -> None:
        """Absent, then present."""
        assert not store.blobs.has(_ABC)
        store.blobs.put(b"abc")
        assert store.blobs.has(_ABC)
        assert not store.blobs.has(_ABSENT)

    def test_blob_that_is_missing_is_told(self, store: Store, tmp_path: Path) -> None:
        """MissingBlobError, which is a FileNotFoundError; nothing appears at the target."""
        with pytest.raises(MissingBlobError):
            store.blobs.read(_ABSENT)
        with pytest.raises(FileNotFoundError):
            store.blobs.copy_out(_ABSENT, tmp_path / "target")
        assert not (tmp_path / "target").exists()
        assert store.blobs.verify(_ABSENT) is not None

    def test_blob_flush_refuses_a_missing_one(self, store: Store) -> None:
        """What is not here cannot be announced durable; what is here can, twice."""
        name = store.blobs.put(b"abc")
        store.blobs.flush([name, name])
        with pytest.raises(MissingBlobError):
            store.blobs.flush([name, _ABSENT])

    def test_blob_read_is_verified(self, store: Store) -> None:
        """Bytes that differ from the name are never returned; the error names the file."""
        for size in _SIZES:
            data = _bytes(size)
            place = blob_place(name := store.blobs.put(data))
            for how, bad in damaged(data).items():
                self.layout(store).set(place, bad)
                with pytest.raises(CorruptError) as caught:
                    store.blobs.read(name)
                assert caught.value.where.endswith(place), how

    def test_blob_copy_out_is_verified(self, store: Store, tmp_path: Path) -> None:
        """A bad blob leaves what was at the target, and nothing beside it."""
        out = tmp_path / "out"
        out.mkdir()
        (out / "target").write_bytes(b"old")
        for size in _SIZES:
            data = _bytes(size)
            place = blob_place(name := store.blobs.put(data))
            for bad in damaged(data).values():
                self.layout(store).set(place, bad)
                with pytest.raises(CorruptError) as caught:
                    store.blobs.copy_out(name, out / "target")
                assert caught.value.where.endswith(place)
        assert [(path.name, path.read_bytes()) for path in out.iterdir()] == [("target", b"old")]

    def test_blob_copy_out_gives_a_file_of_its_own(self, store: Store, tmp_path: Path) -> None:
        """Writable, executable if asked, one link, and writing to it does not reach the store."""
        for size in _SIZES:
            name = store.blobs.put(data := _bytes(size))
            for executable in (False, True):
                target = tmp_path / f"{size}-{executable}"
                store.blobs.copy_out(name, target, executable=executable)
                stat = target.stat()
                assert target.read_bytes() == data
                assert stat.st_nlink == 1
                assert stat.st_mode & 0o200
                assert bool(stat.st_mode & 0o100) is executable
                target.write_bytes(b"scribbled")
            assert store.blobs.read(name) == data

    def test_blob_copy_out_replaces_the_target_at_once(self, store: Store, tmp_path: Path) -> None:
        """Who has the old file open goes on reading it; a symbolic link is replaced, not followed."""
        name = store.blobs.put(b"new bytes")
        target, link, other = tmp_path / "target", tmp_path / "link", tmp_path / "other"
        target.write_bytes(b"old bytes")
        other.write_bytes(b"other bytes")
        link.symlink_to(other)
        with open(target, "rb") as reader:
            store.blobs.copy_out(name, target)
            store.blobs.copy_out(name, link)
            assert reader.read() == b"old bytes"
        assert (target.read_bytes(), link.read_bytes(), other.read_bytes()) == (b"new bytes",) * 2 + (
            b"other bytes",
        )
        assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
            "link",
            "other",
            "target",
        ]

    def test_blob_copy_out_leaves_nothing_when_it_cannot_replace(self, store: Store, tmp_path: Path) -> None:
        """A directory in the way, no parent, and a name near the file system's limit."""
        name = store.blobs.put(b"abc")
        (tmp_path / "out" / "taken").mkdir(parents=True)
        for target in ("taken", "absent/target"):
            with pytest.raises((FileNotFoundError, IsADirectoryError)):
                store.blobs.copy_out(name, tmp_path / "out" / target)
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["taken"]
        store.blobs.copy_out(name, tmp_path / ("松" * 83))
        assert (tmp_path / ("松" * 83)).read_bytes() == b"abc"

    def test_blob_name_of_a_directory_ends_in_a_slash(self, store: Store, tmp_path: Path) -> None:
        """The slash says what the bytes are; it is not part of where they lie."""
        name = store.blobs.put(b"pinyon-tree 1\n[]\n")
        assert store.blobs.has(name + "/")
        assert store.blobs.verify(name + "/") is None
        assert store.blobs.read(name + "/") == b"pinyon-tree 1\n[]\n"
        store.blobs.copy_out(name + "/", tmp_path / "manifest")
        store.blobs.flush([name + "/"])
        assert list(store.blobs.names()) == [name]

    def test_blob_with_a_bad_name_is_refused(self, store: Store, tmp_path: Path) -> None:
        """Nothing but blake3: and 64 lower-case digits reaches the disk."""
        store.blobs.put(b"abc")
        for name in BAD_NAMES:
            with pytest.raises(StoreError):
                store.blobs.read(name)
            with pytest.raises(StoreError):
                store.blobs.copy_out(name, tmp_path / "target")
            with pytest.raises(StoreError):
                store.blobs.has(name)
            assert store.blobs.verify(name) is not None
        assert not (tmp_path / "target").exists()

    def test_blob_verify_finds_every_damage(self, store: Store) -> None:
        """Each kind, with the file; nothing on sound bytes."""
        for size in _SIZES:
            data = _bytes(size)
            place = blob_place(name := store.blobs.put(data))
            assert store.blobs.verify(name) is None
            for how, bad in damaged(data).items():
                self.layout(store).set(place, bad)
                found = store.blobs.verify(name)
                assert found is not None, how
                assert found.file.endswith(place)
                assert not found.torn

    def test_blob_names_are_all_there(self, store: Store) -> None:
        """As many as were put, and nothing when nothing was."""
        assert list(store.blobs.names()) == []
        assert sorted(store.blobs.put(b"%d" % index) for index in range(300)) == sorted(store.blobs.names())

    # Many at once

    def test_blob_put_many_names_each_file(self, store: Store, tmp_path: Path) -> None:
        """In order, small and large, twice the same, and again; each is a blob like any other."""
        datas = [b"%d" % index * 40 for index in range(200)] + [_bytes(_SIZES[2]), b"", b"7" * 40]
        sources = [tmp_path / f"{index}" for index in range(len(datas))]
        for source, data in zip(sources, datas, strict=True):
            source.write_bytes(data)
        names = [_name(data) for data in datas]
        assert store.blobs.put_many(map(str, sources)) == names == store.blobs.put_many(map(str, sources))
        assert sorted(store.blobs.names()) == sorted(set(names))
        assert store.blobs.missing([*names, names[0] + "/", _ABSENT]) == {_ABSENT}
        store.blobs.flush(names)
        for name, data in zip(names, datas, strict=True):
            assert (store.blobs.has(name), store.blobs.size(name), store.blobs.read(name)) == (
                True,
                len(data),
                data,
            )
            assert store.blobs.verify(name) is None
            store.blobs.copy_out(name, tmp_path / "out")
            assert (tmp_path / "out").read_bytes() == data
            assert store.blobs.put(data) == name

    def test_blob_put_many_is_as_sound_as_put(self, store: Store, tmp_path: Path) -> None:
        """One that rots is not read, is told by name, hides no other, and is healed by putting it again."""
        datas = [b"number %d, " % index * 30 for index in range(200)]
        names = _put_many(store, tmp_path, datas)
        layout = self.layout(store)
        place = next(place for place in layout.places() if datas[150] in layout.get(place))
        layout.set(place, layout.get(place).replace(datas[150], bytes(reversed(datas[150]))))
        with pytest.raises(CorruptError):
            store.blobs.read(names[150])
        with pytest.raises(CorruptError):
            store.blobs.copy_out(names[150], tmp_path / "out")
        assert [name for name in names if store.blobs.verify(name) is not None] == [names[150]]
        assert store.blobs.read(names[149]) == datas[149]
        assert _put_many(store, tmp_path, datas) == names
        assert [store.blobs.read(name) for name in names] == datas

    def test_blob_put_many_cut_short_is_told(self, store: Store, tmp_path: Path) -> None:
        """What a power cut leaves of many is damage that verify names; nothing of it is read, and putting again heals."""
        datas = [b"number %d, " % index * 30 for index in range(200)]
        names = _put_many(store, tmp_path, datas)
        layout = self.layout(store)
        for place in [place for place in layout.places() if place != "format.json"]:
            layout.set(place, layout.get(place)[:-9])
        told = [damage for name in store.blobs.names() if (damage := store.blobs.verify(name)) is not None]
        assert told
        assert (
            len(store.blobs.missing(names)) + sum(store.blobs.verify(name) is not None for name in names)
            >= 200
        )
        assert _put_many(store, tmp_path, datas) == names
        assert [store.blobs.read(name) for name in names] == datas

    # Going out by a link

    def test_blob_copy_out_by_link_is_verified_and_read_only(self, store: Store, tmp_path: Path) -> None:
        """A link that was asked for cannot be written to by accident; a damaged blob is not linked."""
        for size in _SIZES:
            name = store.blobs.put(data := _bytes(size))
            target = tmp_path / f"{size}"
            target.write_bytes(b"old")
            for _ in range(2):
                linked = store.blobs.copy_out(name, target, link=True)
                assert target.read_bytes() == data
                assert not (linked and target.stat().st_mode & 0o222)
                assert linked or target.stat().st_nlink == 1
            assert not store.blobs.copy_out(name, tmp_path / "script", executable=True, link=True)
            assert (tmp_path / "script").stat().st_mode & 0o100
            self.layout(store).set(blob_place(name), damaged(data)["one bit"])
            with pytest.raises(CorruptError):
                store.blobs.copy_out(name, target, link=True)
            assert target.read_bytes() == data
        assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {*map(str, _SIZES), "script"}

    def test_blob_set_aside_only_when_damaged(self, store: Store) -> None:
        """What differs from its name counts as missing from then on and can be put again; what is sound stays."""
        for size in _SIZES:
            name = store.blobs.put(data := _bytes(size))
            assert not store.blobs.set_aside(name)
            assert store.blobs.read(name) == data
            self.layout(store).set(blob_place(name), damaged(data)["one bit"])
            assert store.blobs.set_aside(name)
            assert not store.blobs.has(name)
            assert not store.blobs.set_aside(name)
            assert store.blobs.put(data) == name
            assert store.blobs.read(name) == data

    # Deleting

    def test_blob_condemned_is_read_as_ever(self, store: Store, tmp_path: Path) -> None:
        """A mark changes nothing for readers; it keeps its time, and can be taken away."""
        name = store.blobs.put(b"abc")
        began = time.time()
        store.blobs.condemn([name])
        since = store.blobs.condemned()
        assert since.keys() == {name}
        assert abs(since[name] - began) < 60
        store.blobs.condemn([name])
        assert store.blobs.condemned() == since
        assert (store.blobs.has(name), store.blobs.read(name), store.blobs.verify(name)) == (
            True,
            b"abc",
            None,
        )
        store.blobs.copy_out(name, tmp_path / "out")
        assert list(store.blobs.names()) == [name]
        assert store.blobs.missing([name]) == set()
        store.blobs.spare([name, _ABSENT])
        assert store.blobs.condemned() == {}

    def test_blob_unkept_must_be_put(self, store: Store) -> None:
        """What is not here, and what is condemned; nothing else."""
        names = [store.blobs.put(data) for data in (b"a", b"b")]
        store.blobs.condemn(names[:1])
        assert store.blobs.unkept([*names, _ABSENT]) == {names[0], _ABSENT}
        store.blobs.put(b"a")
        assert store.blobs.unkept([*names, _ABSENT]) == {_ABSENT}

    def test_blob_delete_takes_only_what_is_condemned(self, store: Store) -> None:
        """And what was so, and was written, before the moment that is named; it tells what went."""
        names = [store.blobs.put(data) for data in (b"a", b"bb", b"ccc")]
        store.blobs.condemn(names[1:])
        store.blobs.spare(names[2:])
        later = time.time() + 60
        assert store.blobs.delete(names, time.time() - 60) == {}
        assert store.blobs.delete([*names, _ABSENT], later) == {names[1]: 2}
        assert store.blobs.missing(names) == {names[1]}
        assert store.blobs.condemned() == {}
        assert store.blobs.delete(names, later) == {}
        assert store.blobs.put(b"bb") == names[1]
        assert store.blobs.delete(names, later) == {}

    def test_blob_delete_takes_some_of_many(self, store: Store, tmp_path: Path) -> None:
        """However they lie together: in the end those that stay are sound, and most that go are gone."""
        datas = [b"number %d, " % index * 30 for index in range(200)]
        names = _put_many(store, tmp_path, datas)
        store.blobs.condemn(names[:150])
        gone = store.blobs.delete(names, time.time() + 60)
        assert gone.keys() <= set(names[:150])
        assert len(gone) >= 100
        assert store.blobs.missing(names) == gone.keys()
        assert [store.blobs.read(name) for name in names[150:]] == datas[150:]
        assert store.blobs.condemned().keys() == set(names[:150]) - gone.keys()

    def test_blob_put_of_a_condemned_one_saves_it(self, store: Store, tmp_path: Path) -> None:
        """Whoever is told that the bytes are here can rely on it."""
        later = time.time() + 60
        for size in _SIZES:
            name = store.blobs.put(data := _bytes(size))
            (tmp_path / "source").write_bytes(data)
            for source in (data, tmp_path / "source"):
                store.blobs.condemn([name])
                assert store.blobs.put(source) == name
                assert store.blobs.condemned() == {}
                assert store.blobs.delete([name], later) == {}
                assert store.blobs.read(name) == data
        datas = [b"number %d, " % index * 30 for index in range(200)]
        names = _put_many(store, tmp_path, datas)
        store.blobs.condemn(names)
        assert _put_many(store, tmp_path, datas) == names
        assert store.blobs.delete(names, later) == {}
        assert [store.blobs.read(name) for name in names] == datas

    def test_blob_put_and_delete_at_once_lose_nothing(self, store: Store) -> None:
        """A thread that deletes whatever is condemned, against threads that put the same bytes again and again."""
        datas = [b"%d" % index * 500 for index in range(8)]
        names, ended, lost = [_name(data) for data in datas], threading.Event(), []

        def sweep() -> None:
            while not ended.is_set():
                store.blobs.delete(names, time.time() + 60)

        def work(mine: bytes) -> None:
            for _ in range(60):
                name = store.blobs.put(mine)
                store.blobs.condemn([name])
                store.blobs.put(mine)
                if not store.blobs.has(name):
                    lost.append(name)

        thread = threading.Thread(target=sweep)
        thread.start()
        try:
            in_threads([lambda data=data: work(data) for data in datas])  # type: ignore[misc]
        finally:
            ended.set()
            thread.join()
        assert not lost
