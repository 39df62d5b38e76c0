"""``pinyon plan``: what would happen, and why."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import click

from pinyon.cli.options import goal_options, overrides, place
from pinyon.cli.output import print_json, table, word


@click.command("plan", epilog="Example: pinyon plan --why train")
@goal_options
@click.option("--why", is_flag=True, help="Name every fact behind each verdict.")
@click.pass_obj
def command(
    directory: str,
    goals: tuple[str, ...],
    sets: tuple[str, ...],
    force: bool,
    isolated: bool,
    single: bool,
    downstream: bool,
    glob: bool,
    pull: bool,
    as_json: bool,
    why: bool,
) -> None:
    """Say what `run` would do, and why. Changes nothing."""
    from pinyon import pipeline
    from pinyon.model.project import Goal

    isolated = isolated or bool(sets)
    goal = Goal(
        goals, overrides(sets), force, False, isolated, single, downstream, glob, pull, place(directory)
    )
    show(pipeline.plan(Path(directory), goal), as_json, why)


def show(plan: Any, as_json: bool, why: bool = False) -> None:
    """Print a plan."""
    if as_json:
        print_json(plan.as_dict())
        return
    tasks = [(plan.graph.tasks[recipe].stage, verdict) for recipe, verdict in plan.verdicts.items()]
    if not why:
        table(("verdict", "stage", "reason"), [(v.kind, stage.name, v.reason.text) for stage, v in tasks])
    else:
        for stage, verdict in tasks:
            click.echo(f"{word(verdict.kind, 9)} {click.style(stage.name, bold=True)}: {verdict.reason.text}")
            for detail in verdict.reason.details if verdict.reason.details != (verdict.reason.text,) else ():
                click.echo(f"          └ {detail}")
    counts = Counter(verdict.kind for _, verdict in tasks)
    click.echo(
        f"{len(tasks)} stages: " + (", ".join(f"{n} {kind}" for kind, n in counts.items()) or "nothing to do")
    )
