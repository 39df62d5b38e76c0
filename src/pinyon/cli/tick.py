"""``pinyon tick``: one step of a pipeline that nobody watches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pinyon.cli.options import json_option
from pinyon.cli.output import print_json

if TYPE_CHECKING:
    from pinyon.report.told import Told


@click.command("tick", epilog="Example: pinyon tick --chain -j 2")
@json_option
@click.option("--isolated", is_flag=True, help="Run in workspaces of their own; your files stay as they are.")
@click.option("--chain", is_flag=True, help="Have it called again whenever what it started has ended.")
@click.option("-j", "--jobs", type=click.IntRange(1), default=1, show_default=True, help="Attempts at once.")
@click.argument("goals", nargs=-1)
@click.pass_obj
def command(
    directory: str, as_json: bool, isolated: bool, chain: bool, jobs: int, goals: tuple[str, ...]
) -> None:
    """Start what can start now, and return without waiting for it.

    Call it as often as you like, as from cron (*/10 * * * * pinyon -C /data/study tick), also several at once: nothing
    runs twice, and each call goes on from where things are. With --chain one call is enough. What failed is not tried
    again; pinyon run does that. Exit code 0: all is done, or still going; 4: stages failed, and nothing else can be done;
    6: an experiment has no winner, or its gate refuses it.
    """
    from pinyon import tick
    from pinyon.errors import StageFailedError
    from pinyon.model.project import Goal

    def news(told: Told) -> None:
        if told.kind == "promote" and not as_json:
            click.echo(f"promoted {told.stage} {told.text}")

    done = tick.tick(Path(directory), Goal(goals, isolated=isolated), jobs=jobs, chain=chain, tell=news)
    if as_json:
        print_json(tick.as_dict(done))
    else:
        click.echo(describe(tick.as_dict(done)))
    if done.state == "failed":
        raise StageFailedError(
            f"stage{'s' * (len(done.failed) > 1)} {', '.join(done.failed[:5])} failed, or need one that did",
            next=f"pinyon logs {done.failed[0]}, then: pinyon run",
        )


def describe(done: dict[str, object]) -> str:
    """One line: what a call did, and how things stand."""
    parts = []
    for word in ("started", "reused", "repaired"):
        names = done.get(word)
        if isinstance(names, (list, tuple)) and names:
            parts.append(f"{word} {', '.join(map(str, names[:8]))}{', …' if len(names) > 8 else ''}")
    waiting = done.get("waiting")
    count = len(waiting) if isinstance(waiting, (list, tuple)) else 0
    stand = {
        "done": "everything is done",
        "going": f"{count} attempt{'s' * (count != 1)} at work" if count else "more to do",
        "failed": "nothing more can be done",
        "busy": f"another is at work here: {done.get('holder')}",
    }.get(str(done.get("state")), str(done.get("state")))
    return "; ".join([*parts, stand])
