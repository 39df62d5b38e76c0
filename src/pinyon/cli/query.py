"""``pinyon query``: SQL over everything that is recorded."""

from __future__ import annotations

import csv
import io
import json
import sys
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pinyon.cli.options import json_option
from pinyon.cli.output import plain
from pinyon.cli.views import view_options
from pinyon.errors import PlanError

if TYPE_CHECKING:
    from pinyon.query.sql import Answer
    from pinyon.session import Records

_SHOWN = 200
_NAME = 100  # characters of a view's name at most


@click.command(
    "query", epilog='Example: pinyon query "SELECT stage, count(*) FROM runs GROUP BY stage" --csv'
)
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option(
    "--timeout", type=click.FloatRange(0.01), default=10.0, metavar="S", help="Seconds that it may take."
)
@click.option("--tables", "contract", is_flag=True, help="Show which tables and columns there are.")
@view_options
@click.argument("sql", required=False)
@click.pass_obj
def command(
    directory: str,
    sql: str | None,
    as_json: bool,
    as_csv: bool,
    timeout: float,
    contract: bool,
    others: tuple[str, ...],
    save: str | None,
    listed: bool,
    forget: str | None,
) -> None:
    """Answer one SELECT over tables of everything recorded.

    SQL is DuckDB's, or the name of a saved view; - reads it from standard input. Nothing outside the tables can be read,
    and nothing be changed.
    """
    if contract:
        _print_contract(as_json)
        return
    if not sql and not listed and not forget:
        raise PlanError(
            "there is no query", next='pinyon query "SELECT * FROM runs", or pinyon query --tables'
        )
    from pinyon.cli import views
    from pinyon.query.sql import ask
    from pinyon.query.tables import Source
    from pinyon.session import open_others, open_records

    text = sys.stdin.read() if sql == "-" else sql or ""
    with ExitStack() as stack:
        records = open_records(Path(directory), stack)
        if listed or forget:
            views.print_views(records.store, as_json) if listed else views.forget(records.store, forget or "")
            return
        asked = _asked(records, text)
        found, notes = open_others([*asked.get("with", ()), *others], Path(directory), stack)
        sources = [Source(one.store, one.fold, name) for name, one in found]
        answer = stack.enter_context(ask(records.store, records.fold, asked["sql"], timeout, sources))
        if as_json:
            _print_json(answer)
        elif as_csv:
            _print_csv(answer)
        else:
            _print(answer)
        if save:
            keep = {"sql": asked["sql"], **({"with": list(others)} if others else {})}
            views.save(records.store, save, "query", keep)
        for note in answer.notes:
            click.echo(f"note: {note} → pinyon verify", err=True)
        views.print_notes(notes)


def _asked(records: Records, text: str) -> dict[str, Any]:
    """A query; one word is no query, so it is the name of a view."""
    if not text.split() or len(text.split()) > 1 or len(text) > _NAME:
        return {"sql": text}
    from pinyon.query.views import load

    view = load(records.store, text.strip(), "query")
    if view is None or not isinstance(view.asked.get("sql"), str):
        raise PlanError(f"the view '{text.strip()}' has no query", next="pinyon query --views")
    return view.asked


def _print_contract(as_json: bool) -> None:
    from pinyon.query.contract import TABLES

    if as_json:
        click.echo(json.dumps({name: dict(columns) for name, columns in TABLES.items()}, indent=2))
        return
    for name, columns in TABLES.items():
        click.echo(
            f"{click.style(name, bold=True)}: {', '.join(f'{column} {type}' for column, type in columns)}"
        )


def _print_json(answer: Answer) -> None:
    """A list of objects, one a line, written as they come."""
    from pinyon.query.sql import spelled

    jsons = {name for name, type in answer.columns if type == "JSON"}
    names = _distinct([name for name, _ in answer.columns])
    begin = "["
    for row in answer.rows:
        told = {
            name: json.loads(value) if name in jsons and isinstance(value, str) else spelled(value)
            for name, value in zip(names, row, strict=True)
        }
        click.echo(f"{begin}\n  {json.dumps(told, ensure_ascii=False)}", nl=False)
        begin = ","
    click.echo("\n]" if begin == "," else "[]")


def _distinct(names: list[str]) -> list[str]:
    """Names as keys: a second ``n`` is ``n_2``, as it would be lost otherwise."""
    found: list[str] = []
    for name in names:
        number, one = 1, name
        while one in found:
            number += 1
            one = f"{name}_{number}"
        found.append(one)
    return found


def _print_csv(answer: Answer) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([name for name, _ in answer.columns])
    for row in answer.rows:
        writer.writerow(["" if value is None else _text(value) for value in row])
        if buffer.tell() > 1 << 16:
            click.echo(buffer.getvalue(), nl=False)
            buffer.seek(0)
            buffer.truncate()
    click.echo(buffer.getvalue(), nl=False)


def _print(answer: Answer) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = list(islice(answer.rows, _SHOWN + 1))
    shown = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name, type in answer.columns:
        numeric = type.startswith(("DOUBLE", "BIGINT", "INTEGER", "HUGEINT", "DECIMAL", "FLOAT", "UBIGINT"))
        shown.add_column(Text(plain(name)), justify="right" if numeric else "left", overflow="fold")
    for row in rows[:_SHOWN]:
        shown.add_row(*(Text("-" if value is None else plain(_text(value))) for value in row))
    console = Console() if sys.stdout.isatty() else Console(width=1000)
    console.print(shown)
    count = f"the first {_SHOWN} rows; --csv and --json give all" if len(rows) > _SHOWN else _rows(len(rows))
    click.echo(count)


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _text(value: Any) -> str:
    from pinyon.query.sql import spelled

    told = spelled(value)
    return told if isinstance(told, str) else json.dumps(told, ensure_ascii=False)
