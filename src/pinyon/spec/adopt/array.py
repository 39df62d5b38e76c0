"""A job array over the lines of a file: its rows are written down, so that editing the file later shifts none of them."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Mapping, Sequence

from pinyon.errors import SpecError
from pinyon.spec.adopt.command import stage_of
from pinyon.spec.adopt.draft import Draft, comments
from pinyon.spec.adopt.look import Look
from pinyon.spec.adopt.sbatch import Asked, read_sbatch
from pinyon.spec.adopt.shell import commands_in
from pinyon.spec.adopt.table import Table, read_table, typed
from pinyon.spec.adopt.wire import wired
from pinyon.spec.yaml import dump_yaml

ROWS = "rows.yaml"
_LONGEST = 2_000  # characters of a line that says where a task finds its own
TASK = "SLURM_ARRAY_TASK_ID"
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
        first + place: {name: typed(cell) for name, cell in zip(table.names, row, strict=True)}
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
        line = raw.strip()[:_LONGEST]
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
