"""``pinyon show``: one run, and where its numbers come from."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from pinyon.cli.options import completes, json_option
from pinyon.cli.output import actor, by, number, print_json, table, took, when, word
from pinyon.model.outcome import Attempt
from pinyon.model.units import show_bytes, show_seconds


@click.command("show", epilog="Example: pinyon show train")
@json_option
@click.argument("run", shell_complete=completes("run_names"))
@click.pass_obj
def command(directory: str, run: str, as_json: bool) -> None:
    """Show a run: its inputs, outputs, attempts and log.

    RUN is a run, an attempt, the beginning of either, or a stage: then its newest run that succeeded, and a newer one
    that did not is named.
    """
    from pinyon.query.runs import describe_run, find, newer
    from pinyon.session import open_records

    with ExitStack() as stack:
        index = open_records(Path(directory), stack).fold
        attempts = find(index, run, succeeded=True)
        later = newer(index, attempts) if run == attempts[-1].stage else None
        described = {**describe_run(index, attempts), "newer": later and later.run}
    if as_json:
        print_json(described)
    else:
        _print(attempts, described)
        if later:
            click.echo(
                f"\na newer run of {run} is {word(later.status)}: {later.run} of {when(later.attempt.started)}"
                f" → pinyon show {later.run}"
            )


def _print(attempts: list[Attempt], described: dict[str, Any]) -> None:
    from pinyon.report.estimate import far_off

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
        click.echo(f"param     {':'.join(filter(None, (file, name)))} = {number(value)}")
    for name, value in last.inputs.get("flags", ()):
        click.echo(f"flag      {name} = {number(value)}")
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
            told["state"],
            told["detail"] or "-",
            when(a.started),
            took(a) + (f" (estimated {show_seconds(a.estimate)})" if a.estimate and far_off(a) else ""),
            a.message or (a.log[0] if a.log else ""),
        )
        for a, told in zip(attempts, described["history"], strict=True)
    ]
    table(("attempt", "state", "detail", "started", "took", "message or log"), rows)
