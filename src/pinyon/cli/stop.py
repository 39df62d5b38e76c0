"""``pinyon stop``: end what runs."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pinyon.cli.options import completes, json_option
from pinyon.cli.output import print_json, word

if TYPE_CHECKING:
    from pinyon.execute.stopping import Asked
    from pinyon.model.ids import ProcessId
    from pinyon.query.alive import Verdict
    from pinyon.query.index import Index

_PATIENCE = 30.0  # seconds to wait for the ends


@click.command("stop", epilog="Example: pinyon stop train")
@click.argument("names", nargs=-1, metavar="[RUN|STAGE|EXECUTION]...", shell_complete=completes("run_names"))
@click.option("--all", "every", is_flag=True, help="All that runs in this project.")
@click.option("--dry-run", is_flag=True, help="Say what would be stopped, and do nothing.")
@json_option
@click.pass_obj
def command(directory: str, names: tuple[str, ...], every: bool, dry_run: bool, as_json: bool) -> None:
    """End what runs: SIGTERM, its grace, SIGKILL.

    It is recorded as cancelled, and by whom. An EXECUTION ends with its driver, so that nothing more starts.
    """
    from pinyon.execute.stopping import ask, check
    from pinyon.session import open_records

    with ExitStack() as stack:
        _, store, index, _ = open_records(Path(directory), stack)
        asked, drivers = _chosen(index, names, every)
        check(asked)
        ended: dict[str, Verdict] = {}
        if not dry_run:
            ask(store.url, asked, drivers)
            ended = _await(index, asked)
    rows = [
        {
            "attempt": one.attempt.id, "stage": one.attempt.stage, "execution": one.attempt.execution,
            "status": "would be stopped" if dry_run else ended[one.attempt.id].status,
            "detail": "" if dry_run else ended[one.attempt.id].detail,
        }
        for one in asked
    ]  # fmt: skip
    if as_json:
        print_json(rows)
        return
    for row in rows:
        late = (
            "" if dry_run or row["status"] not in ("RUNNING", "SUBMITTED") else "  asked to end; pinyon watch"
        )
        click.echo(f"{word(row['status'], 9)}  {row['stage']}  {row['attempt']}{late}")
    if not rows:
        click.echo("nothing runs" if not drivers else "the driver was asked to end")


def _chosen(index: Index, names: tuple[str, ...], every: bool) -> tuple[list[Asked], list[ProcessId]]:
    """Attempts that are meant and live, and the drivers of executions that are meant as a whole.

    Raises:
        PlanError: nothing is meant, or nothing that is called so runs.
    """
    from pinyon.errors import PlanError
    from pinyon.execute.stopping import Asked
    from pinyon.model.outcome import FINAL
    from pinyon.query.alive import look
    from pinyon.query.going import means

    if bool(names) == every:
        raise PlanError("what is to be stopped?", next="pinyon stop RUN, or pinyon stop --all")
    own, values = index.seen_by(None)
    found = [
        one
        for one, seen in look(index, index.attempts(f"open and {own}", *values))
        if seen.status not in FINAL
    ]
    meant = [one for one in found if every or any(means(one, "", name) for name in names)]
    for name in names:
        if not any(means(one, "", name) for one in found):
            raise PlanError(f"nothing that is called '{name}' runs now", next="pinyon watch --once")
    alone = {one.id for one in meant if _alone(index, one.id)}
    whole = {one.execution for one in meant if every or any(name == one.execution for name in names)}
    drivers = [driver for name in sorted(whole) if (driver := _driver(index, name)) is not None]
    mine = {one.supervisor for one in meant}
    return [Asked(one, one.id in alone) for one in meant], [one for one in drivers if one not in mine]


def _alone(index: Index, attempt: str) -> bool:
    """Whether the process that began the attempt is the one that runs it."""
    told = index.document(attempt)
    return "running" in told and told["running"][0] == told["intent"][0]


def _driver(index: Index, execution: str) -> ProcessId | None:
    """The driver of an execution, where it lives on this host."""
    document = dict(index.executions("id = ?", execution)).get(execution, {})
    process = index.process(document["execution"][0]) if "execution" in document else None
    return process if process is not None and process.alive() else None


def _await(index: Index, asked: list[Asked]) -> dict[str, Verdict]:
    """What they are as soon as all have ended, or when patience has."""
    from pinyon.model.outcome import FINAL
    from pinyon.query.alive import look

    deadline = time.monotonic() + _PATIENCE
    while True:
        index.catch_up()
        found = look(index, [one for ask in asked for one in index.attempts("id = ?", ask.attempt.id)])
        verdicts = {one.id: seen for one, seen in found}
        if all(seen.status in FINAL for seen in verdicts.values()) or time.monotonic() > deadline:
            return verdicts
        time.sleep(0.05)
