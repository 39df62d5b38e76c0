"""``pinyon apply``: the winner of an experiment becomes the project."""

from __future__ import annotations

from pathlib import Path

import click

from pinyon.cli.options import completes, json_option
from pinyon.cli.output import print_json


@click.command("apply", epilog="Example: pinyon apply lstm-optimization-2025 --dry-run")
@click.argument("experiment", shell_complete=completes("experiment_names"))
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be changed.")
@json_option
@click.pass_obj
def command(directory: str, /, experiment: str, dry_run: bool, as_json: bool) -> None:
    """Write an experiment's winner into your files.

    Its parameters go into the parameter files, comments and all else untouched; the outs of its replicate with the median
    objective are put where they belong. Nothing is computed.
    """
    from pinyon.apply import apply

    done = apply(Path(directory), experiment, dry_run=dry_run)
    if as_json:
        rows = [change._asdict() for change in done.changes]
        print_json(
            {**done._asdict(), "assignment": dict(done.assignment), "changes": rows, "dry_run": dry_run}
        )
        return
    for change in done.changes:
        click.echo(f"{change.file}: {change.name}: {change.before} → {change.after}")
    for name, value in done.words:
        click.echo(f"not in a file: {name}={value}; write it into the command")
    if not done.changes and not done.words:
        click.echo("your parameters are the winner's already")
    for stage in done.restored:
        click.echo(f"restored  {stage}")
    if done.lacking:
        click.echo(f"not kept: what {', '.join(done.lacking)} made; pinyon run makes it again")
