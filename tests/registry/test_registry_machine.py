"""The registry against a model in memory: two people with pictures of different ages change one model as they like."""

# ruff: noqa: T201 - the test prints its load

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinyon.errors import GateError, PlanError, RefConflictError
from pinyon.model.actor import Actor
from pinyon.model.condition import Comparison
from pinyon.model.registry import Change, Checked, Model
from pinyon.registry.registry import Registry
from pinyon.registry.values import Artifact
from pinyon.store.local import LocalStore

NAME = "lstm"
HELD = ("staging", "production")
ALIASES = ("staging", "production", "Archived", "best")
MOST = 4  # versions that there are from the beginning on
OFTEN = st.sampled_from([True, True, False])
RARELY = st.sampled_from([False] * 7 + [True])
DEEP = os.environ.get("PINYON_FAULTS") == "deep"
counted: Counter[str] = Counter()
PEOPLE = (Actor("person", "ana"), Actor("agent", "bob"))
BAD = Checked(Comparison("accuracy", ">", 0.75), 0.5, False, "r-1")
GOOD = Checked(Comparison("loss", "<", 1.0), 0.25, True, "r-2")


class Names(NamedTuple):
    """What one reader must see. ``before`` is what a rollback of each name goes back to, newest last."""

    aliases: dict[str, int] = {}
    archived: frozenset[int] = frozenset()
    pinned: frozenset[str] = frozenset()
    before: dict[str, tuple[int, ...]] = {}
    versions: int = 0

    def stage_of(self, number: int) -> str:
        held = [stage for stage in HELD if self.aliases.get(stage) == number]
        held += ["archived"] * (number in self.archived)
        assert len(held) <= 1
        return held[0] if held else ""

    def basis(self, alias: str, number: int | None) -> tuple[Any, ...]:
        """What must not have changed for somebody who decided on an older picture."""
        leaves = self.stage_of(number) if number and alias in (*HELD, "archived") else ""
        return self.aliases.get(alias), alias in self.pinned, leaves, leaves in self.pinned

    def lose(self, alias: str) -> Names:
        aliases, before = dict(self.aliases), dict(self.before)
        aliases.pop(alias, None)
        before.pop(alias, None)
        return self._replace(aliases=aliases, before=before)

    def point(self, alias: str, number: int) -> Names:
        """``alias`` points there; the stack of the name is the caller's."""
        if alias not in (*HELD, "archived"):
            return self._replace(aliases={**self.aliases, alias: number})
        left = self.stage_of(number)
        now = self.lose(left) if left in HELD and left != alias else self
        archived = now.archived - {number}
        if alias == "archived":
            return now._replace(archived=archived | {number})
        if now.aliases.get(alias, number) != number:
            archived |= {now.aliases[alias]}
        return now._replace(aliases={**now.aliases, alias: number}, archived=archived)


class Machine:
    """``names`` is the truth; ``pictures`` are what each person saw last, with the truth of then."""

    def __init__(self) -> None:
        self.patch = pytest.MonkeyPatch()
        for call in ("fsync", "fdatasync"):  # no power fails here, and each change has four of them
            self.patch.setattr(os, call, lambda fd: None)
        self.directory = tempfile.TemporaryDirectory()
        self.store = LocalStore(Path(self.directory.name) / "store")
        self.store.prepare("machine")
        self.people = [Registry(self.store, "p", actor=actor) for actor in PEOPLE]
        self.names = Names()
        self.made: list[tuple[str, str]] = []
        self.history: list[tuple[Any, ...]] = []
        self.refused = 0
        for number in range(MOST):
            self.add(0, number, 0)
        self.pictures = [(self.people[0].model(NAME), self.names)] * 2

    def end(self) -> None:
        self.patch.undo()
        self.directory.cleanup()

    # -- what people do

    def add(self, who: int, data: int, attempt: int) -> None:
        digest = self.store.blobs.put(b"%d" % data * 9)
        key = (digest, f"a-{attempt}")
        made = self.people[who].register(
            NAME, Artifact(digest, "m.bin", 9, "unknown", "r-1", key[1], "train"), why=f"w{data}"
        )
        if key not in self.made:
            self.made.append(key)
            assert made.actor == str(PEOPLE[who])
        assert made.number == self.made.index(key) + 1
        self.names = self.names._replace(versions=len(self.made))

    def look(self, who: int) -> None:
        self.pictures[who] = (self.people[who].model(NAME), self.names)

    def promote(
        self, who: int, alias: str, number: int, fresh: bool, pin: bool, bad: bool, force: bool
    ) -> None:
        model, then = self._picture(who, fresh)
        spelled = alias.lower()
        checked = (GOOD, BAD) if bad else (GOOD,)

        def call() -> Change | None:
            return self.people[who].promote(
                model, alias, number, checked=checked, why=f"by {who}", force=force, pin=pin, by={"x": number}
            )

        there = then.aliases.get(spelled) == number or (spelled == "archived" and number in then.archived)
        if number > then.versions or (pin and spelled == "archived"):
            return self._fails(PlanError, call)
        if there and (not pin or spelled in then.pinned):
            assert call() is None
            return None
        if self._held_fast(then, spelled, number):
            return self._fails(GateError, call)
        if bad and not force:
            self.refused += 1
            return self._fails(GateError, call)
        if then.basis(spelled, number) != self.names.basis(spelled, number):
            return self._fails(RefConflictError, call)
        self._happened(who, call(), "promoted", spelled, number, checked, bad and force, {"x": number})
        before = self.names.before.get(spelled, ())
        now = self.names.point(spelled, number)
        if spelled != "archived" and not there:
            now = now._replace(before={**now.before, spelled: (*before, number)})
        self.names = now._replace(pinned=now.pinned | {spelled} if pin else now.pinned)
        return None

    def rollback(self, who: int, which: int, fresh: bool) -> None:
        model, then = self._picture(who, fresh)
        known = sorted(name for name, stack in then.before.items() if len(stack) > which % 2) or ["best"]
        alias = known[which % len(known)]
        stack = then.before.get(alias, ())

        def call() -> Change:
            return self.people[who].rollback(model, alias, why=f"by {who}", by={"y": 1})

        if len(stack) < 2:
            return self._fails(PlanError, call)
        target = stack[-2]
        if self._held_fast(then, alias, target):
            return self._fails(GateError, call)
        if (
            then.basis(alias, target) != self.names.basis(alias, target)
            or self.names.before.get(alias, ())[-2:] != stack[-2:]
        ):
            return self._fails(RefConflictError, call)
        rest = self.names.before[alias][:-1]
        self._happened(who, call(), "rolled_back", alias, target, (), False, {"y": 1})
        now = self.names.point(alias, target)
        self.names = now._replace(before={**now.before, alias: rest})
        return None

    def unset(self, who: int, alias: str, fresh: bool) -> None:
        model, then = self._picture(who, fresh)
        alias = alias.lower()

        def call() -> Change:
            return self.people[who].unset(model, alias, why=f"by {who}")

        if alias not in then.aliases:
            return self._fails(PlanError, call)
        if alias in then.pinned:
            return self._fails(GateError, call)
        if then.basis(alias, None) != self.names.basis(alias, None):
            return self._fails(RefConflictError, call)
        held = self.names.aliases[alias]
        self._happened(who, call(), "unset", alias, None, (), False, {})
        self.names = self.names.lose(alias)
        if alias in HELD:
            self.names = self.names._replace(archived=self.names.archived | {held})
        return None

    def an_event_without_a_ref(self) -> None:
        """What a process leaves that died, or was beaten, between its record and its ref."""
        with_ref = {
            "model": NAME,
            "ref": [f"aliases/{NAME}", len(self.history)],
            "alias": "best",
            "version": 1,
        }
        writer = self.store.journals.open_writer(actor=PEOPLE[0], project="p")
        writer.append("promoted", {**with_ref, "action": "promoted", "before": None})
        writer.close()

    # -- what must hold

    def everybody_sees_the_same(self) -> None:
        for person in self.people:
            model = person.model(NAME)
            assert dict(model.aliases) == self.names.aliases
            assert set(model.archived) == self.names.archived
            assert set(model.pinned) == self.names.pinned
            assert [(version.digest, version.attempt) for version in model.versions] == self.made
            assert [version.number for version in model.versions] == list(range(1, len(self.made) + 1))
            assert [_told(change) for change in model.changes] == self.history
            for version in model.versions:
                stages = [name for name in model.aliases_of(version.number) if name in (*HELD, "archived")]
                assert len(stages) <= 1

    def every_change_is_recorded(self) -> None:
        journals = self.store.journals
        events = {
            (event.writer, event.seq): event
            for segment in journals.segments() for event, _ in journals.read(segment)
        }  # fmt: skip
        for name in (f"models/{NAME}", f"aliases/{NAME}"):
            for ref in self.store.refs.history(name):
                event = events[tuple(ref.value["event"])]
                assert event.body["ref"] == [name, ref.version]
        assert sum(event.kind == "refused" for event in events.values()) == self.refused

    # -- how

    def _picture(self, who: int, fresh: bool) -> tuple[Model, Names]:
        if fresh:
            self.look(who)
        return self.pictures[who]

    @staticmethod
    def _held_fast(names: Names, alias: str, number: int) -> bool:
        """Whether this would move a name that is pinned: itself, or the stage that the version would leave."""
        if alias in names.pinned and names.aliases.get(alias) != number:
            return True
        left = names.stage_of(number) if alias in (*HELD, "archived") else ""
        return left != alias and left in names.pinned

    @staticmethod
    def _fails(kind: type[Exception], call: Callable[[], Any]) -> None:
        with pytest.raises(kind) as caught:
            call()
        counted[kind.__name__] += 1
        assert type(caught.value) is kind, caught.value
        assert "\n" not in str(caught.value)
        assert "→" in str(caught.value)

    def _happened(
        self, who: int, change: Change | None, action: str, alias: str, number: int | None, *rest: Any
    ) -> None:
        assert change is not None
        counted[action] += 1
        before = self.names.aliases.get(alias)
        self.history.append((
            len(self.history) + 1, action, alias, number, before, *rest, f"by {who}", str(PEOPLE[who])
        ))  # fmt: skip
        assert _told(change) == self.history[-1]
        assert change.ts > 0


def _told(change: Change) -> tuple[Any, ...]:
    return (
        change.number, change.action, change.alias, change.version, change.before, change.gate, change.forced,
        dict(change.by), change.why, change.actor,
    )  # fmt: skip


WHO = st.integers(0, 1)
KINDS: dict[str, tuple[st.SearchStrategy[Any], ...]] = {
    "promote": (WHO, st.sampled_from(ALIASES), st.integers(1, MOST), OFTEN, RARELY, RARELY, st.booleans()),
    "rollback": (WHO, st.integers(0, 3), OFTEN),
    "unset": (WHO, st.sampled_from(ALIASES), OFTEN),
    "add": (WHO, st.integers(0, MOST - 1), st.integers(0, 1)),
    "look": (WHO,),
    "an_event_without_a_ref": (),
}
WEIGHTS = ["promote"] * 8 + ["rollback"] * 3 + ["unset", "add", "look", "an_event_without_a_ref"]
STEPS = st.sampled_from(range(len(WEIGHTS))).flatmap(
    lambda index: st.tuples(st.just(WEIGHTS[index]), *KINDS[WEIGHTS[index]])
)


@settings(max_examples=1000 if DEEP else 60, deadline=None)
@given(st.lists(STEPS, min_size=25, max_size=60))
def walk(steps: list[tuple[Any, ...]]) -> None:
    machine = Machine()
    try:
        for name, *arguments in steps:
            getattr(machine, name)(*arguments)
            machine.everybody_sees_the_same()
        machine.every_change_is_recorded()
    finally:
        machine.end()


def test_the_registry_is_its_model():
    counted.clear()
    walk()
    print(f"\n{dict(counted)}")
    floors = {"promoted": 300, "rolled_back": 50, "unset": 20, "RefConflictError": 50, "GateError": 50}
    assert {name for name, least in floors.items() if counted[name] < least} == set()
