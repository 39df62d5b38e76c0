"""A command as typed after ``pinyon run --``: what it runs, what to call it, and the parameters in its flags.

Nothing here changes the command: what is read out of it is told about the run and goes nowhere else.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from typing import Any, NamedTuple

from pinyon.errors import PlanError
from pinyon.model.graph import Command
from pinyon.spec.scalars import resolve

_SHELL = re.compile(r"[\s;|&<>]")  # in a single argument: a line for the shell, no program
SCRIPT = re.compile(r"\.(py|ipynb|sh|bash|zsh|[rR]|jl|pl|rb|js|mjs|ts|lua|m)$")
_OPTION = re.compile(r"--?[A-Za-z_][^=]*")
_ASSIGNED = re.compile(r"\+{0,2}([A-Za-z_][\w./@-]*)=(.*)", re.DOTALL)  # Hydra's way; also make's
_PLAIN_NAME = re.compile(r"[^\w.+-]+")


class Written(NamedTuple):
    """A command and what can be told from its words.

    ``script`` is the file it runs as the user wrote it, "" when there is none; ``name`` is made of it, without its ending.
    """

    command: Command
    name: str
    script: str
    flags: tuple[tuple[str, Any], ...]


def read_command(argv: Sequence[str], here: str) -> Written:
    """The command of an argument vector, byte for byte; a single argument that is a whole line belongs to the shell.

    Args:
        here: the directory that the command will run in; a program of a strange name may lie there.

    Raises:
        PlanError: an argument that no program can get, or no journal hold.
    """
    for number, argument in enumerate(argv, 1):
        _refuse(argument, number)
    line = argv[0] if len(argv) == 1 and _SHELL.search(argv[0]) else ""
    if line and not os.path.exists(os.path.join(here, line)):
        parts = tuple(part for part in line.splitlines() if part.strip())
        if not parts:
            raise PlanError("the command is empty", next="pinyon run -- python train.py")
        command, words = Command("shell", parts), _words(parts)
    else:
        command, words = Command("exec", tuple(argv)), list(argv)
    if not command.parts[0]:
        raise PlanError("the command is empty", next="pinyon run -- python train.py")
    at = script_at(words)
    script = words[at] if SCRIPT.search(words[at]) else ""
    return Written(command, name_at(words, at), script, tuple(flags(words[at + 1 :]).items()))


def flags(words: Sequence[str]) -> dict[str, Any]:
    """Parameters in the arguments of a script, typed as YAML types a plain word.

    ``--lr 3e-4``, ``--lr=3e-4`` and ``lr=3e-4`` are ``lr: 0.0003``; a flag without a value is true, one with several has a
    list. What stands before the first flag and sets nothing is no parameter.
    """
    found: dict[str, Any] = {}
    name, values = (
        "",
        list[Any](),
    )  # of the flag that was read last; no name: there is none that could take a value
    for position, word in enumerate(words):
        if word == "--":
            return found | flags([rest for rest in words[position + 1 :] if _ASSIGNED.fullmatch(rest)])
        dashed = _OPTION.match(word)
        assigned = _ASSIGNED.fullmatch(word.lstrip("-") if dashed else word)
        if assigned:
            found[assigned[1]] = _typed(assigned[2])
            name = ""
        elif dashed and dashed.end() == len(word):
            name, values = word.lstrip("-"), []
            found[name] = True
        elif name:
            values.append(_typed(word))
            found[name] = values[0] if len(values) == 1 else list(values)
    return found


def _typed(text: str) -> Any:
    try:
        value = resolve(text)
    except ValueError:
        return text
    # Infinities and NaN would be text in the journal anyway; "null" is a word like any other on a command line.
    return text if value is None or value in (float("inf"), -float("inf")) or value != value else value


def _refuse(argument: str, number: int) -> None:
    if "\0" in argument:
        raise PlanError(
            f"argument {number} of the command holds a NUL",
            why="no program can be given one",
            next="remove it",
        )
    try:
        argument.encode()
    except UnicodeEncodeError:
        raise PlanError(
            f"argument {number} of the command is not UTF-8 text: {ascii(argument)[1:41]}",
            why="the record of the run could not hold it",
            next="rename the file, or let a script of yours name it",
        ) from None


def _words(lines: Sequence[str]) -> list[str]:
    """The words of the first simple command in shell lines that runs a script, else of the very first."""
    simple: list[list[str]] = [[]]
    for line in lines:
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        try:
            words = list(lexer)
        except ValueError:  # a quote without its end, which is the shell's to refuse
            words = line.split()
        for word in words:
            if set(word) <= set("();<>|&"):
                simple.append([])
            else:
                simple[-1].append(word)
        simple.append([])
    found = [words for words in simple if words]
    return next((words for words in found if any(map(SCRIPT.search, words))), found[0] if found else [""])


def script_at(words: list[str]) -> int:
    """Where the script of a command stands: the first word that ends as one, the module after ``-m``, else the program."""
    for position, word in enumerate(words):
        before = words[position - 1] if position else ""
        if SCRIPT.search(word) and not (before.startswith("--") and "=" not in before):
            return position
        if before == "-m" and position > 1:
            return position
    return 0


def name_at(words: Sequence[str], at: int) -> str:
    """What to call a command whose script, module or program stands at ``at``."""
    name = os.path.basename(words[at].rstrip("/"))
    if at and words[at - 1] == "-m":
        name = name.rpartition(".")[2]
    return _PLAIN_NAME.sub("_", SCRIPT.sub("", name)).strip("_.")[:60] or "command"
