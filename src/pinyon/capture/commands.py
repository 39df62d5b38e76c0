"""What Python a command runs: scripts, modules and code given by ``-c``. Best effort; nothing is executed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pinyon.model.graph import Command

_MAYBE = re.compile(r"python|\.py\b|torchrun|accelerate|deepspeed")
_PYTHON = re.compile(r"(python|pypy)[0-9.]*$")
_ASSIGNED = re.compile(r"[A-Za-z_]\w*=")
_LAUNCHERS = frozenset(
    {"uv", "torchrun", "accelerate", "deepspeed", "poetry", "pipenv", "pdm", "hatch", "rye", "pixi"}
)
_CONTROL = re.compile(r"[;&|()<>]+")
_WITH_VALUE = frozenset({"-W", "-X", "--check-hash-based-pycs"})


class Start(NamedTuple):
    """Where Python begins: ``kind`` is script (``what`` is its path as written), module (its dotted name) or code.

    ``folder`` is the working directory relative to the stage's own, ``search`` holds what ``PYTHONPATH=`` before the
    command adds to the places where modules are looked for.
    """

    kind: str
    what: str
    folder: str = "."
    search: tuple[str, ...] = ()


def starts(command: Command) -> list[Start]:
    """Everything that a command starts in Python, as far as its text tells."""
    if not any(map(_MAYBE.search, command.parts)):
        return []
    if command.kind == "exec":
        return list(_of_words(list(command.parts), "."))
    return [start for part in command.parts for start in _of_lines(part)]


def _of_lines(text: str) -> Iterator[Start]:
    import shlex

    folder = "."
    lexer = shlex.shlex(text.replace("\\\n", " ").replace("\n", " ; "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        tokens = list(lexer)
    except ValueError:  # an open quote: the shell will say so
        return
    for words in _simple(tokens):
        if words[0] == "cd" and len(words) == 2:
            folder = os.path.normpath(os.path.join(folder, words[1]))
        else:
            yield from _of_words(words, folder)


def _simple(tokens: Iterable[str]) -> Iterator[list[str]]:
    """Words between control operators; what a redirection names is no word of a command's."""
    words: list[str] = []
    skip = False
    for token in tokens:
        if _CONTROL.fullmatch(token):
            skip = bool(set(token) & set("<>"))
            if not skip and words:
                yield words
                words = []
        elif not skip:
            words.append(token)
        else:
            skip = False
    if words:
        yield words


def _of_words(words: list[str], folder: str) -> Iterator[Start]:
    search: tuple[str, ...] = ()
    while words and (_ASSIGNED.match(words[0]) or words[0] == "env"):
        name, _, value = words.pop(0).partition("=")
        if name == "PYTHONPATH":
            search = tuple(part for part in value.split(":") if part and "$" not in part)
    if not words:
        return
    python = next((i for i, word in enumerate(words) if _PYTHON.fullmatch(os.path.basename(word))), None)
    found: Iterable[Start] = ()
    if python is not None:
        found = _of_python(words[python + 1 :])
    elif words[0].endswith(".py"):
        found = [Start("script", words[0])]
    elif os.path.basename(words[0]) in _LAUNCHERS or words[0].startswith("$"):
        found = _launched(words[1:])
    for start in found:
        yield start._replace(folder=folder, search=search)


def _of_python(words: list[str]) -> Iterator[Start]:
    """What an interpreter with these arguments begins with."""
    rest = iter(words)
    for word in rest:
        if word in _WITH_VALUE:
            next(rest, None)
        elif word.startswith("-") and not word.startswith("--") and word[1:].endswith("c"):
            yield Start("code", next(rest, ""))
            return
        elif word.startswith("-") and not word.startswith("--") and word[1:].endswith("m"):
            yield Start("module", next(rest, ""))
            yield from _scripts(rest)  # as of `-m torch.distributed.run train.py`, `-m cProfile train.py`
            return
        elif not word.startswith("-"):
            yield Start("script", word)
            return


def _launched(words: list[str]) -> Iterator[Start]:
    """What a program begins with that starts Python for others: the first script, or the module after ``-m``."""
    if "-m" in words[:-1]:
        yield Start("module", words[words.index("-m") + 1])
    else:
        yield from _scripts(words)


def _scripts(words: Iterable[str]) -> list[Start]:
    return [Start("script", word) for word in words if word.endswith(".py")][:1]
