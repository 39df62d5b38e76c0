"""``pinyon generate``: files for other tools, from what is known here."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from pinyon.cli.options import json_option
from pinyon.cli.output import print_json


@click.group("generate", epilog="Example: pinyon generate dvc-lock --dry-run")
def command() -> None:
    """Write files that other tools read."""


@command.command("dvc-lock", epilog="Example: pinyon generate dvc-lock --dry-run")
@json_option
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be written.")
@click.option("--no-commit", is_flag=True, help="Leave DVC's cache alone; DVC then makes stages again.")
@click.pass_obj
def dvc_lock(directory: str, as_json: bool, dry_run: bool, no_commit: bool) -> None:
    """Write dvc.lock: what is finished here, DVC need not make.

    Outs go into DVC's cache, too, where there is a .dvc. Stages that are not finished keep the entry that they have,
    byte for byte.
    """
    from pinyon.model.project import Goal
    from pinyon.session import open_session

    with ExitStack() as stack:
        files = open_session(Path(directory), Goal(), stack).write_locks(
            dry=dry_run, with_bytes=not no_commit
        )
    if as_json:
        print_json([file.as_dict() for file in files])
        return
    verb = "would be updated" if dry_run else "updated"
    for file in files:
        counts = (
            f"{len(file.updated)} {verb}, {len(file.same)} right already, {len(file.unfinished)} not finished"
        )
        click.echo(f"{file.file}  {counts}")
        for name in file.updated:
            click.echo(f"  {name}")
        if file.committed:
            click.echo(f"  {len(file.committed)} outs are new in DVC's cache")
    if not files:
        click.echo("no stage of a dvc.yaml here")
