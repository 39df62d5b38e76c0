"""``pinyon history``: one metric of a run, point by point."""

from __future__ import annotations

import csv
import io
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pinyon.cli.options import completes, json_option
from pinyon.cli.output import number, plain, print_json
from pinyon.errors import PlanError

if TYPE_CHECKING:
    from pinyon.query.history import History


@click.command("history", epilog="Example: pinyon history train loss --csv")
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print every point as CSV.")
@click.argument("run", shell_complete=completes("state_names"))
@click.argument("metric", required=False)
@click.pass_obj
def command(directory: str, run: str, metric: str | None, as_json: bool, as_csv: bool) -> None:
    """Draw one metric of a run over its steps.

    RUN is an id of a run or attempt, or a stage (then its newest run). Without METRIC its metrics are listed. What a later
    attempt did again counts, not what it did again.
    """
    from pinyon.query.history import history
    from pinyon.query.runs import find
    from pinyon.session import open_records

    with ExitStack() as stack:
        records = open_records(Path(directory), stack)
        attempts = find(records.fold, run)
        every = records.fold.attempts("key = ?", attempts[-1].key)
        found = history(records.store, records.fold, every, metric or "")
    for note in found.notes:
        click.echo(f"note: {note} → pinyon verify", err=True)
    if metric is None:
        _print_names(found, as_json)
        return
    if not found.lines:
        there = ", ".join(plain(name) for name in found.metrics[:20]) or "none"
        raise PlanError(
            f"{run} has no points of '{metric}'", why=f"its metrics are: {there}", next="pinyon runs"
        )
    if as_json:
        print_json({"metric": metric, "lines": [_finite(line._asdict()) for line in found.lines]})
    elif as_csv:
        _print_csv(found)
    else:
        _draw(found, metric)


def _print_names(found: History, as_json: bool) -> None:
    if as_json:
        print_json({"metrics": list(found.metrics)})
        return
    for name in found.metrics:
        click.echo(plain(name))
    if not found.metrics:
        click.echo("no points; run.log(loss=…) writes some")


def _finite(line: dict[str, object]) -> dict[str, object]:
    from pinyon.query.sql import spelled

    return {name: spelled(value) for name, value in line.items()}


def _print_csv(found: History) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("attempt", "step", "t", "value"))
    for line in found.lines:
        writer.writerows((line.attempt, *row) for row in zip(line.step, line.t, line.value, strict=True))
    click.echo(buffer.getvalue(), nl=False)


def _draw(found: History, metric: str) -> None:
    from shutil import get_terminal_size

    from pinyon.report.textplot import plot

    steps = [step for line in found.lines for step in line.step]
    values = [value for line in found.lines for value in line.value]
    finite = [(float(step), value) for step, value in zip(steps, values, strict=True) if step is not None]
    width = min(max(get_terminal_size().columns - 14, 20), 100)
    for row in plot([step for step, _ in finite], [value for _, value in finite], width):
        click.echo(row)
    nan = sum(value != value for value in values)
    odd = f", {nan} of them NaN" if nan else ""
    click.echo(f"{plain(metric)}: {len(values)} points{odd}, last {number(values[-1])}")
