"""Leases with a clock of our own: who may take one, and when (docs/FORMAT.md §6)."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pinyon.errors import LeaseLostError
from pinyon.model.ids import ProcessId, host_name, this_process
from pinyon.store import lease as leases
from pinyon.store.lease import Observer
from pinyon.store.local import LocalStore

AWAY = ProcessId("another-host", "another-boot", 7, 7)
GONE = ProcessId(host_name(), this_process().boot, 2**22 + 1, 1)


class Clock:
    """Stands still unless told to move."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(leases, "time", found)
    return found


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    found = LocalStore(tmp_path / "store")
    found.prepare("p")
    return found


@pytest.fixture
def held_by(monkeypatch: pytest.MonkeyPatch, store: LocalStore) -> Iterator[object]:
    """Take the lease in the name of another process."""

    def take(process: ProcessId, **options: float) -> leases.Lease:
        with monkeypatch.context() as patch:
            patch.setattr(leases, "this_process", lambda: process)
            found = Observer(store, "job", **options).take()  # type: ignore[arg-type]
        assert found is not None
        return found

    return take


def test_one_holder_at_a_time(store):
    first = Observer(store, "job").take()
    assert (first.version, Observer(store, "job").take()) == (1, None)
    holder = Observer(store, "job").holder()
    assert (holder.version, holder.process) == (1, this_process())
    first.check()
    first.release()
    assert Observer(store, "job").holder() is None
    second = Observer(store, "job").take()
    assert second.version == 2
    with pytest.raises(LeaseLostError, match="taken over"):
        first.check()
    second.check()
    assert Observer(store, "another job").take().version == 1


def test_renewal_makes_no_version_and_one_file(store):
    lease = Observer(store, "job").take()
    for _ in range(100):
        lease.renew()
    assert len(store.refs.history("leases/job")) == 1
    assert os.listdir(store.root / "beats") == ["job.000001"]
    for version in range(2, 6):
        lease.release()
        lease = Observer(store, "job").take()
        assert lease.version == version
        assert os.listdir(store.root / "beats") == [f"job.{version:06d}"]
    assert not list(store.refs.verify())


def test_a_dead_process_holds_nothing(store, held_by):
    held_by(GONE)
    assert Observer(store, "job").holder() is None
    assert Observer(store, "job").take().version == 2


def test_silence_for_a_whole_term_frees_it(store, held_by, clock):
    lease = held_by(AWAY, ttl=30)
    observer = Observer(store, "job", ttl=30)
    assert observer.take() is None
    for _ in range(20):  # while it beats, for however long, it is not free
        clock.now += 29
        assert observer.take() is None
        lease.renew()
        assert observer.take() is None
    clock.now += 29.9
    assert observer.take() is None
    clock.now += 0.2
    assert observer.take().version == 2


def test_the_longer_of_two_terms_counts(store, held_by, clock):
    held_by(AWAY, ttl=600)
    observer = Observer(store, "job", ttl=1)
    assert observer.take() is None
    clock.now += 599
    assert observer.take() is None
    clock.now += 2
    assert observer.take() is not None


def test_a_zombies_heartbeat_is_nobodys(store, held_by, clock):
    zombie = held_by(AWAY, ttl=30)
    observer = Observer(store, "job", ttl=30)
    observer.take()
    clock.now += 31
    assert observer.take().version == 2
    zombie.renew()
    zombie.release()
    holder = Observer(store, "job").holder()
    assert (holder.version, holder.process) == (2, this_process())
    with pytest.raises(LeaseLostError):
        zombie.check()


def test_short_lives_remember_what_they_saw(store, held_by, clock, tmp_path, monkeypatch):
    lease, memory = held_by(AWAY, ttl=30), tmp_path / "cache" / "lease-job"
    for _ in range(3):
        assert Observer(store, "job", memory=memory).take() is None
        clock.now += 12
    lease.renew()
    for _ in range(3):
        assert Observer(store, "job", memory=memory).take() is None
        clock.now += 12
    # Of another boot's clock nothing is believed, nor of half a file.
    with monkeypatch.context() as patch:
        patch.setattr(leases, "boot_id", lambda: "another boot")
        assert Observer(store, "job", memory=memory).take() is None
    memory.write_text(memory.read_text()[:-5])
    assert Observer(store, "job", memory=memory).take() is None
    clock.now += 31
    assert Observer(store, "job", memory=memory).take().version == 2


def test_waiting_for_it(store, held_by, clock):
    held_by(AWAY, ttl=5)
    assert Observer(store, "job", ttl=5).wait(3) is None
    assert Observer(store, "job", ttl=5).wait(60).version == 2


def test_it_renews_itself_while_it_is_used(store):
    with Observer(store, "job", ttl=0.02).take() as lease:
        before = (store.root / "beats" / "job.000001").read_bytes()
        deadline = time.monotonic() + 30
        while (store.root / "beats" / "job.000001").read_bytes() == before:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        lease.check()
    assert Observer(store, "job").take().version == 2


def test_a_renewal_that_is_late_takes_nothing_that_was_given_back(store, monkeypatch):
    """The thread has begun to renew, and gets to its end only after the lease was given back."""
    begun, given_back, replace = threading.Event(), threading.Event(), os.replace

    def slowly(source, target):
        if threading.current_thread().name == "lease":
            begun.set()
            given_back.wait(0.3)
        replace(source, target)
        if threading.current_thread().name != "lease":
            given_back.set()

    with Observer(store, "job", ttl=0.02).take():
        monkeypatch.setattr(os, "replace", slowly)
        assert begun.wait(30)
        renewing = [thread for thread in threading.enumerate() if thread.name == "lease"]
    for thread in renewing:
        thread.join(30)
    assert Observer(store, "job").take().version == 2


@pytest.mark.parametrize("value", [None, {}, {"process": None}, {"process": {"host": "h"}, "ttl": None}, "x"])
def test_what_a_neighbouring_release_wrote_is_waited_out(store, clock, value):
    store.refs.set("leases/job", value if isinstance(value, dict) else {"process": value}, expect=0)
    observer = Observer(store, "job", ttl=30)
    assert observer.take() is None
    clock.now += 31
    assert observer.take().version == 2


def test_any_text_is_a_name(store):
    for name in ("../up", "a/b", "é", ".hidden"):
        with Observer(store, name).take() as lease:
            lease.check()
    assert sorted(p.name for p in store.root.parent.iterdir()) == ["store"]
