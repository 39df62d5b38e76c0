"""``pinyon runs``: everything that was ever run here."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from pinyon.cli.options import json_option
from pinyon.cli.output import number, print_json, table, took, when

_SHOWN = 40


@click.command("runs", epilog="Example: pinyon runs --stage train --json")
@json_option
@click.option("--stage", help="Only runs of this stage.")
@click.option("--all", "every", is_flag=True, help=f"Every run, not only the newest {_SHOWN}.")
@click.pass_obj
def command(directory: str, as_json: bool, stage: str | None, every: bool) -> None:
    """List runs with their parameters and metrics, the newest last."""
    from pinyon.query.runs import list_runs
    from pinyon.session import open_records

    with ExitStack() as stack:
        rows = list_runs(open_records(Path(directory), stack).fold, stage)
    if as_json:
        print_json([row.as_dict() for row in rows])
        return
    shown = rows if every else rows[-_SHOWN:]
    if len(shown) < len(rows):
        click.echo(f"the newest {len(shown)} of {len(rows)} runs (--all shows every one)")
    table(
        ("run", "stage", "status", "started", "took", "metrics"),
        [
            (
                row.run,
                row.stage,
                row.status,
                when(row.attempt.started),
                took(row.attempt),
                "  ".join(f"{name}={number(value)}" for name, value in list(row.metrics.items())[:5]),
            )
            for row in shown
        ],
    )
    if not rows:
        click.echo(f"no runs{f' of a stage {stage!r}' if stage else ''} yet; pinyon run makes some")
