"""The lines of a shell script, taken apart as far as its quotes allow."""

from __future__ import annotations

import re
from collections.abc import Iterator

_RANGE = re.compile(r"\{(-?\d+)\.\.(-?\d+)\}")
_SEQ = re.compile(
    r"\$\(\s*seq\s+(-?\d+)(?:\s+(-?\d+))?(?:\s+(-?\d+))?\s*\)|`seq\s+(-?\d+)(?:\s+(-?\d+))?(?:\s+(-?\d+))?`"
)


def logical(text: str) -> Iterator[tuple[int, str]]:
    """Lines with continuations joined, stripped, with the number of the first."""
    held, begin = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        begin = begin if held else number
        stripped = line.strip()
        if stripped.endswith("\\") and not stripped.startswith("#"):
            held += stripped[:-1].rstrip() + " "
            continue
        yield from _parts(begin, _without_comment(held + stripped))
        held = ""
    if held:
        yield from _parts(begin, held.strip())


def _parts(number: int, line: str) -> Iterator[tuple[int, str]]:
    """What stands between ``;``, and the keywords of a loop by themselves."""
    if line.startswith("#"):
        yield number, line
        return
    for part in split(line, ";"):
        word, _, rest = part.partition(" ")
        if word == "do":
            yield number, "do"
            part = rest.strip()
        if part.endswith("& done"):
            yield number, part.removesuffix("done").strip()
            part = "done"
        yield number, part


def _without_comment(line: str) -> str:
    if line.startswith("#") or " #" not in line:
        return line
    quote = ""
    for position, character in enumerate(line):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character == "#" and line[position - 1].isspace():
            return line[:position].rstrip()
    return line


def split(line: str, mark: str) -> list[str]:
    """The parts between marks that stand outside of quotes and brackets."""
    parts, quote, depth, begin = [], "", 0, 0
    for position, character in enumerate(line):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'`":
            quote = character
        elif character in "()":
            depth += 1 if character == "(" else -1
        elif depth <= 0 and position >= begin and line.startswith(mark, position):
            parts.append(line[begin:position])
            begin = position + len(mark)
    parts.append(line[begin:])
    return [part.strip() for part in parts if part.strip()]


def _numbers(first: int, last: int, step: int = 1) -> range:
    return range(first, last + 1, step) if first <= last else range(first, last - 1, -step)


def _sequence(match: re.Match[str]) -> str:
    given = [int(group) for group in match.groups() if group is not None]
    first, step, last = (
        (1, 1, given[0]) if len(given) == 1 else (given[0], 1, given[-1]) if len(given) == 2 else given
    )
    return " ".join(map(str, range(first, last + (1 if step > 0 else -1), step or 1)))


def spread(text: str) -> str:
    """Ranges, ``{1..3}`` and ``$(seq 1 3)``, as the words that they stand for."""
    text = _RANGE.sub(lambda m: " ".join(map(str, _numbers(int(m[1]), int(m[2])))), text)
    return _SEQ.sub(_sequence, text)
