"""``pinyon logbook``: data, dependencies, decisions and analysis on one page."""

from __future__ import annotations

import time
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import click

from pinyon.cli.note import TOPICS
from pinyon.cli.options import json_option
from pinyon.cli.output import print_json


@click.command("logbook", epilog="Example: pinyon logbook -o LOGBOOK.md")
@json_option
@click.option("-o", "--output", metavar="FILE", type=click.Path(dir_okay=False), help="Write it there.")
@click.option("--since", metavar="WHEN", help="Only what is not older: 2026-11-22, or 7d.")
@click.option("--topic", type=click.Choice(TOPICS), help="Only this section.")
@click.pass_obj
def command(directory: str, as_json: bool, output: str | None, since: str | None, topic: str | None) -> None:
    """Show the data, the decisions and the findings of a project.

    It is Markdown, made anew from the records at each call: data that was added, lock files and environments, winners
    of experiments, changes of models, and everything that was noted with `pinyon note` and `run.note`.
    """
    from pinyon.report.logbook import logbook_markdown
    from pinyon.session import open_records
    from pinyon.session.logbook import read_logbook

    moment = _moment(since) if since else 0.0
    with ExitStack() as stack:
        book = read_logbook(open_records(Path(directory), stack)).since(moment)
    book = book.of(topic) if topic else book
    text = logbook_markdown(book)
    if output:
        _write(output, text)
    if as_json:
        print_json({**book.as_dict(), "written": output})
    else:
        click.echo(f"written to {output}" if output else text, nl=bool(output))


def _moment(text: str) -> float:
    """Seconds since the epoch of a date, or of so long ago."""
    from pinyon.model.units import seconds

    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        pass
    try:
        return time.time() - seconds(text)
    except ValueError:
        raise click.BadParameter(
            f"'{text}' is no date and no age; write 2026-11-22 or 7d", param_hint="--since"
        ) from None


def _write(path: str, text: str) -> None:
    import os

    from pinyon.execute.beside import write_whole

    write_whole(os.path.abspath(path), text.encode())
