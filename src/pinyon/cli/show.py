"""``pinyon show``: one run, and where its numbers come from."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from pinyon.cli.options import json_option
from pinyon.cli.output import actor, by, number, print_json, table, when, word
from pinyon.model.outcome import Attempt
from pinyon.model.units import show_bytes, show_seconds


@click.command("show", epilog="Example: pinyon show train")
@json_option
@click.argument("run")
@click.pass_obj
def command(directory: str, run: str, as_json: bool) -> None:
    """Show a run: its inputs, outputs, attempts and log.

    RUN is a run, an attempt, the beginning of either, or a stage (its newest run).
    """
    from pinyon.query.runs import describe_run, find
    from pinyon.session import open_records

    with ExitStack() as stack:
        index = open_records(Path(directory), stack).fold
        attempts = find(index, run)
        described = describe_run(index, attempts)
    if as_json:
        print_json(described)
    else:
        _print(attempts, described)


def _print(attempts: list[Attempt], described: dict[str, object]) -> None:
    last = attempts[-1]
    click.echo(
        f"{click.style(str(described['run']), bold=True)}  {last.stage}  {word(str(described['status']))}"
    )
    click.echo(f"key       {last.key}")
    click.echo(f"command   {' '.join(map(str, last.inputs.get('command', [''])[1:]))}")
    if described["actor"] and by(described["actor"]):
        click.echo(f"by        {actor(described['actor'])}")
    code = described["git"]
    click.echo(
        f"code      {code}"
        if code
        else f"code      not recorded: {described['git_note'] or 'not a git repository'}"
    )
    for file, name, value in last.inputs.get("params", ()):
        click.echo(f"param     {file}:{name} = {number(value)}")
    for path, digest in last.inputs.get("deps", ()):
        click.echo(f"dep       {path}  {digest}")
    for out in last.outputs:
        click.echo(
            f"out       {out.path}  {out.digest}  {show_bytes(out.size)}"
            + ("" if out.stored else "  not kept")
        )
    for name, value in last.metrics.items():
        click.echo(f"metric    {name} = {number(value)}")
    click.echo()
    rows = [
        (
            a.id,
            a.state,
            a.detail or "-",
            when(a.started),
            show_seconds(a.seconds),
            a.message or (a.log[0] if a.log else ""),
        )
        for a in attempts
    ]
    table(("attempt", "state", "detail", "started", "took", "message or log"), rows)
