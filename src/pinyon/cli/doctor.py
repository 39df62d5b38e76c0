"""``pinyon doctor``: what is wrong here, and what to do about it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from pinyon.cli.options import json_option
from pinyon.cli.output import print_json, word
from pinyon.errors import StoreError


@click.command("doctor", epilog="Example: pinyon doctor")
@json_option
@click.pass_obj
@click.pass_context
def command(ctx: click.Context, directory: str, as_json: bool) -> None:
    """Say what is wrong here, why, and what to type next.

    Looks at the machine, the project, its git and its store. Exit code 5 when something is broken.
    """
    from pinyon.model.project import Goal
    from pinyon.report.health import examine
    from pinyon.session import load, open_records
    from pinyon.spec.load import load_project

    with ExitStack() as stack:
        root, store, fold, _ = open_records(Path(directory), stack)
        findings = list(examine(root, store, fold, lambda: len(load(load_project(root), Goal())[0].tasks)))
    if as_json:
        print_json([finding._asdict() for finding in findings])
    else:
        for finding in findings:
            click.echo(
                f"{word(finding.level, 5)} {finding.what}"
                + (f"; {finding.why}" if finding.why else "")
                + (f" → {finding.fix}" if finding.fix else "")
            )
    if any(finding.level == "bad" for finding in findings):
        ctx.exit(StoreError.exit_code)
