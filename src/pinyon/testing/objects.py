"""The suite that every backend of objects passes (docs/FORMAT.md §15).

::

    from pinyon.testing.objects import ObjectsContract

    class TestMyObjects(ObjectsContract):
        def make_objects(self, path):
            return MyObjects(f"memory://{path}")
"""

from __future__ import annotations

import os
import threading
from functools import partial
from pathlib import Path

import pytest

from pinyon.errors import MissingObjectError, StoreError
from pinyon.store.objects import Objects
from pinyon.testing.processes import in_threads

KEYS = (
    "format.json", "blobs/ab/" + "0" * 62, "refs/best/000001", "refs/%2E%2E%2Fx/000001", "refs/%E6%9D%BE/000001",
    "journals/w-0123456789abcdef.facts.0.jsonl/000000000000", "logs/x-1/1.log/000000000017", "a", "a.b", "a-b_c/%25",
)  # fmt: skip
LARGE = 9 << 20  # bytes: more than one part of any client's


class ObjectsContract:
    """One test a rule. Rules of what a place cannot do ask that it says so."""

    def make_objects(self, path: Path) -> Objects:
        """An empty place named by ``path``; called twice with one path it opens the same one twice."""
        raise NotImplementedError

    @pytest.fixture
    def objects(self, tmp_path: Path) -> Objects:
        """A new, empty place."""
        return self.make_objects(tmp_path / "place")

    def test_object_comes_back_as_it_was(self, objects: Objects, tmp_path: Path) -> None:
        """Bytes and files, none of them, and more than one part of them."""
        for number, data in enumerate((b"", b"x", os.urandom(70_000), os.urandom(LARGE))):
            file = tmp_path / "source"
            file.write_bytes(data)
            for key, source in ((f"a/{number}", data), (f"b/{number}", file)):
                objects.write(key, source)
                assert objects.read(key) == data
                assert objects.size(key) == len(data)
                target = tmp_path / f"fetched-{key.replace('/', '-')}"
                objects.fetch(key, target)
                assert target.read_bytes() == data

    def test_object_that_is_missing_is_told(self, objects: Objects, tmp_path: Path) -> None:
        """By every way to read it; and no file is left."""
        objects.write("here", b"x")
        for key in ("not/here", "here/below", "her"):
            assert objects.size(key) is None
            with pytest.raises(MissingObjectError):
                objects.read(key)
            with pytest.raises(MissingObjectError):
                objects.read(key, 3, 5)
            with pytest.raises(MissingObjectError):
                objects.fetch(key, tmp_path / "target")
        assert not (tmp_path / "target").exists()

    def test_object_is_read_by_ranges(self, objects: Objects) -> None:
        """Cut to what there is; from the end, too."""
        data = bytes(range(256)) * 40
        objects.write("x", data)
        for start, end in (
            (0, 1),
            (5, 500),
            (10_000, 20_000),
            (0, None),
            (9_999, None),
            (20_000, 20_001),
            (7, 7),
        ):
            assert objects.read("x", start, end) == data[start:end]
        for start in (-1, -16, -10_240, -20_000):
            assert objects.read("x", start) == data[start:]

    def test_object_is_replaced(self, objects: Objects) -> None:
        """By a longer one, a shorter one and an empty one."""
        for data in (b"one", b"the second", b"3", b""):
            objects.write("x", data)
            assert objects.read("x") == data
            assert [one for one in objects.list() if one.key == "x"] == [("x", len(data))]

    def test_object_appears_whole(self, objects: Objects, tmp_path: Path) -> None:
        """Whoever reads while another client writes finds nothing, or one of the versions."""
        size, other = 300_000, self.make_objects(tmp_path / "place")

        def write() -> None:
            for version in range(20):
                other.write("x", str(version % 10).encode() * size)

        writer = threading.Thread(target=write)
        writer.start()
        while writer.is_alive():
            if objects.size("x") is not None:
                data = objects.read("x")
                assert data == data[:1] * size
        writer.join()
        assert objects.read("x") == b"9" * size

    def test_objects_have_any_key_of_ours(self, objects: Objects) -> None:
        """Each is an object of its own, and listings give back what was written."""
        for key in KEYS:
            objects.write(key, key.encode())
        assert {key: objects.read(key).decode() for key in KEYS} == {key: key for key in KEYS}
        assert sorted(one.key for one in objects.list()) == sorted(KEYS)

    def test_objects_are_listed_by_the_beginning_of_their_keys(self, objects: Objects) -> None:
        """Which need not end at a slash."""
        for key in KEYS:
            objects.write(key, b"abc")
        for prefix in ("", "refs/", "refs/%", "a", "a/", "blobs/ab/0", "nothing/", "format.json"):
            wanted = sorted((key, 3) for key in KEYS if key.startswith(prefix))
            assert sorted(objects.list(prefix)) == wanted

    def test_objects_beyond_one_page_are_listed(self, objects: Objects) -> None:
        """Most clients give a thousand at a time."""
        keys = [f"many/{number:04d}" for number in range(1_100)]
        in_threads([partial(_write, objects, keys[part::8]) for part in range(8)])
        assert sorted(one.key for one in objects.list("many/")) == keys

    def test_objects_are_deleted(self, objects: Objects) -> None:
        """Those that are there; the others are no error."""
        for key in KEYS:
            objects.write(key, b"x")
        objects.delete([KEYS[0], KEYS[3], "not/there"])
        objects.delete([])
        assert sorted(one.key for one in objects.list()) == sorted({*KEYS} - {KEYS[0], KEYS[3]})
        assert objects.size(KEYS[0]) is None

    def test_object_is_made_once(self, objects: Objects) -> None:
        """And what is there already stays as it is."""
        if not objects.abilities.create:
            with pytest.raises(StoreError, match="compare-and-swap"):
                objects.create("x", b"1")
            assert objects.size("x") is None
            return
        assert objects.create("x", b"1")
        assert not objects.create("x", b"2")
        assert objects.read("x") == b"1"
        objects.delete(["x"])
        assert objects.create("x", b"3")

    def test_object_that_many_make_has_one_maker(self, objects: Objects, tmp_path: Path) -> None:
        """Sixteen clients race for each of ten keys."""
        if not objects.abilities.create:
            return
        clients = [self.make_objects(tmp_path / "place") for _ in range(16)]
        for key in (f"race/{number}" for number in range(10)):
            made = in_threads([partial(one.create, key, b"%d" % racer) for racer, one in enumerate(clients)])
            assert sum(made) == 1
            assert objects.read(key) == b"%d" % made.index(True)

    def test_objects_tell_of_their_bytes(self, objects: Objects, tmp_path: Path) -> None:
        """All of them, once."""
        file, told = tmp_path / "source", list[int]()
        file.write_bytes(os.urandom(LARGE))
        objects.write("x", file, tell=told.append)
        assert sum(told) == LARGE
        told.clear()
        objects.fetch("x", tmp_path / "target", tell=told.append)
        assert sum(told) == LARGE

    def test_objects_are_there_for_others(self, objects: Objects, tmp_path: Path) -> None:
        """For another client, as soon as the call returns."""
        other = self.make_objects(tmp_path / "place")
        for data in (b"1", b"2"):
            objects.write("x", data)
            assert other.read("x") == data
        objects.delete(["x"])
        assert other.size("x") is None

    def test_objects_are_safe_for_threads(self, objects: Objects) -> None:
        """One client, many threads, each with a key of its own."""

        def work(key: str) -> None:
            for turn in range(10):
                objects.write(key, b"%d" % turn)
                assert objects.read(key) == b"%d" % turn

        in_threads([partial(work, f"t/{number}") for number in range(8)])


def _write(objects: Objects, keys: list[str]) -> None:
    for key in keys:
        objects.write(key, b"")
