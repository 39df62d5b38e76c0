"""``pinyon note``: a line, or more, for the project's logbook."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

import click

from pinyon.cli.options import completes, json_option
from pinyon.cli.output import print_json

TOPICS = ("decision", "data", "dependency", "analysis", "problem")
_BELOW = "# Write the note above this line. Nothing from here on counts."


@click.command("note", epilog='Example: pinyon note "chose window 50: best at 3 seeds" --topic decision')
@json_option
@click.argument("text", required=False)
@click.option("--topic", type=click.Choice(TOPICS), help="The section of the logbook that it belongs to.")
@click.option(
    "--about",
    metavar="NAME",
    default="",
    help="A run, a stage, an experiment, a model, or a path.",
    shell_complete=completes("run_names"),
)
@click.pass_obj
def command(directory: str, text: str | None, topic: str | None, about: str, as_json: bool) -> None:
    """Write something down in the project's logbook.

    Without TEXT your editor opens; - reads standard input. `pinyon logbook` shows what was noted.
    """
    from pinyon.session import open_records
    from pinyon.session.notes import write_note

    with ExitStack() as stack:
        records = open_records(Path(directory), stack)
        body = write_note(records, _text(text), topic or "", about, directory)
    if as_json:
        print_json(body)
    else:
        click.echo(f"noted{f' as {topic}' if topic else ''}  → pinyon logbook")


def _text(given: str | None) -> str:
    if given == "-":
        return sys.stdin.buffer.read().decode("utf-8", "replace")
    if given is not None:
        return given
    written: str | None = click.edit(f"\n\n{_BELOW}\n", extension=".md", require_save=True)
    return (written or "").partition(_BELOW)[0]
