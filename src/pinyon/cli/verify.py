"""``pinyon verify``: is everything still what it was?"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from pinyon.cli.options import json_option
from pinyon.cli.output import is_watched, print_json


@click.command("verify", epilog="Example: pinyon verify --json")
@json_option
@click.pass_obj
def command(directory: str, as_json: bool) -> None:
    """Read every journal, blob and ref again. Exit code 5 when something is damaged; changes nothing."""
    from pinyon.errors import CorruptError
    from pinyon.session import open_records
    from pinyon.sync.verify import verify

    with ExitStack() as stack:
        report = verify(open_records(Path(directory), stack).store, stack.enter_context(_Counter()).tell)
    if as_json:
        print_json(
            {
                **report._asdict(),
                "damage": [d._asdict() for d in report.damage],
                "torn": [d._asdict() for d in report.torn],
            }
        )
    else:
        click.echo(
            f"{report.records} records in {report.segments} journals, {report.blobs} blobs, {report.refs} refs read"
        )
        for torn in report.torn:
            click.echo(f"torn     {torn.file}:{torn.offset}  {torn.what} (harmless: its writer was killed)")
        for damage in report.damage:
            click.echo(f"{click.style('damaged', fg='red')}  {damage.file}:{damage.offset}  {damage.what}")
    if report.damage:
        raise CorruptError(
            f"{len(report.damage)} damaged", where=report.damage[0].file, why=report.damage[0].what,
            next="remove a damaged blob and pinyon run makes it again; keep damaged journals, the rest of them is read",
        )  # fmt: skip


class _Counter:
    """Shows how far it is, to a person only."""

    def __enter__(self) -> _Counter:
        self._shown = is_watched()
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            click.echo("\r\033[K", nl=False)

    def tell(self, what: str, count: int) -> None:
        if self._shown and count % 50 == 0:
            click.echo(f"\r\033[K{what} {count}", nl=False)
