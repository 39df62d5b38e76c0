"""What a command prints for ``--help``, read back into flags: argparse of Python 3.9 to 3.13, click, simple typer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pinyon.model.flags import Flag

_DECORATION = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|[│╭╮╰╯─]")
_OPTION = re.compile(r"(?P<indent> {1,8})(?:\* +)?(?P<text>-{1,2}[A-Za-z].*)")
_SPLIT = re.compile(r" {2,}|$")
_WORD = re.compile(r"(-{1,2}[^\s,=\[{<]+)[ =]?")
_PIECE = re.compile(r"\{[^}]*\}|\[[^\[\]]*(?:\[[^\]]*\][^\[\]]*)*\]|\S+")
_DEFAULT = re.compile(r"[(\[](?:env var: [^;\]]*; )?default:\s+(.*?)(?:; required)?[)\]]")
_CHOICES = re.compile(r"\{([^}]*)\}|\[([^\[\]|]+(?:\|[^\[\]|]+)+)\]")
_HELP = frozenset({"--help", "-h"})


def flags_in(text: str) -> tuple[Flag, ...]:
    """The options that a help text tells of, in its order; positional arguments are none of them."""
    lines = [_DECORATION.sub("", line).rstrip() for line in text.splitlines()]
    click = any(line.lstrip().startswith("Usage: ") for line in lines)
    usage = _usage(lines)
    found: dict[str, Flag] = {}
    for invocation, words in _options(lines):
        flag = _flag(invocation, words, click=click)
        # What a description or an epilog shows in the shape of an option is none: the usage does not name it.
        if flag and not _HELP.intersection(flag.spellings) and (click or _named(flag, usage)):
            found.setdefault(flag.name, flag)
    return tuple(found.values())


def _usage(lines: Iterable[str]) -> str:
    """The text of the usage, which ends with an empty line; "" where it does not list its options."""
    kept: list[str] = []
    for line in lines:
        if not kept and not line.lower().startswith("usage:"):
            continue
        if not line:
            break
        kept.append(line)
    usage = " ".join(kept)
    return usage if "[-h]" in usage else ""


def _named(flag: Flag, usage: str) -> bool:
    return not usage or any(
        re.search(rf"(?<![\w-]){re.escape(one)}(?![\w-])", usage) for one in flag.spellings
    )


def _options(lines: list[str]) -> Iterator[tuple[str, str]]:
    """(invocation, help) of everything that looks like an option; help that goes on below is joined."""
    at = 0
    while at < len(lines):
        match = _OPTION.fullmatch(lines[at])
        at += 1
        if match is None:
            continue
        cut = _SPLIT.search(match["text"])
        end = cut.start() if cut else len(match["text"])
        words = [match["text"][end:].strip()]
        while at < len(lines) and lines[at].strip() and not _OPTION.fullmatch(lines[at]):
            if len(lines[at]) - len(lines[at].lstrip()) <= len(match["indent"]):
                break
            words.append(lines[at].strip())
            at += 1
        yield match["text"][:end], " ".join(filter(None, words))


def _flag(invocation: str, words: str, *, click: bool) -> Flag | None:
    """One option, as ``-l LR, --lr LR``, ``--flag, --no-flag`` or ``--shout / --no-shout`` say it."""
    spellings: list[str] = []
    metavar = ""
    for part in re.split(r"(?:, | ?/ ?)(?=-)|,(?=--)| (?=-{1,2}[A-Za-z])", invocation):
        match = _WORD.match(part)
        if match is None:
            return None
        spellings.append(match[1])
        metavar = part[match.end() :].strip() or metavar
    long = [one for one in spellings if one.startswith("--")] or spellings
    off = next((one for one in long[1:] if not metavar and one == f"--no-{long[0][2:]}"), "")
    if not off and click and " / " in invocation.replace("/", " / ").replace("  ", " "):
        off = spellings.pop()  # click's pairs may be called anything
        long = [one for one in spellings if one.startswith("--")] or spellings
    first = max((one for one in long if one != off), key=len)
    least, most = _counted(metavar, click=click)
    default = _DEFAULT.search(words)
    return Flag(
        first.lstrip("-"), (first, *(one for one in spellings if one not in (first, off))),
        least, most, off, _choices(metavar), default[1].strip("'\"") if default else None,
    )  # fmt: skip


def _counted(metavar: str, *, click: bool) -> tuple[int, int | None]:
    """How many values an option takes, as its placeholder tells."""
    if not metavar:
        return 0, 0
    if click:
        several = re.fullmatch(r"<(.*)>\.\.\.", metavar)
        count = len(several[1].split()) if several else 1
        return count, None if metavar.endswith("...") and not several else count
    pieces = _PIECE.findall(metavar)
    if any("..." in piece for piece in pieces):
        return len([piece for piece in pieces if not piece.startswith("[") and piece != "..."]), None
    if len(pieces) == 1 and pieces[0].startswith("["):
        return 0, 1
    # `X X` are two values; `X Y` may be two, or one whose placeholder holds a space.
    return (len(pieces) if len(set(pieces)) == 1 else 1), len(pieces)


def _choices(metavar: str) -> tuple[str, ...]:
    match = _CHOICES.search(metavar)
    if match is None:
        return ()
    return tuple(match[1].split(",") if match[1] is not None else match[2].split("|"))
