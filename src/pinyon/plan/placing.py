"""Where words go in a command: an argument vector, or shell lines in which one simple command takes them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from pinyon.errors import PlanError
from pinyon.model.graph import Command, Stage
from pinyon.plan.shell import SCRIPT, Simple, simple_commands

_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh"})


def asking(stage: Stage) -> Command:
    """The stage's command with ``--help`` instead of its options.

    Raises:
        PlanError: a shell command in which it is not clear what is to be asked.
    """
    if stage.command.kind == "exec":
        begin = script_at(stage.command.parts) + 1
        rest = stage.command.parts[begin:]
        positional = next((at for at, word in enumerate(rest) if word.startswith("-")), len(rest))
        return Command("exec", (*stage.command.parts[: begin + positional], "--help"))
    at, simple = _spot(stage)
    line = stage.command.parts[at]
    before = [one for one in simple_commands(line) or () if one.start < simple.start and one.prepares]
    kept = [line[one.start : one.end] for one in before]
    return Command("shell", (" && ".join([*kept, f"{line[simple.start : simple.end]} --help"]),))


def words_of(stage: Stage) -> tuple[str, ...]:
    """The words of the command that the stage's parameters belong to, as far as they can be told apart.

    Raises:
        PlanError: a shell command in which it is not clear which one that is.
    """
    return stage.command.parts if stage.command.kind == "exec" else _spot(stage)[1].words


def script_at(parts: Sequence[str]) -> int:
    """Where an argument vector names what it runs: its first script, the module after ``-m``, else the program."""
    if parts[0].rpartition("/")[2] in _SHELLS and "-c" in parts[1:3]:
        raise PlanError(
            f"there is no place for parameters in {parts[0]} -c", next="write cmd as one line of text"
        )
    for at, word in enumerate(parts):
        if at and parts[at - 1] == "-m":
            return at
        if SCRIPT.search(word):
            return at
    return 0


def _spot(stage: Stage) -> tuple[int, Simple]:
    """Which simple command of which shell line the parameters belong to: the only one, or the only one with a script."""
    found: list[tuple[int, Simple]] = []
    for at, line in enumerate(stage.command.parts):
        simple = simple_commands(line)
        if simple is None:
            raise no_place(stage, f"{line[:60]!r} is more than simple commands")
        found += [(at, one) for one in simple]
    scripts = [entry for entry in found if entry[1].runs_script]
    chosen = found if len(found) == 1 else scripts
    if len(chosen) != 1:
        raise no_place(stage, f"its command runs {len(chosen) or 'no'} scripts")
    return chosen[0]


def no_place(stage: Stage, why: str) -> PlanError:
    """The error of a command in which parameters cannot stand."""
    what = f"it is not clear where in the command of stage '{stage.name}' its parameters go"
    return PlanError(what, where=str(stage.origin), why=why, next="write cmd as a list: [python, train.py]")


def behind(stage: Stage, more: Sequence[str]) -> Stage:
    """The stage with words, quoted, behind the shell command that takes them.

    Raises:
        PlanError: it is not clear which one that is, or they would mean something else there.
    """
    at, simple = _spot(stage)
    script_at(simple.words)
    if "--" in simple.words:
        raise no_place(stage, "nothing behind -- is an option")
    return _insert(stage, at, simple.end, "".join(f" {shlex.quote(word)}" for word in more))


def before(stage: Stage, variables: Sequence[str]) -> Stage:
    """The stage with ``NAME=value``, quoted, before the shell command that takes them.

    Raises:
        PlanError: it is not clear which one that is.
    """
    at, simple = _spot(stage)
    pairs = (one.partition("=") for one in variables)
    return _insert(
        stage, at, simple.start, "".join(f"{name}={shlex.quote(value)} " for name, _, value in pairs)
    )


def _insert(stage: Stage, at: int, place: int, text: str) -> Stage:
    parts = list(stage.command.parts)
    parts[at] = parts[at][:place] + text + parts[at][place:]
    cmd = "\n".join(parts) if isinstance(stage.cmd, str) else tuple(parts)
    return stage._replace(command=Command("shell", tuple(parts)), cmd=cmd)


def with_parts(stage: Stage, parts: tuple[str, ...]) -> Stage:
    """The stage with another argument vector."""
    return stage._replace(command=Command("exec", parts), cmd=parts)
