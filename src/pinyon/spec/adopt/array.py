"""A job array over the lines of a file: its rows are written down, so that editing the file later shifts none of them."""

from __future__ import annotations

import csv
import posixpath
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pinyon.errors import SpecError
from pinyon.spec.adopt.command import Look, stage_of
from pinyon.spec.adopt.draft import Draft, comments
from pinyon.spec.adopt.sbatch import Asked, read_sbatch
from pinyon.spec.adopt.shell import commands_in
from pinyon.spec.adopt.wire import wired
from pinyon.spec.scalars import resolve
from pinyon.spec.yaml import dump_yaml

ROWS = "rows.yaml"
TASK = "SLURM_ARRAY_TASK_ID"
_NAME = re.compile(r"[A-Za-z_]\w*")
_SAFE = re.compile(r"[\w.,:/+=@% -]*")
_ASSIGN = re.compile(r"(?:export\s+)?([A-Za-z_]\w*)=(.*)")
_LINE = re.compile(r"\b(sed|awk|head|tail)\b|\$\{(\w+)\[")
_READ = re.compile(
    r"(?:IFS=(\S+|'.'|\".\")\s+)?read\s+(?:-r\s+|-ra?\s+)*([\w\s]+?)\s*<<<\s*[\"']?\$\{?(\w+)\}?"
)
_COLUMN = re.compile(r"\{\s*print\s+\\?\$(\d+)\s*\}|cut\s.*-f\s*(\d+)")
_MAPFILE = re.compile(r"(?:mapfile|readarray)\s+(?:-t\s+)?(\w+)\s*<")
_OFFSET = re.compile(rf"{TASK}\}}?\s*([+-])\s*(\d+)|NR\s*==\s*[a-z]\w*\s*([+-])\s*(\d+)")
_INDEXED = re.compile(rf"\w\[\s*\(*\s*\$?\{{?{TASK}")


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
        isinstance(_typed(row[n]), (int, float)) for row in rest[:1] for n in range(min(len(row), len(first)))
    )


def _numbered(count: int) -> tuple[str, ...]:
    return ("line",) if count == 1 else tuple(f"c{number}" for number in range(1, count + 1))


def _clean(names: Sequence[str]) -> tuple[str, ...]:
    found = [re.sub(r"\W+", "_", name).strip("_") or f"c{number}" for number, name in enumerate(names, 1)]
    return tuple(
        f"c{n}" if name[0].isdecimal() or found.count(name) > 1 else name for n, name in enumerate(found, 1)
    )


def _typed(cell: str) -> Any:
    try:
        value = resolve(cell)
    except ValueError:
        return cell
    return (
        cell if value is None or str(value) != cell else value
    )  # 0.10 must stay 0.10: the command gets the text


def read_array(file: str, script: str, look: Look) -> Draft:
    """The proposal for a job script whose tasks each take a line of ``file``.

    Raises:
        SpecError: one of them cannot be read, or no command of the script is about its line.
    """
    text, job = look.text(file), look.text(script)
    if text is None or job is None:
        raise SpecError("there is no such text file", where=file if text is None else script)
    if TASK not in job:
        raise SpecError(
            f"it never uses {TASK}", where=script, why="so its tasks take no lines", next="pinyon init"
        )
    asked = read_sbatch(job)
    shift, tail = _shift(job), "tail -n +2" in job
    header = True if tail else asked.tasks[0] + shift > 1 if asked.tasks else None
    table = read_table(text, file, header=header)
    first = (2 if table.header and not tail else 1) - shift
    meanings = _meanings(job, table)
    stages = []
    for step in commands_in(job):
        inner = f"${{item.{step.loops[0][0]}}}" if len(step.loops) == 1 else "${item}"
        line = _with_items(step.line.replace("${item}", inner), meanings)
        if "${item" in line or "${key}" in line:
            words = shlex.split(line.replace("\\${", "${")) if _balanced(line) else line.split()
            # How the script finds its line is told by the rows now.
            above = [
                said for said in step.above if TASK not in said and "<<<" not in said and file not in said
            ]
            stage = stage_of(line, words, look, step.wdir)._replace(above=comments(above))
            doubts = [
                f"guess: the script does it for each {name} of {' '.join(items)}: rows for all of them?"
                for name, items in step.loops
            ]
            stages.append(stage._replace(doubts=(*stage.doubts, *comments(doubts))))
    if not stages:
        raise SpecError(
            f"none of its commands uses the line of {file} that its task is for", where=script,
            why=f"looked for sed, awk, mapfile and read over {TASK}", next="write the stage by hand: pinyon init",
        )  # fmt: skip
    said = _counts(file, script, table, asked, first)
    looped = [stage._replace(loop=("foreach", "${rows}"), resources=asked.resources) for stage in stages]
    head = [f"Read from {script} and {file} by pinyon init; '# guess:' marks what to look at.", *said]
    head += [f"options without a counterpart here: {' '.join(asked.others)}"] if asked.others else []
    return Draft(
        script, wired(looped, look.there), comments(head), variables=(ROWS,),
        files={ROWS: _rows(table, first, file)}, said=tuple(said),
    )  # fmt: skip


def _shift(job: str) -> int:
    """How many lines after the number of its task, from 1, a task finds its own."""
    found = _OFFSET.search(job)
    sign, number = (found[1] or found[3], found[2] or found[4]) if found else ("+", "0")
    return int(bool(_INDEXED.search(job))) + (int(number) if sign == "+" else -int(number))


def _balanced(line: str) -> bool:
    try:
        shlex.split(line)
    except ValueError:
        return False
    return True


def _rows(table: Table, first: int, file: str) -> bytes:
    rows = {
        first + place: {name: _typed(cell) for name, cell in zip(table.names, row, strict=True)}
        for place, row in zip(table.places, table.rows, strict=True)
    }
    note = f"# The rows of {file} as they were, by the number of their task. Runs depend on this file, not on that one.\n"
    return note.encode() + dump_yaml({"rows": {str(number): row for number, row in rows.items()}})


def _counts(file: str, script: str, table: Table, asked: Asked, first: int) -> list[str]:
    count = len(table.rows)
    header = ", and a header" if table.header else ""
    said = [f"{file} has {count} rows{header}; each is one run, numbered from {first}"]
    numbers = [first + place for place in table.places]
    if asked.tasks and set(asked.tasks) != set(numbers):
        asks = f"{script} asks for {len(asked.tasks)} tasks, {min(asked.tasks)} to {max(asked.tasks)}"
        said.append(f"guess: {asks}; the rows are {count}, {min(numbers)} to {max(numbers)}")
    odd = [n for n, row in zip(numbers, table.rows, strict=True) if not all(map(_SAFE.fullmatch, row))]
    if odd:
        said.append(f"guess: rows {', '.join(map(str, odd[:8]))} hold what a shell reads as more than text")
    return said


def _meanings(job: str, table: Table) -> Mapping[str, str]:
    """What each variable of the script stands for: ``${item.NAME}`` of a cell, or of the whole line."""
    whole = (
        "${item.line}" if table.names == ("line",) else " ".join(f"${{item.{name}}}" for name in table.names)
    )
    found: dict[str, str] = {TASK: "${key}"}
    arrays: set[str] = set()
    for raw in job.splitlines():
        line = raw.strip()
        if match := _MAPFILE.search(line):
            arrays.add(match[1])
        elif match := _READ.search(line):
            if match[3] in found:
                found |= {n: f"${{item.{c}}}" for n, c in zip(match[2].split(), table.names, strict=False)}
        elif match := _ASSIGN.fullmatch(line):
            name, value = match.groups()
            about = TASK in value or any(f"${old}" in value.replace("{", "") for old in found)
            column = _COLUMN.search(value)
            if column and about:
                number = int(column[1] or column[2])
                if 1 <= number <= len(table.names):
                    found[name] = f"${{item.{table.names[number - 1]}}}"
            elif about and (_LINE.search(value) or any(f"{array}[" in value for array in arrays)):
                found[name] = whole
            elif value.strip("\"'") in (f"${TASK}", f"${{{TASK}}}"):
                found[name] = "${key}"
    for array in arrays:
        found[f"{array}[${TASK}]"] = found[f"{array}[${{{TASK}}}]"] = found[f"{array}[{TASK}]"] = whole
    return found


def _with_items(line: str, meanings: Mapping[str, str]) -> str:
    """A command with what its variables stand for; `shell` has put a backslash before braces that are the shell's."""
    for name, meaning in sorted(meanings.items(), key=lambda pair: -len(pair[0])):
        pattern = rf"\\?\$\{{{re.escape(name)}\}}|\$" + re.escape(name) + r"(?!\w)"
        line = re.sub(pattern, meaning.replace("\\", r"\\"), line)
    return line


def job_of(file: str, scripts: Sequence[str], look: Look) -> str:
    """The one script that is an array over ``file``.

    Raises:
        SpecError: none, or more than one.
    """
    name = posixpath.basename(file)
    found = [script for script in scripts if TASK in (text := look.text(script) or "") and name in text]
    if len(found) == 1:
        return found[0]
    what = (
        f"no script here has {TASK} and names {name}"
        if not found
        else f"several scripts use it: {', '.join(found)}"
    )
    raise SpecError(what, where=file, next=f"pinyon init --from-array {file} SCRIPT")
