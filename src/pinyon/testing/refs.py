"""The rules of refs (docs/FORMAT.md §6)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pinyon.errors import CorruptError, RefConflictError, StoreError
from pinyon.store.protocol import Refs, Store
from pinyon.testing.case import StoreCase
from pinyon.testing.layout import damaged
from pinyon.testing.processes import Child, in_processes, in_threads

_PATIENCE = 20.0  # seconds after which a race that nobody wins is given up
STRANGE_NAMES = (
    "x", "X", "../x", "../../../x", "..", ".", "./x", "/x", "/", "//", "x/", "x/y", "x//y", ".hidden", "..x", "x.", "-",
    "-rf", "--help", "~", "~root", "a\\b", "\\", "C:\\x", "C:", "CON", "NUL", "nul.txt", "\0", "x\0y", "\0/../x", " ",
    " x", "x ", "\t", "\n", "x\ny", "\r\n", "\x1b[31m", "\x7f", "%", "%2E", "%2e", "%2F..%2Fx", "%00", "%%", "%zz", "*",
    "?", "[a]", "{a,b}", "$HOME", "$(id)", "`id`", ";rm -rf /", "a;b", "a|b", "a&b", "a'b", 'a"b', "<b>", "松ぼっくり",
    "naïve", "nai\u0308ve", "🌰", "\u202ex", "\u2028", "\ufeff", "\ud800", "\udcff", "000001", "000001.tmp", "x" * 200,
    "claims/" + "0" * 64, "refs/heads/main", "models/lstm@staging", "a=b", "a+b", "a:b", "a,b", "1e400", "null", "True",
)  # fmt: skip
REFUSED_NAMES = ("", "y" * 201, "y" * 300, "松" * 100, "\0" * 100, "../" * 100)


class RefContract(StoreCase):
    """One test per rule."""

    def test_ref_versions_count_from_one(self, store: Store) -> None:
        """None before the first; then 1, 2, 3, each the newest in its turn, and what set returns is what get returns."""
        assert store.refs.get("best") is None
        assert store.refs.history("best") == []
        for version in (1, 2, 3):
            made = store.refs.set("best", {"run": version}, expect=version - 1, actor="jay")
            assert store.refs.get("best") == made
            assert made[:4] == ("best", version, {"run": version}, "jay")
            assert abs(made.ts - time.time()) < 60

    def test_ref_set_needs_the_version_it_expects(self, store: Store) -> None:
        """Behind, ahead or negative is a conflict that changes nothing."""
        for version in range(3):
            store.refs.set("best", version, expect=version)
        for expect in (0, 1, 2, 4, 5, 100, -1):
            with pytest.raises(RefConflictError):
                store.refs.set("best", "wrong", expect=expect)
        with pytest.raises(RefConflictError):
            store.refs.set("fresh", "wrong", expect=1)
        assert [found.value for found in store.refs.history("best")] == [0, 1, 2]
        assert store.refs.get("fresh") is None

    def test_ref_history_is_complete_and_in_order(self, store: Store) -> None:
        """Past ten and a hundred, where sorting as text goes wrong."""
        made = [store.refs.set("best", version, expect=version) for version in range(101)]
        assert store.refs.history("best") == made
        assert store.refs.get("best") == made[-1]

    def test_ref_race_of_threads_has_one_winner(self, store: Store) -> None:
        """Sixteen threads want each version."""
        assert_one_winner(store.refs, in_threads, racers=16, versions=8)

    def test_ref_race_of_processes_has_one_winner(self, store: Store) -> None:
        """Four processes want each version."""
        assert_one_winner(store.refs, in_processes, racers=4, versions=25)

    def test_ref_is_never_seen_half_written(self, store: Store) -> None:
        """While another process writes, every look finds a whole version, and never an older one than before."""
        size, versions = 200_000, 40

        def write(_: Callable[[object], None]) -> None:
            for version in range(versions):
                store.refs.set("best", str(version % 10) * size, expect=version)

        child, newest, deadline = Child(write), 0, time.monotonic() + _PATIENCE
        try:
            while newest < versions and time.monotonic() < deadline:
                found = store.refs.get("best")
                if found is not None:
                    assert found.version >= newest
                    assert found.value == str((found.version - 1) % 10) * size
                    newest = found.version
        finally:
            child.result()
        assert newest == versions

    def test_ref_can_have_any_name(self, store: Store, tmp_path: Path) -> None:
        """Each stays a ref of its own, inside the store; too long or empty is refused."""
        around = {path for path in tmp_path.rglob("*") if not path.is_relative_to(tmp_path / "store")}
        for name in STRANGE_NAMES:
            assert store.refs.set(name, name.encode(errors="replace").hex(), expect=0).name == name
        for name in STRANGE_NAMES:
            found = store.refs.get(name)
            assert found is not None
            assert (found.name, found.version) == (name, 1)
            assert found.value == name.encode(errors="replace").hex()
        for name in REFUSED_NAMES:
            with pytest.raises(StoreError):
                store.refs.set(name, 1, expect=0)
        assert store.refs.names() == sorted(STRANGE_NAMES)
        assert around == {path for path in tmp_path.rglob("*") if not path.is_relative_to(tmp_path / "store")}
        self._assert_one_directory_each(store)

    def _assert_one_directory_each(self, store: Store) -> None:
        places = [place for place in self.layout(store).places() if place.startswith("refs/")]
        assert len(places) == len(STRANGE_NAMES)
        assert all(place.count("/") == 2 and place.endswith("/000001") for place in places)

    def test_ref_names_begin_with_the_prefix(self, store: Store) -> None:
        """Sorted; and a ref that nobody set is not listed."""
        for name in ("b/2", "a", "b/1", "b", "B/1", "b%2F3"):
            store.refs.set(name, 1, expect=0)
        with pytest.raises(RefConflictError):
            store.refs.set("b/never", 1, expect=3)
        assert store.refs.names("b/") == ["b/1", "b/2"]
        assert store.refs.names() == ["B/1", "a", "b", "b%2F3", "b/1", "b/2"]
        assert store.refs.names("absent") == []

    def test_ref_value_comes_back_as_it_was(self, store: Store) -> None:
        """All that JSON has; NaN and the infinities as text."""
        values: list[Any] = [
            None,
            True,
            0,
            -1,
            2**70,
            0.1,
            1e300,
            "",
            "松\n\0\u2028\ud800",
            [],
            [1, [2]],
            {},
            {"a": {"b": None}},
        ]
        for index, value in enumerate(values):
            store.refs.set("best", value, expect=index)
        assert [found.value for found in store.refs.history("best")] == values
        store.refs.set("odd", [math.nan, math.inf, -math.inf], expect=0)
        odd = store.refs.get("odd")
        assert odd is not None
        assert odd.value == ["NaN", "Infinity", "-Infinity"]

    def test_ref_damage_is_told(self, store: Store) -> None:
        """A flip of any byte, and every other damage: get raises, verify names the file, other refs are not hidden."""
        store.refs.set("other", 1, expect=0)
        store.refs.set("best", {"run": "r-1", "accuracy": 0.75}, expect=0, actor="jay")
        layout, place = self.layout(store), "refs/best/000001"
        sound = layout.get(place)
        flips = {f"byte {i}": sound[:i] + bytes([sound[i] ^ 1]) + sound[i + 1 :] for i in range(len(sound))}
        for how, bad in (flips | damaged(sound)).items():
            layout.set(place, bad)
            with pytest.raises(CorruptError):
                store.refs.get("best")
            (found,) = store.refs.verify()
            assert found.file.endswith(place), how
            assert not found.torn
            assert store.refs.names() == ["best", "other"]
            assert store.refs.get("other") is not None
        layout.set(place, sound)
        assert list(store.refs.verify()) == []

    def test_ref_gap_is_told(self, store: Store) -> None:
        """A version that is gone, or that is another ref's."""
        for name in ("best", "other"):
            for version in range(3):
                store.refs.set(name, [name, version], expect=version)
        layout = self.layout(store)
        taken = layout.get("refs/best/000002")
        layout.remove("refs/best/000002")
        (found,) = store.refs.verify()
        assert "refs/best" in found.file
        layout.set("refs/best/000002", layout.get("refs/other/000002"))
        (found,) = store.refs.verify()
        assert found.file.endswith("refs/best/000002")
        layout.set("refs/best/000002", taken)
        assert list(store.refs.verify()) == []


def assert_one_winner(
    refs: Refs, run: Callable[[list[Callable[[], object]]], list[Any]], *, racers: int, versions: int
) -> None:
    """Let ``racers`` (run by `in_threads` or `in_processes`) try to write every version: each has exactly one winner,
    whose value stays, and each loser gets a RefConflictError."""

    def racer(who: int) -> Callable[[], list[int]]:
        return lambda: _contend(refs, who, versions)

    wins = run([racer(who) for who in range(racers)])
    assert sorted(version for won in wins for version in won) == list(range(1, versions + 1))
    history = refs.history("best")
    assert [found.version for found in history] == list(range(1, versions + 1))
    assert all(found.version in wins[found.value] for found in history), "a winner's value was replaced"
    assert list(refs.verify()) == []


def _contend(refs: Refs, who: int, versions: int) -> list[int]:
    """Try to write every version once, each as soon as it is the next; the versions won."""
    won = []
    deadline = time.monotonic() + _PATIENCE
    for expect in range(versions):
        while (0 if (newest := refs.get("best")) is None else newest.version) < expect:
            assert time.monotonic() < deadline, f"nobody has won version {expect}"
        try:
            won.append(refs.set("best", who, expect=expect).version)
        except RefConflictError:
            continue
    return won
