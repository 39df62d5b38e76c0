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
from pinyon.cli.views import view_options

if TYPE_CHECKING:
    from pinyon.query.board import Listed
    from pinyon.query.runs import RunRow
    from pinyon.session import Records

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
@view_options
@click.argument("view", required=False)
@click.pass_obj
def command(
    directory: str,
    /,
    as_json: bool,
    every: bool,
    view: str | None,
    others: tuple[str, ...],
    save: str | None,
    listed: bool,
    forget: str | None,
    **said: Any,
) -> None:
    """List runs with their parameters and metrics, the newest last.

    Runs that began inside another one stand below it.

    VIEW is a question that was saved; options that are given go before its own.

    A CONDITION compares names with values by = != < <= > >= and ~ (contains), joined by and, or, not and parentheses: names
    are those of metrics, params.NAME, tag.NAME, and run, stage, status, experiment, phase, cell, seed, attempt, attempts,
    execution, started, seconds, project, parent, group. METRIC.best, .min, .max, .last, .n and .nan are of its points.
    """
    from pinyon.cli import views
    from pinyon.session import open_others, open_records

    with ExitStack() as stack:
        records = open_records(Path(directory), stack)
        if listed or forget:
            views.print_views(records.store, as_json) if listed else views.forget(records.store, forget or "")
            return
        asked = _asked(records, view, said)
        found, notes = open_others([*asked.pop("with", ()), *others], Path(directory), stack)
        listing = _list(
            asked, every or as_json, [(".", records), *found] if found or notes else [("", records)]
        )
        if save:
            keep = {**asked, **({"with": list(others)} if others else {})}
            views.save(records.store, save, "runs", {name: told for name, told in keep.items() if told})
    if as_json:
        stores = [{"store": name} if found else {} for name in listing.stores]
        print_json([{**row.as_dict(), **store} for row, store in zip(listing.rows, stores, strict=True)])
    else:
        _show(listing, asked, bool(found))
    views.print_notes([*notes, *listing.notes])


def _asked(records: Records, view: str | None, said: dict[str, Any]) -> dict[str, Any]:
    """The options by name, those of a view where they are not given."""
    given = {name: told for name, told in said.items() if told}
    if view is None:
        return {**dict.fromkeys(said), **given}
    from pinyon.query.views import load

    saved = load(records.store, view, "runs")
    return {**dict.fromkeys(said), **(saved.asked if saved else {}), **given}


def _list(asked: dict[str, Any], every: bool, records: list[tuple[str, Records]]) -> Listed:
    from pinyon.query.board import Asked, list_boards

    most = asked["limit"] or (0 if every else _SHOWN)
    sort, columns = _names(asked["sort"] or ""), _names(asked["columns"] or "")
    wanted = Asked(
        _within(asked["where"] or "", asked["group"]), sort, most, asked["stage"], asked["project"], columns
    )
    return list_boards([(one.fold, one.store, name) for name, one in records], wanted)


def _show(listing: Listed, asked: dict[str, Any], several: bool) -> None:
    rows, sort, columns = listing.rows, _names(asked["sort"] or ""), _names(asked["columns"] or "")
    if asked["limit"] is None and len(rows) < listing.total:
        which = "first" if sort else "newest"
        click.echo(f"the {which} {len(rows)} of {listing.total} runs (--all shows every one)")
    stores = listing.stores if several else None
    if columns:
        cells = [
            [_cell(name, told) for name, told in zip(columns, one, strict=True)] for one in listing.cells
        ]
        table(*_with(stores, columns, cells))
    else:
        _print(rows, [name.removeprefix("-") for name in sort], stores)
    if not rows:
        stage = asked["stage"]
        what = (
            " meet this"
            if asked["where"]
            else f" of a stage {stage!r} yet; pinyon run makes some"
            if stage
            else ""
        )
        click.echo(f"no runs{what or ' yet; pinyon run makes some'}")


def _with(
    stores: list[str] | None, names: list[str], cells: list[list[str]]
) -> tuple[list[str], list[list[str]]]:
    """A table with the store of each row before it, where there are several."""
    if stores is None:
        return names, cells
    return ["store", *names], [[plain(store), *row] for store, row in zip(stores, cells, strict=True)]


def _within(where: str, group: str | None) -> str:
    """The condition, of runs of a group only."""
    if group is None:
        return where
    named = "group = '" + re.sub(r"([\\'])", r"\\\1", group) + "'"
    return f"{named} and ({where})" if where.strip() else named


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _print(rows: list[RunRow], first: list[str], stores: list[str] | None) -> None:
    flags = any(_said(row) for row in rows)
    ordered = [(0, row) for row in rows] if first or stores else below(rows)
    tags = any(row.tags for row in rows)
    header = [
        *("run", "stage", "status", "started", "took"),
        *(("params",) if flags else ()),
        *(("tags",) if tags else ()),
        "metrics",
    ]
    cells = [
        [
            "  " * deep + row.run,
            row.stage,
            row.status,
            when(row.attempt.started),
            took(row.attempt),
            *([_some(_said(row))] if flags else []),
            *([_some(row.tags)] if tags else []),
            _some({name: row.metrics[name] for name in first if name in row.metrics} | row.metrics),
        ]
        for deep, row in ordered
    ]
    table(*_with(stores, header, cells))


def below(rows: Sequence[RunRow]) -> list[tuple[int, RunRow]]:
    """Runs with how deep they lie in others, those inside a run right after it; one whose outer run is not shown lies in
    none."""
    shown = {row.run for row in rows}
    inside: dict[str, list[RunRow]] = {}
    for row in rows:
        inside.setdefault(row.parent if row.parent in shown else "", []).append(row)
    found: list[tuple[int, RunRow]] = []
    rest = [(0, row) for row in reversed(inside.pop("", []))]
    while rest or inside:
        if not rest:  # records that say of runs that each lies in the other: none may be hidden
            rest = [(0, row) for row in reversed(inside.pop(next(iter(inside))))]
        deep, row = rest.pop()
        found.append((deep, row))
        rest += [(deep + 1, one) for one in reversed(inside.pop(row.run, []))]
    return found


def _said(row: RunRow) -> dict[str, Any]:
    """What the command says itself. Declared parameters can be whole sections; these are few, and tell runs apart. Of a run
    that another tool told all are of that kind."""
    if row.attempt.mode == "recorded":
        return row.params
    inputs = row.attempt.inputs
    given = {name: value for file, name, value in inputs.get("params", ()) if not file}
    return given | dict(inputs.get("flags", ()))


def _cell(name: str, values: tuple[Any, ...]) -> str:
    if name == "started":
        return when(values[0])
    return ", ".join(plain(number(value)) for value in values) or "-"


def _some(values: dict[str, Any]) -> str:
    return "  ".join(f"{plain(name)}={plain(number(value))}" for name, value in list(values.items())[:5])
