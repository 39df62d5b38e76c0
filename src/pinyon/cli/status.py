"""``pinyon status``: what runs now, and how the last execution went."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from pinyon.cli.options import json_option
from pinyon.cli.output import print_json, table, when, word


@click.command("status", epilog="Example: pinyon status --json")
@json_option
@click.pass_obj
def command(directory: str, as_json: bool) -> None:
    """Say what is running, what was lost, and how the last execution ended. Reads records only; hashes nothing."""
    from pinyon.execute.data import differing, open_store
    from pinyon.query.status import describe
    from pinyon.session import open_records

    with ExitStack() as stack:
        records = open_records(Path(directory), stack)
        edited = [(one.path, how) for one, how in differing(records.root, open_store(records.root, stack)[1])]
        described = {**describe(records.fold), "data": [{"path": path, "state": how} for path, how in edited]}
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
        f"last execution {last['execution']}  {word(last['state'])}  {when(last['started'])}  {counts}"
    )
    rows = [(a["stage"], a["status"], a["attempt"], when(a["started"]), a["host"]) for a in described["open"]]
    table(("stage", "status", "attempt", "started", "host"), rows)
    if any(a["status"] == "LOST" for a in described["open"]):
        click.echo("lost attempts are cleaned up and tried again by the next: pinyon run")
