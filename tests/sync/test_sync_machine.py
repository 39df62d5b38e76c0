"""Any sequence of events, and of pushes and pulls that are cut off anywhere: nothing that was acknowledged is lost, and
nothing that is there names what is not."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pinyon.errors import StoreError
from pinyon.store import tree
from pinyon.store.local import LocalStore
from pinyon.store.objects import Abilities, Objects
from pinyon.store.remote.store import RemoteStore
from pinyon.sync.pull import pull, pull_plan
from pinyon.sync.push import push, push_plan
from pinyon.sync.views import Plan
from pinyon.testing.memory import Cut, FaultyObjects, MemoryObjects
from pinyon.testing.remote import dangling

_CALLS = st.sampled_from([{"write", "create"}, {"read", "fetch", "list", "size"}, {"create"}, {"write"}])
CUTS = st.just(Cut(1_000_000)) | st.builds(
    Cut, st.integers(1, 25), _CALLS.map(frozenset), after=st.booleans(), always=st.booleans()
)
CLONES = st.integers(0, 1)


@pytest.fixture(autouse=True)
def no_power_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody cuts power here, so nobody need wait for the disk."""
    for call in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, call, lambda fd: None)


class SyncMachine(RuleBasedStateMachine):
    """Two clones that both work and push, the first one home; a third that only looks."""

    places = 0

    @initialize(create=st.booleans())
    def begin(self, create: bool) -> None:
        """A home, a mirror with what it has, and a second clone."""
        SyncMachine.places += 1
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name)
        self.place = MemoryObjects(f"sync-{SyncMachine.places}", Abilities(create=create, parallel=2))
        self.clones = [LocalStore(self.path / name) for name in ("home", "clone", "looking")]
        self.clones[0].prepare("p")
        self.push_all(0)
        self.pull_all(1)
        self.writers = [clone.journals.open_writer() for clone in self.clones[:2]]
        self.events: dict[tuple[str, int], tuple[str, dict[str, Any]]] = {}
        self.refs: list[Any] = []
        self.logs = [b"", b""]
        self.put_: dict[str, bytes] = {}
        self.late: list[tuple[int, Plan]] = []

    def teardown(self) -> None:
        """Without faults everything arrives everywhere."""
        if not hasattr(self, "directory"):
            return
        for clone in (0, 1):
            self.push_all(clone)
        for clone in (0, 1, 2):
            self.pull_all(clone)
            self.check(self.clones[clone])
            assert not push_plan(self.clones[clone], self.mirror())
        self.directory.cleanup()

    def mirror(self, objects: Objects | None = None) -> RemoteStore:
        """A new client, which remembers nothing."""
        return RemoteStore(objects or self.place)

    def push_all(self, clone: int) -> None:
        """A push that nothing cuts off."""
        mirror = self.mirror()
        moved = push(self.clones[clone], mirror, push_plan(self.clones[clone], mirror))
        assert not moved.held
        assert not moved.damaged

    def pull_all(self, clone: int) -> None:
        """A pull that nothing cuts off."""
        mirror = self.mirror()
        assert not pull(mirror, self.clones[clone], pull_plan(mirror, self.clones[clone])).damaged

    def check(self, store: LocalStore) -> None:
        """All that was acknowledged is there, as it was, and nothing is damaged."""
        found = {
            (event.writer, event.seq): (event.kind, event.body)
            for segment in store.journals.segments()
            for event, _ in store.journals.read(segment)
            if event.kind != "opened"
        }
        assert found == self.events
        assert not [one for name in store.journals.segments() for one in store.journals.verify(name)]
        for name, data in self.put_.items():
            assert store.blobs.read(name) == data
        assert [version.value for version in store.refs.history("best")] == self.refs
        for clone, log in enumerate(self.logs):
            if log:
                assert store.streams.read(f"logs/x-{clone}/1.log", 0, 1 << 20) == log

    # Work

    def record(self, clone: int, kind: str, body: dict[str, Any]) -> None:
        """A record that a clone has acknowledged."""
        event = self.writers[clone].append(kind, body)
        self.events[event.writer, event.seq] = (kind, event.body)

    @rule(clone=CLONES, data=st.binary(max_size=30))
    def put(self, clone: int, data: bytes) -> None:
        """A blob, and the record that names it."""
        name = self.clones[clone].blobs.put(data)
        self.put_[name] = data
        self.record(clone, "pinned", {"blobs": [name]})

    @rule(clone=CLONES, seed=st.integers(0, 3), count=st.integers(64, 80))
    def put_folder(self, clone: int, seed: int, count: int) -> None:
        """Many small files, and the folder's name."""
        datas = [b"%d/%d" % (seed, index) for index in range(count)]
        names = self.clones[clone].blobs.put_small(datas)
        rows = tree.encode(tree.Row(str(i), name, len(datas[i])) for i, name in enumerate(names))
        folder = self.clones[clone].blobs.put(rows)
        self.put_ |= {**dict(zip(names, datas, strict=True)), folder: rows}
        self.record(clone, "pinned", {"blobs": [folder + "/"]})

    @rule(clone=CLONES, size=st.sampled_from([0, 10, 70_000]))
    def tell(self, clone: int, size: int) -> None:
        """A record that names nothing."""
        self.record(clone, "noted", {"text": "x" * size})

    @rule(clone=CLONES, line=st.binary(min_size=1, max_size=20))
    def log(self, clone: int, line: bytes) -> None:
        """A log grows, by no line in particular."""
        path = self.clones[clone].root / f"logs/x-{clone}/1.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab") as file:
            file.write(line)
        self.logs[clone] += line
        end = len(self.logs[clone])
        self.record(clone, "ended", {"attempt": "a-1", "log": [f"logs/x-{clone}/1.log", 0, end]})

    @rule(data=st.binary(max_size=30))
    def promote(self, data: bytes) -> None:
        """The home sets a ref that names a blob."""
        name = self.clones[0].blobs.put(data)
        self.put_[name] = data
        self.record(0, "noted", {"text": "promoted"})
        value = {"blob": name, "record": max(key for key in self.events if key[0] == self.writers[0].writer)}
        self.clones[0].refs.set("best", value, expect=len(self.refs))
        self.refs.append({**value, "record": list(value["record"])})

    @rule()
    def promote_elsewhere(self) -> None:
        """A clone sets none."""
        with pytest.raises(StoreError, match="mirror"):
            self.clones[1].refs.set("best", 1, expect=len(self.clones[1].refs.history("best")))

    @rule(clone=CLONES)
    def reopen(self, clone: int) -> None:
        """Another process goes on in the same clone."""
        self.writers[clone] = self.clones[clone].journals.open_writer()

    # Sync

    @rule(clone=CLONES, cut=CUTS, some=st.none() | st.integers(0, 3))
    def push_cut(self, clone: int, cut: Cut, some: int | None) -> None:
        """A push that is cut off anywhere, of all blobs or of some."""
        wanted = None if some is None else sorted(self.put_)[some::4]
        mirror, source = self.mirror(FaultyObjects(self.place, cut)), self.clones[clone]
        try:
            push(source, mirror, push_plan(source, mirror, wanted))
        except StoreError:
            return

    @rule(clone=st.integers(0, 2), cut=CUTS, some=st.none() | st.integers(0, 3))
    def pull_cut(self, clone: int, cut: Cut, some: int | None) -> None:
        """A pull that is cut off anywhere."""
        wanted = None if some is None else sorted(self.put_)[some::4]
        mirror, target = self.mirror(FaultyObjects(self.place, cut)), self.clones[clone]
        try:
            pull(mirror, target, pull_plan(mirror, target, wanted))
        except StoreError:
            return

    @rule(clone=CLONES)
    def plan_early(self, clone: int) -> None:
        """A push has looked, and takes its time."""
        self.late.append((clone, push_plan(self.clones[clone], self.mirror())))

    @precondition(lambda self: self.late)
    @rule()
    def push_late(self) -> None:
        """It goes on, whatever others have pushed meanwhile."""
        clone, planned = self.late.pop()
        push(self.clones[clone], self.mirror(), planned)

    # What must always hold

    @invariant()
    def nothing_dangles(self) -> None:
        """What is there names no blob and no record that is not."""
        mirror = self.mirror()
        assert dangling(mirror) == set()
        named = [tuple(version.value["record"]) for version in mirror.refs.history("best")]
        if named:
            segments = mirror.journals.segments()
            there = {
                (event.writer, event.seq) for name in segments for event, _ in mirror.journals.read(name)
            }
            assert there.issuperset(named)


SyncMachine.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)
TestSync = SyncMachine.TestCase
