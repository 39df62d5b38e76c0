"""Shell lines, as far as they must be understood to put words into the right place of one. Nothing is ever executed."""

from __future__ import annotations

import re
import shlex
from typing import NamedTuple

_COMPOUND = frozenset({"if", "for", "while", "until", "case", "select", "function", "[[", "{", "!", "time"})
SCRIPT = re.compile(r"\.(?:py|sh|bash|[rR]|jl|pl|rb|js|ts|lua)$")
_PYTHON = re.compile(r"(?:^|/)(?:python|pypy)[0-9.]*$")
_SETUP = frozenset({"cd", "export", "source", ".", "set"})


class Simple(NamedTuple):
    """One simple command of a line: where it begins, where its last word before a redirection ends, and its words."""

    start: int
    end: int
    words: tuple[str, ...]

    @property
    def runs_script(self) -> bool:
        """Whether a word of it is an interpreter of Python or a script."""
        return any(SCRIPT.search(word) or _PYTHON.search(word) for word in self.words)

    @property
    def prepares(self) -> bool:
        """Whether it only changes the shell that later commands run in."""
        return self.words[0] in _SETUP


def simple_commands(line: str) -> list[Simple] | None:
    """The simple commands of a line, in order; None where it holds more than those, pipes, lists and redirections."""
    found: list[Simple] = []
    for start, end in _Scanner(line).spans() or ((0, 0),):
        try:
            words = tuple(shlex.split(line[start:end].replace("\\\n", " ")))
        except ValueError:
            return None
        if not words or words[0] in _COMPOUND:
            return None
        found.append(Simple(start, end, words))
    return found


class _UnknownError(Exception):
    """Something that only a shell understands."""


class _Scanner:
    """Goes through a line once."""

    def __init__(self, line: str) -> None:
        self._line = line
        self._at = 0
        self._start = -1  # of the simple command; -1 between two
        self._end = 0
        self._word = -1  # where the word that is being read began; -1 between two
        self._redirected = False
        self._spans: list[tuple[int, int]] = []

    def spans(self) -> list[tuple[int, int]]:
        """(start, end) of every simple command; empty where there is something that is not understood."""
        try:
            while self._at < len(self._line):
                self._step(self._line[self._at])
            self._finish_word()
            self._finish()
        except (_UnknownError, ValueError):  # ValueError: a quote without its end
            return []
        return self._spans

    def _step(self, char: str) -> None:
        if char in " \t":
            self._finish_word()
        elif self._line.startswith("\\\n", self._at):
            self._finish_word()
            self._at += 1
        elif char in ";|&\n":
            self._operator(char)
        elif char in "<>":
            self._redirect()
        elif char == "#" and self._word < 0:
            self._at = len(self._line)
            return
        elif char in "(){}" and (char in "()" or self._word < 0):
            raise _UnknownError
        else:
            self._begin_word()
            self._at = self._after(char)
            return
        self._at += 1

    def _after(self, char: str) -> int:
        """Where what begins here ends: a quoted part, a substitution or one character."""
        line, at = self._line, self._at
        if char == "\\":
            return at + 2
        if char in "'`":
            return line.index(char, at + 1) + 1
        if char == '"':
            at += 1
            while line[at : at + 1] != '"':
                at = line.index('"', at) if "\\" not in line[at : line.index('"', at)] else self._escaped(at)
            return at + 1
        if line.startswith("$(", at) or line.startswith("${", at):
            opening, closing = line[at + 1], ")" if line[at + 1] == "(" else "}"
            depth, at = 1, at + 2
            while depth:
                depth += (line[at : at + 1] == opening) - (line[at : at + 1] == closing)
                at += 1
                if at > len(line):
                    raise _UnknownError
            return at
        return at + 1

    def _escaped(self, at: int) -> int:
        return self._line.index("\\", at) + 2

    def _begin_word(self) -> None:
        if self._word < 0:
            self._word = self._at
            if self._start < 0:
                self._start = self._at

    def _finish_word(self) -> None:
        if self._word >= 0 and not self._redirected:
            self._end = min(self._at, len(self._line))
        self._word = -1

    def _operator(self, char: str) -> None:
        if char == "&" and self._line[self._at + 1 : self._at + 2] == ">":
            self._finish_word()
            self._redirected = True
            return
        if char == "&" and self._line[self._at - 1 : self._at] in ("<", ">"):
            return
        self._finish_word()
        self._finish()

    def _redirect(self) -> None:
        if self._line.startswith("<<", self._at):
            raise _UnknownError
        if self._word >= 0 and not self._line[self._word : self._at].isdigit():
            self._finish_word()
        self._word = -1
        self._redirected = True

    def _finish(self) -> None:
        if self._start >= 0:
            if self._end <= self._start:
                raise _UnknownError  # a redirection comes first
            self._spans.append((self._start, self._end))
        self._start, self._redirected = -1, False
