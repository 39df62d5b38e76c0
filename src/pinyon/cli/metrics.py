"""``pinyon metrics``: the numbers that stages left, and how they differ between two states."""

from __future__ import annotations

import click

from pinyon.cli.options import Sections, all_option, completes, json_option, unless_said
from pinyon.cli.output import number, print_json, table
from pinyon.cli.sides import print_changes, print_notes, sides


@click.group(
    "metrics", cls=Sections, invoke_without_command=True, epilog="Example: pinyon metrics diff HEAD~1"
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Show or compare the metrics that stages left.

    Without COMMAND: show.
    """
    unless_said(ctx, show)


@command.command("show", epilog="Example: pinyon metrics show --json")
@json_option
@click.argument("revisions", nargs=-1, shell_complete=completes("state_names"))
@click.pass_obj
def show(directory: str, as_json: bool = False, revisions: tuple[str, ...] = ()) -> None:
    """Show the metrics of the work tree, or of other states.

    REVISIONS are revisions of git, ids of runs or attempts, or stages.
    """
    from pinyon.model.leaves import flatten
    from pinyon.report.sides import metrics_of

    with sides(directory, revisions or ("",)) as found:
        values = {side.name: metrics_of(side) for side in found}
        notes = [note for side in found for note in side.notes]
    if as_json:
        print_json({"metrics": values, "notes": notes})
        return
    rows = [
        (name, file, leaf, number(value))
        for name, files in values.items()
        for file, data in files.items()
        for leaf, value in flatten(data).items()
    ]
    header = ("where", "file", "metric", "value")
    if not revisions:
        header, rows = header[1:], [row[1:] for row in rows]  # type: ignore[assignment,misc]
    table(header, rows)
    if not rows:
        click.echo("no metrics; a stage names them: metrics: [metrics.json]")
    print_notes(notes)


@command.command("diff", epilog="Example: pinyon metrics diff HEAD~1 HEAD")
@json_option
@all_option
@click.argument("old", default="HEAD", shell_complete=completes("state_names"))
@click.argument("new", default="", shell_complete=completes("state_names"))
@click.pass_obj
def diff(directory: str, old: str, new: str, as_json: bool, unchanged: bool) -> None:
    """Compare the metrics of two states.

    OLD (else HEAD) and NEW (else the work tree) are revisions of git, ids of runs or attempts, or stages.
    """
    from pinyon.report.sides import metrics_of

    print_changes(directory, (old, new), metrics_of, "metric", as_json=as_json, unchanged=unchanged)
