"""Completion in real shells: what bash offers after a word has been begun."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def offered(finished: Any, tmp_path: Path) -> Any:
    """What bash offers for a line, typed in the project; the last word is the one that is begun."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "pinyon").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m pinyon.cli "$@"\n')
    (programs / "pinyon").chmod(0o755)
    env = {**finished.env, "PATH": f"{programs}:{finished.env['PATH']}"}

    def offer(*words: str) -> list[str]:
        line = shlex.join(("pinyon", *words[:-1])) + f" {words[-1]}"
        script = (
            'eval "$(pinyon completion bash)"\n'
            f"COMP_WORDS=(pinyon {' '.join(shlex.quote(word) for word in words)}); COMP_CWORD={len(words)}\n"
            f"COMP_LINE={shlex.quote(line)}; COMP_POINT=${{#COMP_LINE}}\n"
            # the function that `complete` was told, called as readline would
            "set -- $(complete -p pinyon); while [ $1 != -F ]; do shift; done\n"
            '"$2" pinyon "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"\n'
            'printf "%s\\n" "${COMPREPLY[@]}"\n'
        )
        done = subprocess.run(
            ["bash", "--norc", "-c", script],
            cwd=finished.root,
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout.split()

    offer.project = finished  # type: ignore[attr-defined]
    return offer


def test_verbs_options_and_stages(offered: Any) -> None:
    assert offered("ru") == ["run", "runs"]
    assert offered("metrics", "d") == ["diff"]
    assert offered("run", "--ke") == ["--keep-going"]
    assert sorted(offered("run", "")) == ["prepare", "report", "side", "train"]
    assert offered("plan", "prepare", "tr") == ["train"]
    assert offered("runs", "--stage", "s") == ["side"]


def test_ids_of_runs_the_newest_first(offered: Any) -> None:
    runs = [row["run"] for row in offered.project.good("runs", "--json").json()]
    assert sorted(offered("show", "r-")) == sorted(runs)
    assert offered("logs", runs[0][:8]) == [runs[0]]
    assert offered("metrics", "diff", runs[2][:8]) == [runs[2]]
    assert offered("show", "t") == ["train"]


def test_branches_and_tags_of_git(offered: Any) -> None:
    root = offered.project.root
    for command in (
        "init -q -b trunk",
        "add -A",
        "-c user.name=a -c user.email=a@b commit -qm one",
        "tag v1",
    ):
        subprocess.run(["git", *command.split()], cwd=root, check=True)
    assert sorted(offered("params", "diff", "")) == ["HEAD", "trunk", "v1"]
    assert offered("plots", "diff", "HEAD", "v") == ["v1"]


def test_a_broken_project_offers_what_it_can_without_a_word(offered: Any) -> None:
    offered.project.write(params_yaml="{")
    assert offered("run", "tr") == ["train"]
    offered.project.write(pinyon_yaml="{")
    assert offered("run", "tr") == []
    assert len(offered("show", "r-")) == 4


def test_another_directory_is_looked_at(offered: Any) -> None:
    here = offered.project.root
    offered.project.fill({"below/pinyon.yaml": "stages: {deep: {cmd: 'true', deps: [s]}}\n"})
    assert offered("-C", str(here / "below"), "run", "") == ["deep"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_a_script_that_its_parser_takes(empty: Any, shell: str) -> None:
    script = empty.good("completion", shell).out  # outside a project, too
    assert "_PINYON_COMPLETE" in script
    if program := shutil.which(shell):
        assert subprocess.run([program, "-n"], input=script, text=True, capture_output=True).stderr == ""


def test_an_unknown_shell_is_refused(empty: Any) -> None:
    ended = empty("completion", "csh")
    assert ended.code == 2
    assert "bash" in ended.err
