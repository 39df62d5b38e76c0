"""``pinyon report``: what came out of an experiment, in the terminal or as files."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pinyon.cli.options import completes, json_option
from pinyon.cli.output import is_watched, print_json

if TYPE_CHECKING:
    from pinyon.report.study.nouns import StudyView

_file = click.Path(dir_okay=False)


@click.command("report", epilog="Example: pinyon report lstm-optimization --html report.html")
@json_option
@click.option("--html", "html", type=_file, metavar="FILE", help="Write one HTML file that needs no network.")
@click.option("--md", "markdown", type=_file, metavar="FILE", help="Write Markdown.")
@click.option("--csv", "table", type=_file, metavar="FILE", help="Write every replicate as a row.")
@click.option(
    "--top",
    type=click.IntRange(min=1),
    metavar="N",
    help="Show the winner, the best N cells and the targets only.",
)
@click.argument("experiment", default="", shell_complete=completes("experiment_names"))
@click.pass_obj
def command(
    directory: str,
    experiment: str,
    html: str | None,
    markdown: str | None,
    table: str | None,
    top: int | None,
    as_json: bool,
) -> None:
    """Report on an experiment: who won and why, and from which runs.

    EXPERIMENT may be left out where there is one. Without a file, the report is shown here.
    """
    from pinyon.report.study import study_html, study_json, study_markdown, study_table, study_text

    name = experiment or _only(directory)
    view = _view(directory, name)
    wanted = ((html, study_html), (markdown, study_markdown), (table, study_table))
    written = [_write(path, make(view)) for path, make in wanted if path]
    if as_json:
        print_json({**study_json(view), "written": written})
    elif top:
        click.echo("\n".join([study_text(view, top), *([""] if written else []), *written]))
    elif written:
        click.echo("\n".join(written))
    else:
        _show(view)
        click.echo(f"with pictures: pinyon report {name} --html report.html", err=True)


def _only(directory: str) -> str:
    """The name of the experiment, where there is one and none is asked for."""
    from pinyon.errors import PlanError
    from pinyon.spec.load import find_root, load_project

    known = list(load_project(find_root(Path(directory))).settings.get("experiments") or {})
    if len(known) == 1:
        return str(known[0])
    if known:
        raise PlanError(
            "which experiment?", why=f"there are {', '.join(known)}", next=f"pinyon report {known[0]}"
        )
    raise PlanError(
        "there is no experiment to report on", why="pinyon.yaml has no experiments", next="pinyon runs"
    )


def _view(directory: str, experiment: str) -> StudyView:
    """The study as it is on record, with its learning curves, who began each of its executions with which code,
    and the model that its winner became."""
    from pinyon.cli.views import print_notes
    from pinyon.query.curves import curves_of
    from pinyon.query.runs import finals_of
    from pinyon.registry.registry import Registry
    from pinyon.report.study import study_view
    from pinyon.session import open_records
    from pinyon.session.study import study_result

    result = study_result(Path(directory), experiment)
    attempts = result.attempts.values()
    with ExitStack() as stack:
        records = open_records(Path(directory), stack)
        names = sorted({attempt.execution for attempt in attempts})
        found = [row for name in names for row in records.fold.executions("id = ?", name)]
        journals, store = records.store.root / "journals", records.store
        segments = [journals / name for name in store.journals.points()]
        ids = [attempt.id for attempt in attempts]
        curves = curves_of(segments, set(ids))
        summaries = finals_of(records.fold, ids)
        asked, registry = result.study.experiment.promote, Registry(records.store, records.fold.project)
        model = registry.model(asked.model) if asked and asked.model in registry.names() else None
        unreadable = records.fold.unreadable
    told = {name: document["execution"][3] for name, document in found if "execution" in document}
    print_notes(unreadable)
    return study_view(result, curves, executions=told, summaries=summaries, model=model)


def _write(path: str, text: str) -> str:
    with open(path, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        file.write(text)
    return path


def _show(view: StudyView) -> None:
    """Drawn for a person, who does not want digests of all runs there; whole for a program."""
    from pinyon.report.study import study_markdown

    if not is_watched():
        click.echo(study_markdown(view))
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(study_markdown(view, brief=True)))
