"""``pinyon tag``: tags of a run, after the fact."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from pinyon.cli.options import completes, json_option
from pinyon.cli.output import plain, print_json


class _Tagging(click.Command):
    """``-name`` is a tag to take away, not options of one letter each."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        gone = [word for word in args if len(word) > 2 and word[0] == "-" != word[1]]
        rest = super().parse_args(ctx, [word for word in args if word not in gone])
        ctx.params["gone"] = tuple(word[1:] for word in gone)
        return rest


@click.command("tag", cls=_Tagging, epilog="Example: pinyon tag train good reviewed=anna -draft")
@json_option
@click.argument("run", shell_complete=completes("run_names"))
@click.argument("tags", nargs=-1, metavar="[NAME[=VALUE]]… [-NAME]…")
@click.pass_obj
def command(directory: str, run: str, tags: tuple[str, ...], gone: tuple[str, ...], as_json: bool) -> None:
    """Tag a run, or take tags away; without any, show them.

    RUN is a run, an attempt, the beginning of either, or a stage: then its newest run that succeeded. The tag `group`
    puts runs into a group.
    """
    from pinyon.query.runs import find
    from pinyon.session import open_records
    from pinyon.session.notes import write_tags

    pairs = [word.partition("=") for word in tags]
    for name, _, _ in pairs:
        if not name:
            raise click.UsageError("a tag needs a name: NAME or NAME=VALUE")
    with ExitStack() as stack:
        records = open_records(Path(directory), stack)
        attempts = find(records.fold, run, succeeded=True)
        now = write_tags(records, attempts, {name: value for name, _, value in pairs}, gone)
    from pinyon.model.ids import run_id

    which = run_id(attempts[-1].key)
    if as_json:
        print_json({"run": which, "tags": now})
        return
    shown = ", ".join(f"{plain(name)}={plain(text)}" if text else plain(name) for name, text in now.items())
    click.echo(f"{which}  {attempts[-1].stage}  {shown or 'no tags'}")
