"""What ``#SBATCH`` lines ask for, in our words (https://slurm.schedmd.com/sbatch.html)."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any, NamedTuple

_SHORT = {
    "a": "array", "c": "cpus-per-task", "t": "time", "G": "gpus", "n": "ntasks", "N": "nodes", "p": "partition",
    "q": "qos", "A": "account", "J": "job-name", "o": "output", "e": "error", "D": "chdir",
}  # fmt: skip
_LINE = re.compile(r"\s*#SBATCH\s+(.*)")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)B?", re.IGNORECASE)
_GPUS = re.compile(r"gpu(?::[A-Za-z_][\w.-]*)?(?::(\d+))?")
_TASKS = re.compile(r"(\d+)(?:-(\d+)(?::(\d+))?)?")


class Asked(NamedTuple):
    """``resources`` as a stage has them, the ``tasks`` of the array, and options that have no counterpart."""

    resources: Mapping[str, Any]
    tasks: tuple[int, ...]
    others: tuple[str, ...]


def read_sbatch(text: str) -> Asked:
    """The options of a job script. What cannot be read in a value counts among the others."""
    options = _options(text)
    resources: dict[str, Any] = {}
    others: list[str] = []
    for name, value in options.items():
        if name == "cpus-per-task" and value.isdecimal():
            resources["cpus"] = int(value)
        elif name in ("mem", "mem-per-cpu") and (
            memory := _memory(value, options.get("cpus-per-task", "1") if name != "mem" else "1")
        ):
            resources["memory"] = memory
        elif name in ("gres", "gpus", "gpus-per-node", "gpus-per-task") and (gpus := _gpus(value)):
            resources["gpus"] = gpus
        elif name == "time" and (time := _time(value)):
            resources["time"] = time
        elif name != "array":
            others.append(f"--{name}={value}" if value else f"--{name}")
    order = ("cpus", "memory", "gpus", "time")
    return Asked(
        {name: resources[name] for name in order if name in resources},
        _tasks(options.get("array", "")),
        tuple(others),
    )


def _options(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        try:
            words = shlex.split(match[1], comments=True)
        except ValueError:
            words = match[1].split()
        while words:
            word = words.pop(0)
            name, equals, value = word.lstrip("-").partition("=")
            if not word.startswith("--"):
                name, value, equals = _SHORT.get(word[1:2], word[1:2]), word[2:], word[2:]
            if not equals and words and not words[0].startswith("-"):
                value = words.pop(0)
            found[name] = value
    return found


def _memory(value: str, times: str = "1") -> str:
    """SLURM counts in powers of two and means megabytes without a unit; 0 is a whole node, which we have no word for."""
    match = _SIZE.fullmatch(value)
    if match is None or not times.isdecimal() or not float(match[1]):
        return ""
    return f"{float(match[1]) * int(times):g}{(match[2] or 'M').upper()}iB"


def _gpus(value: str) -> int:
    """``gpu:a100:2``, ``a100:2`` or ``2``; several kinds add up."""
    count = 0
    for part in value.split(","):
        match = _GPUS.fullmatch(part)
        last = part.rpartition(":")[2]
        count += int(match[1] or 1) if match else int(last) if last.isdecimal() else 0
    return count


def _time(value: str) -> str:
    days, dash, rest = value.rpartition("-")
    parts = rest.split(":")
    if not all(part.isdecimal() for part in parts) or len(parts) > 3 or (dash and not days.isdecimal()):
        return ""
    numbers = [int(part) for part in parts]
    if dash:  # D-H, D-H:M, D-H:M:S
        hours, minutes, seconds = (*numbers, 0, 0)[:3]
    elif len(numbers) == 3:
        hours, minutes, seconds = numbers
    else:  # M, M:S
        hours, minutes, seconds = 0, *((*numbers, 0)[:2])
    whole = {"d": int(days or 0), "h": hours, "m": minutes, "s": seconds}
    return "".join(f"{number}{unit}" for unit, number in whole.items() if number)


def _tasks(array: str) -> tuple[int, ...]:
    """The ids of ``0-9``, ``1,3,5``, ``0-20:5%4``; none when it cannot be told."""
    found: list[int] = []
    for part in array.partition("%")[0].split(","):
        match = _TASKS.fullmatch(part.strip())
        if match is None:
            return ()
        first, last, step = int(match[1]), int(match[2] or match[1]), int(match[3] or 1)
        if last - first > 10_000_000 or step < 1:
            return ()
        found += range(first, last + 1, step)
    return tuple(found)
