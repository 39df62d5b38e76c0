"""``pinyon runs``: everything that was ever run here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pinyon.cli.options import completes, json_option
from pinyon.cli.output import number, plain, print_json, table, took, when

if TYPE_CHECKING:
    from pinyon.query.runs import RunRow

_SHOWN = 40


@click.command("runs", epilog='Example: pinyon runs --where "params.lr < 0.01" --sort -accuracy --limit 20')
@json_option
@click.option("--stage", help="Only runs of this stage.", shell_complete=completes("stage_names"))
@click.option("--where", default="", metavar="CONDITION", help="Only runs that meet it; see below.")
@click.option(
    "--sort",
    metavar="NAMES",
    default="",
    help="By these names, with commas between; -NAME: the largest first.",
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most N runs.")
@click.option("--columns", metavar="NAMES", default="", help="Show these, not what is usual.")
@click.option("--group", metavar="NAME", help="Only runs of this group.")
@click.option("--project", metavar="NAME|all", help="Runs of another project in this store, or of all.")
@click.option("--all", "every", is_flag=True, help=f"Every run, not only the newest {_SHOWN}.")
@click.pass_obj
def command(
    directory: str,
    as_json: bool,
    stage: str | None,
    where: str,
    sort: str,
    limit: int | None,
    columns: str,
    group: str | None,
    project: str | None,
    every: bool,
) -> None:
    """List runs with their parameters and metrics, the newest last.

    Runs that began inside another one stand below it.

    A CONDITION compares names with values by = != < <= > >= and ~ (contains), joined by and, or, not and parentheses: names
    are those of metrics, params.NAME, tag.NAME, and run, stage, status, experiment, phase, cell, seed, attempt, attempts,
    execution, started, seconds, project, parent, group.
    """
    from pinyon.query.board import Asked, list_board
    from pinyon.session import open_records

    most = limit or (0 if every or as_json else _SHOWN)
    where = _within(where, group)
    asked = Asked(where, _names(sort), most, stage, project)
    with ExitStack() as stack:
        rows, total = list_board(open_records(Path(directory), stack).fold, asked)
    if as_json:
        print_json([row.as_dict() for row in rows])
        return
    if limit is None and len(rows) < total:
        which = "first" if sort else "newest"
        click.echo(f"the {which} {len(rows)} of {total} runs (--all shows every one)")
    if columns:
        _print_columns(rows, _names(columns))
    else:
        _print(rows, [name.removeprefix("-") for name in asked.sort])
    if not rows:
        what = " meet this" if where else f" of a stage {stage!r} yet; pinyon run makes some" if stage else ""
        click.echo(f"no runs{what or ' yet; pinyon run makes some'}")


def _within(where: str, group: str | None) -> str:
    """The condition, of runs of a group only."""
    if group is None:
        return where
    named = "group = '" + re.sub(r"([\\'])", r"\\\1", group) + "'"
    return f"{named} and ({where})" if where.strip() else named


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _print(rows: list[RunRow], first: list[str]) -> None:
    flags = any(_said(row.attempt.inputs) for row in rows)
    ordered = [(0, row) for row in rows] if first else below(rows)
    tags = any(row.tags for row in rows)
    table(
        (
            *("run", "stage", "status", "started", "took"),
            *(("params",) if flags else ()),
            *(("tags",) if tags else ()),
            "metrics",
        ),
        [
            (
                "  " * deep + row.run,
                row.stage,
                row.status,
                when(row.attempt.started),
                took(row.attempt),
                *([_some(_said(row.attempt.inputs))] if flags else []),
                *([_some(row.tags)] if tags else []),
                _some({name: row.metrics[name] for name in first if name in row.metrics} | row.metrics),
            )
            for deep, row in ordered
        ],
    )


def below(rows: Sequence[RunRow]) -> list[tuple[int, RunRow]]:
    """Runs with how deep they lie in others, those inside a run right after it; one whose outer run is not shown lies in
    none."""
    shown = {row.run for row in rows}
    inside: dict[str, list[RunRow]] = {}
    for row in rows:
        inside.setdefault(row.parent if row.parent in shown else "", []).append(row)
    found: list[tuple[int, RunRow]] = []
    rest = [(0, row) for row in reversed(inside.pop("", []))]
    while rest:
        deep, row = rest.pop()
        found.append((deep, row))
        rest += [(deep + 1, one) for one in reversed(inside.pop(row.run, []))]
    return found


def _said(inputs: dict[str, Any]) -> dict[str, Any]:
    """What the command says itself. Declared parameters can be whole sections; these are few, and tell runs apart."""
    given = {name: value for file, name, value in inputs.get("params", ()) if not file}
    return given | dict(inputs.get("flags", ()))


def _print_columns(rows: list[RunRow], columns: list[str]) -> None:
    from pinyon.query.board import value_of

    cells = [[_cell(name, value_of(row, name)) for name in columns] for row in rows]
    table(columns, cells)


def _cell(name: str, values: tuple[Any, ...]) -> str:
    if name == "started":
        return when(values[0])
    return ", ".join(plain(number(value)) for value in values) or "-"


def _some(values: dict[str, Any]) -> str:
    return "  ".join(f"{plain(name)}={plain(number(value))}" for name, value in list(values.items())[:5])
