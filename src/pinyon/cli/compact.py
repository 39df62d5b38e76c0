"""``pinyon compact``: write what journals hold into Parquet files, for queries."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from pinyon.cli.options import json_option
from pinyon.cli.output import print_json


@click.command("compact", epilog="Example: pinyon compact")
@json_option
@click.pass_obj
def command(directory: str, as_json: bool) -> None:
    """Write points and events into Parquet files.

    Queries read them far sooner than journals. Nothing is deleted: the journals stay what counts.
    """
    from pinyon.model.actor import current_actor
    from pinyon.query.compact import compact
    from pinyon.session import open_records

    with ExitStack() as stack:
        store = open_records(Path(directory), stack).store
        done = compact(store, actor=str(current_actor()))
    for note in done.notes:
        click.echo(f"note: {note}", err=True)
    if as_json:
        files = [{"table": one.table, "blob": one.blob, "rows": one.rows} for one in done.files]
        print_json({"files": files, "merged": done.merged, "lost": done.lost, "notes": list(done.notes)})
    elif done.lost:
        click.echo("somebody else compacts at the same time; theirs counts")
    elif not done.files:
        click.echo("nothing to compact")
    for one in () if as_json else done.files:
        click.echo(f"{one.table}: {one.rows} rows in one file, {one.blob}")
