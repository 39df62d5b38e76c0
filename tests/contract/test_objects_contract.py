"""Objects in memory and in a folder keep the contract, and the suite fails every place that breaks a rule."""

from __future__ import annotations

import inspect
import tempfile
from pathlib import Path

import pytest

from pinyon.store.objects import Abilities, Objects
from pinyon.testing.fakes.objects import OBJECT_FAKES, ObjectFake
from pinyon.testing.memory import FolderObjects, MemoryObjects
from pinyon.testing.objects import ObjectsContract


class TestMemoryObjects(ObjectsContract):
    """Every rule."""

    def make_objects(self, path: Path) -> Objects:
        """A place in memory."""
        return MemoryObjects(str(path))


class TestMemoryWithoutCreate(ObjectsContract):
    """A place that cannot make an object once says so."""

    def make_objects(self, path: Path) -> Objects:
        """A place in memory."""
        return MemoryObjects(str(path), Abilities(create=False))


class TestFolderObjects(ObjectsContract):
    """Every rule."""

    def make_objects(self, path: Path) -> Objects:
        """A place in a folder."""
        return FolderObjects(path)


def _noticed(fake: ObjectFake) -> bool:
    """Whether the test of its rule fails this fake."""

    class Case(ObjectsContract):
        def make_objects(self, path: Path) -> Objects:
            return fake.make(str(path))

    with tempfile.TemporaryDirectory() as directory:
        case, path = Case(), Path(directory)
        arguments = {"objects": lambda: case.make_objects(path / "place"), "tmp_path": lambda: path}
        test = getattr(case, fake.rule)
        values = {name: arguments[name]() for name in inspect.signature(test).parameters}
        try:
            test(**values)
        except (Exception, pytest.fail.Exception):  # noqa: BLE001 - a rule may fail in any way
            return True
    return False


@pytest.mark.parametrize("fake", OBJECT_FAKES, ids=lambda fake: fake.what)
def test_the_suite_notices(fake: ObjectFake):
    assert _noticed(fake), f"{fake.rule} passes a place that does wrong: {fake.make.__doc__}"


def test_every_rule_has_a_fake():
    rules = {name for name in dir(ObjectsContract) if name.startswith("test_")}
    assert {fake.rule for fake in OBJECT_FAKES} == rules
