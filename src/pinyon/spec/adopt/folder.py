"""What lies in a folder, and the proposal for it."""

from __future__ import annotations

import os
import posixpath
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from pinyon.errors import SpecError
from pinyon.spec.adopt.array import TASK
from pinyon.spec.adopt.command import stage_of
from pinyon.spec.adopt.draft import Draft, Drafted, Entry, comments
from pinyon.spec.adopt.look import Look
from pinyon.spec.adopt.makefile import read_makefile
from pinyon.spec.adopt.modules import UNREADABLE
from pinyon.spec.adopt.python import read_script
from pinyon.spec.adopt.shell import commands_in, read_shell
from pinyon.spec.adopt.wire import wired

Kind = Literal["shell", "make", "scripts", "empty"]
_MOST, _DEEPEST = 300, 3  # scripts that are read, and how deep below the folder
_NEVER = frozenset(
    " ".join(
        ("tests test node_modules __pycache__ site-packages build dist docs venv env wandb mlruns outputs",)
    ).split()
)
_NO_SCRIPT = re.compile(r"(test_.*|.*_test|conftest|setup|__init__|noxfile|fabfile|manage|dvc)\.py|\..*")
_MAKEFILES = ("Makefile", "makefile", "GNUmakefile")
_RUN_ALL = re.compile(r"(run|all|main|pipeline|train|experiment|launch|submit|job)", re.IGNORECASE)
_INTERPRETERS = {".sh": "bash", ".R": "Rscript", ".r": "Rscript"}


class Source(NamedTuple):
    """Something a proposal can be made from, and how many commands it has."""

    kind: Kind
    path: str
    size: int

    def __str__(self) -> str:
        """As a person is asked."""
        what = {"shell": "commands", "make": "targets", "scripts": "scripts", "empty": "examples"}[self.kind]
        return f"{self.path or 'the scripts in this folder'} ({self.size} {what if self.size != 1 else what[:-1]})"


def sources(look: Look) -> list[Source]:
    """Everything here that a proposal can be made from, the likeliest first."""
    found = []
    for path in scripts(look.root):
        if path.endswith((".sh", ".bash", ".sbatch", ".slurm")) and _RUN_ALL.search(path):
            text = look.text(path) or ""
            count = len([step for step in commands_in(text) if re.search(r"\.(py|sh|R)\b", step.line)])
            if count > 1 and TASK not in text:
                found.append(Source("shell", path, count))
    for name in _MAKEFILES:
        makefile = look.text(name)
        if makefile is not None and (count := len(read_makefile(makefile, name, look).stages)):
            found.append(Source("make", name, count))
            break
    stages = from_scripts(look).stages
    return [*found, Source("scripts", "", len(stages))] if stages else found or [Source("empty", "", 1)]


def propose(source: Source, look: Look) -> Draft:
    """The proposal for a source."""
    text = (look.text(source.path) if source.path else "") or ""
    if source.kind == "shell":
        return read_shell(text, source.path, look)
    if source.kind == "make":
        return read_makefile(text, source.path, look)
    return from_scripts(look) if source.kind == "scripts" else _example()


def source_of(path: str, look: Look) -> Source:
    """The source that the user named.

    Raises:
        SpecError: it is no file of a kind that can be read.
    """
    text = look.text(path)
    if text is None:
        raise SpecError("there is no such text file", where=path, next="pinyon init")
    if posixpath.basename(path) in _MAKEFILES or path.endswith(".mk"):
        return Source("make", path, len(read_makefile(text, path, look).stages))
    if path.endswith((".sh", ".bash", ".zsh", ".sbatch", ".slurm")) or text.startswith(
        ("#!/bin/", "#!/usr/bin/env bash")
    ):
        return Source("shell", path, len(commands_in(text)))
    raise SpecError(
        "this is no shell script and no Makefile", where=path, why="Python scripts are found without being named",
        next="pinyon init",
    )  # fmt: skip


def scripts(root: Path) -> Iterator[str]:
    """Files of the kinds that are read, in the folder and below it, by path."""
    count = 0
    for folder, folders, names in os.walk(root):
        below = os.path.relpath(folder, root)
        deep = 0 if below == "." else below.count(os.sep) + 1
        folders[:] = sorted(
            name
            for name in folders
            if deep < _DEEPEST and name not in _NEVER and not name.startswith(".")
            and not os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))
        )  # fmt: skip
        for name in sorted(names):
            if not _NO_SCRIPT.fullmatch(name) and name.endswith(
                (".py", ".sh", ".bash", ".sbatch", ".slurm", ".R", ".r")
            ):
                count += 1
                if count > _MOST:
                    return
                yield name if below == "." else f"{below}/{name}".replace(os.sep, "/")


def from_scripts(look: Look) -> Draft:
    """One stage a script; what a script imports is no stage of its own."""
    drafted = [stage for path in scripts(look.root) if (stage := _stage(path, look)) is not None]
    imported = {entry.path for stage in drafted for entry in stage.deps[1:] if entry.path.endswith(".py")}
    kept = [
        stage
        for stage in drafted
        if stage.deps[0].path not in imported or _has_main(stage.deps[0].path, look)
    ]
    notebooks = sorted(path.name for path in look.root.glob("*.ipynb"))
    said = [f"notebooks are left out: {', '.join(notebooks[:8])}"] if notebooks else []
    head = ["Read from the scripts here by pinyon init; '# guess:' marks what to look at.", *said]
    return Draft("scripts", wired(kept, look.there), comments(head), said=tuple(said))


def _has_main(path: str, look: Look) -> bool:
    return "__main__" in (look.text(path) or "")


def _stage(path: str, look: Look) -> Drafted | None:
    text = look.text(path)
    if text is None or not text.strip():
        return None
    if path.endswith(".py"):
        try:
            if not read_script(text, posixpath.dirname(path) or ".").runs:
                return None
        except UNREADABLE:
            return None
        return stage_of(f"python {_quoted(path)}", ["python", path], look)
    program = _INTERPRETERS.get(posixpath.splitext(path)[1], "bash")
    if program == "bash" and TASK in text:
        return None  # `init --from-array` is for it
    return stage_of(f"{program} {_quoted(path)}", [program, path], look)


def _quoted(path: str) -> str:
    return shlex.quote(path)


def _example() -> Draft:
    head = [
        "A first pinyon.yaml. A stage is a command with what it reads (deps, params) and what it makes (outs, metrics);",
        "it runs when one of the first has changed. Try: pinyon plan, then pinyon run",
    ]
    stage = Drafted("hello", "echo 'write your command here' > hello.txt")
    stage = stage._replace(
        outs=(Entry("hello.txt"),),
        doubts=(
            "deps: [train.py, data.csv]      # files and folders that it reads",
            "params: [train.lr]              # names in params.yaml",
            "metrics: [metrics.json]         # numbers that pinyon runs shows",
            "resources: {cpus: 2, gpus: 1, memory: 8GB, time: 2h}",
        ),
    )
    return Draft("", (stage,), comments(head))
