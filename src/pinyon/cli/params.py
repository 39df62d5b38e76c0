"""``pinyon params``: how parameters differ between two states."""

from __future__ import annotations

import click

from pinyon.cli.options import Sections, all_option, completes, json_option
from pinyon.cli.sides import print_changes


@click.group("params", cls=Sections, epilog="Example: pinyon params diff HEAD~1")
def command() -> None:
    """Compare parameters of two states."""


@command.command("diff", epilog="Example: pinyon params diff r-298779a0fb0d3903")
@json_option
@all_option
@click.argument("old", default="HEAD", shell_complete=completes("state_names"))
@click.argument("new", default="", shell_complete=completes("state_names"))
@click.pass_obj
def diff(directory: str, old: str, new: str, as_json: bool, unchanged: bool) -> None:
    """Compare the parameters of two states.

    OLD (else HEAD) and NEW (else the work tree) are revisions of git, ids of runs or attempts, or stages. All of
    params.yaml counts, and what stages declare of other files.
    """
    from pinyon.report.sides import params_of

    print_changes(directory, (old, new), params_of, "parameter", as_json=as_json, unchanged=unchanged)
