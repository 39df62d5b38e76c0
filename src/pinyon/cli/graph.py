"""``pinyon graph``: the stages and what they read from each other, drawn in the terminal."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import click

from pinyon.cli.options import completes, json_option
from pinyon.cli.output import colour_of, print_json


@click.command("graph", epilog="Example: pinyon graph train --paths")
@json_option
@click.option("--dot", "language", flag_value="dot", help="Print Graphviz's language.")
@click.option("--mermaid", "language", flag_value="mermaid", help="Print Mermaid's language.")
@click.option(
    "--full", is_flag=True, help="Draw every cell of a foreach or matrix, and stages that are alike."
)
@click.option("--paths", is_flag=True, help="Name the files on the edges.")
@click.argument("goals", nargs=-1, shell_complete=completes("stage_names"))
@click.pass_obj
def command(
    directory: str, goals: tuple[str, ...], as_json: bool, language: str | None, full: bool, paths: bool
) -> None:
    """Draw the stages, and what each reads from the others.

    A stage stands below what all ways to it lead through; `←` names what else it reads from. The cells of a
    foreach or matrix are one node. Once something has run, each is marked with what `run` would do.
    """
    from pinyon.report import drawn, graph

    planned, verdicts = _planned(directory, goals)
    if as_json:
        print_json(graph.as_dict(planned, verdicts))
        return
    nodes = graph.nodes_of(planned, verdicts, full=full)
    if language:
        click.echo((drawn.dot if language == "dot" else drawn.mermaid)(nodes, paths=paths))
        return
    for line in graph.draw(nodes, shutil.get_terminal_size((100, 24)).columns, paths=paths):
        click.echo("".join(_styled(span) for span in line).rstrip())
    counts = Counter(verdicts.values())
    legend = ", ".join(
        click.style(f"{graph.MARKS[kind]} {n} {kind}", fg=colour_of(kind)) for kind, n in counts.items()
    )
    total = len(planned.tasks)
    click.echo(f"{total} stage{'s' * (total != 1)}{': ' if legend else ''}{legend}")


def _planned(directory: str, goals: tuple[str, ...]) -> tuple[Any, dict[str, str]]:
    """The graph and a verdict for each stage; none before the first run, when every file would have to be hashed."""
    from pinyon.model.project import Goal
    from pinyon.session import load
    from pinyon.spec.load import find_root, load_project
    from pinyon.store.place import STORE

    root = find_root(Path(directory))
    if not (root / STORE / "journals").is_dir():
        return load(load_project(root), Goal(goals))[0], {}
    from pinyon import pipeline
    from pinyon.errors import PlanError
    from pinyon.report.plan import failed_before

    try:
        plan = pipeline.plan(root, Goal(goals))
    except PlanError:  # an absent source stops a run, not a drawing
        return load(load_project(root), Goal(goals))[0], {}
    names = {recipe: task.stage.name for recipe, task in plan.graph.tasks.items()}
    return plan.graph, {
        names[recipe]: "failed" if failed_before(verdict) else verdict.kind
        for recipe, verdict in plan.verdicts.items()
    }


def _styled(span: Any) -> str:
    text = span.text.rstrip()
    if not text:
        return str(span.text)
    shown = (
        click.style(text, dim=True)
        if span.kind in ("line", "path")
        else click.style(text, fg=colour_of(span.kind))
    )
    return f"{shown}{span.text[len(text) :]}"
