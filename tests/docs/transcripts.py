"""Console blocks of the documentation, as commands with what they print; run, compared, and written anew.

After a change of the output: ``python tests/docs/transcripts.py README.md docs/guide.md``, then read the diff.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "first"
CHOSEN = re.compile(r"<!-- commands run in a copy of \[?examples/(?P<name>[\w-]+)")
FENCE = re.compile(r"^```console(?P<unordered> unordered)?\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)

SAME = [  # what differs from run to run, and what stands for it
    (re.compile(r"\b\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d)?)?\b"), "DATE"),
    (re.compile(r"\b([arwx])-[0-9a-f]{12,16}(-\d+-[0-9a-f]{8})?\b"), r"\1-ID"),
    (re.compile(r"\bblake3:[0-9a-f]{64}\b"), "DIGEST"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "DIGEST"),
    (re.compile(r"\b[0-9a-f]{8} → [0-9a-f]{8}\b"), "DIGEST → DIGEST"),
    (re.compile(r"(?<![\w.=])\d+(\.\d+)? (ms|s|secs?)\b"), "TIME"),
    (re.compile(r"\b\d+ records in \d+ journals\b"), "RECORDS"),
    (
        re.compile(r"(?<=/)\d+\.log\b"),
        "LANE.log",
    ),  # which of two lanes is free depends on how busy the machine is
    (re.compile(r"\bcommit [0-9a-f]{10}\b"), "COMMIT"),
    (re.compile(r"^python {4}\d.*$", re.MULTILINE), "PYTHON"),
    (re.compile(r"\bPython \d+\.\d+\.\d+; packages: \d+"), "PYTHON"),
    (re.compile(r"^machine {3}.*$", re.MULTILINE), "MACHINE"),
    (re.compile(r" +"), " "),  # columns are as wide as what stands in them
]


class Command(NamedTuple):
    """What is typed after ``$``, and what is printed then."""

    line: int
    text: str
    output: str
    unordered: bool
    example: str


def chosen(markdown: str) -> str:
    """The example that the last comment of this part of a document chooses; without one, the first example."""
    return next((match["name"] for match in reversed(list(CHOSEN.finditer(markdown)))), EXAMPLE.name)


def commands(markdown: str) -> list[Command]:
    """Every command of every console block, in order."""
    found = []
    for block in FENCE.finditer(markdown):
        line = markdown[: block.start("body")].count("\n") + 1
        example = chosen(markdown[: block.start()])
        for part in filter(None, re.split(r"^(?=\$ )", block["body"], flags=re.MULTILINE)):
            if not part.startswith("$ "):
                raise ValueError(f"line {line}: a console block begins with a command")
            text, _, output = part[2:].partition("\n")
            found.append(Command(line, text, output, bool(block["unordered"]), example))
            line += part.count("\n")
    return found


def normal(output: str, unordered: bool = False) -> str:
    """The output without times, dates, ids and digests."""
    for pattern, name in SAME:
        output = pattern.sub(name, output)
    lines = [line.rstrip() for line in output.strip().splitlines()]
    return "\n".join(sorted(lines) if unordered else lines)


class Shell:
    """Runs commands in copies of examples, one after the other, as somebody at a prompt would.

    Args:
        folder: where the copies are made, each when its first command comes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        programs = folder / "bin"
        programs.mkdir()
        for name, arguments in (("pinyon", " -m pinyon.cli"), ("python", "")):
            (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}"{arguments} "$@"\n')
            (programs / name).chmod(0o755)
        paths = [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
        self.env = {
            **os.environ,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
            "GIT_CEILING_DIRECTORIES": str(folder),
            "LC_ALL": "C.UTF-8",
            "PINYON_ACTOR": "person:ann",
        }
        self.last = 0

    def _project(self, name: str) -> Path:
        project, example = self.folder / name, ROOT / "examples" / name
        if not project.exists():
            ignored = example / ".gitignore"
            made = [line.strip("/") for line in ignored.read_text().split()] if ignored.exists() else []
            shutil.copytree(example, project, ignore=shutil.ignore_patterns(".pinyon", "__pycache__", *made))
        return project

    def run(self, text: str, example: str) -> str:
        """What the command prints, to either stream; its exit code is the next command's ``$?``."""
        result = subprocess.run(
            ["bash", "-c", f"(exit {self.last})\n{text}"],
            cwd=self._project(example), env=self.env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
        )  # fmt: skip
        self.last = result.returncode
        return result.stdout


def renewed(markdown: str, folder: Path) -> str:
    """The document with every output as it is today."""
    shell = Shell(folder)

    def block(match: re.Match[str]) -> str:
        body, example = "", chosen(markdown[: match.start()])
        for command in commands(match[0]):
            output = shell.run(command.text, example)
            same = normal(output, command.unordered) == normal(command.output, command.unordered)
            body += f"$ {command.text}\n"
            body += command.output if same else output.strip("\n") + "\n" * bool(output.strip())
            body += "\n" if output.endswith("\n\n") and not same else ""
        return f"```console{match['unordered'] or ''}\n{body.rstrip()}\n```"

    return FENCE.sub(block, markdown)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as temporary:
            document = Path(name)
            document.write_text(renewed(document.read_text(), Path(temporary)))
