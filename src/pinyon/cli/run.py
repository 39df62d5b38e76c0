"""``pinyon run``: carry a goal out."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any

import click

from pinyon.cli.options import goal_options, overrides
from pinyon.cli.output import print_json
from pinyon.execute import fingerprint
from pinyon.store.place import STORE, cache_of, project_around


@click.command("run", epilog="Example: pinyon run train -j 2")
@goal_options
@click.option("-j", "--jobs", type=click.IntRange(1), default=1, show_default=True, help="Attempts at once.")
@click.option("-k", "--keep-going", is_flag=True, help="After a failure go on with what does not need it.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be done, as `plan` does.")
@click.pass_obj
def command(
    directory: str,
    goals: tuple[str, ...],
    sets: tuple[str, ...],
    force: bool,
    isolated: bool,
    as_json: bool,
    jobs: int,
    keep_going: bool,
    dry_run: bool,
) -> None:
    """Run the stages that have to run, and nothing twice.

    GOALS are stages, with all that they need; none means every stage.
    """
    began = time.monotonic()
    question = {"run": goals, "isolated": isolated}
    shortcut = not (sets or force or dry_run)
    if shortcut and (known := _nothing_to_do(directory, question)) is not None:
        _print_summary(known, as_json, time.monotonic() - began)
        return
    from pinyon import pipeline
    from pinyon.model.project import Goal

    goal = Goal(goals, overrides(sets), force, keep_going, isolated or bool(sets))
    if dry_run:
        from pinyon.cli.plan import show

        show(pipeline.plan(Path(directory), goal), as_json)
        return
    from pinyon.cli.progress import progress_for

    signal.signal(signal.SIGTERM, _interrupt)
    store = os.path.join(project_around(directory) or directory, STORE)
    with progress_for(store, as_json) as progress:
        result = pipeline.run(
            Path(directory), goal, jobs=jobs, tell=progress.tell, remember=question if shortcut else None
        )
    _print_summary(result.as_dict(), as_json, time.monotonic() - began)


def _nothing_to_do(directory: str, question: dict[str, Any]) -> dict[str, Any] | None:
    root = project_around(directory)
    if root is None:
        return None
    return fingerprint.check(fingerprint.path_for(cache_of(os.path.join(root, STORE)), question), root)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _print_summary(summary: dict[str, Any], as_json: bool, seconds: float) -> None:
    if as_json:
        print_json(summary)
        return
    counts = {name: count for name, count in summary["counts"].items() if count}
    total = len(summary["tasks"])
    if not counts:
        click.echo(f"nothing to do: {total} stages unchanged ({seconds:.2f} s)")
        return
    parts = [f"{count} {name}" for name, count in counts.items()]
    rest = total - sum(counts.get(name, 0) for name in ("succeeded", "reused"))
    parts += [f"{rest} unchanged"] if rest > 0 else []
    click.echo(f"{total} stages: {', '.join(parts)} ({seconds:.1f} s)")
