"""``pinyon show``: one run, and where its numbers come from."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pinyon.cli.options import completes, json_option
from pinyon.cli.output import actor, by, number, plain, print_json, table, took, when, word
from pinyon.model.outcome import Attempt
from pinyon.model.units import show_bytes, show_seconds

if TYPE_CHECKING:
    from pinyon.report.captured import Captured

_ARTIFACTS = 20  # that are listed


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
    from pinyon.report.captured import captured_of
    from pinyon.session import open_records

    with ExitStack() as stack:
        _, store, index, _ = open_records(Path(directory), stack)
        attempts = find(index, run, succeeded=True)
        later = newer(index, attempts) if run == attempts[-1].stage else None
        found = captured_of(index, store.blobs, attempts[-1].execution)
        described = {**describe_run(index, attempts), "newer": later and later.run}
        described["captured"] = found and found._asdict()
    if as_json:
        print_json(described)
    else:
        _print(attempts, described, found)
        if later:
            click.echo(
                f"\na newer run of {run} is {word(later.status)}: {later.run} of {when(later.attempt.started)}"
                f" → pinyon show {later.run}"
            )


def _print_kin(described: dict[str, Any]) -> None:
    """The run inside which it began, those that began inside it, and its group."""
    if described["parent"]:
        click.echo(f"parent    {described['parent']}")
    for one in described["children"]:
        click.echo(f"child     {one['run']}  {plain(one['stage'])}  {word(one['status'])}")
    if described["group"]:
        click.echo(f"group     {plain(described['group'])}")


def _print(attempts: list[Attempt], described: dict[str, Any], found: Captured | None) -> None:
    from pinyon.report.captured import lines
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
    if found is not None:
        for what, text in lines(found):
            click.echo(f"{what:9} {text}")
    else:
        click.echo(f"code      {code or 'not recorded'}")
    if described["git_note"]:
        click.echo(f"commit    not recorded: {described['git_note']}")
    _print_kin(described)
    for file, name, value in last.inputs.get("params", ()):
        click.echo(f"param     {':'.join(filter(None, (file, name)))} = {number(value)}")
    for name, value in last.inputs.get("flags", ()):
        click.echo(f"flag      {name} = {number(value)}")
    from pinyon.query.fold import params_of

    declared = params_of(last)
    for name, value in described["params"].items():
        if name not in declared:  # its script told it
            click.echo(f"param     {name} = {number(value)}")
    for path, digest in last.inputs.get("deps", ()):
        click.echo(f"dep       {path}  {digest}")
    for out in last.outputs:
        click.echo(
            f"out       {out.path}  {out.digest}  {show_bytes(out.size)}"
            + ("" if out.stored else "  not kept")
        )
    _print_artifacts(str(described["run"]), described["artifacts"])
    for name, value in last.metrics.items():
        click.echo(f"metric    {name} = {number(value)}")
    _print_tracking(described["tracking"])
    for name, text in described["tags"].items():
        click.echo(f"tag       {plain(name)}{f' = {plain(text)}' if text else ''}")
    for one in described["notes"]:
        first, *more = str(one["text"]).splitlines() or [""]
        click.echo(f"note      {when(one['ts'])}  {plain(first)}{' …' if more else ''}")
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


def _print_artifacts(run: str, told: list[dict[str, Any]]) -> None:
    """The first of them; a training that keeps pictures has thousands."""
    for one in told[:_ARTIFACTS]:
        size = show_bytes(one["size"]) if isinstance(one["size"], int) else "-"
        click.echo(f"{plain(one['role'] or 'artifact'):9} {plain(str(one['name']))}  {one['digest']}  {size}")
    if len(told) > _ARTIFACTS:
        more = len(told) - _ARTIFACTS
        click.echo(
            f"artifact  … and {more} more → pinyon query \"select * from artifacts where run = '{run}'\""
        )


def _print_tracking(told: object) -> None:
    """Only what is not as it should be."""
    assert isinstance(told, dict), "see `tracking_of`"
    if told["dropped"]:
        click.echo(f"dropped   {told['dropped']} points that found no room while the disk took none")
    for why in told["unsafe"]:
        click.echo(f"points    waited in memory, so that kill -9 could lose the last 250 ms of them: {why}")
