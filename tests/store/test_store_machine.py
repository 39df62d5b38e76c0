"""Any sequence of calls, and of damage, against a model in memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from pinyon.store.local import LocalStore
from pinyon.store.remote.store import RemoteStore
from pinyon.testing.fakes import FAKES, Fake
from pinyon.testing.machine import StoreMachine
from pinyon.testing.memory import MemoryObjects
from pinyon.testing.remote import ObjectLayout

NOTICED = ("ReadsUnverified", "IgnoresWhatIsExpected", "RestartsItsChain", "CallsTornDamage")
SETTINGS = settings(
    max_examples=100,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)


@pytest.fixture(autouse=True)
def no_power_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine cuts no power, so it need not wait for the disk thousands of times."""
    for call in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, call, lambda fd: None)


class Machine(StoreMachine):
    def make_store(self, path: Path) -> LocalStore:
        store = LocalStore(path)
        store.prepare("machine")
        return store


TestMachine = Machine.TestCase


class RemoteMachine(StoreMachine):
    """The same over objects."""

    def make_store(self, path: Path) -> RemoteStore:
        store = RemoteStore(MemoryObjects(str(path)))
        store.prepare("machine")
        return store

    def layout(self, store: RemoteStore) -> ObjectLayout:
        return ObjectLayout(store.objects)


TestRemoteMachine = RemoteMachine.TestCase
TestRemoteMachine.settings = settings(SETTINGS, max_examples=50)
TestMachine.settings = SETTINGS


@pytest.mark.parametrize("fake", [fake for fake in FAKES if fake.name in NOTICED], ids=lambda f: f.name)
def test_the_machine_notices(fake: Fake):
    class Faulty(StoreMachine):
        def make_store(self, path: Path) -> LocalStore:
            return fake.build(path)

    # It ends with the first failure, so that many examples cost nothing where the fault is found.
    search = settings(
        SETTINGS, max_examples=1000, phases=[Phase.generate], derandomize=True, print_blob=False
    )
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - a rule may fail in any way, or in several
        run_state_machine_as_test(Faulty, settings=search)
    assert isinstance(caught.value, (Exception, BaseExceptionGroup, pytest.fail.Exception))
