"""``pinyon compare``: runs, or groups of them, side by side."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pinyon.cli.options import all_option, completes, json_option
from pinyon.cli.output import number, plain, print_json, table
from pinyon.errors import PlanError

if TYPE_CHECKING:
    from pinyon.query.groups import Group
    from pinyon.query.index import Index
    from pinyon.report.compare import Comparison, Spread
    from pinyon.store.local import LocalStore

_MARKS = {"better": "▲", "worse": "▼", "same": "=", "unclear": "≈", "": ""}
_LEGEND = "▲ better than the first, ▼ worse, ≈ the 95 % intervals overlap; n: runs that have it"


@click.command("compare", epilog="Example: pinyon compare --group params.model --where 'stage = train'")
@json_option
@all_option
@click.option(
    "--group", "by", default="", metavar="NAME", help="Compare groups of runs with one value of it."
)
@click.option("--where", default="", metavar="CONDITION", help="Only runs that meet it, as for pinyon runs.")
@click.option("--md", "as_markdown", is_flag=True, help="Print Markdown.")
@click.argument("names", nargs=-1, shell_complete=completes("run_names"))
@click.pass_obj
def command(
    directory: str,
    names: tuple[str, ...],
    by: str,
    where: str,
    as_json: bool,
    as_markdown: bool,
    unchanged: bool,
) -> None:
    """Compare runs: which parameters differ, and which metrics do.

    NAMES are runs, attempts, stages (their newest success), patterns such as 'train@*' or experiments (all of their runs).
    Where a side has several runs, metrics are means with 95 % intervals.
    """
    from pinyon.query.direction import directions
    from pinyon.query.groups import groups, params
    from pinyon.report.captured import some
    from pinyon.report.compare import Member, Side, compare
    from pinyon.session import open_records

    if not names and not by:
        raise PlanError("there is nothing to compare", next="pinyon compare RUN RUN, or --group params.NAME")
    with ExitStack() as stack:
        _, store, index, _ = open_records(Path(directory), stack)
        found = groups(index, names, by, where)
        goal_of = directions(index).of
        apart = _environments(index, store, found)
    sides = [
        Side(one.name, tuple(Member(row.run, params(row), row.metrics) for row in one.rows)) for one in found
    ]
    # A side alone has nothing to differ from: then everything is shown.
    outcome = compare(sides, goal_of, unchanged=unchanged or len(sides) == 1)
    if as_json:
        print_json({**outcome.as_dict(), "environments": apart})
        return
    header, rows = _table(outcome)
    if as_markdown:
        _print_markdown(header, rows)
        return
    table(header, rows)
    if any(mark in "".join(row) for row in rows for mark in "▲▼≈"):
        click.echo(_LEGEND)
    for name, changes in apart.items():
        click.echo(f"environment of {plain(name)}, compared with {plain(found[0].name)}: {some(changes)}")
    if not rows:
        click.echo("no parameter and no metric differs" if sides else "there are no such runs")


def _environments(index: Index, store: LocalStore, found: list[Group]) -> dict[str, list[str]]:
    """What differs between the environment of the newest run of the first side and that of each other side."""
    from pinyon.report.captured import between, captured_of

    newest = [
        max(one.rows, key=lambda row: row.attempt.started).attempt if one.rows else None for one in found
    ]
    told = [captured_of(index, store.blobs, one.execution) if one else None for one in newest]
    first = told[0] if told else None
    apart = {
        one.name: between(first, other)
        for one, other in zip(found[1:], told[1:], strict=True)
        if first is not None and other is not None
    }
    return {name: changes for name, changes in apart.items() if changes}


def _table(outcome: Comparison) -> tuple[list[str], list[list[str]]]:
    header = ["", *(plain(f"{side.name} ({len(side.members)} runs)" if len(side.members) != 1 else side.name)
                    for side in outcome.sides)]  # fmt: skip
    rows = [[plain(one.name), *map(_values, one.values)] for one in outcome.params]
    for one in outcome.metrics:
        cells = [f"{_spread(spread)} {_MARKS[verdict]}".strip()
                 for spread, verdict in zip(one.spreads, one.verdicts, strict=True)]  # fmt: skip
        rows.append([plain(one.name), *cells])
    return header, rows


def _values(values: tuple[Any, ...]) -> str:
    shown = ", ".join(plain(number(value)) for value in values[:4])
    return f"{shown}, … ({len(values)})" if len(values) > 4 else shown or "-"


def _spread(spread: Spread) -> str:
    if spread.mean is None:
        return plain(spread.text) or "-"
    if spread.n == 1:
        return number(spread.mean)
    half = "?" if spread.half is None else f"{spread.half:.2g}"
    return f"{number(spread.mean)} ± {half} (n={spread.n})"


def _print_markdown(header: list[str], rows: list[list[str]]) -> None:
    for number_, row in enumerate([header, *rows]):
        click.echo(f"| {' | '.join(_cell(cell) for cell in row)} |")
        if number_ == 0:
            click.echo(f"|{' --- |' * len(header)}")


def _cell(text: str) -> str:
    """Text that means nothing to Markdown, nor to HTML."""
    for sign, spelled in {
        "\\": "\\\\",
        "|": "\\|",
        "<": "&lt;",
        "*": "\\*",
        "`": "\\`",
        "_": "\\_",
        "[": "\\[",
    }.items():
        text = text.replace(sign, spelled)
    return text
