"""Every sentence that tells why a stage runs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from world import History

from pinyon.model.graph import Command, Out, Param, Stage
from pinyon.model.outcome import CANCELLED, FAILED, LOST, RUNNING, SUCCEEDED, Attempt
from pinyon.plan.reasons import inputs_of, last_words, why_run

HEX = "0123456789abcdef" * 4
DEPS = (("a", f"blake3:{HEX}"), ("d", f"blake3:{HEX}/"))
STAGE = Stage(
    "train", Command("exec", ("python", "train.py")), ".", ("a", "d"),
    (Param("params.yaml", "lr", 0.1), Param("conf.json", "", {"k": 1})), (Out("model"),), env=("uv.lock",),
)  # fmt: skip
LOCK = ("uv.lock", f"blake3:{HEX}")


def attempt(stage: Stage = STAGE, deps: Any = (*DEPS, LOCK), **more: Any) -> Attempt:
    inputs = json.loads(json.dumps(inputs_of(stage, deps)))  # as it comes back from a journal
    known = Attempt("a-1", "key", "recipe", stage.name, "x-1", 1, "in place", SUCCEEDED, inputs=inputs)
    return known._replace(**more)


def why(
    before: Attempt | None, stage: Stage = STAGE, deps: Any = (*DEPS, LOCK), key: str = "key2"
) -> tuple[str, ...]:
    history = History()
    if before is not None:
        history.add(before)
    found = why_run(stage, history.at(key), deps, history)
    return (found.text, *found.details)


def params(**values: Any) -> tuple[Param, ...]:
    return tuple(Param("params.yaml", name, value) for name, value in values.items())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"params": params(lr=0.2)},
            ("parameter conf.json is no longer declared", "parameter params.yaml:lr: 0.1 → 0.2"),
        ),
        ({"params": (*STAGE.params, *params(n=3))}, ("new parameter params.yaml:n = 3",)),
        (
            {"params": (STAGE.params[0], Param("conf.json", "", {"k": 2}))},
            ("parameter conf.json:k: 1 → 2",),
        ),
        (
            {"command": Command("exec", ("python", "new.py"))},
            ("command changed: python train.py → python new.py",),
        ),
        ({"command": Command("shell", ("python", "train.py"))}, ("command changed: now in a shell",)),
        ({"wdir": "sub"}, ("wdir changed: . → sub",)),
        ({"outs": (Out("other"),)}, ("new out other", "out model is no longer declared")),
        ({"name": "train", "description": "new"}, ()),
    ],
)
def test_what_changed_in_the_stage(changes, said):
    text, *details = why(attempt(), STAGE._replace(**changes))
    assert tuple(details) == said
    assert text == {0: "no finished attempt has these inputs"}.get(len(said)) or said[0] + (
        f" (and {len(said) - 1} more)" if len(said) > 1 else ""
    )


@pytest.mark.parametrize(
    ("deps", "said"),
    [
        ((("a", "blake3:ffffffffff"), DEPS[1], LOCK), "dep a changed: 01234567 → ffffffff"),
        ((DEPS[0], ("d", "blake3:ffffffffff/"), LOCK), "dep d changed: 01234567/ → ffffffff/"),
        ((*DEPS, ("new", "blake3:ff"), LOCK), "new dep new"),
        ((DEPS[1], LOCK), "dep a is no longer declared"),
        ((*DEPS, ("uv.lock", "blake3:ffffffffff")), "env uv.lock changed: 01234567 → ffffffff"),
    ],
)
def test_what_changed_in_the_files(deps, said):
    assert why(attempt(), deps=deps) == (said, said)


def test_that_all_deps_are_gone_is_known_and_that_they_are_unknown_is_not_a_change():
    alone = STAGE._replace(deps=(), env=())
    before = attempt(alone, (DEPS[0],))
    assert why(before, alone, ()) == ("dep a is no longer declared", "dep a is no longer declared")
    assert why(before, alone, None)[0] == "no finished attempt has these inputs"


def test_values_differ_as_keys_differ():
    yes = STAGE._replace(params=params(flag=True, n=1, m=1.0, nested={1: (2,)}))
    text = why(attempt(yes), yes._replace(params=params(flag=1, n=1.0, m=1, nested={"1": [2.0]})))
    assert text == ("parameter params.yaml:flag: True → 1",) * 2


def test_long_values_are_cut():
    long = STAGE._replace(params=params(lr="x" * 100))
    (text, *_) = why(attempt(long), long._replace(params=params(lr="y")))
    assert text == f"parameter params.yaml:lr: {'x' * 57}… → y"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"state": FAILED, "detail": "exit", "exit_code": 3}, "its last attempt failed: exit code 3"),
        ({"state": FAILED, "detail": "oom"}, "its last attempt failed: oom"),
        (
            {"state": FAILED, "detail": "exit", "message": "ValueError: no"},
            "its last attempt failed: ValueError: no",
        ),
        ({"state": LOST, "detail": "lost", "message": "gone"}, "its last attempt was lost: gone"),
        ({"state": LOST}, "its last attempt was lost"),
        ({"state": CANCELLED, "detail": "user"}, "its last attempt was cancelled: user"),
        ({"state": RUNNING}, "its last attempt running"),
        ({"reusable": False}, "its last attempt cannot be reused: a dep changed while it ran"),
        ({"reusable": False, "message": "a changed"}, "its last attempt cannot be reused: a changed"),
        ({}, "the outs of its last attempt do not verify"),
    ],
)
def test_what_became_of_the_last_attempt_with_these_inputs(more, said):
    assert why(attempt(**more), key="key") == (said,)


def test_the_first_time_and_without_a_record_of_inputs():
    assert why(None) == ("never ran before",)
    assert why(attempt(inputs={})) == ("no finished attempt has these inputs",)


def test_last_words_without_a_subject_are_the_cause_alone():
    assert last_words(attempt(state=FAILED, detail="exit", exit_code=2), "") == "exit code 2"
    assert last_words(attempt(state=LOST), "") == "was lost"


def test_what_an_intent_records_of_the_inputs():
    assert inputs_of(STAGE, (*DEPS, LOCK)) == {
        "command": ["exec", "python", "train.py"],
        "wdir": ".",
        "params": [["params.yaml", "lr", 0.1], ["conf.json", "", {"k": 1}]],
        "deps": [["a", f"blake3:{HEX}"], ["d", f"blake3:{HEX}/"]],
        "outs": ["model"],
        "env": [["uv.lock", f"blake3:{HEX}"]],
    }


def two(first: Attempt, second: Attempt, stage: Stage = STAGE, key: str = "key3") -> tuple[str, ...]:
    """Why a stage runs after two attempts, the second the newer."""
    history = History()
    history.add(first._replace(id="a-1", key="key1"))
    history.add(second._replace(id="a-2", key="key2"))
    found = why_run(stage, history.at(key), (*DEPS, LOCK), history)
    return (found.text, *found.details)


@pytest.mark.parametrize("newer", [{"state": FAILED}, {"state": CANCELLED}, {"mode": "isolated"}])
def test_reasons_compare_with_what_made_the_outs_that_lie_here(newer):
    tried = STAGE._replace(params=params(lr=9))
    now = STAGE._replace(params=params(lr=0.2))
    said = two(attempt(STAGE._replace(params=params(lr=0.1))), attempt(tried, **newer), now)
    assert said == ("parameter params.yaml:lr: 0.1 → 0.2",) * 2


def test_without_a_success_in_place_an_isolated_one_is_compared_with():
    old, tried, now = (STAGE._replace(params=params(lr=value)) for value in (0.1, 0.2, 0.3))
    said = two(attempt(old, mode="isolated"), attempt(tried, state=FAILED), now)
    assert said == ("parameter params.yaml:lr: 0.1 → 0.3",) * 2


def test_that_it_has_never_succeeded_is_said():
    old, tried, now = (STAGE._replace(params=params(lr=value)) for value in (0.1, 0.2, 0.3))
    since = "it has not succeeded yet; since its last attempt:"
    change = "parameter params.yaml:lr: 0.2 → 0.3"
    assert two(attempt(old, state=LOST), attempt(tried, state=FAILED), now) == (
        f"{since} {change}",
        since,
        change,
    )


def test_a_failure_at_the_same_inputs_comes_first_and_the_change_behind_it():
    old, now = (STAGE._replace(params=params(lr=value)) for value in (0.1, 0.2))
    failed = attempt(now, state=FAILED, detail="exit", exit_code=3)
    assert two(attempt(old), failed, now, "key2") == (
        "its last attempt failed: exit code 3",
        "parameter params.yaml:lr: 0.1 → 0.2",
    )


def test_of_a_group_only_the_leaves_that_differ_are_named():
    old = params(train={"lr": 0.1, "gone": 1, "deep": {"a": 1, "b": [1, 2]}, "same": {"x": 1}})
    new = params(train={"lr": 0.2, "deep": {"a": 1, "b": [1, 3], "c": "z"}, "same": {"x": 1.0}})
    assert why(attempt(STAGE._replace(params=old)), STAGE._replace(params=new))[1:] == (
        "parameter params.yaml:train.lr: 0.1 → 0.2",
        "parameter params.yaml:train.gone is gone (it was 1)",
        "parameter params.yaml:train.deep.b: [1, 2] → [1, 3]",
        "new parameter params.yaml:train.deep.c = z",
    )


def test_of_a_long_list_only_the_entries_that_differ_are_named():
    old, new = list(range(40)), [*range(20), -1, *range(21, 40)]
    assert why(attempt(STAGE._replace(params=params(n=old))), STAGE._replace(params=params(n=new)))[1:] == (
        "parameter params.yaml:n.20: 20 → -1",
    )


def test_a_whole_file_is_a_group_too():
    whole = (Param("conf.json", "", {"k": 1, "n": 2}),)
    later = (Param("conf.json", "", {"k": 2, "n": 2}),)
    assert why(attempt(STAGE._replace(params=whole)), STAGE._replace(params=later))[1:] == (
        "parameter conf.json:k: 1 → 2",
    )
