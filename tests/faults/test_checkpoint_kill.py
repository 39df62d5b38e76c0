"""SIGKILL before every system call of `checkpoint`: the next attempt goes on from one that is whole, and never from an
earlier one than was promised."""

# ruff: noqa: T201 - each test prints its load

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from test_data_kill import killed_at

from pinyon.model.ids import attempt_id
from pinyon.store.local import LocalStore
from pinyon.store.recover import recover
from pinyon.sync.verify import verify
from pinyon.testing.processes import Child
from pinyon.track import current

KEY = "cd" * 32
FIRST = 2  # checkpoints that the killed attempt may rely on
MORE = 2  # that it is killed while saving


def within(root: Path, number: int) -> None:
    """Make this process the attempt of that number."""
    for name in [name for name in os.environ if name.startswith("PINYON_")]:
        del os.environ[name]
    os.environ.update({"PINYON_ATTEMPT": attempt_id(KEY, number), "PINYON_STORE": str(root / ".pinyon")})
    os.environ["PINYON_PARAMS"] = "[]"
    current._current = None


def state(step: int) -> dict[str, object]:
    return {"weights": [step * 0.5] * 50, "at": step}


def save(root: Path, number: int, steps: range, told: Callable[[int], None]) -> None:
    within(root, number)
    run = current.run()
    run.resume()
    for step in steps:
        run.log(loss=1 / step, step=step)
        assert run.checkpoint(step, keep=2, **state(step)) is not None
        told(step)
    run.finish()


def resumed(root: Path) -> int:
    """What a third attempt, in a process of its own, goes on from."""

    def work(_: object) -> int:
        within(root, 3)
        found = current.run().resume()
        assert found is not None
        assert dict(found.state) == state(found.step)
        return found.step

    return int(Child(work).result())


@pytest.mark.slow
def test_saving_killed_anywhere(tmp_path: Path) -> None:
    template = tmp_path / "template"
    template.mkdir()
    LocalStore(template / ".pinyon").prepare("project")
    Child(lambda _: save(template, 1, range(1, FIRST + 1), lambda _: None)).result()
    went_on, kills = set(), 0
    for nth in range(1, 500):
        root = tmp_path / "project"
        shutil.copytree(template, root)
        promises = tmp_path / f"promised-{nth}"

        def told(step: int, promises: Path = promises) -> None:
            # By a call that is not counted, and before whatever comes next.
            with open(promises, "a") as file:
                file.write(f"{step}\n")

        steps = range(FIRST + 1, FIRST + MORE + 1)
        died = killed_at(nth, lambda: save(root, 2, steps, told))  # noqa: B023 - it is called at once
        kept = [int(line) for line in promises.read_text().split()] if promises.exists() else []
        found = resumed(root)
        assert found >= max(kept, default=FIRST), f"killed at call {nth}"
        assert [one for one in verify(LocalStore(root / ".pinyon")).damage if not one.torn] == []
        went_on.add(found)
        recover(str(root / ".pinyon"))  # or its points would lie in shared memory for ever
        shutil.rmtree(root)
        if not died:
            break
        kills += 1
    print(f"{kills} kills; went on from {sorted(went_on)}")
    assert kills >= 30
    assert went_on == set(range(FIRST, FIRST + MORE + 1))
