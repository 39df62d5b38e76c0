"""``pinyon import``: the runs of another tracker into this project."""

from __future__ import annotations

from contextlib import ExitStack, closing
from datetime import datetime
from typing import TYPE_CHECKING

import click

from pinyon.cli.moving import Bar, counted
from pinyon.cli.options import json_option
from pinyon.cli.output import is_watched, print_json

if TYPE_CHECKING:
    from pinyon.bridges.moving.bring import Report


@click.command("import", epilog="Example: pinyon import mlflow mlflow.db")
@json_option
@click.argument("kind")
@click.argument("place")
@click.option(
    "--since", metavar="DATE", default="", help="Only runs that began on DATE (2026-01-31) or later."
)
@click.option("--run", "run", metavar="COLUMN", default="", help="Of a CSV: the column that names the run.")
@click.option("--step", metavar="COLUMN", default="", help="Of a CSV: the column with the step.")
@click.option(
    "--params", metavar="COLUMNS", default="", help="Of a CSV: columns that are parameters, with commas."
)
@click.option("--trust", is_flag=True, help="Register models that run code when somebody opens them, too.")
@click.option("-n", "--dry-run", "dry", is_flag=True, help="Only say what would be done.")
@click.pass_obj
def command(
    directory: str, kind: str, place: str, since: str, run: str, step: str, params: str, trust: bool, dry: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Bring the runs of another tracker here.

    KIND is mlflow (a database, or a folder mlruns), tensorboard (a folder with event files), wandb (offline runs, or what
    its API gave), neptune (what neptune-exporter wrote), csv, or parquet (what export
    wrote). PLACE is only read. A second call adds only what is
    new, and goes on where a killed one stopped.
    """
    from pinyon.bridges.moving.into import import_into
    from pinyon.bridges.moving.kinds import open_source
    from pinyon.bridges.moving.table import Asked

    asked = Asked(run, step, tuple(name.strip() for name in params.split(",") if name.strip()))
    began = _moment(since) if since else None
    with ExitStack() as stack:
        source = stack.enter_context(closing(open_source(kind, place, asked)))
        bar = stack.enter_context(Bar("importing")) if is_watched() and not as_json else None
        tell = bar.tell if bar else lambda _done, _total: None
        report = import_into(directory, source, place, since=began, dry=dry, trust=trust, tell=tell)
    if as_json:
        print_json(report.as_dict())
    else:
        _print(report, dry=dry)


def _moment(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise click.BadParameter(f"{text!r} is no date such as 2026-01-31", param_hint="--since") from None


def _print(report: Report, *, dry: bool) -> None:
    for line in report.told:
        click.echo(line)
    verb = "would be imported" if dry else "imported"
    runs, points, files = ((report.runs, "run"), (report.points, "point"), (report.files, "file"))
    what = f"{report.imported} {verb}, {report.updated} changed since, {report.same} here already"
    click.echo(f"{counted(*runs)}: {what}; {counted(*points)}, {counted(*files)}")
    for one in report.skipped:
        click.echo(f"skipped  {one.run}  {one.why}")
    if report.models:
        click.echo(f"models   {', '.join(report.models)}")
    for reason, count in report.left.items():
        click.echo(f"left out  {count} {reason}")
