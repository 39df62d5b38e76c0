"""From templates to stages: what each field means once interpolated, and how errors name their place."""

from __future__ import annotations

from typing import Any

import pytest

from pinyon.errors import PlanError
from pinyon.model.graph import Command, Out, Param, Resources, Retry, Stage
from pinyon.model.project import Goal, Origin, Project, StageTemplate
from pinyon.plan.build import Need, build, graph_of, resolve_all

PARAMS = {"params.yaml": {"lr": 0.1, "model": {"size": 2, "heads": [1]}, "dir": "sub", "opts": {"a": 1}}}


def stages_of(
    *bodies: dict[str, Any], read: dict[str, Any] | None = None, base: str = "", dialect: str = "pinyon",
    variables: tuple[Any, ...] = (),
) -> list[Stage] | Need:  # fmt: skip
    templates = tuple(
        StageTemplate(
            f"s{n}", {"cmd": "run", **body}, Origin("pinyon.yaml", 3), base, dialect, {"deps": 5, "params": 6}
        )
        for n, body in enumerate(bodies)
    )
    project = Project("/p", "p", ("pinyon.yaml",), templates, {base: variables})
    found = resolve_all(project, Goal(), PARAMS if read is None else read)
    if isinstance(found, Need):
        return found
    graph_of(found.stages, Goal(), project, found.lacks)
    return found.stages


def stage(body: dict[str, Any], **more: Any) -> Stage:
    found = stages_of(body, **more)
    assert isinstance(found, list), found
    return found[0]


def refusal(body: dict[str, Any], **more: Any) -> str:
    with pytest.raises(PlanError) as caught:
        stage(body, **more)
    return str(caught.value)


# -- commands -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cmd", "dialect", "command"),
    [
        ("python a.py --lr ${lr}", "pinyon", Command("shell", ("python a.py --lr 0.1",))),
        ("one\ntwo ${lr}\n\n", "dvc", Command("shell", ("one", "two 0.1"))),
        ("one folded line\n", "dvc", Command("shell", ("one folded line",))),
        ("run ${opts}", "pinyon", Command("shell", ("run --a 1",))),
        (
            ["python", "a.py", "${lr}", "--on=${lr}"],
            "pinyon",
            Command("exec", ("python", "a.py", "0.1", "--on=0.1")),
        ),
        (["one", "two \\\n  ${lr}"], "dvc", Command("shell", ("one", "two \\\n  0.1"))),
        (["run ${opts}"], "dvc", Command("shell", ("run --a 1",))),
        (["echo", True, 3], "pinyon", Command("exec", ("echo", "true", "3"))),
        ("echo \\${HOME}", "pinyon", Command("shell", ("echo ${HOME}",))),
    ],
)
def test_a_list_is_one_vector_for_us_and_several_shells_for_dvc(cmd, dialect, command):
    assert stage({"cmd": cmd}, dialect=dialect).command == command


def test_a_word_of_a_vector_is_no_map():
    assert "a word of cmd is {'a': 1}" in refusal({"cmd": ["run", "${opts}"]})


# -- paths --------------------------------------------------------------------------------------------------------------


def test_wdir_comes_first_and_everything_is_seen_from_it():
    read = {"lib/params.yaml": {"dir": "sub"}, "lib/sub/params.yaml": {"x": 1}}
    body = {
        "wdir": "${dir}",
        "deps": ["a", "../b", "./a"],
        "outs": ["out"],
        "params": ["x"],
        "env": ["uv.lock"],
    }
    found = stage(body, read=read, base="lib")
    assert found.wdir == "lib/sub"
    assert found.deps == ("lib/sub/a", "lib/b")
    assert found.outs == (Out("lib/sub/out"),)
    assert found.params == (Param("lib/sub/params.yaml", "x", 1),)
    assert found.env == ("lib/uv.lock",)


def test_outs_know_their_role_and_flags():
    body = {
        "outs": ["a", {"b": {"cache": False}, "c": {"persist": True}}, {"d": {}}, {}, {"a": {"persist": True}}],
        "metrics": [{"m.json": {"cache": False}}], "plots": ["p.csv", {"q.csv": {"x": "step", "cache": False}}],
    }  # fmt: skip
    assert stage(body).outs == (
        Out("a", persist=True), Out("b", cache=False), Out("c", persist=True), Out("d"),
        Out("m.json", "metric", False), Out("p.csv", "plot"),
        Out("q.csv", "plot", False, axes={"x": "step"}),
    )  # fmt: skip


@pytest.mark.parametrize("path", ["../a", "/tmp/a", ".", "sub/..", "${dir}/../.."])
def test_outs_lie_inside_the_project(path):
    assert "outs lie inside the project" in refusal({"outs": [path]})


def test_deps_may_lie_outside():
    assert stage({"deps": ["../data", "/abs/x"]}).deps == ("../data", "/abs/x")


@pytest.mark.parametrize(
    ("dep", "said"),
    [
        ("${model.size}", "deps of stage 's0' resolves to 2"),
        ("${opts}", "${opts} is a map"),
        ("${model.heads}", "${model.heads} is a list"),
    ],
)
def test_a_path_is_text(dep, said):
    assert refusal({"deps": [dep]}).startswith(f"pinyon.yaml:5: {said}")


# -- parameters ---------------------------------------------------------------------------------------------------------


def test_params_of_several_files_whole_files_and_groups():
    read = {**PARAMS, "conf/a.json": {"x": {"y": 1}, "z": 2}, "b.toml": {"k": "v"}}
    body = {
        "params": [
            "lr",
            "model",
            {"conf/a.json": ["x.y", "z"]},
            {"b.toml": None},
            {"${dir}/../b.toml": ["k"]},
        ]
    }
    assert stage(body, read=read).params == (
        Param("params.yaml", "lr", 0.1),
        Param("params.yaml", "model", {"size": 2, "heads": [1]}),
        Param("conf/a.json", "x.y", 1),
        Param("conf/a.json", "z", 2),
        Param("b.toml", "", {"k": "v"}),
    )


def test_a_parameter_named_twice_is_one():
    assert len(stage({"params": ["lr", "lr", {"params.yaml": ["lr"]}]}).params) == 1


def test_a_missing_parameter_names_place_and_neighbour():
    said = refusal({"params": ["model.sise"]})
    assert said.startswith(
        "pinyon.yaml:6: stage 's0' declares parameter 'model.sise', which params.yaml does not have"
    )
    assert "did you mean model.size?" in said


def test_a_missing_file_is_an_error_only_for_who_needs_it():
    assert stage({}, read={"params.yaml": None}).params == ()
    assert "reads parameters from x.yaml, which does not exist" in refusal(
        {"params": [{"x.yaml": ["a"]}]}, read={**PARAMS, "x.yaml": None}
    )


# -- vars ---------------------------------------------------------------------------------------------------------------


def test_vars_are_merged_deeply_over_params_yaml():
    read = {**PARAMS, "more.yaml": {"model": {"depth": 3}}}
    found = stage(
        {"cmd": "${model.size} ${model.depth} ${x}"}, read=read, variables=("more.yaml", {"x": "y"})
    )
    assert found.command.parts == ("2 3 y",)
    assert read["params.yaml"]["model"] == {"size": 2, "heads": [1]}


def test_params_yaml_may_be_listed_though_it_is_there_anyway():
    assert stage({"cmd": "${lr}"}, variables=("params.yaml", "./params.yaml")).command.parts == ("0.1",)


def test_one_name_has_one_value():
    assert "vars sets 'lr' a second time" in refusal({}, variables=({"lr": 2},))
    assert "vars sets 'lr' a second time" in refusal({}, variables=({"lr": 0.1},))  # nor the same twice


def test_only_the_keys_that_are_asked_for_are_taken_from_a_file():
    read = {**PARAMS, "more.yaml": {"x": 1, "y": {"z": 2}, "lr": 99}}
    assert stage({"cmd": "${x} ${y.z}"}, read=read, variables=("more.yaml:x,y",)).command.parts == ("1 2",)
    assert "did you mean y?" in refusal({}, read=read, variables=("more.yaml:yy",))


def test_vars_hold_a_map():
    assert "more.yaml holds no map" in refusal(
        {}, read={**PARAMS, "more.yaml": [1]}, variables=("more.yaml",)
    )


def test_a_stage_may_have_vars_of_its_own_seen_from_its_wdir():
    read = {**PARAMS, "sub/own.yaml": {"y": 2}}
    body = {"cmd": "${x} ${y} ${lr}", "wdir": "${dir}", "vars": [{"x": 1}, "own.yaml"]}
    found = stages_of(body, {"cmd": "${lr}"}, read=read)
    assert isinstance(found, list)
    assert [s.command.parts for s in found] == [("1 2 0.1",), ("0.1",)]
    with pytest.raises(PlanError, match="'x', which is not a parameter"):
        stages_of(body, {"cmd": "${x}"}, read=read)


def test_a_file_of_vars_must_exist():
    assert "vars names gone.yaml, which does not exist" in refusal(
        {}, read={**PARAMS, "gone.yaml": None}, variables=("gone.yaml",)
    )


# -- the rest -----------------------------------------------------------------------------------------------------------


def test_resources_and_retries_have_units():
    body = {
        "resources": {"cpus": 2, "memory": "32GB", "gpus": 0.5, "vram": "20GiB", "time": "90m"},
        "retry": {"times": 2, "on": ["oom"]},
    }
    assert stage(body).resources == Resources(2.0, 32 * 10**9, 0.5, 20 * 2**30, 5400.0)
    assert stage(body).retry == Retry(2, ("oom",))
    assert stage({"timeout": "10s", "resources": {"time": "1h"}}).resources.time == 10.0
    assert "memory of stage 's0': 'lots' is not a size" in refusal({"resources": {"memory": "lots"}})


def test_flags_and_description():
    found = stage({"frozen": True, "always_changed": True, "desc": "for ${lr}"})
    assert (found.frozen, found.always_changed, found.description) == (True, True, "for 0.1")


@pytest.mark.parametrize(
    ("body", "runs_always"), [({}, True), ({"deps": ["a"]}, False), ({"env": ["l"]}, False)]
)
def test_a_stage_that_declares_nothing_runs_always(body, runs_always):
    assert stage(body).unconditional is runs_always


# -- what must be read first --------------------------------------------------------------------------------------------


def test_files_are_asked_for_all_that_can_be_known_at_once():
    project = Project("/p", "p", (), (
        StageTemplate("a", {"cmd": "x", "params": [{"one.yaml": ["k"]}, {"two.yaml": None}]}, Origin("pinyon.yaml")),
        StageTemplate("b", {"cmd": "x", "params": [{"${k}.yaml": None}]}, Origin("pinyon.yaml")),
    ), {"": ("vars.yaml",)})  # fmt: skip
    content: dict[str, Any] = {
        "params.yaml": {"k": "three"}, "vars.yaml": {}, "one.yaml": {"k": 1}, "two.yaml": {}, "three.yaml": {"t": 3},
    }  # fmt: skip
    read: dict[str, Any] = {}
    rounds = []
    while isinstance(need := build(project, Goal(overrides=(("one.yaml:k", 5),)), read), Need):
        rounds.append(need.paths)
        read |= {path: content[path] for path in need.paths}
    assert rounds == [("one.yaml",), ("params.yaml",), ("vars.yaml",), ("two.yaml", "three.yaml")]
    assert [param.value for task in need.tasks.values() for param in task.stage.params] == [5, {}, {"t": 3}]
