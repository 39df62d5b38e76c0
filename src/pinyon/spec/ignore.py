"""Which directories and files a repository's ignore files leave out: the patterns of git, in .gitignore and .dvcignore.

Source: https://git-scm.com/docs/gitignore#_pattern_format. Of several patterns the last that fits decides, and those of a
deeper directory come later.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple


class Pattern(NamedTuple):
    """One line: fits paths below ``base`` ("" or ending in ``/``); ``hides`` False for a line that begins with ``!``."""

    base: str
    fits: re.Pattern[str]
    hides: bool
    folders_only: bool


def patterns(text: str, base: str) -> list[Pattern]:
    """The patterns of an ignore file in the directory ``base``, relative to the root ("" is the root)."""
    prefix = f"{base}/" if base else ""
    found = (_pattern(line, prefix) for line in text.splitlines())
    return [pattern for pattern in found if pattern is not None]


def hidden(known: Iterable[Pattern], path: str, *, folder: bool) -> bool:
    """Whether patterns, in the order they were read, leave this path out; its parents have been asked before."""
    answer = False
    for pattern in known:
        if (
            pattern.hides is not answer
            and (folder or not pattern.folders_only)
            and path.startswith(pattern.base)
            and pattern.fits.fullmatch(path, len(pattern.base))
        ):
            answer = pattern.hides
    return answer


def _pattern(line: str, base: str) -> Pattern | None:
    line = re.sub(r"(?<!\\)\s+$", "", line)
    if not line or line.startswith("#"):
        return None
    hides = not line.startswith("!")
    line = line if hides else line[1:]
    folders_only = line.endswith("/")
    line = line.rstrip("/") if folders_only else line
    anchored = "/" in line
    line = line.removeprefix("/")
    if not line:
        return None
    regex = "".join(_regex(line))
    try:
        return Pattern(
            base, re.compile(regex if anchored else f"(?:.*/)?{regex}", re.DOTALL), hides, folders_only
        )
    except re.error:
        return None  # a class such as [z-a]: git takes it for something that fits nothing


_TOKEN = re.compile(
    r"(?P<up>\*\*/)|(?P<down>/\*\*$)|(?P<stars>\*+)|(?P<one>\?)|(?P<set>\[[!^]?\]?[^\]]*\])|\\?(?P<plain>.)",
    re.DOTALL,
)


def _regex(line: str) -> Iterable[str]:
    for token in _TOKEN.finditer(line):
        before = line[: token.start()]
        match token.lastgroup:
            case "up":
                yield "(?:.*/)?" if not before or before.endswith("/") else "[^/]*/"
            case "down":
                yield "/.+"
            case "stars":
                yield ".*" if token[0] == line == "**" else "[^/]*"
            case "one":
                yield "[^/]"
            case "set":
                inside = token[0][1:-1]
                negated = inside[0] in "!^"
                inside = inside[negated:].replace("[", "\\[").replace("]", "\\]")
                yield f"(?!/)[{'^' * negated}{inside}]"
            case _:
                yield re.escape(token["plain"])
