"""``pinyon verify``: is everything still what it was?"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pinyon.cli.options import json_option
from pinyon.cli.output import is_watched, print_json

if TYPE_CHECKING:
    from pinyon.session import Records
    from pinyon.sync.repair import Repaired
    from pinyon.sync.verify import Report


@click.command("verify", epilog="Example: pinyon verify --json")
@json_option
@click.option("--repair", is_flag=True, help="Bring damaged and missing blobs back, with --from.")
@click.option("--from", "source", metavar="STORE", help="The replica, as in `pinyon sync`.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what --repair would bring back.")
@click.pass_obj
def command(directory: str, repair: bool, source: str | None, dry_run: bool, as_json: bool) -> None:
    """Read every journal, blob and ref again. Exit code 5 when something is damaged; changes nothing without --repair.

    What --repair replaces goes to `damaged/` in the store. Journals and refs are left as they are.
    """
    from pinyon.errors import CorruptError
    from pinyon.session import open_records
    from pinyon.sync.verify import verify

    if repair != (source is not None) or (dry_run and not repair):
        raise click.UsageError("--repair and --from STORE go together, and --dry-run with them")
    repaired = None
    with ExitStack() as stack:
        records = open_records(Path(directory), stack)
        tell = stack.enter_context(_Counter()).tell
        report = verify(records.store, tell)
        if source is not None:
            repaired = _repair(records, report, source, dry_run)
            report = report if dry_run else verify(records.store, tell)
    _print(report, repaired, dry_run, as_json)
    if report.damage:
        raise CorruptError(
            f"{len(report.damage)} damaged", where=report.damage[0].file, why=report.damage[0].what,
            next="remove a damaged blob and pinyon run makes it again; keep damaged journals, the rest of them is read",
        )  # fmt: skip


def _repair(records: Records, report: Report, source: str, dry_run: bool) -> Repaired:
    from pinyon.session.stores import open_store
    from pinyon.sync.carry import same_project
    from pinyon.sync.repair import repair

    replica = open_store(records.root, records.store, source)
    same_project(records.store, replica)
    return repair(records.store, replica, report.broken, dry_run=dry_run)


def _print(report: Report, repaired: Repaired | None, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                **report._asdict(),
                "damage": [d._asdict() for d in report.damage],
                "torn": [d._asdict() for d in report.torn],
                **({} if repaired is None else {"dry_run": dry_run, "repaired": repaired._asdict()}),
            }
        )
        return
    click.echo(
        f"{report.records} records in {report.segments} journals, {report.blobs} blobs, {report.refs} refs read"
    )
    for torn in report.torn:
        click.echo(f"torn     {torn.file}:{torn.offset}  {torn.what} (harmless: its writer was killed)")
    for damage in report.damage:
        click.echo(f"{click.style('damaged', fg='red')}  {damage.file}:{damage.offset}  {damage.what}")
    if repaired is not None:
        click.echo(
            f"{len(repaired.healed)} blobs {'would be' if dry_run else 'were'} brought back, "
            f"{len(repaired.left)} are not sound in the replica either"
        )


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
