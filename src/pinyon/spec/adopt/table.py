"""The rows of a file of settings: csv, tsv, words or plain lines."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from pinyon.errors import SpecError
from pinyon.spec.scalars import resolve

_NAME = re.compile(r"[A-Za-z_]\w*")


class Table(NamedTuple):
    """Rows of a file. ``names`` from its first line if that is a header, else ``c1``, ``c2``, …; a file of plain lines has
    one column, ``line``. ``places`` counts the lines of the file from the first row to each."""

    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    header: bool
    places: tuple[int, ...]


def read_table(text: str, file: str, *, header: bool | None = None) -> Table:
    """The rows of csv, tsv, whitespace-separated or plain lines; blank lines do not count.

    Args:
        header: whether the first line is one; None finds out.

    Raises:
        SpecError: there are none, or they differ in their number of cells.
    """
    numbered = [(number, line) for number, line in enumerate(text.splitlines()) if line.strip()]
    lines = [line for _, line in numbered]
    if not lines:
        raise SpecError("there are no rows in it", where=file)
    cells = _cells(lines, file)
    named = _is_header(cells) if header is None else header
    names = tuple(cells[0]) if named and len(set(cells[0])) == len(cells[0]) else _numbered(len(cells[0]))
    names = names if all(map(_NAME.fullmatch, names)) else _clean(names)
    body = cells[1:] if named else cells
    for number, row in enumerate(body, 2 if named else 1):
        if len(row) != len(names):
            why = f"the first has {len(names)}"
            raise SpecError(f"row {number} has {len(row)} cells", where=f"{file}:{number}", why=why)
    if not body:
        raise SpecError("there is a header in it, and no row", where=file)
    # A blank line has a number, too: a task that counts lines counts it.
    places = tuple(number - int(named) for number, _ in numbered[int(named) :])
    return Table(
        names, tuple(map(tuple, body)), named, places if len(places) == len(body) else tuple(range(len(body)))
    )


def _cells(lines: list[str], file: str) -> list[list[str]]:
    for delimiter in ("\t", ",", ";"):
        widths = {len(row) for row in csv.reader(lines, delimiter=delimiter)}
        if len(widths) == 1 and widths != {1}:
            return [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter)]
    if file.endswith((".csv", ".tsv")) and any("," in line or "\t" in line for line in lines):
        delimiter = "\t" if file.endswith(".tsv") else ","
        return [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter)]
    words = [line.split() for line in lines]
    same = len({len(row) for row in words}) == 1 and len(words[0]) > 1
    # Lines that are commands have as many words by chance only; a table has no words that begin with a dash.
    if same and not any(word.startswith("--") for row in words for word in row):
        return words
    return [[line.strip()] for line in lines]


def _is_header(cells: list[list[str]]) -> bool:
    """A first line of names over at least one column that has numbers below it."""
    first, rest = cells[0], cells[1:]
    if len(first) < 2 or not rest or not all(map(_NAME.fullmatch, first)):
        return False
    return any(
        isinstance(typed(row[n]), (int, float)) for row in rest[:1] for n in range(min(len(row), len(first)))
    )


def _numbered(count: int) -> tuple[str, ...]:
    return ("line",) if count == 1 else tuple(f"c{number}" for number in range(1, count + 1))


def _clean(names: Sequence[str]) -> tuple[str, ...]:
    found = [re.sub(r"\W+", "_", name).strip("_") or f"c{number}" for number, name in enumerate(names, 1)]
    return tuple(
        f"c{n}" if name[0].isdecimal() or found.count(name) > 1 else name for n, name in enumerate(found, 1)
    )


def typed(cell: str) -> Any:
    """The value of a cell, where its text can be had back from it; else the text: 0.10 must stay 0.10."""
    try:
        value = resolve(cell)
    except ValueError:
        return cell
    return cell if value is None or str(value) != cell else value
