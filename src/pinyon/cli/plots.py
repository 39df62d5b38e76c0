"""``pinyon plots``: the plots that stages left, drawn into one page."""

from __future__ import annotations

import os
from pathlib import Path

import click

from pinyon.cli.options import Sections, completes, json_option
from pinyon.cli.output import print_json
from pinyon.cli.sides import print_notes, sides

_out = click.option(
    "-o", "--out", type=click.Path(dir_okay=False), metavar="FILE", help="Write the page there."
)


@click.group("plots", cls=Sections, epilog="Example: pinyon plots show -o plots.html")
def command() -> None:
    """Draw the plots that stages left into one page."""


@command.command("show", epilog="Example: pinyon plots show -o plots.html")
@json_option
@_out
@click.argument("revision", default="", shell_complete=completes("state_names"))
@click.pass_obj
def show(directory: str, revision: str, as_json: bool, out: str | None) -> None:
    """Draw the plots of one state, and print the page's path.

    REVISION is a revision of git, the id of a run or attempt, or a stage; none means the work tree.
    """
    _page(directory, (revision,), as_json, out)


@command.command("diff", epilog="Example: pinyon plots diff HEAD~1 -o plots.html")
@json_option
@_out
@click.argument("old", default="HEAD", shell_complete=completes("state_names"))
@click.argument("new", default="", shell_complete=completes("state_names"))
@click.argument("more", nargs=-1, shell_complete=completes("state_names"))
@click.pass_obj
def diff(directory: str, old: str, new: str, more: tuple[str, ...], as_json: bool, out: str | None) -> None:
    """Draw the plots of several states over each other.

    OLD (else HEAD), NEW (else the work tree) and MORE are revisions of git, ids of runs or attempts, or stages.
    """
    _page(directory, (old, new, *more), as_json, out)


def _page(directory: str, names: tuple[str, ...], as_json: bool, out: str | None) -> None:
    from pinyon.report.plotpage import page
    from pinyon.report.plots import plots_of
    from pinyon.spec.load import find_root
    from pinyon.store.place import STORE, cache_of

    with sides(directory, names) as found:
        plots = plots_of(found)
        notes = [note for side in found for note in side.notes]
        title = " and ".join(side.name for side in found)
    if as_json:
        print_json({"plots": [plot.as_dict() for plot in plots], "notes": notes})
        return
    print_notes(notes)
    if not plots:
        click.echo("no plots; a stage names them: plots: [loss.csv]")
        return
    target = Path(out or os.path.join(cache_of(str(find_root(Path(directory)) / STORE)), "plots.html"))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page(f"Plots of {title}", plots, notes), encoding="utf-8")
    click.echo(target.absolute() if out else os.path.relpath(target))
