"""Keys: they change with what is keyed, with nothing else, and never from one version to the next."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinyon.errors import PlanError
from pinyon.model.graph import Adhoc, Command, Graph, Out, Param, Resources, Retry, Stage
from pinyon.model.project import Goal, Origin
from pinyon.plan.build import graph_of
from pinyon.plan.keys import key_of

GOLDEN = Path(__file__).parents[1] / "formats" / "keys-1.json"

words = st.text(alphabet="ab/. é", min_size=1, max_size=4)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=4,
)
commands = st.builds(
    Command, st.sampled_from(["shell", "exec"]), st.lists(words, min_size=1, max_size=3).map(tuple)
)
params = st.lists(
    st.builds(Param, words, words, values), max_size=3, unique_by=lambda p: (p.file, p.name)
).map(tuple)
pairs = st.dictionaries(words, words, max_size=3).map(lambda found: tuple(found.items()))
outs = st.lists(words, max_size=3, unique=True).map(lambda paths: tuple(Out(path) for path in paths))
adhocs = st.builds(Adhoc, st.sampled_from(["", "n-1", "n-2"]), st.just(()), st.just(()))
stages = st.builds(Stage, words, commands, words, st.just(()), params, outs, adhoc=adhocs)

SAME: dict[str, Any] = {
    "name": "another", "description": "d", "resources": Resources(cpus=2.0), "retry": Retry(3), "frozen": True,
    "always_changed": True, "origin": Origin("elsewhere", 7), "deps": ("named",), "env": ("named",),
}  # fmt: skip


def spelled(value: Any) -> Any:
    """A value as keys mean it: 1 and 1.0 are one, True is not 1."""
    if isinstance(value, bool) or value is None:
        return repr(value)
    if isinstance(value, (int, float)):
        return float(value) + 0.0  # -0.0 is 0
    if isinstance(value, dict):
        return {key: spelled(value[key]) for key in sorted(value)}
    return [spelled(item) for item in value] if isinstance(value, list) else value


def meaning(stage: Stage, deps: Any, env: Any) -> Any:
    """What a key is a digest of, put so that == compares it."""
    return (
        stage.command, stage.wdir, stage.adhoc.nonce, sorted(out.path for out in stage.outs), sorted(deps), sorted(env),
        sorted(((p.file, p.name), repr(spelled(p.value))) for p in stage.params),
    )  # fmt: skip


@given(stages, pairs, pairs, stages, pairs, pairs)
def test_keys_are_equal_iff_everything_keyed_is(one, deps, env, two, deps2, env2):
    same = meaning(one, deps, env) == meaning(two, deps2, env2)
    assert (key_of(one, deps, env) == key_of(two, deps2, env2)) is same


@given(
    stages,
    stages,
    pairs,
    pairs,
    st.sampled_from(["command", "wdir", "params", "outs", "deps", "env", "adhoc"]),
)
def test_each_keyed_thing_changes_the_key_by_itself(stage, other, deps, pairs2, field):
    if field in ("deps", "env"):
        changed = key_of(stage, pairs2) if field == "deps" else key_of(stage, deps, pairs2)
        same = sorted(pairs2) == sorted(deps if field == "deps" else ())
    else:
        altered = stage._replace(**{field: getattr(other, field)})
        changed = key_of(altered, deps)
        same = meaning(altered, deps, ()) == meaning(stage, deps, ())
    assert (changed == key_of(stage, deps)) is same


@given(stages, pairs, pairs, st.sampled_from(sorted(SAME)), st.randoms(use_true_random=False))
def test_names_places_and_order_do_not_count(stage, deps, env, field, random):
    shuffled = [random.sample(list(group), len(group)) for group in (stage.params, stage.outs, deps, env)]
    other = stage._replace(params=tuple(shuffled[0]), outs=tuple(shuffled[1]), **{field: SAME[field]})
    assert key_of(other, shuffled[2], shuffled[3]) == key_of(stage, deps, env)


@given(stages, pairs)
def test_how_an_out_is_kept_does_not_count(stage, deps):
    other = stage._replace(
        outs=tuple(out._replace(role="metric", cache=False, persist=True) for out in stage.outs)
    )
    assert key_of(other, deps) == key_of(stage, deps)


def keyed(value: Any) -> str:
    return key_of(Stage("s", Command("exec", ("x",)), ".", (), (Param("params.yaml", "p", value),), ()), ())


def test_one_is_one_point_zero_and_nothing_else():
    alike = [1, 1.0]
    others = [True, "1", 2, 1.5, [1], {"1": 1}, None, -1]
    assert keyed(alike[0]) == keyed(alike[1])
    assert len({keyed(value) for value in [*others, 1]}) == len(others) + 1
    assert keyed(0.0) == keyed(-0.0) == keyed(0)
    assert keyed((1, 2)) == keyed([1, 2])
    assert keyed({1: "a"}) == keyed({"1": "a"})


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), [float("-inf")], {"a": float("nan")}, {1, 2}, b"x", "\ud800"]
)
def test_what_does_not_equal_itself_or_has_no_spelling_is_refused(value):
    with pytest.raises(PlanError):
        keyed(value)


# -- recipes ------------------------------------------------------------------------------------------------------------


@st.composite
def pipelines(draw: st.DrawFn) -> list[Stage]:
    """A few stages; what each does is drawn from so little that two draws are often partly alike."""
    made: list[Stage] = []
    for number in range(draw(st.integers(1, 4))):
        readable = ["raw", *(stage.outs[0].path for stage in made)]
        deps = draw(st.lists(st.sampled_from(readable), max_size=2, unique=True))
        command = Command("exec", (draw(st.sampled_from(["x", "y"])),))
        made.append(Stage(f"s{number}", command, ".", tuple(deps), (), (Out(f"o{number}"),)))
    return made


def closure(graph: Graph, recipe: str) -> Any:
    """Everything upstream of a task, by content: what a recipe stands for."""
    task = graph.tasks[recipe]
    made = {item.path: [closure(graph, need) for need in item.producers] for item in task.inputs}
    return (task.stage.command, sorted(out.path for out in task.stage.outs), sorted(made.items()))


@given(pipelines(), pipelines())
def test_recipes_are_equal_iff_the_upstream_closures_are(one, two):
    first, second = graph_of(one, Goal()), graph_of(two, Goal())
    for recipe in first.tasks:
        for other in second.tasks:
            assert (recipe == other) is (closure(first, recipe) == closure(second, other))


def test_a_source_is_no_recipe():
    made = graph_of([Stage("a", Command("exec", ("x",)), ".", (), (), (Out("d"),)), user()], Goal())
    assert list(made.tasks)[1] not in graph_of([user()], Goal()).tasks


def user() -> Stage:
    return Stage("user", Command("exec", ("u",)), ".", ("d",), (), (Out("o"),))


# -- golden -------------------------------------------------------------------------------------------------------------

EXAMPLES: dict[str, tuple[Stage, tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]] = {
    "empty": (Stage("s", Command("shell", ("true",)), ".", (), (), ()), (), ()),
    "full": (
        Stage(
            "train", Command("exec", ("python", "train.py", "--größe", "1e-05")), "sub", ("b", "a"),
            (
                Param("sub/params.yaml", "model", {"layers": 2.0, "lr": 1e-05, 3: None, "big": 2**60}),
                Param("params.yaml", "seeds", [0, 1.5, True, "x\n"]), Param("conf.json", "", {"z": {}, "a": []}),
            ),
            (Out("sub/model.bin"), Out("sub/metrics.json", "metric", cache=False)), env=("uv.lock",),
        ),
        (("b", "blake3:" + "b" * 64), ("a", "blake3:" + "a" * 64 + "/")),
        (("uv.lock", "blake3:" + "c" * 64),),
    ),
}  # fmt: skip
CHAIN = [
    Stage("prepare", Command("shell", ("sort raw > d/x", "wc raw")), ".", ("raw",), (), (Out("d"),)),
    Stage(
        "use",
        Command("exec", ("cat",)),
        ".",
        ("d/x", "d"),
        (Param("params.yaml", "n", 1.0),),
        (Out("o"),),
        env=("lock",),
    ),
]


def test_keys_and_recipes_are_what_they_were_in_format_1():
    now = {
        "keys": {name: key_of(*example) for name, example in EXAMPLES.items()},
        "recipes": dict(zip([stage.name for stage in CHAIN], graph_of(CHAIN, Goal()).tasks, strict=True)),
    }
    assert now == json.loads(GOLDEN.read_text()), "a key that changes runs everybody's pipelines again"
