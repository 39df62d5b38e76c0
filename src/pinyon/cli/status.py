"""``pinyon status``: what runs now, and how the last execution went."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from pinyon.cli.options import json_option
from pinyon.cli.output import actor, by, print_json, table, when, word


@click.command("status", epilog="Example: pinyon status --json")
@json_option
@click.pass_obj
def command(directory: str, as_json: bool) -> None:
    """Say what runs now, and how the last execution ended.

    Attempts that were lost are named. Reads records only; hashes nothing.
    """
    from pinyon.execute.data import differing, open_store
    from pinyon.query.status import describe
    from pinyon.report.living import living
    from pinyon.session import open_records

    with ExitStack() as stack:
        root, store, fold, _ = open_records(Path(directory), stack)
        edited = [(one.path, how) for one, how in differing(root, open_store(root, stack)[1])]
        described = {**describe(fold), **living(root, store, fold.project or root.name)}
        described["data"] = [{"path": path, "state": how} for path, how in edited]
    if as_json:
        print_json(described)
        return
    for path, how in edited:
        what = "differs" if how == "changed" else "was touched, and may differ,"
        click.echo(f"data {path} {what} from its pointer; pinyon add {path}")
    last = described["last"]
    if last is None:
        click.echo("nothing has run here yet; pinyon run starts it")
        return
    counts = ", ".join(f"{n} {name}" for name, n in last["counts"].items())
    click.echo(
        f"last execution {last['execution']}  {word(last['state'])}  {when(last['started'])}  "
        f"{by(last['actor'])}{counts}"
    )
    rows = [
        (a["stage"], a["status"], a["attempt"], when(a["started"]), a["host"], a["detail"])
        for a in described["open"]
    ]
    _print_living(described)
    table(("stage", "status", "attempt", "started", "host", ""), rows)
    if any(a["status"] == "LOST" for a in described["open"]):
        click.echo("lost attempts are cleaned up and tried again by the next: pinyon run")


def _print_living(described: dict[str, Any]) -> None:
    last = described["tick"]
    if last is not None:
        from pinyon.cli.tick import describe

        click.echo(f"last tick {when(last['ts'])}  {by(last['actor'])}{describe(last)}")
    for name in ("driver", "lease"):
        who = described[name]
        if who is not None:
            user = who.get("user") or actor(who.get("actor"))
            what = {"driver": "a driver works here", "lease": "a tick is at work"}[name]
            click.echo(
                f"{what}: process {who['pid']} on {who['host']}, by {user} since {when(who['started'] or 0)}"
            )
