"""The suite fails every store that breaks a rule, at that rule."""

from __future__ import annotations

import inspect
import tempfile
from pathlib import Path

import pytest

from pinyon.testing.fakes import FAKES, Fake
from pinyon.testing.store import StoreContract


def _noticed(fake: Fake, rule: str) -> bool:
    """Whether the test ``rule`` fails this fake."""

    class Case(StoreContract):
        def make_store(self, path: Path):
            return fake.build(path)

    with tempfile.TemporaryDirectory() as directory:
        case, path = Case(), Path(directory)
        arguments = {"store": lambda: case.make_store(path / "store"), "tmp_path": lambda: path}
        test = getattr(case, rule)
        values = {name: arguments[name]() for name in inspect.signature(test).parameters}
        try:
            test(**values)
        except (Exception, pytest.fail.Exception):  # noqa: BLE001 - a rule may fail in any way
            return True
    return False


@pytest.mark.parametrize("fake", FAKES, ids=lambda fake: fake.name)
def test_the_suite_notices(fake: Fake):
    assert _noticed(fake, fake.rule), f"{fake.rule} passes a store that {fake.part.__doc__}"


def test_every_rule_has_a_fake():
    assert {fake.rule for fake in FAKES} == set(StoreContract.rules())
