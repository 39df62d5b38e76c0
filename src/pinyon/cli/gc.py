"""``pinyon gc``: free what nothing refers to, in two steps a day apart."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pinyon.cli.options import json_option
from pinyon.cli.output import print_json, table
from pinyon.model.units import show_bytes

if TYPE_CHECKING:
    from pinyon.execute.clean import Rubbish
    from pinyon.query.retention import Rule
    from pinyon.session import Records
    from pinyon.sync.gc import Policy, Swept


def _age(_ctx: click.Context, _param: click.Parameter, value: str | None) -> float | None:
    from pinyon.model.units import seconds

    try:
        return None if value is None else seconds(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command("gc", epilog="Example: pinyon gc --keep-last 3 --older-than 30d --dry-run")
@json_option
@click.option(
    "--keep-last", type=click.IntRange(1), metavar="N", help="Give up all but N runs of each stage."
)
@click.option(
    "--older-than", callback=_age, metavar="AGE", help="Give up only what was last used so long ago."
)
@click.option(
    "--all-commits", is_flag=True, help="Keep what pointers in any commit name, not only in branches."
)
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would go.")
@click.pass_obj
def command(
    directory: str,
    keep_last: int | None,
    older_than: float | None,
    all_commits: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Free what nothing refers to. It is marked now, and deleted by a gc a day later or more, if that still holds.

    Outputs of every successful run are kept unless --keep-last or --older-than gives some up; the newest of each stage
    always stays.
    """
    from pinyon.capture.facts import user
    from pinyon.execute.clean import clean
    from pinyon.model.outcome import FINAL
    from pinyon.query.retention import Rule
    from pinyon.session import open_records
    from pinyon.sync.gc import collect

    with ExitStack() as stack:
        records = open_records(Path(directory), stack)
        now, rule = time.time(), Rule(keep_last, older_than)
        swept = collect(
            records.store, _policy(records, rule, all_commits, now), now=now, user=user(), dry_run=dry_run
        )

        def is_over(name: str) -> bool:
            found = records.fold.attempts("id = ?", name)
            return bool(found) and found[0].state in FINAL

        rubbish = clean(records.store.url, is_over, now=now, dry_run=dry_run)
    if as_json:
        print_json(_as_dict(swept, rubbish, dry_run))
    else:
        _print(swept, rubbish, dry_run)


def _policy(records: Records, rule: Rule, all_commits: bool, now: float) -> Policy:
    """What this project's pointers name, and what the rule gives up."""
    from pinyon.capture.history import versions
    from pinyon.query.retention import dropped
    from pinyon.spec.pointer import all_pointers
    from pinyon.store.names import names_in
    from pinyon.store.place import POINTER
    from pinyon.sync.gc import Policy

    texts = [(records.root / file).read_bytes() for file in all_pointers(records.root)]
    history = versions(records.root, POINTER, all_commits=all_commits)
    roots = {name for text in [*texts, *(history or ())] for name in names_in(text)}
    # Without git's word on the history, everything that was ever added stays.
    mine = frozenset() if history is None else frozenset({str(records.root)})
    return Policy(roots, lambda scan: dropped(records.fold, rule, scan.reused, now), mine)


def _as_dict(swept: Swept, rubbish: list[Rubbish], dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "blobs": swept.blobs,
        "referenced": swept.referenced,
        "condemned": swept.condemned,
        "waiting": swept.waiting,
        "deleted": swept.deleted,
        "spared": list(swept.spared),
        "rubbish": [one._asdict() for one in rubbish],
    }


def _print(swept: Swept, rubbish: list[Rubbish], dry_run: bool) -> None:
    would = "would be " if dry_run else ""
    rows = [
        (f"{would}deleted", len(swept.deleted), _sum(swept.deleted)),
        (f"{would}condemned: deleted by a gc tomorrow", len(swept.condemned), _sum(swept.condemned)),
        ("condemned before, and waiting", len(swept.waiting), _sum(swept.waiting)),
    ]
    for what, name in (
        ("tmp", "old temporary files"),
        ("aside", "old outs set aside"),
        ("work", "workspaces"),
    ):
        sizes = [one.size for one in rubbish if one.what == what]
        rows.append((f"{name}{' to remove' if dry_run else ' removed'}", len(sizes), sum(sizes)))
    table(
        ("what", "count", "bytes"), [(what, count, show_bytes(size)) for what, count, size in rows if count]
    )
    click.echo(f"{swept.referenced} of {swept.blobs} blobs are referred to")


def _sum(sizes: dict[str, int]) -> int:
    return sum(sizes.values())
