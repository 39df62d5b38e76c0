"""How overrides and declared parameters get into commands: whose they are, where they go, what a shell makes of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pinyon.errors import PlanError
from pinyon.model.flags import ConfigFile, Flag, Heard, HydraConfig
from pinyon.model.graph import Command, Param, Stage
from pinyon.model.project import Goal, Origin, Project, StageTemplate
from pinyon.plan.build import Need, resolve_all
from pinyon.plan.keys import recipe_of
from pinyon.plan.placing import asking
from pinyon.plan.shell import simple_commands

FLAGS = Heard(
    (
        Flag("lr", ("--lr", "-l")),
        Flag("model.hidden-size", ("--model.hidden-size",)),
        Flag("seed", ("--seed",)),
        Flag("fast", ("--fast",), 0, 0),
        Flag("xs", ("--xs",), 1, None),
    )
)
PARAMS = {"params.yaml": {"seed": 1, "train": {"lr": 0.1}}}


def resolved(
    bodies: dict[str, dict[str, Any]],
    overrides: dict[str, Any],
    heard: dict[str, Heard] | None = None,
    read: dict[str, Any] | None = None,
) -> Any:
    templates = tuple(StageTemplate(name, body, Origin("pinyon.yaml", 3)) for name, body in bodies.items())
    project = Project("/p", "p", ("pinyon.yaml",), templates)
    goal = Goal(overrides=tuple(overrides.items()))
    return resolve_all(project, goal, PARAMS if read is None else read, heard or {})


def stage(body: dict[str, Any], overrides: dict[str, Any], heard: Heard = FLAGS, **more: Any) -> Stage:
    body = {"cmd": ["python", "train.py"], "args": "argparse", **body}
    found = resolved({"train": body}, overrides, {"train": heard}, **more)
    assert not isinstance(found, Need), found
    one: Stage = found.stages[0]
    return one


def command(body: dict[str, Any], overrides: dict[str, Any], heard: Heard = FLAGS, **more: Any) -> str:
    return str(stage(body, overrides, heard, **more).command)


# -- whose an override is ----------------------------------------------------------------------------------------------


def test_flags_are_asked_for_only_when_something_is_to_be_said() -> None:
    body = {"cmd": ["python", "train.py"], "args": "argparse"}
    assert not isinstance(resolved({"train": body}, {}), Need)
    asked = resolved({"train": body}, {"lr": 1})
    assert [one.name for one in asked.speakers] == ["train"]
    assert [one.name for one in resolved({"train": {**body, "params": ["train.lr"]}}, {}).speakers] == [
        "train"
    ]
    for known in ({"args": {"argparse": ["lr"]}}, {"args": {"env": ["lr"]}}, {"frozen": True}):
        assert not isinstance(
            resolved({"train": {**body, **known}, "x": {"cmd": "x", "args": {"env": ["lr"]}}}, {"lr": 1}),
            Need,
        )


def test_an_override_goes_to_every_stage_that_knows_it_and_to_no_other() -> None:
    bodies: dict[str, dict[str, Any]] = {
        "data": {"cmd": ["python", "data.py"], "args": "argparse"},
        "train": {"cmd": ["python", "train.py"], "args": "argparse"},
        "old": {"cmd": "old ${seed}", "params": ["seed"]},
    }
    heard = {"train": FLAGS, "data": Heard((Flag("seed", ("--seed",)),))}
    found = {one.name: one for one in resolved(bodies, {"seed": 5, "lr": 0.3}, heard).stages}
    assert str(found["data"].command) == "python data.py --seed 5"
    assert str(found["train"].command) == "python train.py --lr 0.3 --seed 5"
    assert str(found["old"].command) == "old 5"
    assert found["train"].params == (Param("", "lr", 0.3), Param("", "seed", 5))
    assert found["old"].params == (Param("params.yaml", "seed", 5),)


def test_every_stage_of_a_loop_gets_it_and_lines_of_dvcs_do() -> None:
    do = {"cmd": ["python", "t.py", "--seed", "${item}"], "args": "argparse"}
    found = resolved({"s": {"foreach": [1, 2], "do": do}}, {"lr": 0.3}, {"s@1": FLAGS, "s@2": FLAGS}).stages
    assert [str(one.command) for one in found] == [f"python t.py --seed {n} --lr 0.3" for n in (1, 2)]
    assert len({asking(one) for one in found}) == 1  # one question for all of them
    lines = {"cmd": ["mkdir -p out", "python t.py > out/log"], "args": "argparse"}
    template = StageTemplate("train", lines, Origin("dvc.yaml", 1), dialect="dvc")
    project = Project("/p", "p", ("dvc.yaml",), (template,))
    one = resolve_all(project, Goal(overrides=(("lr", 2),)), PARAMS, {"train": FLAGS})
    assert not isinstance(one, Need)
    assert one.stages[0].cmd == ("mkdir -p out", "python t.py --lr 2 > out/log")
    assert one.stages[0].command == Command("shell", one.stages[0].cmd)


def test_an_override_that_nobody_knows_is_refused_with_the_nearest_name() -> None:
    for wrong, near in (("lrr", "lr"), ("model.hiden-size", "model.hidden-size"), ("train.l", "train.lr")):
        with pytest.raises(PlanError, match=f"'{wrong}'; did you mean {near}"):
            stage({}, {wrong: 1})


def test_the_last_part_of_a_name_does_not_reach_a_flag_when_a_file_has_the_whole() -> None:
    assert command({}, {"train.lr": 0.3}) == "python train.py"
    assert command({}, {"optim.lr": 0.3}) == "python train.py --lr 0.3"
    assert command({"params": ["train.lr"]}, {"train.lr": 0.3}) == "python train.py --lr 0.3"


def test_declared_parameters_are_handed_over_unless_the_command_says_them() -> None:
    found = stage({"params": ["train.lr", "seed"]}, {})
    assert str(found.command) == "python train.py --lr 0.1 --seed 1"
    assert found.params == (Param("params.yaml", "train.lr", 0.1), Param("params.yaml", "seed", 1))
    said = {"cmd": ["python", "train.py", "--lr=${train.lr}"], "params": ["train.lr"]}
    assert command(said, {}) == "python train.py --lr=0.1"
    assert command(said, {"train.lr": 0.7}) == "python train.py --lr=0.7"


def test_the_same_values_have_one_recipe_whoever_set_them_first() -> None:
    one, other = stage({}, {"lr": 0.3, "seed": 2}), stage({}, {"seed": 2, "lr": 0.3})
    assert recipe_of(one, ()) == recipe_of(other, ())
    assert recipe_of(one, ()) != recipe_of(stage({}, {"lr": 0.3}), ())


def test_an_override_of_a_file_by_name_is_for_that_file() -> None:
    found = resolved({"train": {"cmd": "train", "args": {"env": ["seed"]}}}, {"params.yaml:seed": 3})
    assert str(found.stages[0].command) == "train"
    with pytest.raises(PlanError, match="has no parameter 'nope'"):
        resolved({"train": {"cmd": "train", "args": {"env": ["seed"]}}}, {"params.yaml:nope": 3})


# -- where words go ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cmd", "overrides", "expected"),
    [
        (["python", "t.py", "--lr", "1", "x"], {"lr": 2}, "python t.py x --lr 2"),
        (["python", "t.py", "--fast"], {"fast": False}, "python t.py"),
        (["python", "t.py", "-l", "3"], {"lr": None}, "python t.py"),
        (["python", "t.py", "--", "--lr", "1"], {"lr": 2}, "python t.py --lr 2 -- --lr 1"),
        (["python", "-u", "-m", "pkg.train", "sub"], {"lr": 2}, "python -u -m pkg.train sub --lr 2"),
        ("python t.py", {"lr": 2}, "python t.py --lr 2"),
        ("python t.py > log 2>&1", {"lr": 2}, "python t.py --lr 2 > log 2>&1"),
        (
            "set -e\ncd src && A=1 python t.py 2>&1 | tee 'a b'",
            {"lr": 2},
            "set -e\ncd src && A=1 python t.py --lr 2 2>&1 | tee 'a b'",
        ),
        ("python t.py # as ever", {"lr": 2}, "python t.py --lr 2 # as ever"),
        ("echo start; python t.py; echo end", {"lr": 2}, "echo start; python t.py --lr 2; echo end"),
    ],
)
def test_words_stand_behind_the_command_that_takes_them(
    cmd: Any, overrides: dict[str, Any], expected: str
) -> None:
    found = stage({"cmd": cmd}, overrides)
    assert str(found.command) == expected
    assert found.cmd == (expected if isinstance(cmd, str) else found.command.parts)


@pytest.mark.parametrize(
    ("cmd", "why"),
    [
        ("python a.py; python b.py", "runs 2 scripts"),
        ("echo a; echo b", "runs no scripts"),
        ("for i in 1 2; do python t.py; done", "more than simple commands"),
        ("(cd a; python t.py)", "more than simple commands"),
        ("python t.py <<EOF", "more than simple commands"),
        ("python t.py 'x", "more than simple commands"),
        ("python t.py -- x", "nothing behind -- is an option"),
        ("bash -c 'python t.py'", "no place for parameters in bash -c"),
        (["bash", "-c", "python t.py"], "no place for parameters in bash -c"),
    ],
)
def test_where_no_place_is_clear_it_is_said(cmd: Any, why: str) -> None:
    with pytest.raises(PlanError, match=why):
        stage({"cmd": cmd}, {"lr": 2})


@pytest.mark.parametrize("style", ["argparse", "hydra", "env"])
def test_where_nothing_is_said_any_command_will_do(style: str) -> None:
    assert command({"cmd": "for i in 1; do x; done", "args": style}, {}) == "for i in 1; do x; done"


def test_a_switch_in_a_shell_line_cannot_be_taken_away() -> None:
    with pytest.raises(PlanError, match="--fast, to be taken away"):
        stage({"cmd": "python t.py --fast"}, {"fast": False})


def test_a_refusal_names_the_stage() -> None:
    with pytest.raises(PlanError, match="takes no value") as caught:
        stage({}, {"fast": 3})
    assert caught.value.where == "pinyon.yaml:3"


@pytest.mark.parametrize(
    ("cmd", "asked"),
    [
        (["python", "t.py", "sub", "--lr", "1", "x"], ("exec", ("python", "t.py", "sub", "--help"))),
        (
            ["/a/v1.2/bin/python3.11", "-u", "t.py", "--lr", "1"],
            ("exec", ("/a/v1.2/bin/python3.11", "-u", "t.py", "--help")),
        ),
        (["bash", "run.sh", "--lr", "1"], ("exec", ("bash", "run.sh", "--help"))),
        (["./train", "--lr", "1"], ("exec", ("./train", "--help"))),
        (["python", "-m", "a.b", "x"], ("exec", ("python", "-m", "a.b", "x", "--help"))),
        (
            "rm -r out; cd src && python t.py --lr 1 > log | tee x",
            ("shell", ("cd src && python t.py --lr 1 --help",)),
        ),
    ],
)
def test_help_is_asked_of_the_script_and_of_nothing_around_it(cmd: Any, asked: Any) -> None:
    found = resolved({"train": {"cmd": cmd}}, {}).stages[0]
    assert asking(found) == Command(*asked)


PIECES = [
    "a",
    " ",
    "'",
    '"',
    "$(touch x)",
    "`id`",
    "\n",
    "\\",
    "-",
    "=",
    ";",
    "|",
    "&",
    ">",
    "é",
    "*",
    "~",
    "#",
    "$HOME",
    "!",
]
texts = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    st.lists(texts, min_size=1, max_size=3),
    st.sampled_from(["{}", "{} > out.txt", "cd . && {} 2>&1 | cat > out.txt", "{} # x"]),
    st.sampled_from(["argparse", "env"]),
)
def test_no_shell_sees_a_value(tmp_path: Path, values: list[str], frame: str, style: str) -> None:
    tell = tmp_path / "tell.py"
    tell.write_text(
        "import json, os, sys\n"
        "found = sys.argv[1:] or [os.environ[name] for name in sorted(os.environ) if name.startswith('PV_')]\n"
        "open('told', 'w').write(json.dumps(found))\n"
    )
    names = [f"pv.{place}" for place in range(len(values))]
    body = {"cmd": frame.format(f"{sys.executable} tell.py"), "args": {style: names}}
    found = stage(body, dict(zip(names, values, strict=True)))
    for line in found.command.parts:
        subprocess.run(["sh", "-c", line], cwd=tmp_path, check=True, capture_output=True)
    told = json.loads((tmp_path / "told").read_text())
    if style == "argparse":
        glued = [
            [f"--{name}={value}"] if value.startswith("-") else [f"--{name}", value]
            for name, value in zip(names, values, strict=True)
        ]
        assert told == [word for pair in glued for word in pair]
    else:
        assert told == values
    assert not (tmp_path / "x").exists()


@given(st.text("ab'\"\\ ;|&<>(){}$`#\n=-", max_size=20))
def test_any_line_is_taken_apart_or_refused(line: str) -> None:
    found = simple_commands(line)
    for one in found or ():
        assert one.words
        assert 0 <= one.start < one.end <= len(line)
        assert line[one.start : one.end].strip()


# -- the environment and Hydra -----------------------------------------------------------------------------------------


def test_variables_stand_before_the_command() -> None:
    body = {"args": {"env": ["lr"]}, "params": ["train.lr", "seed"]}
    assert command(body, {"lr": "a b"}) == "env LR=a b SEED=1 TRAIN_LR=0.1 python train.py"
    assert (
        command({**body, "cmd": "cd x; python t.py"}, {"lr": "a b"})
        == "cd x; LR='a b' SEED=1 TRAIN_LR=0.1 python t.py"
    )
    with pytest.raises(PlanError, match=r"a_b and a.b in one variable, A_B"):
        stage({"args": {"env": ["a_b", "a.b"]}}, {"a.b": 1})


CONFIG = Heard(
    config=HydraConfig(
        "train",
        {
            "train": ConfigFile(
                "conf/train.yaml",
                {"lr": 0.1, "name": None},
                ("_self_", {"model": "small"}, {"optional x": None}),
            ),
            "model/small": ConfigFile("conf/model/small.yaml", {"size": 3}),
            "model/large": ConfigFile("conf/model/large.yaml", {"size": 9, "heads": 2}),
        },
    )
)


@pytest.mark.parametrize(
    ("cmd", "overrides", "expected"),
    [
        ("python t.py", {"lr": 1e-5, "name": "it's"}, r"""python t.py lr=1e-05 'name='"'"'it\'"'"'s'"'"''"""),
        (
            ["python", "t.py", "lr=3", "model=small"],
            {"lr": 4, "model": "large"},
            "python t.py lr=4 model=large",
        ),
        (["python", "t.py"], {"model": "large", "model.heads": 4}, "python t.py model=large model.heads=4"),
        (["python", "t.py", "model=large"], {"model.heads": 4}, "python t.py model=large model.heads=4"),
        (["python", "t.py", "+new.one=4"], {"new.one": 5}, "python t.py +new.one=4 ++new.one=5"),
        (["python", "t.py"], {"model": None}, "python t.py ~model"),
        (["python", "t.py"], {"name": ["a", None, 2]}, "python t.py name=[a,null,2]"),
    ],
)
def test_hydra_gets_overrides(cmd: Any, overrides: dict[str, Any], expected: str) -> None:
    assert command({"cmd": cmd, "args": "hydra"}, overrides, CONFIG) == expected


@pytest.mark.parametrize(
    ("overrides", "why"),
    [
        ({"model.heads": 4}, "a parameter 'model.heads'"),
        ({"new": 1}, "a parameter 'new'"),
        ({"model": "lrge"}, "'model/lrge' does not exist; did you mean large"),
        ({"lr": {"a": 1}}, "lr is set to a map"),
    ],
)
def test_what_the_configuration_does_not_have_is_refused(overrides: dict[str, Any], why: str) -> None:
    with pytest.raises(PlanError, match=why):
        stage({"args": "hydra"}, overrides, CONFIG)


def test_what_hydra_reads_itself_is_not_handed_over() -> None:
    read = {"conf/train.yaml": {"lr": 0.1}, "params.yaml": {"lr": 0.5}}
    assert (
        command({"args": "hydra", "params": [{"conf/train.yaml": ["lr"]}]}, {}, CONFIG, read=read)
        == "python train.py"
    )
    assert command({"args": "hydra", "params": ["lr"]}, {}, CONFIG, read=read) == "python train.py lr=0.5"


def test_defaults_that_name_each_other_are_refused() -> None:
    files = {
        "train": ConfigFile("train.yaml", {}, ("other",)),
        "other": ConfigFile("other.yaml", {}, ("train",)),
    }
    with pytest.raises(PlanError, match="go on for ever"):
        stage({"args": "hydra"}, {"a": 1}, Heard(config=HydraConfig("train", files)))


def test_a_broken_file_is_told_of_when_it_is_needed() -> None:
    assert CONFIG.config
    config = CONFIG.config._replace(broken={"model/bad": "conf/model/bad.yaml:3: not YAML"})
    assert command({"args": "hydra"}, {"lr": 1}, Heard(config=config)) == "python train.py lr=1"
    with pytest.raises(PlanError, match=r"bad.yaml:3: not YAML"):
        stage({"args": "hydra"}, {"model": "bad"}, Heard(config=config))
