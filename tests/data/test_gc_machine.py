"""gc against a model: whatever is put, referred to, given up, condemned and put again, nothing that is referred to goes."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pinyon.store import packs, tree
from pinyon.store.local import LocalStore
from pinyon.store.names import name_of
from pinyon.sync.gc import GRACE, Policy, Scan, Swept, collect

DATAS = [b"%d" % number * 20 for number in range(8)]
NAMES = [name_of(data) for data in DATAS]


class GcMachine(RuleBasedStateMachine):
    """``there`` is what must be in the store or may be; ``needed`` what must be."""

    collecting = staticmethod(collect)

    @initialize()
    def begin(self) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(packs, "FEW", 2)
        self.patch.setattr(packs, "BATCH", 1)
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name)
        self.store = LocalStore(self.path / "store")
        self.store.prepare("gc")
        self.there: set[str] = set()
        self.condemned: set[str] = set()
        self.roots: set[str] = set()
        self.attempts: dict[str, str] = {}
        self.dropped: set[str] = set()
        self.forever: set[str] = set()
        self.folders: dict[str, set[str]] = {}

    def teardown(self) -> None:
        if hasattr(self, "directory"):
            self.patch.undo()
            self.directory.cleanup()

    # -- what people do

    def _has_put(self, *names: str) -> None:
        self.there.update(names)
        self.condemned.difference_update(names)

    @rule(data=st.sampled_from(DATAS))
    def put(self, data: bytes) -> None:
        self._has_put(self.store.blobs.put(data))

    @rule(datas=st.lists(st.sampled_from(DATAS), min_size=2))
    def put_many(self, datas: list[bytes]) -> None:
        for index, data in enumerate(datas):
            (self.path / str(index)).write_bytes(data)
        names = self.store.blobs.put_many(str(self.path / str(index)) for index in range(len(datas)))
        self._has_put(*names)

    @rule(datas=st.lists(st.sampled_from(DATAS), min_size=1, unique=True))
    def put_folder(self, datas: list[bytes]) -> None:
        names = {self.store.blobs.put(data) for data in datas}
        manifest = self.store.blobs.put(tree.encode(tree.Row(name[7:], name, 1) for name in names))
        self.folders[manifest] = names
        self._has_put(manifest, *names)

    def _record(self, kind: str, body: dict[str, Any]) -> None:
        writer = self.store.journals.open_writer()
        writer.append(kind, body)
        writer.close()

    def _some(self, data: st.DataObject) -> str:
        """A name that can be referred to: one that was just put, as the protocol wants it."""
        name = data.draw(st.sampled_from(sorted(self.there)))
        kept = {name, *self.folders.get(name, ())}
        for one in kept:  # whoever refers to it has put it
            if one in NAMES:
                self._has_put(self.store.blobs.put(DATAS[NAMES.index(one)]))
        if name in self.folders:
            self._has_put(
                self.store.blobs.put(tree.encode(tree.Row(n[7:], n, 1) for n in self.folders[name]))
            )
            return f"{name}/"
        return name

    @precondition(lambda self: self.there)
    @rule(data=st.data())
    def point(self, data: st.DataObject) -> None:
        self.roots.add(self._some(data))

    @precondition(lambda self: self.roots)
    @rule(data=st.data())
    def unpoint(self, data: st.DataObject) -> None:
        self.roots.discard(data.draw(st.sampled_from(sorted(self.roots))))

    @precondition(lambda self: self.there)
    @rule(data=st.data())
    def output(self, data: st.DataObject) -> None:
        attempt, name = f"a-{len(self.attempts)}", self._some(data)
        self.attempts[attempt] = name
        self._record("outputs", {"attempt": attempt, "outs": [["out", name, 1, False, True]]})

    @precondition(lambda self: self.attempts)
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        self.dropped.add(data.draw(st.sampled_from(sorted(self.attempts))))

    @precondition(lambda self: self.there)
    @rule(data=st.data(), kind=st.sampled_from(["pinned", "unheard-of"]))
    def pin(self, data: st.DataObject, kind: str) -> None:
        name = self._some(data)
        self.forever.add(name)
        self._record(kind, {"some": {"where": [name]}})

    @precondition(lambda self: self.there)
    @rule(data=st.data())
    def tag(self, data: st.DataObject) -> None:
        name = self._some(data)
        self.forever.add(name)
        self.store.refs.set("tag", {"is": name}, expect=len(self.store.refs.history("tag")))

    # -- gc

    def _needed(self) -> set[str]:
        heads = self.roots | self.forever | {n for a, n in self.attempts.items() if a not in self.dropped}
        found = {name.removesuffix("/") for name in heads}
        return found | {one for name in found for one in self.folders.get(name, ())}

    def _collect(self, grace: float, *, dry_run: bool = False) -> Swept:
        policy = Policy(self.roots, lambda _: set(self.dropped), frozenset())
        return self.collecting(self.store, policy, now=time.time(), grace=grace, dry_run=dry_run)

    @rule()
    def collect_now(self) -> None:
        """Within the grace: marks, and nothing is deleted."""
        swept = self._collect(GRACE)
        idle = self.there - self._needed()
        assert swept.deleted == {}
        assert set(swept.condemned) == idle - self.condemned
        assert set(swept.spared) == self.condemned - idle
        self.condemned = idle

    @rule()
    def collect_later(self) -> None:
        """As if the grace were over."""
        told = self._collect(0, dry_run=True)
        assert set(self.store.blobs.names()) == self.there
        swept = self._collect(0)
        due = self.condemned - self._needed()
        assert set(swept.deleted) <= set(told.deleted) == due
        alone = {name for name in due if self._alone(name)}
        assert alone <= set(swept.deleted) | set(self.store.blobs.names())
        self.there -= set(swept.deleted)
        self.condemned = self.there - self._needed()

    def _alone(self, name: str) -> bool:
        return self.store.blobs.path(name).exists()

    # -- what must hold

    @invariant()
    def nothing_needed_is_lost(self) -> None:
        if not hasattr(self, "store"):
            return
        for name in self._needed():
            assert self.store.blobs.verify(name) is None
        assert set(self.store.blobs.names()) == self.there
        assert set(self.store.blobs.condemned()) == self.condemned


SETTINGS = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestGc = GcMachine.TestCase
TestGc.settings = SETTINGS


def _forgets_manifests(store: LocalStore, policy: Policy, **named: Any) -> Swept:
    roots = {name.removesuffix("/") for name in policy.roots}
    return collect(store, policy._replace(roots=roots), **named)


def _forgets_outputs(store: LocalStore, policy: Policy, **named: Any) -> Swept:
    return collect(store, policy._replace(dropped=lambda scan: set(scan.outputs)), **named)


def _forgets_marks(store: LocalStore, policy: Policy, **named: Any) -> Swept:
    swept = collect(store, policy, **named)
    store.blobs.spare(store.blobs.condemned())
    return swept


def _is_hasty(store: LocalStore, policy: Policy, **named: Any) -> Swept:
    return collect(store, policy, **{**named, "grace": 0.0})


@pytest.mark.parametrize("faulty", [_forgets_manifests, _forgets_outputs, _forgets_marks, _is_hasty])
def test_the_machine_notices(faulty: Any) -> None:
    from hypothesis import Phase
    from hypothesis.stateful import run_state_machine_as_test

    class Faulty(GcMachine):
        collecting = staticmethod(faulty)

    with pytest.raises((AssertionError, BaseExceptionGroup)):
        run_state_machine_as_test(
            Faulty,
            settings=settings(
                SETTINGS, max_examples=300, phases=[Phase.generate], derandomize=True, print_blob=False
            ),
        )


def test_what_a_living_process_may_have_put_is_waited_for(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    store.prepare("gc")
    name = store.blobs.put(b"abc")
    writer = store.journals.open_writer()
    writer.append("execution", {})
    policy = Policy((), lambda _: set(), frozenset())
    store.blobs.put(b"abc")  # as the process of this journal does: the blob is here, and not condemned
    assert set(collect(store, policy, now=time.time(), grace=0).condemned) == {name}
    assert collect(store, policy, now=time.time(), grace=0).deleted == {}
    writer.close()
    assert set(collect(store, policy, now=time.time(), grace=0).deleted) == {name}


def test_added_data_of_other_projects_is_kept(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    store.prepare("gc")
    mine, theirs = store.blobs.put(b"mine"), store.blobs.put(b"theirs")
    writer = store.journals.open_writer()
    writer.append("added", {"root": "/here", "path": "x", "digest": mine})
    writer.append("added", {"root": "/there", "path": "x", "digest": theirs})
    writer.close()

    def nothing(_: Scan) -> set[str]:
        return set()

    def condemned(*roots: str) -> set[str]:
        policy = Policy((), nothing, frozenset(roots))
        return set(collect(store, policy, now=time.time(), dry_run=True).condemned)

    assert condemned("/here") == {mine}
    assert condemned() == set()


def test_what_an_open_attempt_reads_is_kept(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    store.prepare("gc")
    dep, code = store.blobs.put(b"dep"), store.blobs.put(tree.encode([]))
    policy = Policy((), lambda _: set(), frozenset())
    writer = store.journals.open_writer()
    writer.append("intent", {"attempt": "a-1", "inputs": {"deps": [["d", dep]]}, "bundle": f"{code}/"})
    assert collect(store, policy, now=time.time(), dry_run=True).condemned == {}
    writer.append("outputs", {"attempt": "a-1", "outs": []})
    writer.append("ended", {"attempt": "a-1"})
    writer.close()
    assert set(collect(store, policy, now=time.time(), dry_run=True).condemned) == {dep}
