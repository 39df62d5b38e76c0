"""``pinyon runs``: everything that was ever run here."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from pinyon.cli.options import completes, json_option
from pinyon.cli.output import number, print_json, table, took, when

_SHOWN = 40


@click.command("runs", epilog="Example: pinyon runs --stage train --json")
@json_option
@click.option("--stage", help="Only runs of this stage.", shell_complete=completes("stage_names"))
@click.option("--project", metavar="NAME|all", help="Runs of another project in this store, or of all.")
@click.option("--all", "every", is_flag=True, help=f"Every run, not only the newest {_SHOWN}.")
@click.pass_obj
def command(directory: str, as_json: bool, stage: str | None, project: str | None, every: bool) -> None:
    """List runs with their parameters and metrics, the newest last."""
    from pinyon.query.runs import list_runs
    from pinyon.session import open_records

    with ExitStack() as stack:
        rows = list_runs(open_records(Path(directory), stack).fold, stage, project)
    if as_json:
        print_json([row.as_dict() for row in rows])
        return
    shown = rows if every else rows[-_SHOWN:]
    said = [_said(row.attempt.inputs) for row in shown]
    flags = any(said)
    if len(shown) < len(rows):
        click.echo(f"the newest {len(shown)} of {len(rows)} runs (--all shows every one)")
    table(
        ("run", "stage", "status", "started", "took", *(("params",) if flags else ()), "metrics"),
        [
            (
                row.run,
                row.stage,
                row.status,
                when(row.attempt.started),
                took(row.attempt),
                *([_some(given)] if flags else []),
                _some(row.metrics),
            )
            for row, given in zip(shown, said, strict=True)
        ],
    )
    if not rows:
        click.echo(f"no runs{f' of a stage {stage!r}' if stage else ''} yet; pinyon run makes some")


def _said(inputs: dict[str, Any]) -> dict[str, Any]:
    """What the command says itself. Declared parameters can be whole sections; these are few, and tell runs apart."""
    given = {name: value for file, name, value in inputs.get("params", ()) if not file}
    return given | dict(inputs.get("flags", ()))


def _some(values: dict[str, Any]) -> str:
    return "  ".join(f"{name}={number(value)}" for name, value in list(values.items())[:5])
