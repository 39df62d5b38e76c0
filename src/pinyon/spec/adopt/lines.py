"""The lines of a shell script, taken apart as far as its quotes allow."""

from __future__ import annotations

import re
from collections.abc import Iterator

_MOST = 10_000  # items of a loop
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


def spread(text: str) -> str:
    """Ranges, ``{1..3}`` and ``$(seq 1 3)``, as the words that they stand for; long ones stay as they are."""
    text = _RANGE.sub(lambda match: _words(match[0], int(match[1]), int(match[2])), text)
    return _SEQ.sub(_sequence, text)


def _sequence(match: re.Match[str]) -> str:
    given = [int(group) for group in match.groups() if group is not None]
    if len(given) == 3 and given[1] == 0:
        return match[0]  # seq refuses it, too
    step = given[1] if len(given) == 3 else 1
    return _words(match[0], given[0] if len(given) > 1 else 1, given[-1], step)


def _words(written: str, first: int, last: int, step: int = 0) -> str:
    """The numbers from first to last; without a step, up or down as it comes."""
    step = step or (1 if first <= last else -1)
    numbers = range(first, last + (1 if step > 0 else -1), step)
    return " ".join(map(str, numbers)) if len(numbers) <= _MOST else written
