"""What the registry refuses, what it says then, and that nothing is changed by it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pinyon.errors import (
    CorruptError,
    GateError,
    MissingBlobError,
    PinyonError,
    PlanError,
    RefConflictError,
    UnknownModelError,
)
from pinyon.model.actor import Actor
from pinyon.model.condition import parse
from pinyon.model.registry import Checked, Measured
from pinyon.registry.gates import check
from pinyon.registry.registry import Registry
from pinyon.registry.values import Artifact
from pinyon.store import tree
from pinyon.store.local import LocalStore
from pinyon.testing.refs import REFUSED_NAMES, STRANGE_NAMES

ANA = Actor("person", "ana")
GATE = parse("evaluate.accuracy > 0.75 and n_parameters < 150000").terms


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    found = LocalStore(tmp_path / "deep" / "er" / "store")
    found.prepare("p")
    return found


@pytest.fixture
def registry(store: LocalStore) -> Registry:
    """Three versions of a model."""
    found = Registry(store, "p-1", actor=ANA)
    for number in (1, 2, 3):
        found.register("lstm", artifact(store, number))
    return found


def artifact(store: LocalStore, number: int) -> Artifact:
    digest = store.blobs.put(b"model %d" % number)
    return Artifact(
        digest, "model.bin", 7, "unknown", f"r-{number}", f"a-{number}", "train", {"seed": number}
    )


def everything(store: LocalStore) -> dict[str, Any]:
    """Every ref and the number of records; what must be the same after a refusal."""
    refs = {name: store.refs.history(name) for name in store.refs.names()}
    events = [
        event.kind for segment in store.journals.segments() for event, _ in store.journals.read(segment)
    ]
    return {"refs": refs, "events": events}


def refused(store: LocalStore, kind: type[PinyonError], call: Any) -> str:
    before = everything(store)
    with pytest.raises(kind) as caught:
        call()
    assert everything(store) == before
    assert caught.value.next
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_version_is_what_it_was_made_of(store, registry):
    model = registry.model("lstm")
    assert registry.names() == ["lstm"]
    assert [version.name for version in model.versions] == ["lstm@1", "lstm@2", "lstm@3"]
    second = model.versions[1]
    assert second[1:9] == (2, *artifact(store, 2)[:7])
    assert (second.project, second.about, second.trusted, second.actor) == (
        "p-1",
        {"seed": 2},
        False,
        "person:ana",
    )
    before = everything(store)
    assert registry.register("lstm", artifact(store, 2), why="again") == second
    assert everything(store) == before


def test_the_same_bytes_of_another_attempt_are_another_version(store, registry):
    made = registry.register("lstm", artifact(store, 2)._replace(attempt="a-9"), why="again")
    assert (made.number, made.why) == (4, "again")


def test_an_unknown_model_says_what_is_near(store, registry):
    assert "lstm" in refused(store, UnknownModelError, lambda: registry.model("lsmt"))
    assert refused(store, PlanError, lambda: registry.model("lsmt")).startswith("there is no model 'lsmt'")
    empty = Registry(store, "p-1")
    assert "'../lstm'" in refused(store, UnknownModelError, lambda: empty.model("../lstm"))


def test_an_unknown_version(store, registry):
    model = registry.model("lstm")
    for number in (0, -1, 4, 10**9):
        told = refused(store, PlanError, lambda number=number: registry.promote(model, "best", number))
        assert f"no version {number}" in told
        assert "1 to 3" in told


def test_a_version_is_in_one_stage_at_most(store, registry):
    """What leaves staging or production is archived, unless it goes to the other of them; an alias is no stage."""
    steps = [
        ("staging", 1, {"staging": 1}, ()),
        ("paper-v1", 1, {"staging": 1, "paper-v1": 1}, ()),
        ("production", 1, {"production": 1, "paper-v1": 1}, ()),
        ("staging", 2, {"production": 1, "staging": 2, "paper-v1": 1}, ()),
        ("production", 2, {"production": 2, "paper-v1": 1}, (1,)),
        ("Production", 3, {"production": 3, "paper-v1": 1}, (1, 2)),
        ("production", 1, {"production": 1, "paper-v1": 1}, (2, 3)),
        ("archived", 1, {"paper-v1": 1}, (1, 2, 3)),
    ]
    for alias, number, aliases, archived in steps:
        registry.promote(registry.model("lstm"), alias, number)
        model = registry.model("lstm")
        assert (model.aliases, model.archived) == (aliases, archived), alias
    assert model.aliases_of(1) == ("archived", "paper-v1")
    assert [(change.alias, change.before, change.version) for change in model.changes[4:6]] == [
        ("production", 1, 2), ("production", 2, 3),
    ]  # fmt: skip
    assert {change.actor for change in model.changes} == {"person:ana"}
    assert [change.number for change in model.changes] == list(range(1, 9))


def test_a_pinned_name_never_moves(store, registry):
    assert registry.promote(registry.model("lstm"), "paper-v1", 1, pin=True) is not None
    model = registry.model("lstm")
    assert model.pinned == ("paper-v1",)
    assert registry.promote(model, "paper-v1", 1, pin=True) is None
    for call in (
        lambda: registry.promote(model, "paper-v1", 2),
        lambda: registry.promote(model, "paper-v1", 2, force=True, pin=True),
        lambda: registry.unset(model, "paper-v1"),
    ):
        assert "pinned to version 1" in refused(store, GateError, call)


def test_a_pinned_stage_is_not_emptied_by_another_stage(store, registry):
    registry.promote(registry.model("lstm"), "staging", 1)
    registry.promote(registry.model("lstm"), "staging", 2)
    registry.promote(registry.model("lstm"), "production", 1, pin=True)
    model = registry.model("lstm")
    for alias in ("staging", "archived"):
        told = refused(store, GateError, lambda alias=alias: registry.promote(model, alias, 1, force=True))
        assert "production of model 'lstm' is pinned to version 1" in told
    refused(store, GateError, lambda: registry.rollback(model, "staging"))
    registry.promote(model, "best", 1)  # an alias takes nothing away


def test_archived_cannot_be_pinned(store, registry):
    model = registry.model("lstm")
    told = refused(store, PlanError, lambda: registry.promote(model, "archived", 1, pin=True))
    assert "'archived' cannot be pinned" in told


def test_a_rollback_needs_something_to_go_back_to(store, registry):
    model = registry.model("lstm")
    refused(store, PlanError, lambda: registry.rollback(model, "best"))
    registry.promote(model, "best", 2)
    model = registry.model("lstm")
    assert "nothing before version 2" in refused(store, PlanError, lambda: registry.rollback(model, "best"))
    registry.promote(model, "best", 3)
    registry.rollback(registry.model("lstm"), "best")
    model = registry.model("lstm")
    assert model.aliases == {"best": 2}
    refused(store, PlanError, lambda: registry.rollback(model, "best"))


def test_a_rollback_of_what_was_taken_away_meanwhile(store, registry):
    """The name points where it did, and yet there is nothing before any more."""
    registry.promote(registry.model("lstm"), "best", 1)
    registry.promote(registry.model("lstm"), "best", 2)
    old = registry.model("lstm")
    registry.unset(old, "best")
    registry.promote(registry.model("lstm"), "best", 2)
    with pytest.raises(RefConflictError, match=r"best of model 'lstm' points at version 2 now"):
        registry.rollback(old, "best")
    assert registry.model("lstm").aliases == {"best": 2}


def test_somebody_was_first(store, registry):
    old = registry.model("lstm")
    Registry(store, "p-1", actor=Actor("agent", "bob")).promote(old, "best", 1)
    with pytest.raises(RefConflictError, match="agent:bob was first"):
        registry.promote(old, "best", 2)
    change = registry.promote(old, "staging", 2)  # of another name
    assert change is not None
    assert change.number == 2
    assert registry.model("lstm").aliases == {"best": 1, "staging": 2}


def test_a_gate_that_does_not_hold(store, registry):
    model = registry.model("lstm")
    checked = check(GATE, [Measured("evaluate", "r-9", "a-9", {"accuracy": 0.7})], "train")
    with pytest.raises(GateError) as caught:
        registry.promote(model, "staging", 1, checked=checked, why="let us see", by={"experiment": "x"})
    assert caught.value.exit_code == 6
    assert "0.7 is not > 0.75" in str(caught.value)
    assert "n_parameters was not measured" in str(caught.value)
    now = registry.model("lstm")
    assert (now.aliases, now.changes) == ({}, ())
    last = [event for segment in store.journals.segments() for event, _ in store.journals.read(segment)]
    (told,) = [event.body for event in last if event.kind == "refused"]
    rows = [["evaluate.accuracy > 0.75", 0.7, False, "r-9"], ["n_parameters < 150000", None, False, ""]]
    fields = {
        "model": "lstm",
        "alias": "staging",
        "version": 1,
        "before": None,
        "gate": rows,
        "why": "let us see",
    }
    assert fields.items() <= told.items()
    assert told["by"] == {"experiment": "x"}
    change = registry.promote(model, "staging", 1, checked=checked, force=True)
    assert change is not None
    assert change.forced
    assert registry.model("lstm").changes[0].gate == checked
    assert all(isinstance(one, Checked) for one in registry.model("lstm").changes[0].gate)


def test_bytes_that_are_gone_are_not_promoted(store, registry):
    registry.promote(registry.model("lstm"), "best", 1)
    registry.promote(registry.model("lstm"), "best", 2)
    model = registry.model("lstm")
    blob(store, model.versions[0].digest).unlink()
    for call in (
        lambda: registry.promote(model, "staging", 1, force=True),
        lambda: registry.rollback(model, "best"),
        lambda: registry.register("other", artifact_of(model, 0)),
    ):
        assert "not in the store" in refused(store, MissingBlobError, call)
    assert registry.names() == ["lstm"]


def test_bytes_that_rot_are_not_promoted(store, registry):
    registry.promote(registry.model("lstm"), "best", 1)
    registry.promote(registry.model("lstm"), "best", 2)
    model = registry.model("lstm")
    path = blob(store, model.versions[0].digest)
    path.chmod(0o644)
    path.write_bytes(b"modfl 1")
    for call in (
        lambda: registry.promote(model, "staging", 1, force=True),
        lambda: registry.rollback(model, "best"),
        lambda: registry.register("other", artifact_of(model, 0)),
    ):
        assert str(path) in refused(store, CorruptError, call)
    assert registry.promote(model, "staging", 2) is not None


def test_a_folder_of_which_a_file_is_gone_is_not_promoted(store, registry):
    rows = [tree.Row(name, store.blobs.put(name.encode()), 1, False) for name in ("a", "b")]
    digest = store.blobs.put(tree.encode(rows)) + "/"
    registry.register("lstm", artifact(store, 1)._replace(digest=digest, path="model/"))
    model = registry.model("lstm")
    blob(store, rows[1].name).unlink()
    assert "not in the store" in refused(store, MissingBlobError, lambda: registry.promote(model, "best", 4))


def artifact_of(model: Any, index: int) -> Artifact:
    return Artifact(*(getattr(model.versions[index], name) for name in Artifact._fields))


def blob(store: LocalStore, digest: str) -> Path:
    hexes = digest.removeprefix("blake3:")
    return store.root / "blobs" / hexes[:2] / hexes[2:]


NAMES = (
    *STRANGE_NAMES,
    *REFUSED_NAMES,
    "x" * 61,
    "1",
    "007",
    "a" * 300,
    "a/b",
    "a@1",
    "-a",
    "a-",
    ".a",
    "a.",
    "ａ",
    "é",
)


def test_names_as_paths_stay_inside(store, tmp_path):
    """FAULTS 24: every name is refused, or is a directory in the store."""
    assert len(NAMES) >= 80
    registry = Registry(store, "p-1", actor=ANA)
    outside = around(tmp_path, store)
    kept = []
    for name in NAMES:
        try:
            registry.register(name, artifact(store, 1))
            kept.append(name)
        except PlanError as error:
            assert "cannot name a model" in str(error)  # noqa: PT017 - refused or kept, either is right
    assert registry.names() == sorted(kept)
    for name in NAMES:
        if name not in kept:
            refused(store, UnknownModelError, lambda name=name: registry.model(name))
    model = registry.model("x")
    pointing = []
    for name in NAMES:
        try:
            registry.promote(registry.model("x"), name, 1)
            pointing.append(name)
        except PlanError as error:
            assert "cannot name a version" in str(error)  # noqa: PT017 - the same
        if name not in pointing:
            refused(store, PlanError, lambda name=name: registry.rollback(model, name))
            refused(store, PlanError, lambda name=name: registry.unset(model, name))
    assert kept == pointing
    assert {"x", "X", "CON", "nul.txt", "null", "True"} <= set(kept)
    assert not {"..", "../x", "x\0y", "a\\b", "x" * 61, "000001", "é", ""} & set(kept)
    assert sorted(registry.model("x").aliases) == sorted(pointing)
    assert around(tmp_path, store) == outside


def around(tmp_path: Path, store: LocalStore) -> set[str]:
    """Every path beside the store."""
    found = {
        os.path.join(top, name) for top, folders, files in os.walk(tmp_path) for name in (*folders, *files)
    }
    return {path for path in found if not path.startswith(str(store.root))}
