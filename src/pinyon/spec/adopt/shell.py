"""A shell script of commands, such as run_all.sh, becomes stages: one a command that does something.

A small part of the shell's language is understood: variables with literal values, ``cd``, ``&&``, and ``for`` over words.
What lies outside of it is kept as comments, never guessed at.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pinyon.spec.adopt.command import stage_of
from pinyon.spec.adopt.draft import Draft, Drafted, Entry, comments
from pinyon.spec.adopt.lines import logical, split, spread
from pinyon.spec.adopt.look import Look
from pinyon.spec.adopt.wire import wired

_ASSIGN = re.compile(r"(?:export\s+|readonly\s+|local\s+)?([A-Za-z_]\w*)=(\S*|\"[^\"]*\"|'[^']*')\s*;?$")
_SHOWN = 200  # lines that are kept as comments
_DEEPEST = 8  # loops in each other
_LONGEST = 4_000  # characters of a command or a value that are looked into
_FOR = re.compile(r"for\s+([A-Za-z_]\w*)\s+in\s+(.*)")
_BLOCK = re.compile(r"(if|while|until|case|select|function)\b|\w+\s*\(\)\s*\{?|\{")
_OPENS = re.compile(r"(?:^|[;&|]\s*|\bdo\s+|\bthen\s+)(if|while|until|case|select|for)\b|\{\s*$")
_CLOSES = re.compile(r"(?:^|;\s*|\s)(fi|done|esac)\b|^\}")
_TO_LOG = re.compile(
    r"(?<!\s)\s*(?:(?:\d|&)?>>?\s*(?:&\d|\S+\.(?:log|txt|out|err)\b\S*|/dev/null)|2>&1|\|&?\s*tee\s+(?:-a\s+)?\S+)"
)
_INTO = re.compile(r"(?<![0-9&>])>>?\s*([^\s>&|;]+)")
_FROM = re.compile(r"(?<!<)<\s*([^\s<&|;]+)")
_PREFIX = re.compile(r"(?:[A-Za-z_]\w*=(?:\S+|'[^']*'|\"[^\"]*\")?\s+)+")  # VAR=1 before a command
_CAPTURED = re.compile(r"(?:export\s+|local\s+)?[A-Za-z_]\w*=\"?(?:\$\(.*\)|`.*`)\"?")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_NO_STAGES = frozenset(
    " ".join(
        (
            "set echo printf mkdir cd export source . pip pip3 conda module ml mamba uv date sleep wait true :",
            "exit trap shopt ulimit unset rm touch chmod hostname nvidia-smi which pwd ls shift return eval exec",
            "local declare read mapfile readarray",
        )
    ).split()
)


class Step(NamedTuple):
    """One command, with the loops around it as (variable, items), and the comments over it."""

    line: str
    wdir: str
    loops: tuple[tuple[str, tuple[str, ...]], ...]
    above: tuple[str, ...]
    number: int


class _Reader:
    """Goes through the lines once."""

    def __init__(self, text: str) -> None:
        self.lines = list(logical(text))
        self.values: dict[str, str] = {}
        self.loops: list[tuple[str, tuple[str, ...]]] = []
        self.wdir = ""
        self.comments: list[str] = []
        self.said: list[str] = []
        self.skipped: list[str] = []

    def steps(self) -> Iterator[Step]:
        """Every command that could be a stage."""
        position = 0
        while position < len(self.lines):
            number, line = self.lines[position]
            position += 1
            if line.startswith("#"):
                if not line.startswith(("#!", "#SBATCH")):
                    self.comments.append(line.lstrip("# ").rstrip())
                continue
            if not line:
                continue
            loop = _FOR.fullmatch(line)
            items = self._items(loop[2]) if loop else ()
            if loop and items and len(self.loops) < _DEEPEST:
                self.loops.append((loop[1], items))
                continue
            if line in ("do", "}"):
                continue
            if line == "done" and self.loops:
                self.loops.pop()
                continue
            if loop or _BLOCK.match(line):
                position = self._skip(position - 1)
                continue
            if len(line) > _LONGEST:
                self.skipped.append(line)
                self.said.append(f"line {number}, which is too long")
            else:
                yield from self._commands(line, number)

    def _items(self, text: str) -> tuple[str, ...]:
        """The words that a loop goes over; () when that cannot be told."""
        try:
            words = shlex.split(spread(self._expanded(text)))
        except ValueError:
            return ()
        return () if any(set(word) & set("$`*?[{(") for word in words) else tuple(words)

    def _skip(self, position: int) -> int:
        """Past a block that is not read; it is named, and kept as a comment."""
        begin = number = self.lines[position][0]
        depth = 0
        while position < len(self.lines):
            number, line = self.lines[position]
            depth += len(_OPENS.findall(line)) - len(_CLOSES.findall(line))
            self.skipped.append(line)
            position += 1
            if depth <= 0 and not line.endswith(")"):
                break
        self.said.append(f"lines {begin}-{number}, a block that is not read")
        return position

    def _commands(self, line: str, number: int) -> Iterator[Step]:
        parts = split(line, "&&")
        if parts and parts[0].split()[0] in ("[", "[[", "test", "!", "(", "(("):
            self.skipped.append(line)
            self.said.append(f"line {number}, which depends on a condition")
            return
        for part in parts:
            found = _ASSIGN.fullmatch(part)
            if found:
                value = self._expanded(found[2].strip("\"'"))
                if len(value) <= _LONGEST:  # else it stays the shell's
                    self.values[found[1]] = value
                continue
            if _CAPTURED.fullmatch(part):
                self.comments.append(f"the script does here: {part}")
                continue
            words = _PREFIX.sub("", part).split() or [part]
            if words[0] == "cd" and len(words) == 2:
                self.wdir = _beside(self.wdir, self._expanded(words[1].strip("\"'")))
            elif words[0] in _NO_STAGES or (
                words[0] in ("python", "python3") and words[1:3] == ["-m", "pip"]
            ):
                if words[0] not in ("set", "echo", "printf", "cd", "wait", "date"):
                    self.comments.append(f"the script does here: {part}")
            else:
                yield Step(self._expanded(part), self.wdir, tuple(self.loops), tuple(self.comments), number)
                self.comments = []

    def _expanded(self, text: str) -> str:
        """Variables of the script as what they hold; those of loops as ``${item}``; others stay the shell's."""
        names = [name for name, _ in self.loops]

        def value(match: re.Match[str]) -> str:
            name = match[1] or match[2]
            if name in names:
                return "${item}" if len(names) == 1 else f"${{item.{name}}}"
            if name in self.values:
                return self.values[name]
            return "\\" + match[0] if match[1] else match[0]

        text = _VARIABLE.sub(value, text)
        # What is more than a name in braces, such as ${V:-x}, is the shell's too.
        return re.sub(r"(?<!\\)\$\{(?!item\b)", r"\\${", text)


def read_shell(text: str, source: str, look: Look) -> Draft:
    """The proposal for a script of commands."""
    reader = _Reader(text)
    steps = list(reader.steps())
    stages = wired([_stage(step, look) for step in steps], look.there)
    said = [f"{source} {what}" for what in reader.said]
    if any(_TO_LOG.search(step.line) for step in steps):
        said.append("redirections into logs are left out: pinyon logs STAGE shows what a stage printed")
    head = [f"Read from {source} by pinyon init; '# guess:' marks what to look at.", *said]
    tail = [f"not read: {line}" for line in reader.skipped[:_SHOWN]]
    tail += [f"and {len(reader.skipped) - _SHOWN} lines more"] if len(reader.skipped) > _SHOWN else []
    tail += [f"the script ends with: {line}" for line in reader.comments]
    return Draft(source, stages, comments(head), comments(tail), said=tuple(said))


def _stage(step: Step, look: Look) -> Drafted:
    line = _TO_LOG.sub("", step.line).strip().removesuffix("&").strip()
    deps = [Entry(match[1], "the shell reads it") for match in _FROM.finditer(line)]
    outs = [Entry(match[1]) for match in _INTO.finditer(line)]
    bare = _FROM.sub("", _INTO.sub("", line))
    try:
        words = shlex.split(bare.replace("\\${", "${"))
    except ValueError:
        words = bare.split()
    drafted = stage_of(line, words or [line], look, step.wdir)
    drafted = drafted._replace(
        deps=(*drafted.deps, *deps), outs=(*drafted.outs, *outs), above=comments(step.above)
    )
    if "$" in line.replace("${item", "").replace("$?", ""):
        doubt = "it uses variables that this file does not set; pinyon run takes them from your environment"
        drafted = drafted._replace(doubts=(*drafted.doubts, *comments([f"guess: {doubt}"])))
    return drafted._replace(loop=_loop(step))


def _loop(step: Step) -> tuple[str, Any] | None:
    loops = [(name, items) for name, items in step.loops]
    if not loops:
        return None
    if len(loops) == 1:
        return "foreach", [_plain(item) for item in loops[0][1]]
    return "matrix", {name: [_plain(item) for item in items] for name, items in loops}


def _plain(word: str) -> Any:
    return int(word) if re.fullmatch(r"0|-?[1-9]\d{0,15}", word) else word


def _beside(wdir: str, folder: str) -> str:
    joined = posixpath.normpath(posixpath.join(wdir, folder))
    return "" if joined == "." or "$" in joined else joined


def commands_in(text: str) -> Sequence[Step]:
    """The commands of a script, to count them before asking."""
    return list(_Reader(text).steps())
