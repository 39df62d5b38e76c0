"""``pinyon sync``: copies of the store elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pinyon.cli.options import Sections, json_option
from pinyon.cli.output import is_watched, plain, print_json, table
from pinyon.model.units import show_bytes

if TYPE_CHECKING:
    from pinyon.sync.carry import Moved
    from pinyon.sync.views import Plan

_EVERY = 0.1  # seconds between two looks of a person at the bar


def _age(_ctx: click.Context, _param: click.Parameter, value: str | None) -> float | None:
    from pinyon.model.units import seconds

    try:
        return None if value is None else time.time() - seconds(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _rate(_ctx: click.Context, _param: click.Parameter, value: str | None) -> int:
    from pinyon.model.units import size

    try:
        found = 0 if value is None else size(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    if value is not None and found <= 0:
        raise click.BadParameter("it must be more than nothing")
    return found


def _asking(command: Callable[..., None]) -> Callable[..., None]:
    """Options of both directions."""
    for option in (
        click.option("-n", "--dry-run", is_flag=True, help="Only say what would be copied."),
        click.option("--rate", callback=_rate, metavar="SIZE", help="Bytes a second at most, such as 2MB."),
        click.option(
            "--since", callback=_age, metavar="AGE", help="Blobs that records of the last AGE name."
        ),
        click.option(
            "--experiment", "experiments", multiple=True, metavar="NAME", help="Blobs of an experiment."
        ),
        click.option(
            "--artifact", "artifacts", multiple=True, metavar="NAME", help="An artifact, or an out."
        ),
        click.option("--run", "runs", multiple=True, metavar="RUN", help="Blobs of a run."),
        json_option,
        click.argument("store"),
    ):
        command = option(command)
    return click.pass_obj(command)


@click.group("sync", cls=Sections, epilog="Example: pinyon sync push backup")
def command() -> None:
    """Copy the store to another place, or from there.

    STORE is a name below `stores:` in pinyon.yaml, a URL, or a path with a slash in it.
    """


@command.command("push", epilog="Example: pinyon sync push backup --rate 10MB")
@_asking
def push_command(directory: str, store: str, dry_run: bool, rate: int, as_json: bool, **asked: Any) -> None:
    """Send what the store there lacks.

    Cut off anywhere, the next push sends the rest. With --run, --artifact, --experiment or --since only those blobs are
    sent, and records that name others wait.
    """
    from pinyon.session import open_records
    from pinyon.session.stores import Selection, open_store, selected
    from pinyon.sync.push import push, push_plan

    with ExitStack() as stack:
        records = open_records(Path(directory), stack)
        there = open_store(records.root, records.store, store)
        planned = push_plan(records.store, there, selected(records, Selection(**asked)))
    if dry_run:
        _show_plan(planned, "sent", as_json)
        return
    with _Bar(planned.size) as bar:
        moved = push(records.store, there, planned, bar.tell, rate=rate)
    _show(moved, "sent", as_json)


@command.command("pull", epilog="Example: pinyon sync pull backup --run train")
@_asking
@click.option("--home", is_flag=True, help="The old home is lost: a store made here is the home.")
def pull_command(
    directory: str, store: str, dry_run: bool, rate: int, as_json: bool, home: bool, **asked: Any
) -> None:
    """Fetch what the store here lacks.

    Cut off anywhere, the next pull fetches the rest. With --run, --artifact, --experiment or --since all records come,
    and only those blobs.
    """
    from pinyon.session import open_records
    from pinyon.session.stores import Selection, open_store, selected
    from pinyon.spec.load import find_root
    from pinyon.store.local import home_store
    from pinyon.sync.pull import pull, pull_plan

    root = find_root(Path(directory))
    here, asking = home_store(root), Selection(**asked)
    there = open_store(root, here, store)
    first = None
    if asking == Selection() or dry_run:
        planned = pull_plan(there, here, _known(root, asking))
    else:
        # What a run is, only its records say.
        first = pull(there, here, pull_plan(there, here, ()), rate=rate, home=home)
        with ExitStack() as stack:
            planned = pull_plan(there, here, selected(open_records(root, stack), asking))
    if dry_run:
        _show_plan(planned, "fetched", as_json)
        return
    with _Bar(planned.size) as bar:
        moved = pull(there, here, planned, bar.tell, rate=rate, home=home)
    _show(moved if first is None else first.and_then(moved), "fetched", as_json)


@command.command("status", epilog="Example: pinyon sync status backup")
@json_option
@click.argument("store")
@click.pass_obj
def status_command(directory: str, store: str, as_json: bool) -> None:
    """Compare the store here with the one there, by names and sizes."""
    from pinyon.session.stores import open_store
    from pinyon.spec.load import find_root
    from pinyon.store.local import home_store
    from pinyon.sync.status import status

    root = find_root(Path(directory))
    here = home_store(root)
    there = open_store(root, here, store)
    found = status(here, there)
    if as_json:
        print_json(found.as_dict())
        return
    rows = [
        (name, *side[:3], show_bytes(side.size))
        for name, side in (("here", found.here), ("there", found.there))
    ]
    for what, planned in (("to push", found.push), ("to pull", found.pull)):
        counts = planned.as_dict()
        rows.append((what, counts["blobs"], counts["streams"], counts["refs"], show_bytes(planned.size)))
    table(("", "blobs", "journals and logs", "versions of refs", "bytes"), rows)


def _known(root: Path, asking: Any) -> set[str] | None:
    """The blobs that are asked for, as far as the records that are here tell."""
    from pinyon.session import open_records
    from pinyon.session.stores import Selection, selected

    if asking == Selection():
        return None
    with ExitStack() as stack:
        return selected(open_records(root, stack), asking)


def _show_plan(planned: Plan, done: str, as_json: bool) -> None:
    counts = planned.as_dict()
    if as_json:
        print_json({"dry_run": True, **counts})
        return
    click.echo(
        f"{counts['blobs']} blobs, {counts['streams']} journals and logs and {counts['refs']} versions of refs would be"
        f" {done}, {show_bytes(planned.size)}"
    )


def _show(moved: Moved, done: str, as_json: bool) -> None:
    from pinyon.errors import CorruptError

    if as_json and not moved.damaged:
        print_json(moved.as_dict())
    elif not as_json:
        click.echo(
            f"{moved.blobs} blobs, {moved.streams} journals and logs and {moved.refs} versions of refs {done},"
            f" {show_bytes(moved.size)}"
        )
        for one in moved.held:
            click.echo(f"waits    {plain(one)}  names blobs that were not asked for")
        for one in moved.damaged:
            click.echo(f"{click.style('damaged', fg='red')}  {plain(one)}")
    if moved.damaged:
        raise CorruptError(
            f"{len(moved.damaged)} damaged, and not copied or told",
            where=moved.damaged[0],
            next="pinyon verify",
            result=moved,
        )


class _Bar:
    """Shows how far it is, to a person only."""

    def __init__(self, total: int) -> None:
        self._total, self._done, self._told = total, 0, 0.0
        self._lock = threading.Lock()

    def __enter__(self) -> _Bar:
        self._shown = is_watched()
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            click.echo("\r\033[K", nl=False)

    def tell(self, what: str, count: int) -> None:
        """More has been copied; called from any thread."""
        if not self._shown:
            return
        with self._lock:
            self._done += count if what != "refs" else 0
            if time.monotonic() - self._told < _EVERY:
                return
            self._told = time.monotonic()
            part = min(1.0, self._done / self._total) if self._total else 1.0
            bar = "█" * round(part * 30)
            click.echo(
                f"\r\033[K{what:<9}{bar:░<30} {show_bytes(self._done)} of {show_bytes(self._total)}", nl=False
            )
