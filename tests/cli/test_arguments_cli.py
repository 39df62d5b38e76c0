"""Overrides of scripts that read no file of parameters: the real command, the real scripts."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

EXAMPLES = Path(__file__).parents[2] / "examples"
TRAIN = """\
import argparse, json, os, sys
open(os.environ["RAN"], "a").write("help\\n" if "--help" in sys.argv else "train\\n")
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--note", default="")
parser.add_argument("--layers", type=int, nargs="+")
parser.add_argument("--amp", action=argparse.BooleanOptionalAction)
parser.add_argument("--fast", action="store_true")
args = parser.parse_args()
json.dump(vars(args), open("out.json", "w"))
json.dump({"loss": args.lr}, open("metrics.json", "w"))
"""
STAGE = f"""\
stages:
  train:
    cmd: [{json.dumps(sys.executable)}, train.py]
    args: argparse
    deps: [train.py]
    outs: [out.json]
    metrics: [metrics.json]
"""


@pytest.fixture
def project(empty: Any) -> Any:
    empty.fill({"train.py": TRAIN, "pinyon.yaml": STAGE})
    return empty


def made(project: Any, *arguments: str) -> dict[str, Any]:
    """What the script was given in the run that these arguments make; the user's files are left alone."""
    before = project.snapshot(store=False)
    project.good("run", *arguments)
    assert project.snapshot(store=False) == before
    run = project.good("runs", "--json").json()[-1]
    work = sorted(project.root.glob(".pinyon/work/*/*/out.json"), key=lambda path: path.stat().st_mtime_ns)
    found: dict[str, Any] = json.loads(work[-1].read_text())
    return found | {"params": run["params"]}


def test_an_override_becomes_a_flag_of_an_isolated_run(project: Any) -> None:
    found = made(
        project, "-S", "lr=0.5", "-S", "layers=[3, -2]", "-S", "amp=false", "-S", "fast=true", "train"
    )
    assert found == {
        "lr": 0.5,
        "note": "",
        "layers": [3, -2],
        "amp": False,
        "fast": True,
        "params": {"amp": False, "fast": True, "layers": [3, -2], "lr": 0.5},
    }
    assert "lr=0.5" in project.good("runs").out
    shown = project.good("show", "train").out
    assert "param     lr = 0.5" in shown
    assert "train.py --no-amp --fast --layers 3 -2 --lr 0.5" in shown


@pytest.mark.parametrize("note", ["a b's", '"q" é;|&', "$(touch owned)\n`id`", "--lr=7", " "])
@pytest.mark.parametrize("shell", [False, True])
def test_whatever_a_value_holds_it_arrives_as_it_is(project: Any, note: str, shell: bool) -> None:
    if shell:
        line = f"{sys.executable} train.py 2>&1 | cat > log.txt"
        project.write(pinyon_yaml=STAGE.replace(f"[{json.dumps(sys.executable)}, train.py]", f"'{line}'"))
    assert made(project, "-S", f"note={json.dumps(note)}")["note"] == note
    assert not list(project.root.rglob("owned"))


def test_the_same_override_is_not_run_twice_and_help_not_asked_twice(project: Any) -> None:
    assert project.stages("-S", "lr=0.5") == ["help", "train"]
    assert project.stages("-S", "lr=0.5") == []
    assert project.stages("-S", "lr=0.6") == ["train"]
    assert project.to_run("-S", "lr=0.6") == {}
    assert project.stages() == ["train"]  # without an override nobody needs to know
    assert project.stages("-S", "lr=0.1") == ["train"]  # said is not the same as left out
    project.fill({"train.py": TRAIN + "\n# changed\n"})
    assert "train" in project.to_run("-S", "lr=0.6")
    assert project.all_ran()[-1] == "help"


def test_what_nobody_knows_changes_nothing(project: Any) -> None:
    project.good("plan", "-S", "lr=1")
    before = project.snapshot()
    for arguments, why in (
        (["lrr=1"], "did you mean lr?"),
        (["fast=3"], "--fast takes no value"),
        (["layers=[]"], "--layers takes at least 1 values"),
    ):
        ended = project("run", *(word for one in arguments for word in ("-S", one)))
        assert ended.code == 3
        assert why in ended.err
    assert project.snapshot() == before


def test_a_script_without_help_is_told_how_to_declare_its_flags(project: Any) -> None:
    project.fill({"train.py": "import sys\nsys.exit('no module torch')\n"})
    ended = project("run", "-S", "lr=1")
    assert ended.code == 3
    assert "which parameters stage 'train' has is unknown" in ended.err
    assert "no module torch" in ended.err
    assert "args: {argparse: [lr, epochs]}" in ended.err
    project.fill({"train.py": TRAIN, "pinyon.yaml": STAGE.replace("argparse", "{argparse: [lr]}")})
    assert made(project, "-S", "lr=2")["lr"] == 2
    assert "help" not in project.all_ran()


def test_declared_parameters_are_flags_of_every_run_and_nothing_to_do_stays_cheap(project: Any) -> None:
    project.fill({"pinyon.yaml": STAGE + "    params: [train.lr]\n", "params.yaml": "train: {lr: 0.25}\n"})
    assert project.stages() == ["help", "train"]
    assert json.loads(project.read("out.json"))["lr"] == 0.25
    assert project.stages() == []
    assert project.stages() == []
    project.fill({"params.yaml": "train: {lr: 0.75}\n"})
    assert project.stages() == ["train"]
    assert json.loads(project.read("out.json"))["lr"] == 0.75
    project.fill(
        {
            "train.py": TRAIN.replace("'--lr'", "'--rate'")
            .replace('"--lr"', '"--rate"')
            .replace("args.lr", "args.rate")
        }
    )
    assert project.stages() == ["help", "train"]
    assert (
        json.loads(project.read("out.json"))["rate"] == 0.1
    )  # train.lr is no flag any more; the script may read the file


def test_who_only_looks_runs_nothing(project: Any) -> None:
    project.fill({"pinyon.yaml": STAGE + "    params: [train.lr]\n", "params.yaml": "train: {lr: 0.25}\n"})
    for verb in (["graph"], ["params"], ["metrics"], ["status"], ["doctor"]):
        project(*verb)
    project(
        "run",
        env={
            **project.env,
            "_PINYON_COMPLETE": "bash_complete",
            "COMP_WORDS": "pinyon run t",
            "COMP_CWORD": "2",
        },
    )
    assert project.all_ran() == []
    project.good("plan")
    assert project.all_ran() == ["help"]
    before = project.all_ran()
    assert "train" in project.good("graph").out
    assert project.all_ran() == before


def test_the_environment(empty: Any) -> None:
    script = (
        "import json, os\nfound = {k: v for k, v in os.environ.items() if k.startswith('MODEL_') or k == 'LR'}\n"
        "json.dump(found, open('out.json', 'w'))\n"
    )
    empty.fill(
        {
            "train.py": script,
            "params.yaml": "model: {size: 4}\n",
            "pinyon.yaml": f"stages: {{train: {{cmd: {sys.executable} train.py, args: {{env: [lr, model.note]}},"
            " params: [model.size], deps: [train.py], outs: [out.json]}}",
        }
    )
    found = made(empty, "-S", "lr=0.5", "-S", "model.note=\"$(id) 'x'\"", "-S", "model.size=8")
    del found["params"]
    assert found == {"LR": "0.5", "MODEL_NOTE": "$(id) 'x'", "MODEL_SIZE": "8"}
    ended = empty("run", "-S", "lrr=1")
    assert (ended.code, "did you mean lr?" in ended.err) == (3, True)


# A stand-in for Hydra that only notes the overrides: what Hydra makes of them is asked in tests/dvc.
HYDRA = (
    "def main(**_):\n    import sys, json\n    json.dump(sys.argv[1:], open('model.json', 'w'))\n"
    "    json.dump({'accuracy': 1}, open('metrics.json', 'w'))\n    return lambda function: lambda: None\n"
)


def test_hydra_is_told_by_overrides_that_its_files_know(make_example: Callable[[str], Any]) -> None:
    project = make_example("hydra")
    project.fill({"src/hydra.py": HYDRA, "src/omegaconf.py": "DictConfig = dict\n"})
    project.good(
        "run", "-S", "experiment=strong", "-S", "optimizer.momentum=0.5", "-S", "task_name=it's mine"
    )
    run = project.good("runs", "--json").json()[-1]
    assert run["params"] == {"experiment": "strong", "optimizer.momentum": 0.5, "task_name": "it's mine"}
    told = json.loads(next(project.root.glob(".pinyon/work/*/*/model.json")).read_text())
    assert told == ["experiment=strong", "optimizer.momentum=0.5", r"task_name='it\'s mine'"]
    for wrong, why in (
        ("optimizer.momentum=0.5", "did you mean optimizer.lr?"),
        ("model=cubik", "did you mean cubic?"),
        ("hydra.run.dir=x", "neither params.yaml nor a command"),
    ):
        ended = project("plan", "-S", wrong)
        assert (ended.code, why in ended.err) == (3, True), ended


def test_what_a_configuration_no_longer_knows_is_noticed_though_it_is_no_dep(
    make_example: Callable[[str], Any],
) -> None:
    """The files that tell what a command can be given decide, too: a remembered "nothing to do" looks at them."""
    project = make_example("hydra")
    stage = {"cmd": [sys.executable, "src/train.py"], "args": "hydra", "deps": ["src"], "params": ["task_name"],
             "outs": ["model.json"], "metrics": ["metrics.json"]}  # fmt: skip
    project.fill({"src/hydra.py": HYDRA, "src/omegaconf.py": "DictConfig = dict\n", "params.yaml": "task_name: mine\n",
                  "pinyon.yaml": yaml.safe_dump({"stages": {"train": stage}})})  # fmt: skip
    project.good("run")
    assert json.loads(project.read("model.json")) == ["task_name=mine"]
    project.good("run")
    assert "nothing to do" in project.good("run").out
    file = next(path for path in (project.root / "configs").glob("*.yaml") if "task_name" in path.read_text())
    lines = [line for line in file.read_text().splitlines(keepends=True) if not line.startswith("task_name")]
    file.write_text("".join(lines))
    project.good("run")
    assert json.loads(project.read("model.json")) == []


@pytest.fixture
def make_example(empty: Any) -> Callable[[str], Any]:
    """A copy of an example whose command is this Python."""

    def copy(name: str) -> Any:
        shutil.copytree(
            EXAMPLES / name, empty.root, dirs_exist_ok=True, ignore=shutil.ignore_patterns("out", ".pinyon")
        )
        text = empty.read("pinyon.yaml").replace("[python,", f"[{sys.executable},")
        empty.fill({"pinyon.yaml": text})
        return empty

    return copy


def test_the_example_with_flags_takes_what_its_phases_try(make_example: Callable[[str], Any]) -> None:
    project = make_example("flags")
    text = (EXAMPLES / "flags" / "pinyon.yaml").read_text()
    assert len(text.splitlines()) <= 12
    phases = yaml.safe_load(text)["experiments"]["moons"]["phases"]
    assert len(phases) == 3
    first = [
        f"{name}={json.dumps(values[-1])}"
        for phase in phases.values()
        for name, values in phase["grid"].items()
    ]
    project.good("run", *(word for one in first for word in ("-S", one)))
    run = project.good("runs", "--json").json()[-1]
    assert run["params"] == {
        "activation": "relu",
        "hidden-size": 8,
        "lr": 0.2,
        "optim.momentum": 0.5,
        "standardize": True,
    }
    assert run["metrics"]["accuracy"] > 0.7


def test_the_hydra_example_needs_twelve_lines(make_example: Callable[[str], Any]) -> None:
    project = make_example("hydra")
    text = (EXAMPLES / "hydra" / "pinyon.yaml").read_text()
    assert len(text.splitlines()) <= 12
    phases = yaml.safe_load(text)["experiments"]["moons"]["phases"]
    assert len(phases) == 3
    for phase in phases.values():
        names = [f"{name}={json.dumps(values[-1])}" for name, values in phase["grid"].items()]
        assert project.to_run(*(word for one in names for word in ("-S", one)))
