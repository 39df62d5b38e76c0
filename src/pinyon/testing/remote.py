"""What tests need of a store over objects, and the suite of mirrors.

::

    class TestMyMirror(MirrorContract):
        def make_mirror(self, path):
            store = RemoteStore(MyObjects(f"memory://{path}"))
            store.prepare("contract", mirror=True)
            return store
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pinyon.errors import StoreError
from pinyon.store import tree
from pinyon.store.objects import Objects
from pinyon.store.protocol import RefVersion
from pinyon.store.refs import spelled
from pinyon.store.remote.store import RemoteStore
from pinyon.store.remote.streams import RemoteStreams, key_of
from pinyon.store.streams import JOURNALS
from pinyon.sync.gc import digests


class ObjectLayout:
    """Places of FORMAT §1 in objects: what is no journal is an object, a segment is all of its pieces."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._streams = RemoteStreams(objects)

    def get(self, place: str) -> bytes:
        """See `pinyon.testing.layout.Layout.get`."""
        if place.startswith(JOURNALS):
            return b"".join(self._streams.chunks(place, 0))
        return self._objects.read(place)

    def set(self, place: str, data: bytes) -> None:
        """See `pinyon.testing.layout.Layout.set`."""
        if place.startswith(JOURNALS):
            self.remove(place)
            place = key_of(place, 0)
        self._objects.write(place, data)

    def remove(self, place: str) -> None:
        """See `pinyon.testing.layout.Layout.remove`."""
        keys = [key for key, _ in self._objects.list(place) if key == place or key.startswith(f"{place}/")]
        self._objects.delete(keys)

    def places(self) -> list[str]:
        """See `pinyon.testing.layout.Layout.places`."""
        keys = [key for key, _ in self._objects.list()]
        return sorted({os.path.dirname(key) if key.startswith(JOURNALS) else key for key in keys})


class MirrorContract:
    """The rules of FORMAT §15 for a store whose refs are copies."""

    def make_mirror(self, path: Path) -> RemoteStore:
        """A mirror in a place named by ``path``, ready to be written to."""
        raise NotImplementedError

    @pytest.fixture
    def mirror(self, tmp_path: Path) -> RemoteStore:
        """A new, empty mirror."""
        return self.make_mirror(tmp_path / "mirror")

    def test_mirror_says_that_it_is_one(self, mirror: RemoteStore, tmp_path: Path) -> None:
        """To whoever opens it; preparing it again, as whatever, changes nothing."""
        described = mirror.describe()
        assert described["mirror"] is True
        again = self.make_mirror(tmp_path / "mirror")
        assert (again.is_mirror(), again.describe()) == (True, described)

    def test_mirror_sets_no_ref(self, mirror: RemoteStore) -> None:
        """It says where refs are set, and holds nothing afterwards."""
        with pytest.raises(StoreError, match="mirror"):
            mirror.refs.set("best", 1, expect=0)
        assert mirror.refs.names() == []

    def test_mirror_takes_versions_as_they_are(self, mirror: RemoteStore) -> None:
        """Byte by byte; twice is once; another version of that number is refused, and so is what is no version."""
        data = spelled(RefVersion("best", 1, {"run": "r-1"}, "jay", 1.5))
        other = spelled(RefVersion("best", 1, {"run": "r-2"}, "jay", 1.5))
        assert mirror.refs.adopt("best", 1, data)
        assert mirror.refs.adopt("best", 1, data)
        assert not mirror.refs.adopt("best", 1, other)
        for name, version, bad in (("best", 2, data), ("worst", 1, data), ("best", 2, data[:-1])):
            with pytest.raises(StoreError):
                mirror.refs.adopt(name, version, bad)
        assert (mirror.refs.raw("best", 1), mirror.refs.versions()) == (data, {"best": [1]})
        assert mirror.refs.get("best") == RefVersion("best", 1, {"run": "r-1"}, "jay", 1.5)

    def test_mirror_pieces_that_overlap_are_one_stream(self, mirror: RemoteStore) -> None:
        """Whoever knew how much: the earlier piece counts, and of later ones the rest; pieces are never replaced."""
        stream, data = "journals/w-1.facts.0.jsonl", os.urandom(100)
        for start, end in ((0, 40), (20, 60), (10, 30), (60, 100)):
            mirror.streams.add(stream, start, data[start:end])
        assert mirror.streams.sizes() == {stream: 100}
        for start, end in ((0, 100), (35, 65), (59, 61), (99, 200), (100, 110), (50, 50)):
            assert mirror.streams.read(stream, start, end) == data[start:end]
        assert list(mirror.streams.verify(stream)) == []
        with pytest.raises(StoreError):
            mirror.streams.add(stream, 20, b"other bytes")
        assert mirror.streams.read(stream, 0, 100) == data

    def test_mirror_bytes_behind_a_gap_do_not_count(self, mirror: RemoteStore) -> None:
        """Until what is before them has come."""
        stream, data = "logs/x-1/1.log", os.urandom(100)
        mirror.streams.add(stream, 0, data[:30])
        mirror.streams.add(stream, 50, data[50:])
        assert (mirror.streams.sizes(), mirror.streams.read(stream, 0, 100)) == ({stream: 30}, data[:30])
        assert [damage.torn for damage in mirror.streams.verify(stream)] == [True]
        assert not mirror.streams.extend(stream, 0, data)
        assert mirror.streams.extend(stream, 30, data[30:50])
        assert (mirror.streams.sizes(), mirror.streams.read(stream, 0, 100)) == ({stream: 100}, data)
        assert list(mirror.streams.verify(stream)) == []

    def test_mirror_pieces_that_disagree_are_damage(self, mirror: RemoteStore) -> None:
        """Named by the piece."""
        stream = "logs/x-1/1.log"
        mirror.streams.add(stream, 0, b"0123456789")
        mirror.streams.add(stream, 5, b"56x89abc")
        (found,) = mirror.streams.verify(stream)
        assert found.file.endswith(key_of(stream, 5))
        assert not found.torn


def dangling(store: RemoteStore) -> set[str]:
    """Names of blobs that a sound record, a ref or a folder of the store tells of, and whose bytes are not there, or are
    not what the name says."""
    told = set[str]()
    for segment in store.journals.segments():
        for event, _ in store.journals.read(segment):
            told.update(digests(event.body))
    for name in store.refs.names():
        told.update(name for version in store.refs.history(name) for name in digests(version.value))
    lost = {name for name in told if store.blobs.verify(name) is not None}
    for folder in [name for name in told - lost if name.endswith("/")]:
        rows = tree.decode(store.blobs.read(folder))
        lost.update(row.name for row in rows if store.blobs.verify(row.name) is not None)
    return lost
