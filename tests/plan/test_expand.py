"""Loops: which stages they stand for, what these see, and that they end before memory does."""

# ruff: noqa: E501 - a stage is easier to read in one line

from __future__ import annotations

import resource
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinyon.errors import PlanError
from pinyon.model.graph import Command, Param, Stage
from pinyon.model.project import Goal, Origin, Project, StageTemplate
from pinyon.plan.build import Need, Stages, build, graph_of, resolve_all

PARAMS: dict[str, Any] = {
    "lr": 1e-5, "names": ["us", "eu"], "flags": [True, None], "maps": [{"x": 1}, {"x": 2}], "word": "text",
    "sets": {"a": {"p": 1}, "b": {"p": 2}, 7: {"p": 3}},
}  # fmt: skip


def stages_of(
    read: dict[str, Any] | None = None, variables: tuple[Any, ...] = (), **bodies: dict[str, Any]
) -> list[Stage]:
    lines = {"foreach": 4, "matrix": 5, "matrix.m": 6, "do.cmd": 7, "cmd": 8, "do.deps": 9}
    templates = tuple(
        StageTemplate(name, body, Origin("dvc.yaml", 3), "", "dvc", lines) for name, body in bodies.items()
    )
    project = Project("/p", "p", ("dvc.yaml",), templates, {"": variables})
    found = resolve_all(project, Goal(), {"params.yaml": PARAMS, **(read or {})})
    assert isinstance(found, Stages), found
    graph_of(found.stages, Goal(), project, found.lacks)
    return found.stages


def commands(**body: Any) -> dict[str, Any]:
    return {stage.name: stage.cmd for stage in stages_of(s=body)}


def refusal(**body: Any) -> PlanError:
    with pytest.raises(PlanError) as caught:
        stages_of(s=body)
    return caught.value


@pytest.mark.parametrize(
    ("data", "cmd", "made"),
    [
        (
            ["us", 1, 2.5, True, None],
            "${item}",
            {"s@us": "us", "s@1": "1", "s@2.5": "2.5", "s@true": "true", "s@None": "None"},
        ),
        ("${flags}", "x ${item}", {"s@True": "x true", "s@None": "x None"}),
        (
            ["${lr}", "${word}-z", "a b"],
            "${item}",
            {"s@1e-05": "1e-05", "s@text-z": "text-z", "s@a b": "a b"},
        ),
        ([{"x": 1}, "y"], "x", {"s@0": "x", "s@1": "x"}),
        ("${maps}", "x ${item.x} ${item}", {"s@0": "x 1 --x 1", "s@1": "x 2 --x 2"}),
        (
            {"a": 1, 2: {"b": "c d"}, True: 0},
            "x ${key} ${item}",
            {"s@a": "x a 1", "s@2": "x 2 --b 'c d'", "s@true": "x true 0"},
        ),
        ("${sets}", "x ${key} ${item.p}", {"s@a": "x a 1", "s@b": "x b 2"}),
        (["x", "y", "x"], "${item}", {"s@x": "x", "s@y": "y"}),
        ([], "x", {}),
    ],
)
def test_foreach(data, cmd, made):
    assert commands(foreach=data, do={"cmd": cmd}) == made


@pytest.mark.parametrize(
    ("dims", "cmd", "made"),
    [
        ({"m": ["cnn", "a/b.c"], "lr": [0.1, 1e-5]}, "x ${item.m} ${item.lr}", {
            "s@cnn-0.1": "x cnn 0.1", "s@cnn-1e-05": "x cnn 1e-05", "s@a/b.c-0.1": "x a/b.c 0.1", "s@a/b.c-1e-05": "x a/b.c 1e-05",
        }),
        ({"d": [{"n": 1}, [2, 3]], "k": ["", "z"]}, "x ${key} ${item}", {
            "s@d0-": "x d0- --d.n 1 --k ''", "s@d0-z": "x d0-z --d.n 1 --k z", "s@d1-": "x d1- --d 2 3 --k ''", "s@d1-z": "x d1-z --d 2 3 --k z",
        }),
        ({"n": "${names}", "f": "${flags}"}, "x ${key}", {
            "s@us-True": "x us-True", "s@us-None": "x us-None", "s@eu-True": "x eu-True", "s@eu-None": "x eu-None",
        }),
        ({"s": "${sets}", "t": "xy"}, "x ${item.s}", {"s@a-x": "x a", "s@a-y": "x a", "s@b-x": "x b", "s@b-y": "x b"}),
        ({"a": [1], "b": []}, "x", {}),
        ({"${word}": [1], "text": [2, 3], "d-${lr}": [4]}, "x ${item}", {"s@2-4": "x --text 2 --d-1e-05 4", "s@3-4": "x --text 3 --d-1e-05 4"}),
    ],
)  # fmt: skip
def test_matrix(dims, cmd, made):
    assert commands(matrix=dims, cmd=cmd) == made


def test_a_copy_is_a_stage_like_others():
    read = {"us/params.yaml": {"us": {"lr": 1}}, "eu/params.yaml": {"eu": {"lr": 2}}}
    do = {
        "wdir": "${item}",
        "cmd": ["x ${mine}", "y"],
        "params": ["${item}.lr"],
        "vars": [{"mine": 5}],
        "outs": [{"o-${item}": {"cache": False}}],
    }
    first, second = stages_of(read=read, s={"foreach": "${names}", "do": do})
    assert (first.name, first.wdir, first.outs[0].path, first.outs[0].cache) == (
        "s@us",
        "us",
        "us/o-us",
        False,
    )
    assert second.command == Command("shell", ("x 5", "y"))
    assert second.params == (Param("eu/params.yaml", "eu.lr", 2),)
    assert second.cmd == ("x 5", "y")
    assert second.origin == Origin("dvc.yaml", 3)


def test_the_files_of_all_copies_are_asked_for_at_once():
    body = {"matrix": {"n": list(range(500))}, "cmd": "x", "params": [{"p-${item.n}.yaml": ["a"]}]}
    project = Project("/p", "p", (), (StageTemplate("s", body, Origin("f")),))
    read: dict[str, Any] = {}
    rounds = 0
    while isinstance(need := build(project, Goal(), read), Need):
        read |= {path: {"a": 1} for path in need.paths}
        rounds += 1
    assert (rounds, len(read)) == (2, 501)


def test_key_over_a_list_is_nobodys():
    assert refusal(foreach=["a"], do={"cmd": "x ${key}"}).where == "dvc.yaml:7"
    (stage,) = stages_of(variables=({"key": "own"},), s={"foreach": ["a"], "do": {"cmd": "${key}"}})
    assert stage.cmd == "own"


@pytest.mark.parametrize(
    ("body", "what", "where"),
    [
        ({"foreach": "${lr}", "do": {"cmd": "x"}}, "foreach of stage 's' is 1e-05", "dvc.yaml:4"),
        ({"foreach": "abc", "do": {"cmd": "x"}}, "foreach of stage 's' is 'abc'", "dvc.yaml:4"),
        ({"foreach": "${gone}", "do": {"cmd": "x"}}, "${gone} names 'gone', which is not a parameter", "dvc.yaml:4"),
        ({"matrix": {"m": "${word}"}, "cmd": "x"}, "m in matrix of stage 's' is 'text'", "dvc.yaml:6"),
        ({"matrix": {"m": "${lr}"}, "cmd": "x"}, "m in matrix of stage 's' is 1e-05", "dvc.yaml:6"),
        ({"foreach": [""], "do": {"cmd": "x"}}, "stage 's' gets the name 's@'", "dvc.yaml:4"),
        ({"matrix": {}, "cmd": "x"}, "stage 's' gets the name 's@'", "dvc.yaml:5"),
        ({"foreach": ["a@b"], "do": {"cmd": "x"}}, "stage 's' gets the name 's@a@b'", "dvc.yaml:4"),
        ({"foreach": ["a"], "do": {"cmd": "x", "vars": [{"item": 1}]}}, "vars sets 'item'", "dvc.yaml:3"),
        ({"foreach": ["a", "b"], "do": {"cmd": "x", "outs": ["same"]}}, "stages 's@a' and 's@b' both write same", ""),
        ({"foreach": [1], "do": {"cmd": "x", "deps": ["${item}"]}}, "deps of stage 's@1' resolves to 1", "dvc.yaml:9"),
    ],
)  # fmt: skip
def test_mistakes_in_loops_are_told_with_their_place(body, what, where):
    error = refusal(**body)
    assert (error.what, error.where) == (what, where)


def test_two_loops_cannot_make_one_stage():
    body = {"foreach": ["b"], "do": {"cmd": "x"}}
    with pytest.raises(PlanError, match=r"two stages are called 'a@b'"):
        build(
            Project("/p", "p", (), tuple(StageTemplate("a", body, Origin("f")) for _ in "12")),
            Goal(),
            {"params.yaml": None},
        )


def bombs() -> dict[str, dict[str, Any]]:
    ten, thousand = list(range(10)), list(range(1000))
    return {
        "a matrix of a million": {"matrix": dict.fromkeys("abcdef", ten), "cmd": "x"},
        "a matrix of 10^30": {"matrix": dict.fromkeys("abcdefghij", thousand), "cmd": "x"},
        "a list of 200,000": {"foreach": list(range(200_000)), "do": {"cmd": "x"}},
        "a large body": {
            "matrix": {"a": thousand, "b": ten},
            "cmd": "x",
            "deps": [f"d{n}" for n in range(10_000)],
        },
        "one map in another": {
            "foreach": thousand,
            "do": {"cmd": "x", "meta": {f"k{n}": [PARAMS] * 100 for n in range(100)}},
        },
    }


@pytest.mark.parametrize("name", bombs())
def test_a_loop_that_would_fill_memory_is_refused_at_once(name):
    before, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    error = refusal(**bombs()[name])
    assert time.process_time() - before < 1.0
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) * 1024 < 100e6
    assert "a project has at most 100,000" in str(error) or "all together may hold 3,000,000" in str(error)


@pytest.mark.parametrize(
    "body",
    [
        {"matrix": {"a": list(range(1000)), "b": list(range(90))}, "cmd": "x ${long} ${item.a}"},
        {"cmd": "x", "deps": ["a${long}"] * 20_000},
        {"cmd": ["x ${longs}"] * 20_000},
        {"cmd": "x", "meta": [{"a": ["${long}-"] * 100}] * 1000},
        {"foreach": ["${long}-"] * 20_000, "do": {"cmd": "x"}},
    ],
    ids=["copies", "deps", "cmd", "meta", "items"],
)
def test_expressions_that_would_fill_memory_are_refused(body):
    read = {"params.yaml": {"long": "y" * 60_000, "longs": {"a": ["z" * 600] * 100}}}
    with pytest.raises(PlanError, match="expressions make more than 100,000,000 characters of text"):
        stages_of(read, s=body)


def test_the_count_is_told():
    assert "stage 's' makes 1,000,000 stages" in str(refusal(**bombs()["a matrix of a million"]))


def test_many_loops_together_are_counted_too():
    loop, last = ({"foreach": list(range(count)), "do": {"cmd": "x"}} for count in (51_000, 50_000))
    with pytest.raises(PlanError, match="this project makes 101,000 stages"):
        stages_of(a=loop, b=last)


@given(
    st.lists(
        st.lists(st.one_of(st.integers(), st.booleans(), st.text("abc", min_size=1)), max_size=4),
        min_size=1,
        max_size=3,
    )
)
def test_a_matrix_has_as_many_stages_as_distinct_names(dims):
    matrix = {f"d{n}": values for n, values in enumerate(dims)}
    names: set[str] = {""}
    for values in dims:
        shown = [str(v).lower() if isinstance(v, bool) else str(v) for v in values]
        names = {f"{name}-{text}" for name in names for text in shown}
    assert set(commands(matrix=matrix, cmd="x")) == {f"s@{name[1:]}" for name in names}
