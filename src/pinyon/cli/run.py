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
from pinyon.cli.shortcut import nothing_to_do, print_summary, question
from pinyon.errors import StageFailedError
from pinyon.store.place import STORE, project_around


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
    plain = not (sets or force or dry_run)
    if plain and (known := nothing_to_do(directory, goals, isolated=isolated)) is not None:
        _print(known, as_json, began)
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
    asked = question(goals, isolated=isolated) if plain else ""
    try:
        with progress_for(store, as_json) as progress:
            result = pipeline.run(
                Path(directory),
                goal,
                jobs=jobs,
                tell=progress.tell,
                remember=asked,
            )
    except StageFailedError as error:
        from pinyon.cli.failures import print_failures
        from pinyon.report.plan import Result

        if not as_json and isinstance(error.result, Result):
            print_failures(store, error.result, time.monotonic() - began, listed=keep_going)
        raise
    _print(result.as_dict(), as_json, began)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _print(summary: dict[str, Any], as_json: bool, began: float) -> None:
    if as_json:
        print_json(summary)
    else:
        print_summary(summary, time.monotonic() - began)
