"""`pinyon init`: what lies in a folder becomes a pinyon.yaml that plans and runs, and nothing of it is executed."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "argparse"
BOMB = "import pathlib\npathlib.Path('executed').touch()\n"
PREP = BOMB + "import argparse\np = argparse.ArgumentParser()\np.add_argument('--out', default='clean.txt')\n"
PREP += "a = p.parse_args()\nopen(a.out, 'w').write(open('raw.txt').read().upper())\n"
FIT = BOMB + "import json, shared\nshared.load('clean.txt')\njson.dump({'n': 3}, open('metrics.json', 'w'))\n"
SCRIPTS = {
    "prep.py": PREP,
    "fit.py": FIT,
    "shared.py": "def load(path):\n    return open(path).read()\n",
    "raw.txt": "raw",
}
RUN_ALL = (
    "set -e\nPY=python\n# first\n$PY prep.py --out clean.txt 2>&1 | tee prep.log\n$PY fit.py && echo done\n"
)


@pytest.fixture
def scripts(empty: Any) -> Any:
    """Two scripts that use each other's files, and a program `python` that is this one."""
    empty.fill(SCRIPTS)
    programs = empty.root.parent / "bin"
    programs.mkdir()
    (programs / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (programs / "python").chmod(0o755)
    empty.env["PATH"] = f"{programs}{os.pathsep}{empty.env['PATH']}"
    return empty


def test_a_folder_of_scripts_is_adopted_planned_and_run(scripts: Any) -> None:
    ended = scripts.good("init", "--yes")
    assert "wrote pinyon.yaml: 2 stages from scripts" in ended.out
    assert ended.out.endswith("next: pinyon plan\n")
    assert not (scripts.root / "executed").exists()
    assert list(scripts.plan()) == ["prep", "fit"]
    assert "2 stages: 2 succeeded" in scripts.good("run").out
    assert "nothing to do" in scripts.good("run").out
    assert scripts.read("clean.txt") == "RAW"
    assert scripts.good("runs", "--stage", "fit", "--json").json()[0]["metrics"] == {"n": 3}
    scripts.fill({"shared.py": SCRIPTS["shared.py"] + "# changed\n"})
    assert list(scripts.to_run()) == ["fit"]


def test_a_run_all_is_adopted_planned_and_run(scripts: Any) -> None:
    scripts.fill({"run_all.sh": RUN_ALL})
    ended = scripts.good("init", "--yes")
    assert "from run_all.sh" in ended.out
    assert "pinyon logs STAGE" in ended.out
    assert "cmd: python prep.py --out clean.txt\n" in scripts.read("pinyon.yaml")
    assert "  # first\n" in scripts.read("pinyon.yaml")
    assert not (scripts.root / "executed").exists()
    assert "2 stages: 2 succeeded" in scripts.good("run").out
    assert "nothing to do" in scripts.good("run").out


def test_a_makefile_is_adopted_planned_and_run(scripts: Any) -> None:
    scripts.fill(
        {"Makefile": "clean.txt: raw.txt\n\tpython prep.py --out $@\nsize: clean.txt\n\twc -c < $< > $@\n"}
    )
    scripts.good("init", "Makefile")
    assert list(scripts.plan()) == ["clean", "size"]
    assert "2 stages: 2 succeeded" in scripts.good("run").out
    assert scripts.read("size").strip() == "3"


def test_the_example_is_adopted_whole(scripts: Any) -> None:
    shutil.copytree(EXAMPLE, scripts.root / "argparse")
    scripts.good("-C", "argparse", "init", "-y")
    assert "3 stages: 3 succeeded" in scripts.good("-C", "argparse", "run").out
    metrics = scripts.good("-C", "argparse", "runs", "--stage", "train", "--json").json()[0]["metrics"]
    assert metrics["accuracy"] > 0.9


def test_an_empty_folder_gets_an_example_that_runs(empty: Any) -> None:
    empty.good("init")
    assert "params: [train.lr]" in empty.read("pinyon.yaml")
    assert "1 stage: 1 succeeded" in empty.good("run").out


def test_an_array_is_frozen_into_rows(empty: Any) -> None:
    job = "#!/bin/bash\n#SBATCH --array=1-2\n#SBATCH -t 1:00:00 -p gpu\n"
    job += "A=$(sed -n ${SLURM_ARRAY_TASK_ID}p grid.txt)\npython x.py $A\n"
    empty.fill({"grid.txt": "--lr 1\n--lr 2\n", "job.sh": job})
    ended = empty.good("init", "--from-array", "grid.txt")
    assert "grid.txt has 2 rows; each is one run, numbered from 1" in ended.out
    assert "wrote rows.yaml and pinyon.yaml" in ended.out
    text = empty.read("pinyon.yaml")
    assert "    foreach: ${rows}\n    do:\n      cmd: python x.py ${item.line}\n" in text
    assert "time: 1h" in text
    assert "options without a counterpart here: --partition=gpu" in text
    before = empty.read("rows.yaml")
    empty.fill({"grid.txt": "--lr 0\n--lr 1\n--lr 2\n"})
    assert empty.read("rows.yaml") == before


def test_nothing_is_overwritten(scripts: Any) -> None:
    scripts.fill({"pinyon.yaml": "stages: {}\n"})
    before = scripts.snapshot()
    ended = scripts("init", "--yes")
    assert ended.code == 2
    assert "there is a pinyon.yaml already → pinyon plan" in ended.err
    assert scripts.snapshot() == before


def test_neither_is_rows_yaml(empty: Any) -> None:
    job = "A=$(sed -n ${SLURM_ARRAY_TASK_ID}p grid.txt)\npython x.py $A\n"
    empty.fill({"grid.txt": "1\n", "job.sh": job, "rows.yaml": "mine"})
    before = empty.snapshot()
    assert "there is a rows.yaml already" in empty("init", "--from-array", "grid.txt", "job.sh").err
    assert empty.snapshot() == before


def test_a_dry_run_prints_the_file_and_writes_nothing(scripts: Any) -> None:
    before = scripts.snapshot()
    printed = scripts.good("init", "--dry-run").out
    told = scripts.good("init", "--dry-run", "--json").json()
    assert scripts.snapshot() == before
    assert told["files"] == {"pinyon.yaml": printed}
    assert (told["stages"], told["written"]) == (["prep", "fit"], [])
    written = scripts.good("init", "--json").json()
    assert written["written"] == ["pinyon.yaml"]
    assert scripts.read("pinyon.yaml") == printed


def test_only_pinyon_yaml_is_written(scripts: Any) -> None:
    before = set(os.listdir(scripts.root))
    scripts.good("init", "-y")
    assert set(os.listdir(scripts.root)) - before == {"pinyon.yaml"}


def test_a_dvc_yaml_needs_nothing(empty: Any) -> None:
    empty.fill({"dvc.yaml": "stages: {a: {cmd: echo a}, b: {cmd: echo b}}"})
    before = empty.snapshot()
    assert "dvc.yaml is read as it is (2 stages): nothing has to be written" in empty.good("init").out
    assert empty.good("init", "--json").json()["stages"] == ["a", "b"]
    assert empty.snapshot() == before
    assert "wrote pinyon.yaml" in empty.good("init", "--own-keys").out
    assert list(empty.plan()) == ["a", "b"]


def test_a_dvc_yaml_that_cannot_be_read_is_told(empty: Any) -> None:
    empty.fill({"dvc.yaml": "stages: {a: {command: echo}}"})
    ended = empty("init", "--own-keys")
    assert ended.code == 2
    assert "dvc.yaml" in ended.err
    assert not (empty.root / "pinyon.yaml").exists()


WRONG = {
    "no such file": (["nothing.sh"], "there is no such text file"),
    "no shell script": (["raw.txt"], "this is no shell script and no Makefile"),
    "a Python script": (["prep.py"], "Python scripts are found without being named"),
    "an array without a job": (["--from-array", "raw.txt"], "no script here has SLURM_ARRAY_TASK_ID"),
    "an array over nothing": (["--from-array", "nothing.csv", "prep.py"], "there is no such text file"),
    "outside": (["../../etc/passwd"], "there is no such text file"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_call_changes_nothing(scripts: Any, what: str) -> None:
    words, message = WRONG[what]
    before = scripts.snapshot()
    ended = scripts("init", *words)
    assert (ended.code, message in ended.err) == (2, True), ended
    assert scripts.snapshot() == before


@pytest.mark.parametrize(
    ("answers", "source"), [(b"1\ny\n", "run_all.sh"), (b"2\n\n", "scripts"), (b"\nn\n", "")]
)
def test_on_a_terminal_it_asks(scripts: Any, answers: bytes, source: str) -> None:
    scripts.fill({"run_all.sh": RUN_ALL})
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "pinyon.cli", "init"],
        cwd=scripts.root, env=scripts.env, stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    shown, deadline = b"", time.monotonic() + 30
    for question, answer in zip(
        [b"Which of these?", b"Write this pinyon.yaml?"], answers.splitlines(True), strict=True
    ):
        while question not in shown:
            assert select.select([ours], [], [], deadline - time.monotonic())[0], shown
            shown += os.read(ours, 4096)
        os.write(ours, answer)
    assert process.wait(30) == 0
    os.close(ours)
    assert b"1  run_all.sh (2 commands)" in shown
    assert (scripts.root / "pinyon.yaml").exists() is bool(source)
    assert not source or f"Read from {'the scripts' if source == 'scripts' else source}" in scripts.read(
        "pinyon.yaml"
    )
