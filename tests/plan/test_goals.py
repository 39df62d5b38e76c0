"""What a goal names, and how far it reaches."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinyon.errors import OutputConflictError, PlanError, UnknownGoalError
from pinyon.model.graph import Command, Graph, Input, Out, Stage
from pinyon.model.project import Goal, Origin, Pointer, Project, StageTemplate
from pinyon.plan.build import build, graph_of


def template(file: str, name: str, deps: str = "", outs: str = "", **more: Any) -> StageTemplate:
    base = file.rpartition("/")[0]
    body = {"cmd": "run", "deps": deps.split(), "outs": outs.split(), **more}
    return StageTemplate(f"{file}:{name}" if base else name, body, Origin(file, 2), base, "dvc")


LOOP = {"foreach": ["x", "y"], "do": {"cmd": "run ${item}", "deps": ["clean"], "outs": ["b/${item}"]}}
POINTERS = (
    Pointer("raw", "md5:ab", 3, Origin("raw.dvc", 1), "dvc"),
    Pointer("sub/in/a", "md5:cd/", None, Origin("sub/a.dvc", 1), "dvc"),
    Pointer("elsewhere", "blake3:ef", None, Origin("elsewhere.pinyon", 1)),
)
PROJECT = Project(
    "/p", "p",
    ("dvc.yaml", "sub/dvc.yaml", "sub/deep/dvc.yaml", "raw.dvc", "sub/a.dvc", "elsewhere.pinyon"),
    (
        template("dvc.yaml", "clean", "raw", "clean"), template("dvc.yaml", "build")._replace(body=LOOP),
        template("dvc.yaml", "none")._replace(body={"matrix": {"a": []}, "cmd": "x"}),
        template("dvc.yaml", "train", "b", "model"), template("dvc.yaml", "held", "model", "h", frozen=True),
        template("sub/dvc.yaml", "train", "../model in", "m"), template("sub/dvc.yaml", "test", "m", "t"),
        template("sub/deep/dvc.yaml", "only", "../t"),
    ),
    pointers=POINTERS,
)  # fmt: skip


def graph(*names: str, **flags: Any) -> Graph:
    built = build(
        PROJECT,
        Goal(names, **flags),
        {"params.yaml": None, "sub/params.yaml": None, "sub/deep/params.yaml": None},
    )
    assert isinstance(built, Graph)
    return built


def reached(*names: str, **flags: Any) -> list[str]:
    return [task.stage.name for task in graph(*names, **flags).tasks.values()]


UP = ["clean", "build@x", "build@y", "train"]


@pytest.mark.parametrize(
    ("names", "flags", "stages"),
    [
        ("train", {}, UP),
        ("build", {}, UP[:3]),
        ("build@y", {}, ["clean", "build@y"]),
        ("sub/dvc.yaml:train", {}, [*UP, "sub/dvc.yaml:train"]),
        ("./sub/../sub/dvc.yaml:test", {}, [*UP, "sub/dvc.yaml:train", "sub/dvc.yaml:test"]),
        ("sub/dvc.yaml", {}, [*UP, "sub/dvc.yaml:train", "sub/dvc.yaml:test"]),
        ("dvc.yaml:clean", {}, ["clean"]),
        ("dvc.yaml", {}, [*UP, "held"]),
        ("raw.dvc", {}, []),
        ("none", {}, []),
        ("train", {"directory": "sub"}, [*UP, "sub/dvc.yaml:train"]),
        ("clean", {"directory": "sub"}, ["clean"]),
        ("dvc.yaml", {"directory": "sub", "single": True}, ["sub/dvc.yaml:train", "sub/dvc.yaml:test"]),
        ("deep/dvc.yaml:only", {"directory": "sub", "single": True}, ["sub/deep/dvc.yaml:only"]),
        ("../dvc.yaml:clean", {"directory": "sub"}, ["clean"]),
        ("a.dvc", {"directory": "sub"}, []),
        ("", {"directory": "sub"}, [*UP, "sub/dvc.yaml:train", "sub/dvc.yaml:test"]),
        ("", {"directory": "sub/deep", "single": True}, ["sub/deep/dvc.yaml:only"]),
        ("", {"directory": "other"}, [*UP, "held", "sub/dvc.yaml:train", "sub/dvc.yaml:test", "sub/deep/dvc.yaml:only"]),
        ("b*", {"glob": True, "single": True}, ["build@x", "build@y"]),
        ("build@[y]", {"glob": True, "single": True}, ["build@y"]),
        ("*", {"glob": True, "single": True}, [*UP, "held"]),
        ("sub/dvc.yaml:t*", {"glob": True, "single": True}, ["sub/dvc.yaml:train", "sub/dvc.yaml:test"]),
        ("te*", {"glob": True, "directory": "sub", "single": True}, ["sub/dvc.yaml:test"]),
        ("train", {"single": True}, ["train"]),
        ("held", {}, ["held"]),
        ("held train", {"single": True}, ["train", "held"]),
        ("train", {"downstream": True}, ["train", "sub/dvc.yaml:train", "sub/dvc.yaml:test", "sub/deep/dvc.yaml:only"]),
        ("sub/dvc.yaml:test", {"downstream": True}, ["sub/dvc.yaml:test", "sub/deep/dvc.yaml:only"]),
        ("train", {"single": True, "downstream": True}, ["train"]),
    ],
)  # fmt: skip
def test_what_a_goal_means(names, flags, stages):
    assert sorted(reached(*names.split(), **flags)) == sorted(stages)


def test_no_goal_is_everything():
    assert len(reached()) == 8


@pytest.mark.parametrize(
    ("name", "flags", "why", "next"),
    [
        ("trian", {}, "did you mean train?", "pinyon plan"),
        ("tset", {"directory": "sub"}, "did you mean test?", "pinyon plan"),
        ("build@z", {}, "did you mean build@y?", "pinyon plan"),
        ("sub/dvc.yaml:tran", {}, "did you mean sub/dvc.yaml:train?", "pinyon plan"),
        ("b*", {}, "there are clean", "pinyon plan --glob 'b*'"),
        ("z*", {"glob": True}, "there are clean", "pinyon plan"),
        ("gone.dvc", {}, "", "pinyon plan"),
        ("only", {}, "did you mean sub/deep/dvc.yaml:only?", "pinyon plan"),
        ("gone/dvc.yaml", {}, "did you mean", "pinyon plan"),
    ],
)
def test_an_unknown_goal_is_told_the_nearest(name, flags, why, next):
    with pytest.raises(UnknownGoalError) as caught:
        graph(name, **flags)
    assert name in str(caught.value)
    assert why in str(caught.value)
    assert caught.value.next == next


def test_what_is_not_carried_out_lies_there_as_it_is():
    single = graph("train", single=True)
    (task,) = single.tasks.values()
    assert task.inputs == (Input("b", (), False),)
    assert single.sources == ("b",)
    both = graph("train", "build@y", single=True)
    last = list(both.tasks.values())[-1]
    assert [p in both.tasks for p in last.inputs[0].producers] == [True]
    assert both.sources == ("clean",)


STAGES = st.lists(st.sets(st.integers(0, 6), max_size=3), min_size=7, max_size=7)


@given(STAGES, st.sets(st.integers(0, 6), min_size=1), st.booleans())
def test_reach_is_the_closure_in_one_direction(needs, asked, downstream):
    edges = {n: {m for m in row if m < n} for n, row in enumerate(needs)}
    stages = [
        Stage(
            f"s{n}",
            Command("shell", ("x",)),
            ".",
            tuple(f"o{m}" for m in sorted(row)) or ("raw",),
            (),
            (Out(f"o{n}"),),
        )
        for n, row in edges.items()
    ]
    expected = set(asked)
    for _ in stages:
        if downstream:
            expected |= {n for n, row in edges.items() if row & expected}
        else:
            expected |= {m for n in expected for m in edges[n]}
    built = graph_of(stages, Goal(tuple(f"s{n}" for n in asked), downstream=downstream))
    names = [task.stage.name for task in built.tasks.values()]
    assert sorted(names) == sorted(f"s{n}" for n in expected)
    made = {f"o{n}" for n in expected}
    for task in built.tasks.values():
        for item in task.inputs:
            assert bool(item.producers) == (item.path in made)


# -- pointers, and deps elsewhere ---------------------------------------------------------------------------------------


def test_pointers_that_touch_a_source_are_known():
    assert graph().pointers == POINTERS[:2]
    assert graph("clean").pointers == POINTERS[:1]
    assert graph("sub/dvc.yaml:train", single=True).pointers == POINTERS[1:2]
    assert graph("elsewhere.pinyon").pointers == POINTERS[2:]
    assert graph("a.dvc", directory="sub").pointers == POINTERS[1:2]
    assert "raw" in graph("clean").sources


@pytest.mark.parametrize("path", ["clean", "clean/in", "b", "b/x/deep"])
def test_a_pointer_to_what_a_stage_writes_is_refused(path):
    pointer = Pointer(path, "", None, Origin("d.dvc", 4), "dvc")
    with pytest.raises(OutputConflictError, match=r"d.dvc:4: d.dvc keeps .*, which stage '.*' writes"):
        build(
            PROJECT._replace(pointers=(pointer,)),
            Goal(),
            dict.fromkeys(["params.yaml", "sub/params.yaml", "sub/deep/params.yaml"]),
        )


@pytest.mark.parametrize("second", ["d", "d/e"])
def test_two_pointers_of_one_kind_cannot_keep_one_place(second):
    first = Pointer("d", "", None, Origin("d.dvc"), "dvc")
    other = Pointer(second, "", None, Origin("e.dvc"), "dvc")
    with pytest.raises(OutputConflictError, match=r"d\.dvc and e\.dvc both keep"):
        graph_of([], Goal(), Project("/p", "p", (), (), pointers=(first, other)))
    graph_of([], Goal(), Project("/p", "p", (), (), pointers=(first, other._replace(kind="pinyon"))))


def test_a_file_that_declares_something_lies_in_nobodys_out():
    bad = PROJECT._replace(stages=(*PROJECT.stages, template("dvc.yaml", "bad", "", "sub")))
    with pytest.raises(OutputConflictError):
        build(bad, Goal(), dict.fromkeys(["params.yaml", "sub/params.yaml", "sub/deep/params.yaml"]))
    alone = Project("/p", "p", (), (template("sub/dvc.yaml", "bad", "", "../sub"),))
    with pytest.raises(
        OutputConflictError, match=r"stage 'sub/dvc\.yaml:bad' writes sub, in which sub/dvc\.yaml lies"
    ):
        build(alone, Goal(), {"sub/params.yaml": None})


def one(**body: Any) -> Graph:
    project = Project("/p", "p", (), (template("dvc.yaml", "a", **body), template("dvc.yaml", "b", "x")))
    built = build(project, Goal(("a",)), {"params.yaml": None})
    assert isinstance(built, Graph)
    return built


@pytest.mark.parametrize("url", ["s3://bucket/key", "https://x.org/y.csv", "remote://r/a", "ds://set"])
def test_a_dep_elsewhere_is_for_frozen_stages_only(url):
    with pytest.raises(PlanError, match="cannot look at what lies elsewhere"):
        one(deps=f"{url} here")
    frozen = one(deps=f"{url} here", frozen=True)
    assert [task.stage.deps for task in frozen.tasks.values()] == [(url, "here")]
    assert frozen.sources == ()


# -- parameters that are not there --------------------------------------------------------------------------------------


def built(read: dict[str, Any], goal: Goal, *bodies: dict[str, Any]) -> Graph:
    templates = tuple(
        StageTemplate(f"s{n}", {"cmd": "x", **body}, Origin("dvc.yaml", n + 1))
        for n, body in enumerate(bodies)
    )
    imported: dict[str, tuple[str, ...]] = {template.name: () for template in templates}
    project = Project("/p", "p", (), templates)
    found = build(project, goal, {"params.yaml": {"lr": 1}, **read}, imported)
    assert isinstance(found, Graph)
    return found


def test_a_missing_parameter_matters_to_who_is_to_run():
    bad, good = {"params": ["gone"]}, {"params": ["lr"]}
    with pytest.raises(PlanError, match=r"'gone', which params\.yaml does not have"):
        built({}, Goal(), bad, good)
    assert len(built({}, Goal(("s1",)), bad, good).tasks) == 1
    assert len(built({}, Goal(), {**bad, "frozen": True}, good).tasks) == 2


def test_a_parameter_file_that_a_stage_makes_is_a_dep():
    found = built({"d/p.yaml": None}, Goal(), {"params": [{"d/p.yaml": ["a"]}, "lr"]}, {"outs": ["d"]})
    maker, user = found.tasks.values()
    assert user.needs == (maker.recipe,)
    assert user.stage.deps == ("d/p.yaml",)
    assert [param.name for param in user.stage.params] == ["lr"]
    there = built({"d/p.yaml": {"a": 1}}, Goal(), {"params": [{"d/p.yaml": ["a"]}]}, {"outs": ["d"]})
    assert [task.stage.params for task in there.tasks.values()] == [(), ()]


@pytest.mark.parametrize(
    ("name", "value"), [("one.*", 3), ("l*t.0", 5), ("globs.data/*", 1), ("n[u]m.x?", 7), ("two.k", 1)]
)
def test_a_pattern_that_fits_one_parameter_is_its_name(name, value):
    content = {
        "one": {"only": 3},
        "list": [5],
        "globs": {"data/*": 1},
        "num": {"xy": 7},
        "two": {"k": 1, "l": 2},
    }
    (task,) = built({"p.yaml": content}, Goal(), {"params": [{"p.yaml": [name]}]}).tasks.values()
    assert [(param.name, param.value) for param in task.stage.params] == [(name, value)]
    with pytest.raises(PlanError, match=r"'two.\*', which p.yaml has 2 times; a pattern must fit one"):
        built({"p.yaml": content}, Goal(), {"params": [{"p.yaml": ["two.*"]}]})


# -- keys of ours -------------------------------------------------------------------------------------------------------


def test_what_is_only_recorded_changes_no_recipe():
    plain = {"outs": ["o"], "plots": ["p"]}
    more = {
        "outs": ["o"],
        "plots": [{"p": {"x": "step", "title": "t"}}],
        "estimate": "90m",
        "strict_deps": True,
    }
    (first,), (second,) = built({}, Goal(), plain).tasks.values(), built({}, Goal(), more).tasks.values()
    assert first.recipe == second.recipe
    assert (second.stage.estimate, second.stage.strict_deps) == (5400.0, True)
    assert second.stage.outs[1].axes == {"x": "step", "title": "t"}
    assert (first.stage.estimate, first.stage.strict_deps, first.stage.outs[1].axes) == (None, False, {})


def test_estimates_are_templates_too():
    (task,) = built({}, Goal(), {"estimate": "${lr}m"}).tasks.values()
    assert task.stage.estimate == 60.0
    with pytest.raises(PlanError, match="estimate of stage 's0': 'soon' is not a duration"):
        built({"v.yaml": {"w": "soon"}}, Goal(), {"vars": ["v.yaml"], "estimate": "${w}"})
