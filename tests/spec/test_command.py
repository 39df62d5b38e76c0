"""What a command line says of itself: program or shell line, name, script and flags."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinyon.errors import PlanError
from pinyon.execute.protocol import AttemptSpec
from pinyon.model.graph import Command
from pinyon.spec.command import flags, read_command

FLAGS: dict[str, tuple[str, dict[str, Any]]] = {
    "pairs": ("--lr 3e-4 --model.hidden 64", {"lr": 0.0003, "model.hidden": 64}),
    "equals": ("--lr=3e-4 --name=a=b", {"lr": 0.0003, "name": "a=b"}),
    "a flag alone": ("--amp --seed 1", {"amp": True, "seed": 1}),
    "the last flag alone": ("--amp", {"amp": True}),
    "hydra": ("model.lr=0.1 +trainer.fast=true ++x=1", {"model.lr": 0.1, "trainer.fast": True, "x": 1}),
    "hydra after a flag": ("--amp x=y", {"amp": True, "x": "y"}),
    "short": ("-e 10 -v", {"e": 10, "v": True}),
    "negative values": ("--shift -3 --eps -1e-8", {"shift": -3, "eps": -1e-8}),
    "several values": ("--layers 64 32 16 --drop 0.1", {"layers": [64, 32, 16], "drop": 0.1}),
    "the last one wins": ("--seed 1 --seed 2", {"seed": 2}),
    "positionals": ("data.csv out --lr 1", {"lr": 1}),
    "text": ("--tag 1_000 --on yes --when 12:30:45", {"tag": "1_000", "on": "yes", "when": "12:30:45"}),
    "no numbers of ours": ("--x .nan --y .inf --z null", {"x": ".nan", "y": ".inf", "z": "null"}),
    "too long": (f"--n {'9' * 2000}", {"n": "9" * 2000}),
    "end of options": ("--lr 1 -- --seed 2 a=b", {"lr": 1, "a": "b"}),
    "nothing": ("", {}),
}  # fmt: skip


@pytest.mark.parametrize("what", FLAGS)
def test_flags_are_parameters(what: str) -> None:
    line, expected = FLAGS[what]
    found = flags(line.split())
    assert found == expected
    assert [type(value) for value in found.values()] == [type(value) for value in expected.values()]


NAMES = {
    "python train.py --lr 1": ("train", "train.py"),
    "./scripts/prepare.sh x.py": ("prepare", "./scripts/prepare.sh"),
    "python -m pkg.train --lr 1": ("train", ""),
    "python -u -m pkg.train": ("train", ""),
    "torchrun --nproc_per_node=2 train.py": ("train", "train.py"),
    "torchrun --nproc-per-node 2 train.py --config conf.py": ("train", "train.py"),
    "mytool --config conf.py": ("mytool", ""),
    "accelerate launch fit.py": ("fit", "fit.py"),
    "Rscript model.R": ("model", "model.R"),
    "make -j2 all": ("make", ""),
    "/usr/bin/env python3 a/b/c.py": ("c", "a/b/c.py"),
    "/opt/tool-1.2/bin/g++ x": ("g++", ""),
    "python -c pass": ("python", ""),
}


@pytest.mark.parametrize("line", NAMES)
def test_a_run_is_called_after_its_script(line: str) -> None:
    written = read_command(line.split(), "/nowhere")
    assert (written.name, written.script) == NAMES[line]
    assert written.command == Command("exec", tuple(line.split()))


SHELL = {
    "python a.py --lr 1 && python b.py --lr 2": ("a", {"lr": 1}),
    "cd x; python a.py --lr 1 > log": ("a", {"lr": 1}),
    "make;ls": ("make", {}),
    "echo 'unfinished": ("echo", {}),
    "VAR=1 python a.py": ("a", {}),
    "one\ntwo\n": ("one", {}),
}


@pytest.mark.parametrize("line", SHELL)
def test_one_argument_that_is_a_line_is_the_shells(line: str) -> None:
    written = read_command([line], "/nowhere")
    assert (written.name, dict(written.flags)) == SHELL[line]
    assert written.command == Command("shell", tuple(line.splitlines()))


def test_a_file_of_that_name_is_no_line(tmp_path: Path) -> None:
    (tmp_path / "my tool").touch()
    assert read_command(["./my tool"], str(tmp_path)).command == Command("exec", ("./my tool",))


@pytest.mark.parametrize("bad", ["a\0b", "\udcff"])
def test_what_no_program_or_record_can_hold_is_refused(bad: str) -> None:
    with pytest.raises(PlanError, match="argument 2 of the command"):
        read_command(["echo", bad], "/nowhere")


anything = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(st.lists(anything, min_size=1, max_size=5))
def test_arguments_reach_the_supervisor_as_they_are(words: list[str]) -> None:
    argv = ["program", *words]
    written = read_command(argv, "/nowhere")
    assert written.command == Command("exec", tuple(argv))
    assert written.name.isprintable()
    assert written.name
    spec = AttemptSpec("a", "x", "@s", "/r", "in place", written.command, ".", {}, (), ())
    assert AttemptSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
