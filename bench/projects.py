"""One graph, written in the language of each tool.

Every stage copies one file to another and has one parameter. In a *chain* it copies the stage before it, in a *fan*
all copy one source. For make, a parameter is a file of its own that the stage depends on.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal, NamedTuple

Shape = Literal["chain", "fan"]
SOURCE = "source"
CONTENT = "one line of data\n"
MD5 = hashlib.md5(CONTENT.encode(), usedforsecurity=False).hexdigest()


class Step(NamedTuple):
    """Stage ``name`` makes the file of that name from ``dep``; ``param`` is the name of its parameter."""

    name: str
    dep: str
    param: str
    number: int
    distinct: bool

    @property
    def command(self) -> str:
        """The copy; a distinct one adds its number, so that no two stages write the same bytes."""
        if self.distinct:
            return f"(cat {self.dep}; echo {self.number}) > {self.name}"
        return f"cp {self.dep} {self.name}"


def steps(shape: Shape, size: int, *, distinct: bool = False) -> list[Step]:
    """The stages in order."""
    names = [SOURCE, *(f"s{number:04}" for number in range(1, size + 1))]
    deps = names if shape == "chain" else [SOURCE] * size
    return [Step(names[i + 1], deps[i], f"p{i + 1:04}", i + 1, distinct) for i in range(size)]


def write(tool: str, folder: Path, graph: list[Step]) -> Path:
    """Write the project for one tool, its source and its parameters; gives the folder."""
    (folder / SOURCE).write_text(CONTENT)
    set_params(tool, folder, graph, {})
    name, text = _WRITERS[tool](graph)
    (folder / name).write_text(text)
    return folder


def set_params(tool: str, folder: Path, graph: list[Step], changed: dict[str, int]) -> None:
    """Write all parameters, 1 where nothing else is said; for make, touch only what changed."""
    if tool != "make":
        lines = (f"{step.param}: {changed.get(step.param, 1)}\n" for step in graph)
        (folder / "params.yaml").write_text("".join(lines))
        return
    for step in graph:
        if not changed or step.param in changed:
            (folder / step.param).write_text(f"{changed.get(step.param, 1)}\n")


def lay_out(folder: Path, graph: list[Step]) -> None:
    """Make every out by hand, in order, as a finished run leaves them."""
    for step in graph:
        (folder / step.name).write_text(CONTENT)


def _pinyon(graph: list[Step]) -> tuple[str, str]:
    return "pinyon.yaml", _stages(graph)


def _dvc(graph: list[Step]) -> tuple[str, str]:
    return "dvc.yaml", _stages(graph)


def _stages(graph: list[Step]) -> str:
    body = "".join(
        f"  {step.name}:\n    cmd: {step.command}\n    deps: [{step.dep}]\n"
        f"    params: [{step.param}]\n    outs: [{step.name}]\n"
        for step in graph
    )
    return f"stages:\n{body}"


def dvc_lock(graph: list[Step]) -> str:
    """The dvc.lock of the finished project."""
    file = f"hash: md5, md5: {MD5}, size: {len(CONTENT)}"
    body = "".join(
        f"  {step.name}:\n    cmd: {step.command}\n    deps: [{{path: {step.dep}, {file}}}]\n"
        f"    params: {{params.yaml: {{{step.param}: 1}}}}\n    outs: [{{path: {step.name}, {file}}}]\n"
        for step in graph
    )
    return f"schema: '2.0'\nstages:\n{body}"


def _make(graph: list[Step]) -> tuple[str, str]:
    rules = "".join(f"{step.name}: {step.dep} {step.param}\n\t{step.command}\n" for step in graph)
    return "Makefile", f"all: {' '.join(step.name for step in graph)}\n.PHONY: all\n{rules}"


_TABLE = """\
with open("params.yaml") as file:
    VALUES = dict(line.split(": ") for line in file.read().splitlines())
"""


def _doit(graph: list[Step]) -> tuple[str, str]:
    return (
        "dodo.py",
        f"""\
from doit.tools import config_changed
{_TABLE}
STEPS = {[(step.name, step.dep, step.param, step.command) for step in graph]}

def task_step():
    for name, dep, param, command in STEPS:
        yield {{"name": name, "actions": [command], "file_dep": [dep], "targets": [name],
               "uptodate": [config_changed(VALUES[param])]}}
""",
    )


def _snakemake(graph: list[Step]) -> tuple[str, str]:
    rules = "".join(
        f'rule {step.name}:\n    input: "{step.dep}"\n    output: "{step.name}"\n    params: VALUES["{step.param}"]\n'
        f'    shell: "{step.command}"\n'
        for step in graph
    )
    return "Snakefile", f"{_TABLE}\nrule all:\n    input: {[step.name for step in graph]}\n{rules}"


_WRITERS = {"pinyon": _pinyon, "make": _make, "doit": _doit, "snakemake": _snakemake, "dvc": _dvc}
