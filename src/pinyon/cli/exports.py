"""``pinyon export``: runs of this project for another tracker, or for a table."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pinyon.cli.moving import Bar, counted
from pinyon.cli.options import json_option
from pinyon.cli.output import is_watched, print_json

if TYPE_CHECKING:
    from pinyon.bridges.moving.follow import Asked
    from pinyon.bridges.moving.take import Taken
    from pinyon.session import Records


@click.command("export", epilog="Example: pinyon export csv -o table")
@json_option
@click.argument("kind")
@click.argument("runs", nargs=-1, metavar="[RUN]…")
@click.option("-o", "--output", "place", metavar="PLACE", required=True, help="Where to; a file or folder.")
@click.option("--no-files", is_flag=True, help="Leave artifacts out.")
@click.option("--follow", is_flag=True, help="Go on: write what runs log, as they log it, until Ctrl-C.")
@click.option("--until-done", is_flag=True, help="The same, and end when nothing runs any more.")
@click.pass_obj
def command(
    directory: str, kind: str, runs: tuple[str, ...], place: str, no_files: bool, follow: bool, until_done: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Write runs for another tool.

    KIND is csv, parquet, tensorboard (event files), mlflow (a database) or wandb (offline runs); the last two need those
    tools installed. RUN is a run, an attempt or a stage; all runs if none is named. A live mirror (--follow) to
    tensorboard, mlflow or wandb goes on where it stopped, and writes no point twice.
    """
    from pinyon.bridges.moving.follow import Asked
    from pinyon.bridges.moving.kinds import open_sink
    from pinyon.bridges.moving.take import chosen, export
    from pinyon.session import open_records

    with ExitStack() as stack:
        records = open_records(Path(directory), stack)
        files = kind in ("mlflow", "wandb") and not no_files
        if follow or until_done:
            asked = Asked(kind, place, runs, files, until_done)
            done = _follow(records, asked)
        else:
            rows = chosen(records.fold, runs)
            bar = stack.enter_context(Bar("exporting")) if is_watched() and not as_json else None
            tell = bar.tell if bar else lambda _done, _total: None
            done = export(records.store, records.fold, rows, open_sink(kind, place), files=files, tell=tell)
    if as_json:
        print_json({"kind": kind, "place": place, **done.as_dict()})
        return
    what = ((done.runs, "run"), (done.points, "point"), (done.files, "file"))
    click.echo(f"{', '.join(counted(*one) for one in what)} → {place}")
    for reason, count in done.left.items():
        click.echo(f"left out  {count} {reason}")


def _follow(records: Records, asked: Asked) -> Taken:
    from pinyon.bridges.moving.follow import Sum, follow

    done = Sum()
    with suppress(KeyboardInterrupt):  # the usual way to end it
        follow(
            records.store,
            records.fold,
            asked,
            done,
            warn=lambda text: click.echo(f"pinyon: {text}", err=True),
        )
    return done.taken()
