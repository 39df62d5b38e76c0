"""SIGKILL of a push and of a pull, at any moment: what is there names nothing that is not, and the next one sends the
rest."""

# ruff: noqa: T201 - each test prints its load

from __future__ import annotations

import contextlib
import os
import random
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pinyon.store import tree
from pinyon.store.local import LocalStore
from pinyon.store.remote.store import RemoteStore
from pinyon.sync.pull import pull, pull_plan
from pinyon.sync.push import push, push_plan
from pinyon.sync.verify import verify
from pinyon.testing.memory import FolderObjects
from pinyon.testing.processes import Child
from pinyon.testing.remote import dangling

DEEP = os.environ.get("PINYON_FAULTS") == "deep"
KILLS = 200 if DEEP else 25
LONGEST = 0.12  # seconds until the kill


def mirror_in(folder: Path) -> RemoteStore:
    """A new client of the place."""
    return RemoteStore(FolderObjects(folder))


def work(home: LocalStore, place: Path, seed: int, tell: Callable[[object], None]) -> None:
    """Put, record and push for ever; tell what was acknowledged, and of each push that was."""
    chance, number = random.Random(seed), 0
    writer = home.journals.open_writer()
    while True:
        number += 1
        data = b"%d/%d" % (seed, number) + chance.randbytes(chance.choice((10, 1_000, 100_000)))
        names = [home.blobs.put(data)]
        if number % 5 == 0:
            small = [b"%d/%d/%d" % (seed, number, part) for part in range(80)]
            rows = zip(home.blobs.put_small(small), small, strict=True)
            folder = tree.encode(tree.Row(str(i), name, len(one)) for i, (name, one) in enumerate(rows))
            names.append(home.blobs.put(folder) + "/")
        event = writer.append("pinned", {"blobs": names})
        tell(["event", event.writer, event.seq, names])
        if number % 3 == 0:
            newest = home.refs.get("best")
            made = home.refs.set("best", {"blob": names[0]}, expect=newest.version if newest else 0)
            tell(["ref", made.version, names[0]])
        if number % 2 == 0:
            mirror = mirror_in(place)
            tell(["pushing"])
            push(home, mirror, push_plan(home, mirror))
            tell(["pushed"])


def killed(child: Child, after: float) -> list[Any]:
    """What a child told before it was killed."""

    def kill() -> None:
        with contextlib.suppress(ProcessLookupError):
            child.kill()

    timer = threading.Timer(after, kill)
    timer.start()
    told = child.lines()
    timer.cancel()
    timer.join()
    return told


def test_a_killed_push_leaves_nothing_half_and_the_next_sends_the_rest(tmp_path: Path):
    seed = int(os.environ.get("PINYON_SEED", time.time_ns() % 10**6))
    chance = random.Random(seed)
    home, place = LocalStore(tmp_path / "home"), tmp_path / "place"
    home.prepare("p")
    told: list[list[Any]] = []
    meanwhile = 0
    for kill in range(KILLS):
        lines = killed(
            Child(lambda tell, kill=kill: work(home, place, kill, tell)), chance.uniform(0.02, LONGEST)
        )
        assert not any("error" in line for line in lines), lines[-1]
        meanwhile += bool(lines) and lines[-1] == ["pushing"]
        told += lines
        assert dangling(mirror_in(place)) == set()
    mirror = mirror_in(place)
    push(home, mirror, push_plan(home, mirror))
    assert not push_plan(home, mirror)
    assert_all_there(told, mirror, tmp_path / "clone")
    events = sum(line[0] == "event" for line in told)
    print(f"\nPINYON_SEED={seed}: {KILLS} kills, {meanwhile} in a push, {events} records acknowledged")
    assert meanwhile >= KILLS // 5
    assert events >= KILLS


def assert_all_there(told: list[list[Any]], mirror: RemoteStore, clone: Path) -> None:
    """What was acknowledged is in the mirror, and in a clone that pulls."""
    store = LocalStore(clone)
    pull(mirror, store, pull_plan(mirror, store))
    for one in (mirror, store):
        report = verify(one)
        assert report.damage == ()
        events = {
            (event.writer, event.seq): event.body.get("blobs")
            for segment in one.journals.segments()
            for event, _ in one.journals.read(segment)
        }
        names = set()
        for line in told:
            if line[0] == "event":
                assert events[line[1], line[2]] == line[3]
                names.update(line[3])
        assert one.blobs.missing(names) == set()
        values = {version.version: version.value["blob"] for version in one.refs.history("best")}
        assert all(values[line[1]] == line[2] for line in told if line[0] == "ref")


def test_a_killed_pull_leaves_nothing_half_and_the_next_brings_the_rest(tmp_path: Path):
    seed = int(os.environ.get("PINYON_SEED", time.time_ns() % 10**6))
    chance = random.Random(seed)
    home, place, clone = LocalStore(tmp_path / "home"), tmp_path / "place", tmp_path / "clone"
    home.prepare("p")
    told: list[list[Any]] = []
    for turn in range(4):
        told += killed(Child(lambda tell, turn=turn: work(home, place, turn, tell)), 0.5)
    mirror = mirror_in(place)
    push(home, mirror, push_plan(home, mirror))

    def bring(_: object) -> str:
        source, target = mirror_in(place), LocalStore(clone)
        pull(source, target, pull_plan(source, target))
        return "done"

    kills = 0
    for _ in range(KILLS):
        kills += not (lines := killed(Child(bring), chance.uniform(0.002, 0.1)))
        assert not any("error" in line for line in lines), lines
        with contextlib.suppress(FileNotFoundError):
            whole(LocalStore(clone))
        if lines:
            shutil.rmtree(clone)  # begin anew
    assert_all_there(told, mirror, clone)
    print(f"\nPINYON_SEED={seed}: {KILLS} pulls, {kills} killed, {len(told)} lines acknowledged")
    assert kills >= KILLS // 4


def whole(store: LocalStore) -> None:
    """What records and refs of a clone name is there, and sound."""
    report = verify(store)
    assert report.damage == ()
    for segment in store.journals.segments():
        for event, _ in store.journals.read(segment):
            for name in event.body.get("blobs", ()):
                store.blobs.read(name)
                if name.endswith("/"):
                    assert not store.blobs.missing(row.name for row in tree.decode(store.blobs.read(name)))
    for version in store.refs.history("best"):
        store.blobs.read(version.value["blob"])
