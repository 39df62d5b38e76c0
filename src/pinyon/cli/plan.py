"""``pinyon plan``: what would happen, and why."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import click

from pinyon.cli.options import goal_of, goal_options
from pinyon.cli.output import colour_of, print_json, reuse_text, table, word
from pinyon.model.units import show_bytes

_STYLES: dict[str, dict[str, Any]] = {
    "line": {"dim": True},
    "stage": {"bold": True},
    **{kind: {"fg": colour_of(kind)} for kind in ("unchanged", "reuse", "run", "wait", "stop")},
}


@click.command("plan", epilog="Example: pinyon plan --why train")
@goal_options
@click.option("--why", is_flag=True, help="Name every fact behind each verdict, and what follows from it.")
@click.pass_obj
def command(directory: str, /, goals: tuple[str, ...], as_json: bool, why: bool, **asked: Any) -> None:
    """Say what `run` would do, and why. Changes nothing."""
    from pinyon import pipeline

    show(pipeline.plan(Path(directory), goal_of(directory, goals, **asked), why=why), as_json, why)


def _show_cells(plan: Any) -> None:
    from pinyon.report import sweep

    study = plan.study.study
    click.echo(sweep.question(study))
    for row in sweep.rows(study, plan.verdicts):
        if row.kind == "phase":
            text = click.style(row.text, bold=True)
        elif row.kind == "promote":
            text = f"{click.style(row.kind, bold=True)}   {row.text}"
        else:
            text = f"  {word(row.kind, 9)} {row.text}"
        click.echo(text + (f"  {click.style(row.note, dim=True)}" if row.note else ""))
    click.echo(sweep.counts(study, plan.verdicts))


def show(plan: Any, as_json: bool, why: bool = False) -> None:
    """Print a plan."""
    if as_json:
        print_json(plan.as_dict())
        return
    from pinyon.report.estimate import sentence

    for fetched in plan.fetches:
        size = "" if fetched.size is None else f"  {show_bytes(fetched.size)}"
        click.echo(f"{word('fetch', 9)} {fetched.path}{size}")
    tasks = [(plan.graph.tasks[recipe].stage, verdict) for recipe, verdict in plan.verdicts.items()]
    if why:
        from pinyon.report.why import tree

        def reused(stage: str, reason: Any) -> str:
            return reuse_text(reason.text, stage, reason.about)

        for line in tree(plan.graph, plan.verdicts, reused):
            click.echo("".join(click.style(span.text, **_STYLES.get(span.kind, {})) for span in line))
    elif plan.study is not None:
        _show_cells(plan)
    else:
        rows = [
            (v.kind, stage.name, reuse_text(v.reason.text, stage.name, v.reason.about)) for stage, v in tasks
        ]
        table(("verdict", "stage", "reason"), rows)
    counts = Counter(verdict.kind for _, verdict in tasks)
    click.echo(
        f"{len(tasks)} stages: " + (", ".join(f"{n} {kind}" for kind, n in counts.items()) or "nothing to do")
    )
    if plan.environment:
        from pinyon.report.captured import some

        click.echo(f"since the last execution: {some(list(plan.environment))} (no key names these)")
    if estimate := sentence(plan.expected):
        click.echo(estimate)
