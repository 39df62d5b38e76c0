"""Several processes promote versions of one model at once, and are killed while they do it.

What was acknowledged is told through a pipe, or stands in a file outside of the store.
"""

# ruff: noqa: T201 - each test prints its load

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from test_data_kill import killed_at

from pinyon.errors import RefConflictError
from pinyon.model.actor import Actor
from pinyon.model.registry import Model
from pinyon.registry.registry import Registry
from pinyon.registry.values import Artifact
from pinyon.store.local import LocalStore
from pinyon.sync.verify import verify
from pinyon.testing.processes import Child

DEEP = os.environ.get("PINYON_FAULTS") == "deep"
RACES = 1000 if DEEP else 50
KILLS = 400 if DEEP else 40
VERSIONS = 5
NAME = "lstm"

Tell = Callable[[object], None]


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    found = LocalStore(tmp_path / "store")
    found.prepare("p")
    registry = Registry(found, "p-1")
    for number in range(1, VERSIONS + 1):
        digest = found.blobs.put(b"model %d" % number)
        registry.register(NAME, Artifact(digest, "m.bin", 7, "unknown", "r-1", f"a-{number}", "train"))
    registry.promote(registry.model(NAME), "best", 1)
    registry.promote(registry.model(NAME), "staging", 1)
    return found


def by(store: LocalStore, name: str) -> Registry:
    return Registry(store, "p-1", actor=Actor("agent", name))


class Gate:
    """Processes wait here until the parent opens."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()

    def wait(self) -> None:
        os.close(self.writing)
        os.read(self.reading, 1)  # the end comes when nobody has the other side open

    def open(self) -> None:
        os.close(self.writing)
        os.close(self.reading)


def reader(store: LocalStore, seen: Path) -> Child:
    """Reads all the time, and writes down whatever is not as it was before."""

    def read(_: Tell) -> object:
        registry, last, reads = Registry(store), (-1, {}), 0
        stop = seen.with_suffix(".stop")
        with open(seen, "a", buffering=1) as file:
            while not stop.exists():
                model = registry.model(NAME)
                raw = store.refs.get(f"aliases/{NAME}")
                assert raw is not None
                assert raw.value["aliases"]
                now = (len(model.changes), dict(model.aliases))
                if now != last:
                    file.write(json.dumps(now) + "\n")
                last, reads = now, reads + 1
        return reads

    return Child(read)


def end_of(child: Child, seen: Path) -> tuple[int, list[Any]]:
    seen.with_suffix(".stop").touch()
    reads = child.result()
    return reads, [json.loads(line) for line in seen.read_text().splitlines()]


def promoter(store: LocalStore, gate: Gate, who: str, alias: str, version: int) -> Child:
    def promote(tell: Tell) -> object:
        registry = by(store, who)
        model = registry.model(NAME)
        tell("ready")
        gate.wait()
        try:
            change = registry.promote(model, alias, version)
        except RefConflictError as error:
            return ["lost", str(error), error.exit_code]
        assert change is not None
        return ["won", change.number, change.version]

    return Child(promote)


def check_history(store: LocalStore, acknowledged: dict[int, tuple[str, int, str]], first: int) -> Model:
    """Every acknowledged change stands there once, and records that no version of the ref names are no changes."""
    model = Registry(store).model(NAME)
    shown = {change.number: (change.alias, change.version, change.actor) for change in model.changes[first:]}
    assert len(shown) == len(model.changes) - first
    assert acknowledged.items() <= shown.items()
    named = {tuple(ref.value["event"]) for ref in store.refs.history(f"aliases/{NAME}")}
    assert len(named) == len(model.changes)
    return model


def records(store: LocalStore) -> int:
    journals = store.journals
    return sum(event.kind == "promoted" for one in journals.segments() for event, _ in journals.read(one))


@pytest.mark.timeout(2400 if DEEP else 200)
def test_of_several_promoters_one_wins(store, tmp_path):
    seed = int(os.environ.get("PINYON_SEED", time.time_ns() % 10**6))
    print(f"\nPINYON_SEED={seed}")
    dice = random.Random(seed)
    watching = reader(store, tmp_path / "seen")
    acknowledged: dict[int, tuple[str, int, str]] = {}
    lost = 0
    for race in range(RACES):
        alias = dice.choice(["best", "staging"])
        model = Registry(store).model(NAME)
        others = [number for number in range(1, VERSIONS + 1) if number != model.aliases[alias]]
        versions = dice.sample(others, dice.randrange(2, 5))
        gate = Gate()
        children = [promoter(store, gate, f"p{race}-{v}", alias, v) for v in versions]
        assert [child.first() for child in children] == ["ready"] * len(children)
        gate.open()
        results = [child.result() for child in children]
        won = [(version, told) for version, told in zip(versions, results, strict=True) if told[0] == "won"]
        assert len(won) == 1, results
        version, (_, number, pointed) = won[0]
        assert (number, pointed) == (len(model.changes) + 1, version)
        acknowledged[number] = (alias, version, f"agent:p{race}-{version}")
        for told in results:
            if told[0] == "lost":
                lost += 1
                assert "\n" not in told[1]
                assert f"{alias} of model '{NAME}' points at version {version} now" in told[1]
                assert f"agent:p{race}-{version} was first" in told[1]
                assert told[2] == 5
    reads, seen = end_of(watching, tmp_path / "seen")
    model = check_history(store, acknowledged, 2)
    assert len(model.changes) == 2 + RACES
    assert records(store) == 2 + RACES + lost
    assert [changes for changes, _ in seen] == sorted({changes for changes, _ in seen})
    assert all({"best", "staging"} == set(aliases) for _, aliases in seen)
    assert verify(store).damage == ()
    print(f"{RACES} races, {lost} beaten promoters; {reads} looks from outside, {len(seen)} different ones")
    assert RACES >= 50
    assert lost >= RACES
    assert reads >= RACES


def test_promoters_of_different_names_all_get_theirs(store):
    rounds, acknowledged = 10, {}
    for turn in range(rounds):
        gate = Gate()
        names = [f"name-{turn}-{index}" for index in range(4)]
        children = [
            promoter(store, gate, name, name, 1 + index % VERSIONS) for index, name in enumerate(names)
        ]
        assert [child.first() for child in children] == ["ready"] * 4
        gate.open()
        for name, child in zip(names, children, strict=True):
            kind, number, version = child.result()
            assert kind == "won"
            acknowledged[number] = (name, version, f"agent:{name}")
    model = check_history(store, acknowledged, 2)
    assert len(model.changes) == 2 + 4 * rounds
    assert sorted(model.aliases) == sorted(
        [name for name, _, _ in acknowledged.values()] + ["best", "staging"]
    )
    print(f"\n{4 * rounds} promotions of different names, four at once; all were kept")


def test_a_promoter_that_is_killed(store, tmp_path):
    seed = int(os.environ.get("PINYON_SEED", time.time_ns() % 10**6))
    print(f"\nPINYON_SEED={seed}")
    dice = random.Random(seed)

    def promote_for_ever(who: str) -> Callable[[Tell], object]:
        def work(tell: Tell) -> object:
            registry = by(store, who)
            for turn in count():
                model = registry.model(NAME)
                alias = ("best", "staging")[turn % 2]
                version = model.aliases[alias] % VERSIONS + 1
                tell(["tries", alias, version])
                change = registry.promote(model, alias, version)
                assert change is not None
                tell(["did", alias, version, change.number])
            return None

        return work

    watching = reader(store, tmp_path / "seen")
    acknowledged: dict[int, tuple[str, int, str]] = {}
    half = done_unsaid = 0
    for kill in range(KILLS):
        before = Registry(store).model(NAME)
        child = Child(promote_for_ever(f"k{kill}"))
        assert child.first()[0] == "tries"
        time.sleep(dice.uniform(0, 0.12))
        child.kill()
        told = [["tries", "best", before.aliases["best"] % VERSIONS + 1], *child.lines()]
        for one in told:
            if one[0] == "did":
                acknowledged[one[3]] = (one[1], one[2], f"agent:k{kill}")
        now = check_history(store, acknowledged, 2)
        expected = dict(before.aliases) | {one[1]: one[2] for one in told if one[0] == "did"}
        last = told[-1]
        if last[0] == "tries":
            half += 1
            after = expected | {last[1]: last[2]}
            assert dict(now.aliases) in (expected, after)
            done_unsaid += dict(now.aliases) == after
        else:
            assert dict(now.aliases) == expected
        change = by(store, "next").promote(now, "best", now.aliases["best"] % VERSIONS + 1)
        assert change is not None
        acknowledged[change.number] = ("best", change.version, "agent:next")
    reads, seen = end_of(watching, tmp_path / "seen")
    check_history(store, acknowledged, 2)
    assert all({"best", "staging"} == set(aliases) for _, aliases in seen)
    assert [changes for changes, _ in seen] == sorted({changes for changes, _ in seen})
    print(
        f"{KILLS} promoters killed, {half} of them before they could say that they were done ({done_unsaid} were); "
        f"{len(acknowledged)} promotions acknowledged and kept; {reads} looks from outside"
    )
    assert KILLS >= 40
    assert half >= KILLS // 2
    assert len(acknowledged) >= KILLS
    assert reads >= KILLS


def test_a_promoter_killed_before_each_system_call(store):
    kills, old, new = 0, 0, 0
    for nth in count(1):
        before = Registry(store).model(NAME)
        version = before.aliases["staging"] % VERSIONS + 1
        registry = by(store, f"n{nth}")
        if not killed_at(nth, lambda: registry.promote(before, "staging", version)):  # noqa: B023 - it runs now
            break
        kills += 1
        now = Registry(store).model(NAME)
        assert now.aliases["staging"] in (before.aliases["staging"], version)
        new += now.aliases["staging"] == version
        old += now.aliases["staging"] != version
        if now.aliases["staging"] == version:
            assert before.aliases["staging"] in now.archived
        assert by(store, "next").promote(now, "staging", version % VERSIONS + 1) is not None
    assert [one for one in verify(store).damage if not one.torn] == []
    print(
        f"\nkilled before each of {kills} system calls: {old} times nothing had happened, {new} times everything"
    )
    assert kills >= 15
    assert old
    assert new
