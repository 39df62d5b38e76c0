"""``pinyon logs``: what an attempt printed."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from pathlib import Path

import click

from pinyon.cli.options import completes


@click.command("logs", epilog="Example: pinyon logs -f train")
@click.argument("run", shell_complete=completes("run_names"))
@click.option("-f", "--follow", is_flag=True, help="Go on while the attempt runs.")
@click.pass_obj
def command(directory: str, run: str, follow: bool) -> None:
    """Print what the newest attempt of a RUN printed.

    RUN is a run, an attempt, the beginning of either, or a stage.
    """
    from pinyon.model.outcome import LOST, RUNNING
    from pinyon.query import logs
    from pinyon.query.runs import find, status
    from pinyon.session import open_records

    with ExitStack() as stack:
        _, store, index, _ = open_records(Path(directory), stack)
        attempt = max(find(index, run), key=lambda one: one.started)
        done = 0
        while True:
            data = logs.read(store.url, attempt, done)
            sys.stdout.buffer.write(data)
            sys.stdout.flush()
            done += len(data)
            if not follow or status(attempt) not in (RUNNING, "SUBMITTED"):
                break
            time.sleep(0.2)
            index.catch_up()
            attempt = find(index, attempt.id)[0]
        if not done:
            none = (
                "printed nothing"
                if attempt.log
                else "left no log: what it printed, if anything, was not kept"
            )
            click.echo(f"{attempt.id} of {attempt.stage} {none}", err=True)
        elif status(attempt) == LOST:
            click.echo(f"{attempt.id} is lost: its supervisor is gone", err=True)
