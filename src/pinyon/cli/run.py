"""``pinyon run``: carry a goal out."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any

import click

from pinyon.cli.adhoc import RunCommand, Words, command_options, run_command
from pinyon.cli.options import goal_of, goal_options
from pinyon.cli.output import print_json
from pinyon.cli.shortcut import nothing_to_do, print_summary, question
from pinyon.errors import GateError, NoWinnerError, StageFailedError
from pinyon.store.place import home_of, project_around


@click.command("run", cls=RunCommand, epilog="Example: pinyon run train -j 2")
@goal_options
@command_options
@click.option("-j", "--jobs", type=click.IntRange(1), default=1, show_default=True, help="Attempts at once.")
@click.option("-k", "--keep-going", is_flag=True, help="After a failure go on with what does not need it.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be done, as `plan` does.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    goals: tuple[str, ...],
    as_json: bool,
    jobs: int,
    keep_going: bool,
    dry_run: bool,
    **asked: Any,
) -> None:
    """Run the stages that have to run, and nothing twice.

    GOALS are stages, with all that they need; none means every stage. They are called train, build for all of a loop,
    build@x, sub/dvc.yaml:train, sub/dvc.yaml or data.dvc, and looked up here first, then from the project's root.
    Or one experiment: all of its phases, each on the winners of those before it. Your files stay as they are.

    After -- stands a command instead, which needs no pinyon.yaml: it runs as it is, every time, and its flags,
    metrics.json and output are kept. With -d or -o it is a stage: not repeated while nothing has changed. It ends with
    the command's own exit code.
    """
    directory: str = ctx.obj
    if (argv := ctx.meta["command"]) is not None:
        words = Words(**{name: asked[name] for name in Words._fields})
        ctx.exit(run_command(directory, argv, words, force=asked["force"], as_json=as_json, dry_run=dry_run))
    began = time.monotonic()
    isolated = asked["isolated"]
    special = ("sets", "force", "single", "downstream", "glob", "pull", "skip", "only")
    plain = not (dry_run or any(asked[name] for name in special))
    if plain and (known := nothing_to_do(directory, goals, isolated=isolated)) is not None:
        _print(known, as_json, began)
        return
    from pinyon import pipeline

    goal = goal_of(directory, goals, keep_going=keep_going, **asked)
    if dry_run:
        from pinyon.cli.plan import show

        show(pipeline.plan(Path(directory), goal, jobs=jobs), as_json)
        return
    from pinyon.cli.progress import progress_for
    from pinyon.report.plan import Result

    signal.signal(signal.SIGTERM, _interrupt)
    store = home_of(project_around(directory) or directory)
    remember = question(goals, isolated=isolated, directory=goal.directory) if plain else ""
    try:
        with progress_for(store, as_json) as progress:
            result = pipeline.run(
                Path(directory),
                goal,
                jobs=jobs,
                tell=progress.tell,
                remember=remember,
            )
    except (StageFailedError, NoWinnerError) as error:
        from pinyon.cli.failures import print_failures

        if not as_json and isinstance(error.result, Result):
            print_failures(store, error.result, time.monotonic() - began, listed=keep_going)
        raise
    except GateError as error:  # everything has been made; what it made is not good enough
        if not as_json and isinstance(error.result, Result):
            _print(error.result.as_dict(), as_json, began)
        raise
    _print(result.as_dict(), as_json, began)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _print(summary: dict[str, Any], as_json: bool, began: float) -> None:
    if as_json:
        print_json(summary)
    else:
        print_summary(summary, time.monotonic() - began)
