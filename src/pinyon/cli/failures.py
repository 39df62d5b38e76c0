"""What is left to say when stages have failed."""

from __future__ import annotations

import click

from pinyon.cli.progress import last_lines
from pinyon.report.plan import Result

_LINES = 3  # of a log


def print_failures(store: str, result: Result, seconds: float, *, listed: bool) -> None:
    """One line that counts what became of every stage; ``listed``: under it every stage that failed, with the end of its
    log. Without ``listed`` they have just been told."""
    total = len(result.graph.tasks)
    unchanged = sum(verdict.kind == "unchanged" for verdict in result.verdicts.values())
    parts = [f"{count} {name}" for name, count in result.counts.items() if count]
    # What was tried in vain several times is one stage that failed.
    reached = unchanged + result.counts.get("succeeded", 0) + result.counts.get("reused", 0)
    failed = [v.reason.about for v in result.verdicts.values() if v.kind == "stop" and v.reason.about]
    rest = total - reached - len(failed)
    parts += [f"{unchanged} unchanged"] if unchanged else []
    parts += [f"{rest} not run"] if rest > 0 else []
    click.echo(f"{total} stage{'s' * (total != 1)}: {', '.join(parts)} ({seconds:.1f} s)")
    for attempt in failed if listed else ():
        click.echo(f"{click.style('FAILED', fg='red')}    {attempt.stage} → pinyon logs {attempt.stage}")
        for line in last_lines(store, attempt, _LINES):
            click.echo(f"          │ {line}")
