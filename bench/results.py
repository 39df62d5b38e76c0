"""Results as data and as a page: ``results.json`` holds every value, ``RESULTS.md`` is written from it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.measure import Row

_INTRODUCTION = """\
# Benchmarks

Written by `scripts/bench`; `bench/__init__.py` says how. ms without `wall` are CPU milliseconds of the whole process
tree; × is the median of pairwise ratios of interleaved runs; n is the number of runs. Both make and
Pinyon start a plain `cp` without a shell; `make with a shell` is what other lines cost make.
"""

Case = dict[str, Any]  # {"title", "machine", "rows"}

_HEAD = "| what | unit | n | min | median | max | target | | |\n|---|---|--:|--:|--:|--:|--:|---|---|\n"


def case(title: str, machine: dict[str, str], rows: Sequence[Row]) -> Case:
    """Everything that was measured in one case, as plain data."""
    return {"title": title, "machine": machine, "rows": [asdict(row) for row in rows]}


def table(rows: Sequence[Row]) -> str:
    """A Markdown table."""
    return _HEAD + "".join(map(line, rows))


def line(row: Row) -> str:
    """One line of it."""
    if not row.values:
        cells = [row.what, "", "", "", "", "", "", "", row.note]
    else:
        figures = [min(row.values), row.median, max(row.values)]
        target = "" if row.limit is None else f"≤ {row.limit:g}"
        cells = [
            row.what,
            row.unit,
            str(len(row.values)),
            *map(_figure, figures),
            target,
            row.verdict,
            row.note,
        ]
    return f"| {' | '.join(cells)} |\n"


def _figure(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def record(folder: Path, cases: dict[str, Case]) -> None:
    """Put these cases in place of older ones, and write the page again."""
    folder.mkdir(parents=True, exist_ok=True)
    store = folder / "results.json"
    known: dict[str, Case] = json.loads(store.read_text()) if store.exists() else {}
    known |= cases
    lines = ",\n".join(
        f"{json.dumps(name)}: {json.dumps(one, ensure_ascii=False)}" for name, one in sorted(known.items())
    )
    store.write_text(f"{{\n{lines}\n}}\n")  # a case a line
    (folder / "RESULTS.md").write_text(_page(known))


def _page(cases: dict[str, Case]) -> str:
    parts = [_INTRODUCTION]
    for name, found in sorted(cases.items()):
        rows = [Row(**{**row, "values": tuple(row["values"])}) for row in found["rows"]]
        when = f"{found['machine']['date']}, load {found['machine']['load']}"
        parts.append(f"## {name}: {found['title']}\n\n{when}\n\n{table(rows)}")
    for machine, names in _machines(cases):
        lines = "".join(f"* {name}: {text}\n" for name, text in machine.items())
        parts.append(f"## Measured on ({', '.join(names)})\n\n{lines}")
    return "\n".join(parts)


def _machines(cases: dict[str, Case]) -> list[tuple[dict[str, str], list[str]]]:
    """Each different machine and source, with the cases that were measured on it."""
    found: list[tuple[dict[str, str], list[str]]] = []
    for name, one in sorted(cases.items()):
        machine = {fact: text for fact, text in one["machine"].items() if fact not in ("date", "load")}
        names = next((names for known, names in found if known == machine), None)
        if names is None:
            found.append((machine, [name]))
        else:
            names.append(name)
    return found
